#include "held.h"

#include <stdio.h>

#include "text.h"

enum {
	LOOK_MS = 10000,     /* what the bus missed is seen by then */
	LOOK_DEAF_MS = 1500, /* the same without a bus, and at first, when it may not listen yet */
	CHANNEL_MAX = 16 + 2 * LOGIN_HASH_LEN
};

static void channel_of(char channel[static CHANNEL_MAX], const uint8_t hash[static LOGIN_HASH_LEN])
{
	int len = snprintf(channel, CHANNEL_MAX, "fs:login:");

	hex_encode(channel + len, bytes_of(hash, LOGIN_HASH_LEN));
}

void held_ring(struct coordinator *c, const uint8_t hash[static LOGIN_HASH_LEN])
{
	char channel[CHANNEL_MAX];

	channel_of(channel, hash);
	bus_command(c->bus, NULL, NULL, BUS_ARGS(BYTES("PUBLISH"), bytes_text(channel), BYTES("1")));
}

/* --- one answer, then nothing --------------------------------------------------------------------------------------------------------------------- */

void held_over(struct held *h)
{
	timer_cancel(&h->look);
	timer_cancel(&h->end);
	if (h->open) {
		bus_unlisten(h->c->bus, &h->listener);
		list_remove(&h->link);
	}
	h->open = false;
	h->x = NULL;
	body_drop(&h->answer);
	h->events->on_over(h->context);
}

static void finish(struct held *h)
{
	struct exchange *x = h->x;
	struct body *answer = h->answer;

	h->answer = NULL;
	exchange_send(x, &answer, 1);
	body_drop(&answer);
	held_over(h);
	exchange_end(x);
}

static void on_room(void *context)
{
	struct held *h = context;

	if (h->answer)
		finish(h);
}

static void on_gone(void *context, enum err why)
{
	(void)why;
	held_over(context);
}

static const struct exchange_events stream_events = {on_room, on_gone};

void held_answer(struct held *h, struct bytes json)
{
	h->answer = body_new(json);
	timer_cancel(&h->look);
	timer_cancel(&h->end);
	if (exchange_ready(h->x))
		finish(h);
}

void held_abort(struct held *h)
{
	struct exchange *x = h->x;

	held_over(h);
	exchange_abort(x);
}

/* --- waiting ---------------------------------------------------------------------------------------------------------------------------------------- */

static void on_look(void *context)
{
	struct held *h = context;

	if (!h->answer)
		h->events->on_look(h->context);
}

static void on_message(void *context, struct bytes message)
{
	(void)message;
	on_look(context);
}

static void on_end(void *context)
{
	struct held *h = context;

	h->events->on_end(h->context);
}

void held_init(struct held *h, struct exchange *x, const struct held_events *events, void *context)
{
	*h = (struct held){.c = x->program, .x = x, .events = events, .context = context};
	list_init(&h->link);
	timer_init(&h->look, h->c->loop, on_look, h);
	timer_init(&h->end, h->c->loop, on_end, h);
}

void held_open(struct held *h, const uint8_t hash[static LOGIN_HASH_LEN], int64_t left_ms)
{
	char channel[CHANNEL_MAX];

	h->open = true;
	list_append(&h->c->logins, &h->link);
	exchange_stream(h->x, 200, "application/json", &stream_events, h);
	channel_of(channel, hash);
	h->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_look, .context = h};
	bus_listen(h->c->bus, channel, &h->listener);
	timer_set(&h->look, LOOK_DEAF_MS < left_ms ? LOOK_DEAF_MS : left_ms + 1);
	timer_set(&h->end, h->c->options->login_hold_ms);
}

void held_wait(struct held *h, int64_t left_ms)
{
	int64_t next_ms = bus_up(h->c->bus) ? LOOK_MS : LOOK_DEAF_MS;

	timer_set(&h->look, next_ms < left_ms ? next_ms : left_ms + 1);
}

void held_retry(struct held *h)
{
	timer_set(&h->look, LOOK_DEAF_MS);
}

void held_end_all(struct coordinator *c)
{
	LIST_EACH(&c->logins, h, struct held, link)
		if (!h->answer)
			h->events->on_end(h->context);
}
