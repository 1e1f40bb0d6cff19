/* What a server has used so far: CPU time and resident memory of one process, from /proc.
 * Not its children. Plain values. */
#ifndef SERVED_H
#define SERVED_H

#include <stdbool.h>
#include <stdint.h>

struct served {
	double cpu_s; /* utime + stime */
	uint64_t rss; /* bytes */
};

/* False when there is no such process. */
bool served_look(int pid, struct served *s);

#endif
