#include "served.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool served_look(int pid, struct served *s)
{
	char path[64], line[1024], *at;
	unsigned long user, sys;
	long rss;
	FILE *f;
	bool good;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	good = fgets(line, sizeof line, f) && (at = strrchr(line, ')')) &&
	       sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld", &user, &sys, &rss) == 3;
	fclose(f);
	if (!good)
		return false;
	s->cpu_s = (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
	s->rss = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}
