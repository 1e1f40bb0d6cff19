#include "expiry.h"

#include <pthread.h>
#include <stdlib.h>

#include "log.h"

enum { DAY = 24 * 3600, NEAR_MOST = 14 * DAY };

struct metric expiry_metrics[EXPIRY_METRIC_COUNT + 1] = {
	[EXPIRY_SECONDS] = {"tls_certificate_expires_seconds", METRIC_GAUGE,
			    "Until the first of the certificates at the TLS doors expires; below zero: it has; 0: there is none.", NULL, NULL, 0},
};

struct held {
	struct held *next;
	char *file;
	unsigned doors;
	int64_t from, until, complained;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct held *all;
static int64_t shown; /* what the metric says */

bool expiry_is_near(int64_t from, int64_t until, int64_t now)
{
	int64_t margin = (until - from) / 5;
	return until - now < (margin < NEAR_MOST ? margin : NEAR_MOST);
}

static struct held **find(const char *file)
{
	struct held **at = &all;
	while (*at && strcmp((*at)->file, file) != 0)
		at = &(*at)->next;
	return at;
}

void expiry_note(const char *file, int64_t from, int64_t until, bool fresh)
{
	pthread_mutex_lock(&lock);
	struct held **at = find(file), *h = *at;
	if (!h) {
		*at = h = x_zalloc(sizeof(*h));
		h->file = x_strdup(file);
	}
	if (h->until != until)
		h->complained = 0;
	h->from = from;
	h->until = until;
	h->doors += fresh;
	pthread_mutex_unlock(&lock);
}

void expiry_drop(const char *file)
{
	pthread_mutex_lock(&lock);
	struct held **at = find(file), *h = *at;
	if (h && --h->doors == 0) {
		*at = h->next;
		free(h->file);
		free(h);
	}
	pthread_mutex_unlock(&lock);
}

static void complain(struct held *h, int64_t now)
{
	bool past = h->until <= now;
	if (!expiry_is_near(h->from, h->until, now) || (h->complained && now - h->complained < DAY))
		return;
	h->complained = now;
	LOG_AT(past ? LOG_ERROR : LOG_WARNING, SUBJECT("door"), past ? "certificate has expired" : "certificate expires soon", F_TEXT("file", h->file),
	       F_INT("seconds", h->until - now));
}

void expiry_look(int64_t now)
{
	pthread_mutex_lock(&lock);
	int64_t least = INT64_MAX;
	for (struct held *h = all; h; h = h->next) {
		complain(h, now);
		least = h->until - now < least ? h->until - now : least;
	}
	least = all ? least : 0;
	metric_add(&expiry_metrics[EXPIRY_SECONDS], least - shown);
	shown = least;
	pthread_mutex_unlock(&lock);
}
