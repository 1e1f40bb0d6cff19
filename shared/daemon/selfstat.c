#include "selfstat.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

enum { TEXT_MAX = 4096, COUNT_ANEW_MS = 10000 };

static bool read_text(const char *path, char text[static TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);
	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = 0;
	return len > 0;
}

static int64_t walk_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int64_t count = -3; /* ".", "..", and the walk's own */
	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Newer kernels tell the count as the folder's size; with others the walk is long when there are many. */
static int64_t count_fds(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t count, at_ms;
	struct stat st;
	if (!stat("/proc/self/fd", &st) && st.st_size > 0)
		return st.st_size;
	pthread_mutex_lock(&lock);
	int64_t now = clock_mono().ms;
	if (!at_ms || now - at_ms > COUNT_ANEW_MS) {
		count = walk_fds();
		at_ms = now;
	}
	int64_t known = count;
	pthread_mutex_unlock(&lock);
	return known;
}

static int64_t limit_of(int what)
{
	struct rlimit limit;
	return getrlimit((__rlimit_resource_t)what, &limit) || limit.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)limit.rlim_cur;
}

static double boot_time(void)
{
	static const char mark[] = "\nbtime ";
	FILE *file = fopen("/proc/stat", "re");
	double at = 0;
	char *line = NULL;
	size_t room = 0;
	while (file && getline(&line, &room, file) > 0)
		if (!strncmp(line, mark + 1, sizeof mark - 2))
			at = strtod(line + sizeof mark - 2, NULL);
	free(line);
	if (file)
		fclose(file);
	return at;
}

/* The fields behind the name, which may hold anything: 3 is the first of them. */
static const char *field(const char *behind_name, unsigned number)
{
	for (unsigned i = 3; *behind_name && i < number; i++) {
		behind_name += strcspn(behind_name, " ");
		behind_name += strspn(behind_name, " ");
	}
	return behind_name;
}

struct selfstat selfstat_read(void)
{
	char text[TEXT_MAX];
	double tick = (double)sysconf(_SC_CLK_TCK);
	struct selfstat s = {.open_fds = count_fds(), .max_fds = limit_of(RLIMIT_NOFILE), .virtual_max = limit_of(RLIMIT_AS), .boot_unix_s = boot_time()};
	const char *name_end = read_text("/proc/self/stat", text) ? strrchr(text, ')') : NULL;
	if (!name_end || tick <= 0)
		return s;
	const char *rest = name_end + 1 + strspn(name_end + 1, " ");
	s.cpu_s = (strtod(field(rest, 14), NULL) + strtod(field(rest, 15), NULL)) / tick;
	s.started_unix_s = s.boot_unix_s + strtod(field(rest, 22), NULL) / tick;
	s.virtual_size = strtoll(field(rest, 23), NULL, 10);
	s.resident = strtoll(field(rest, 24), NULL, 10) * sysconf(_SC_PAGESIZE);
	return s;
}

enum err selfstat_write(struct buffer *out)
{
	struct selfstat s = selfstat_read();
	const struct {
		const char *name, *type, *help;
		double value;
	} series[] = {
		{"process_cpu_seconds_total", "counter", "Time of processors spent.", s.cpu_s},
		{"process_open_fds", "gauge", "Descriptors open.", (double)s.open_fds},
		{"process_max_fds", "gauge", "Descriptors that may be open.", (double)s.max_fds},
		{"process_resident_memory_bytes", "gauge", "Memory in use.", (double)s.resident},
		{"process_virtual_memory_bytes", "gauge", "Addresses in use.", (double)s.virtual_size},
		{"process_virtual_memory_max_bytes", "gauge", "Addresses that may be in use; -1: no limit.", (double)s.virtual_max},
		{"process_start_time_seconds", "gauge", "When it began, in seconds since 1970.", s.started_unix_s},
	};
	enum err e = ERR_NONE;
	for (size_t i = 0; i < COUNT_OF(series) && !e; i++)
		e = buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", series[i].name, series[i].help, series[i].name, series[i].type, series[i].name,
				  series[i].value);
	return e;
}
