#include "rate.h"

#include <assert.h>
#include <stdlib.h>

#include "list.h"
#include "table.h"

struct bucket {
	struct list age; /* least recently asked first */
	struct mono filled;
	int64_t milli_tokens;
	struct bytes key;
	uint8_t key_bytes[];
};

struct rate {
	unsigned per_minute;
	size_t buckets_max;
	struct table *buckets;
	struct list ages;
};

struct rate *rate_new(unsigned per_minute, size_t buckets_max)
{
	struct rate *rate = x_zalloc(sizeof *rate);

	rate->per_minute = per_minute;
	rate->buckets_max = buckets_max;
	rate->buckets = table_new();
	list_init(&rate->ages);
	return rate;
}

static void bucket_drop(struct rate *rate, struct bucket *b)
{
	table_remove(rate->buckets, b->key);
	list_remove(&b->age);
	free(b);
}

void rate_free(struct rate **rate)
{
	if (!*rate)
		return;
	LIST_EACH(&(*rate)->ages, b, struct bucket, age)
		bucket_drop(*rate, b);
	table_free(&(*rate)->buckets);
	free(*rate);
	*rate = NULL;
}

static struct bucket *bucket_get(struct rate *rate, struct bytes key, struct mono now)
{
	struct bucket *b = table_find(rate->buckets, key), *oldest = LIST_FIRST(&rate->ages, struct bucket, age);

	if (b) {
		list_remove(&b->age);
		list_append(&rate->ages, &b->age);
		return b;
	}
	if (oldest && table_count(rate->buckets) >= rate->buckets_max)
		bucket_drop(rate, oldest);
	b = x_alloc(sizeof *b + key.len);
	memcpy(b->key_bytes, key.at, key.len);
	b->key = bytes_of(b->key_bytes, key.len);
	b->filled = now;
	b->milli_tokens = (int64_t)rate->per_minute * 1000;
	list_append(&rate->ages, &b->age);
	table_put(rate->buckets, b->key, b);
	return b;
}

static void bucket_fill(const struct rate *rate, struct bucket *b, struct mono now)
{
	int64_t full = (int64_t)rate->per_minute * 1000, passed_ms = now.ms - b->filled.ms;
	int64_t gained = passed_ms >= 60000 ? full : passed_ms * rate->per_minute / 60;

	b->milli_tokens = b->milli_tokens + gained < full ? b->milli_tokens + gained : full;
	/* Who asks so often that nothing was gained meanwhile does not lose the time either. */
	if (gained)
		b->filled = now;
}

static bool bucket_has(const struct rate *rate, const struct bucket *b, unsigned *retry_s)
{
	if (b->milli_tokens >= 1000)
		return true;
	*retry_s = 1 + (unsigned)((1000 - b->milli_tokens) * 60 / 1000 / rate->per_minute);
	return false;
}

bool rate_has(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s)
{
	struct bucket *b = table_find(rate->buckets, key);

	if (!b)
		return true;
	bucket_fill(rate, b, now);
	return bucket_has(rate, b, retry_s);
}

bool rate_take(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s)
{
	struct bucket *b = bucket_get(rate, key, now);

	bucket_fill(rate, b, now);
	if (!bucket_has(rate, b, retry_s))
		return false;
	b->milli_tokens -= 1000;
	return true;
}

bool rate_take_seen(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s, unsigned *left, unsigned *full_s)
{
	bool taken = rate_take(rate, key, now, retry_s);
	const struct bucket *b = table_find(rate->buckets, key);
	int64_t full = (int64_t)rate->per_minute * 1000, missing = full - b->milli_tokens;

	assert(full);
	*left = (unsigned)(b->milli_tokens / 1000);
	*full_s = (unsigned)((missing * 60 + full - 1) / full);
	return taken;
}
