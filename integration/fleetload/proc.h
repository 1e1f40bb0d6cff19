/* What the processes of a server stack cost, from /proc: CPU time of each with all its descendants (PostgreSQL's backends), resident memory.
 * Not a profiler. Processes are named by a list that the caller was given; none is guessed.
 * Plain values; nothing is owned. */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROC_MOST = 64, PROC_NAME = 32 };

struct proc {
	char program[PROC_NAME];
	int pid;
};

struct procs {
	struct proc list[PROC_MOST];
	size_t count;
};

/* `path`: JSON as .run/up.json has it: {"programs": [{"program": name, "pid": number}]}. False: unreadable, or more than PROC_MOST. */
bool procs_load(struct procs *procs, const char *path);

/* By process of the list, at one moment. */
struct usage {
	double cpu_s[PROC_MOST];
	uint64_t rss_bytes[PROC_MOST];
	double own_s, machine_s; /* CPU of this process; busy time of all processors */
};
void procs_measure(const struct procs *procs, struct usage *usage);
/* CPU seconds between two moments, of the programs whose name contains `part` ("" = all). */
double usage_cpu(const struct procs *procs, const struct usage *from, const struct usage *to, const char *part);
uint64_t usage_rss(const struct procs *procs, const struct usage *usage, const char *part);

#endif
