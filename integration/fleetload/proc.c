#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"

struct stat_line {
	int parent;
	uint64_t reaped_ticks; /* user and system time of children that have ended */
	uint64_t rss_pages;
};

bool procs_load(struct procs *procs, const char *path)
{
	json_t *file = json_load_file(path, 0, NULL);
	const json_t *programs = json_object_get(file, "programs"), *one;
	bool good = json_array_size(programs) > 0 && json_array_size(programs) <= PROC_MOST;
	size_t i;

	*procs = (struct procs){0};
	json_array_foreach(programs, i, one)
	{
		struct proc *p = &procs->list[procs->count];
		const char *name = json_string_value(json_object_get(one, "program"));

		p->pid = (int)json_integer_value(json_object_get(one, "pid"));
		good = good && name && p->pid > 0;
		if (!good)
			break;
		snprintf(p->program, sizeof p->program, "%s", name);
		procs->count++;
	}
	json_decref(file);
	return good;
}

static bool read_file(const char *path, char *out, size_t room)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return false;
	len = fread(out, 1, room - 1, file);
	out[len] = '\0';
	fclose(file);
	return len > 0;
}

/* The command's name may hold spaces and brackets: fields are counted from the last one. Source: proc(5). */
static bool read_stat(int pid, struct stat_line *line)
{
	char path[64], text[1024], *at;
	unsigned long long cutime, cstime;
	long long rss;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (!read_file(path, text, sizeof text) || !(at = strrchr(text, ')')))
		return false;
	if (sscanf(at + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*u %*u %lld", &line->parent, &cutime, &cstime,
		   &rss) != 4)
		return false;
	line->reaped_ticks = cutime + cstime;
	line->rss_pages = (uint64_t)rss;
	return true;
}

/* Nanoseconds on a processor of all live threads. Source: Linux Documentation/scheduler/sched-stats.rst. */
static uint64_t live_ns(int pid)
{
	char path[sizeof "/proc//task//schedstat" + 2 * 20 + 256], text[128];
	const struct dirent *entry;
	uint64_t ns = 0;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		if (read_file(path, text, sizeof text))
			ns += strtoull(text, NULL, 10);
	}
	if (tasks)
		closedir(tasks);
	return ns;
}

static void add(struct usage *usage, size_t at, int pid, const struct stat_line *line)
{
	usage->cpu_s[at] += (double)live_ns(pid) / 1e9 + (double)line->reaped_ticks / (double)sysconf(_SC_CLK_TCK);
	usage->rss_bytes[at] += line->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Which program of the list a process descends from; deep trees do not occur. */
static size_t owner_of(const struct procs *procs, int parent)
{
	struct stat_line line;

	for (unsigned depth = 0; depth < 3 && parent > 1; depth++, parent = line.parent) {
		for (size_t i = 0; i < procs->count; i++)
			if (procs->list[i].pid == parent)
				return i;
		if (!read_stat(parent, &line))
			break;
	}
	return procs->count;
}

/* Busy time of all processors: user, nice, system, irq, softirq, steal; not idle and waiting. Source: proc(5). */
static double machine_seconds(void)
{
	char text[1024];
	unsigned long long user, nice, system, irq, softirq, steal;

	if (!read_file("/proc/stat", text, sizeof text) ||
	    sscanf(text, "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user, &nice, &system, &irq, &softirq, &steal) != 6)
		return 0;
	return (double)(user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

static double own_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void procs_measure(const struct procs *procs, struct usage *usage)
{
	const struct dirent *entry;
	struct stat_line line;
	DIR *all = opendir("/proc");

	*usage = (struct usage){.own_s = own_seconds(), .machine_s = machine_seconds()};
	for (size_t i = 0; i < procs->count; i++)
		if (read_stat(procs->list[i].pid, &line))
			add(usage, i, procs->list[i].pid, &line);
	while (all && (entry = readdir(all))) {
		int pid = atoi(entry->d_name);
		size_t owner = pid > 0 && read_stat(pid, &line) ? owner_of(procs, line.parent) : procs->count;

		if (owner < procs->count)
			add(usage, owner, pid, &line);
	}
	if (all)
		closedir(all);
}

double usage_cpu(const struct procs *procs, const struct usage *from, const struct usage *to, const char *part)
{
	double sum = 0;

	for (size_t i = 0; i < procs->count; i++)
		if (strstr(procs->list[i].program, part))
			sum += to->cpu_s[i] - from->cpu_s[i];
	return sum;
}

uint64_t usage_rss(const struct procs *procs, const struct usage *usage, const char *part)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < procs->count; i++)
		if (strstr(procs->list[i].program, part))
			sum += usage->rss_bytes[i];
	return sum;
}
