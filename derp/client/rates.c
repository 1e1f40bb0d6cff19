#include "rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "jsonr.h"
#include "log.h"
#include "mem.h"

enum { LOOK_MS = 1000, FILE_MAX = 65536 };

#define RATE_MOST INT64_C(1000000000000)

struct rate rate_bounded(struct rate rate)
{
	if (!rate.per_second)
		rate.burst = 0;
	else if (rate.burst < RATES_COST_MAX)
		rate.burst = RATES_COST_MAX;
	if (rate.per_second > (uint64_t)RATE_MOST)
		rate.per_second = RATE_MOST;
	if (rate.burst > (uint64_t)RATE_MOST)
		rate.burst = RATE_MOST;
	return rate;
}

static void set(struct rates *r, struct rate rate)
{
	rate = rate_bounded(rate);
	if (rate.per_second == atomic_load(&r->per_second) && rate.burst == atomic_load(&r->burst))
		return;
	atomic_store(&r->per_second, rate.per_second);
	atomic_store(&r->burst, rate.burst);
	atomic_fetch_add_explicit(&r->changes, 1, memory_order_release);
}

struct rate rates_now(const struct rates *r)
{
	/* The two may be of different rates, when they change just now. */
	return rate_bounded((struct rate){atomic_load(&r->per_second), atomic_load(&r->burst)});
}

static enum err parse(struct bytes text, struct rate *rate, struct diag *why)
{
	static const struct jsonr_member shape[] = {{.name = "PerClientRateLimitBytesPerSec", .type = JSONR_INT, .least = 0, .most = RATE_MOST},
						    {.name = "PerClientRateBurstBytes", .type = JSONR_INT, .least = 0, .most = RATE_MOST},
						    {0}};
	json_t *value;
	enum err e = jsonr_parse(text, FILE_MAX, &value, why);
	if (e)
		return e;
	e = json_is_object(value) ? jsonr_check(value, shape, NULL, why) : diag_set(why, ERR_MALFORMED, "not a JSON object");
	if (!e)
		*rate = (struct rate){(uint64_t)jsonr_int(value, shape[0].name), (uint64_t)jsonr_int(value, shape[1].name)};
	json_decref(value);
	return e;
}

static enum err read_file(const char *path, struct rate *rate, struct diag *why)
{
	char text[FILE_MAX];
	FILE *f = fopen(path, "re");
	if (!f)
		return diag_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	size_t len = fread(text, 1, sizeof text, f);
	fclose(f);
	struct diag inner = {0};
	enum err e = parse(bytes_of(text, len), rate, &inner);
	return e ? diag_set(why, e, "%s: %s", path, inner.text) : ERR_NONE;
}

/* Whether the file is another one than when last looked at. */
static bool is_changed(struct rates *r)
{
	struct stat st = {0};
	(void)!stat(r->path, &st);
	int64_t mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	bool changed = mtime_ns != r->mtime_ns || st.st_ino != r->inode || (uint64_t)st.st_size != r->size;
	r->mtime_ns = mtime_ns;
	r->inode = st.st_ino;
	r->size = (uint64_t)st.st_size;
	return changed;
}

enum err rates_open(struct rates *r, const char *path, struct diag *why)
{
	*r = (struct rates){.path = *path ? x_strdup(path) : NULL};
	if (!r->path)
		return ERR_NONE;
	struct rate rate = {0};
	(void)is_changed(r);
	enum err e = read_file(path, &rate, why);
	if (!e)
		set(r, rate);
	return e;
}

void rates_close(struct rates *r)
{
	free(r->path);
	r->path = NULL;
}

static void on_look(void *context)
{
	struct rates *r = context;
	struct rate rate = {0};
	struct diag why = {0};
	timer_set(&r->look, LOOK_MS);
	if (!is_changed(r))
		return;
	if (read_file(r->path, &rate, &why)) {
		log_warning(SUBJECT("relay"), "the new rate is refused, the old one stays", F_TEXT("reason", why.text));
		return;
	}
	set(r, rate);
	log_info(SUBJECT("relay"), "rate of clients read anew", F_UINT("bytes_per_second", rate.per_second), F_UINT("burst", rates_now(r).burst));
}

void rates_start(struct rates *r, struct loop *loop)
{
	timer_init(&r->look, loop, on_look, r);
	if (r->path)
		timer_set(&r->look, LOOK_MS);
}

enum err rates_check(const char *path, struct diag *why)
{
	struct rate rate = {0};
	return *path ? read_file(path, &rate, why) : ERR_NONE;
}

void rates_follow(struct rates *r, const char *path)
{
	if (!strcmp(path, r->path ? r->path : ""))
		return;
	timer_cancel(&r->look);
	free(r->path);
	r->path = *path ? x_strdup(path) : NULL;
	r->mtime_ns = -1;
	if (r->path)
		on_look(r);
}

void rates_stop(struct rates *r)
{
	timer_cancel(&r->look);
}

void rates_told(struct rates *r, struct rate rate)
{
	if (!r->path)
		set(r, rate);
}

int64_t rates_take(const struct rates *r, struct limit *bucket, uint64_t cost, struct mono now)
{
	struct rate rate = rates_now(r);
	if (!rate.per_second)
		return 0;
	return limit_take_many(bucket, cost < RATES_COST_MAX ? cost : RATES_COST_MAX, rate, now);
}
