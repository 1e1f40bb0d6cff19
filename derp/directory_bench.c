#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "directory.h"

/* Looks per second at random keys, hits and misses. */
static double run(size_t keys, bool hit)
{
	enum { LOOKS = 2000000 };
	struct directory *d = directory_new();
	struct member *members = x_zalloc(sizeof(*members) * keys);
	struct node_key *at = x_alloc(sizeof(*at) * keys), *ask = x_alloc(sizeof(*ask) * keys);
	random_fill(at, sizeof(*at) * keys);
	random_fill(ask, sizeof(*ask) * keys);
	for (size_t i = 0; i < keys; i++)
		directory_add(d, &at[i], &members[i]);
	size_t found = 0, i = 0;
	uint64_t begun = clock_mono_us();
	for (unsigned n = 0; n < LOOKS; n++) {
		i = (i + 7919) % keys;
		found += directory_find(d, hit ? &at[i] : &ask[i]) != NULL;
	}
	double rate = LOOKS / ((double)(clock_mono_us() - begun + 1) / 1e6);
	for (size_t n = 0; n < keys; n++)
		directory_remove(d, &members[n]);
	directory_free(&d);
	free(members);
	free(at);
	free(ask);
	return found == (hit ? LOOKS : 0) ? rate : -1;
}

int main(void)
{
	static const size_t sizes[] = {100, 10000, 100000};
	printf("%-8s %-14s %s\n", "keys", "hits/s", "misses/s");
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		double hits = run(sizes[i], true), misses = run(sizes[i], false);
		printf("%-8zu %-14.0f %.0f\n", sizes[i], hits, misses);
		printf("{\"bench\":\"directory\",\"keys\":%zu,\"hits_per_s\":%.0f,\"misses_per_s\":%.0f}\n", sizes[i], hits, misses);
	}
	return 0;
}
