#include "stats.h"

/* Values below STATS_SUB have buckets of their own; above, each power of two has STATS_SUB. */
static unsigned bucket_of(uint64_t us)
{
	unsigned shift = 0, bucket;

	while (us >> shift >= 2 * STATS_SUB)
		shift++;
	bucket = shift * STATS_SUB + (unsigned)(us >> shift);
	return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

static uint64_t highest_of(unsigned bucket)
{
	unsigned shift = bucket < 2 * STATS_SUB ? 0 : bucket / STATS_SUB - 1;

	return ((uint64_t)(bucket - shift * STATS_SUB + 1) << shift) - 1;
}

void stats_add(struct stats *s, uint64_t us)
{
	s->count[bucket_of(us)]++;
	s->total++;
	if (us > s->max)
		s->max = us;
}

uint64_t stats_quantile(const struct stats *s, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)s->total), seen = 0;

	if (!s->total)
		return 0;
	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		seen += s->count[i];
		if (seen >= wanted && seen)
			return highest_of(i) < s->max ? highest_of(i) : s->max;
	}
	return s->max;
}
