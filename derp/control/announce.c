#include "announce.h"

#include <stdlib.h>

#include "answerkeys.h"
#include "jsonr.h"
#include "key.h"
#include "log.h"
#include "metrics_relay.h"

enum {
	ANNOUNCE_MS = 3000, /* timeout of one */
	BACKOFF_LEAST_MS = 250,
	BACKOFF_MOST_MS = 5000,
	LEASE_DEFAULT_S = 15,
	LEASE_MOST_S = 3600,
	ANSWER_MAX = 1 << 20,
	HURRY_MS = 300,
};

struct announce {
	struct announce_config config;
	struct buffer body;
	struct timer next;
	unsigned coordinator;
	int64_t backoff_ms;
	bool known; /* the region was logged */
	bool asking, ending;
	bool hurried, fresh, current; /* fresh: the one on its way was said since; current: its answer was heard */
};

static void say(void *context);

struct announce *announce_new(const struct announce_config *config)
{
	struct announce *a = x_zalloc(sizeof(*a));
	a->config = *config;
	a->backoff_ms = BACKOFF_LEAST_MS;
	a->coordinator = coordinators_first(config->coordinators);
	buffer_init(&a->body, ANSWER_MAX);
	timer_init(&a->next, config->loop, say, a);
	timer_set(&a->next, 0);
	return a;
}

static void end(struct announce *a)
{
	buffer_clear(&a->body);
	free(a);
}

void announce_free(struct announce **announce)
{
	struct announce *a = *announce;
	*announce = NULL;
	if (!a)
		return;
	timer_cancel(&a->next);
	a->ending = true;
	if (!a->asking)
		end(a);
}

static void on_taken(struct announce *a, const json_t *answer)
{
	int64_t lease_s = json_integer_value(json_object_get(answer, "LeaseSeconds"));
	if (lease_s < 1 || lease_s > LEASE_MOST_S)
		lease_s = LEASE_DEFAULT_S;
	if (!a->known) {
		log_info(SUBJECT("relay"), "announced", F_TEXT("coordinator", a->config.coordinators->url[a->coordinator]),
			 F_INT("region", json_integer_value(json_object_get(answer, "RegionID"))), F_BYTES("code", jsonr_text(answer, "RegionCode")),
			 F_BYTES("name", jsonr_text(answer, "Name")), F_INT("lease_seconds", lease_s));
	}
	a->known = true;
	a->backoff_ms = BACKOFF_LEAST_MS;
	timer_set(&a->next, a->hurried ? HURRY_MS : lease_s * 1000 / 3);
	a->current = !a->hurried || a->fresh;
	relay_count_at(RELAY_ANNOUNCEMENTS, RELAY_ANNOUNCEMENT_TAKEN, 1);
	a->config.on_taken(a->config.context, answer);
}

static void on_failed(struct announce *a, enum err e, unsigned status, struct bytes body)
{
	bool refused = status == 401 || status == 403;
	/* A good answer that is not understood holds mesh keys. */
	LOG_AT(refused ? LOG_ERROR : LOG_WARNING, SUBJECT("relay"), refused ? "a coordinator refuses this relay" : "announcement failed",
	       F_TEXT("coordinator", a->config.coordinators->url[a->coordinator]), F_ERR(e), F_UINT("status", status),
	       F_BYTES("answer", bytes_take(body, status != 200 && bytes_is_utf8(body) ? 200 : 0)));
	relay_count_at(RELAY_ANNOUNCEMENTS, refused ? RELAY_ANNOUNCEMENT_REFUSED : RELAY_ANNOUNCEMENT_FAILED, 1);
	a->known = false;
	coordinators_failed(a->config.coordinators, a->coordinator);
	a->coordinator = coordinators_next(a->config.coordinators, a->coordinator);
	/* A little at random: relays that lost the same coordinator shall not come back in step. */
	timer_set(&a->next, a->backoff_ms + (int64_t)(random_number() % (uint64_t)(a->backoff_ms / 2)));
	if (a->backoff_ms < BACKOFF_MOST_MS)
		a->backoff_ms = a->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : a->backoff_ms * 2;
	if (refused)
		a->config.on_refused(a->config.context);
}

static void on_answer(void *context, enum err e, unsigned status, struct bytes body)
{
	struct announce *a = context;
	a->asking = false;
	if (a->ending) {
		end(a);
		return;
	}
	json_t *answer = NULL;
	if (!e && status == 200 && !jsonr_parse(body, ANSWER_MAX, &answer, NULL) && json_is_object(answer))
		on_taken(a, answer);
	else
		on_failed(a, e, status, body);
	json_decref(answer);
}

void announce_hurry(struct announce *a)
{
	a->hurried = true;
	a->current = false;
	if (!a->asking)
		timer_set(&a->next, 0);
}

bool announce_is_current(const struct announce *a)
{
	return a->current;
}

static void say(void *context)
{
	struct announce *a = context;
	buffer_reset(&a->body);
	a->config.write(a->config.context, &a->body);
	char *url = coordinators_url(a->config.coordinators, a->coordinator, "/relay/v1/announce");
	const struct fetch_request request = {
		.method = "POST", .url = url, .bearer = a->config.token, .body = buffer_bytes(&a->body), .timeout_ms = ANNOUNCE_MS};
	a->asking = true;
	a->fresh = a->hurried;
	answerkeys_fetch(a->config.coordinators->keys, a->config.fetcher, &request, on_answer, a);
	free(url);
}
