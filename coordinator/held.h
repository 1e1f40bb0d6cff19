/* Requests that are held until somebody answers for them, through whatever coordinator: interactive logins, checks of SSH rules.
 * Not what is answered (serve_login.h, serve_sshaction.h). The row decides; the bus only says when to look, and what it missed is seen by looking now and then.
 * The embedding task owns the struct; each exchange is answered once, and what is held ends with its client. */
#ifndef HELD_H
#define HELD_H

#include "coordinator.h"
#include "exchange.h"
#include "loginid.h"

struct held_events {
	void (*on_look)(void *context); /* look at the row (again) */
	void (*on_end)(void *context);  /* held long enough, or the worker drains: answer so that the client comes again */
	void (*on_over)(void *context); /* answered, or its client is gone: `x` is NULL from now on, and nothing more comes */
};

struct held {
	struct list link; /* in c->logins, while open */
	struct coordinator *c;
	struct exchange *x;
	struct body *answer; /* waits for room */
	struct bus_listener listener;
	struct timer look, end;
	bool open;
	const struct held_events *events;
	void *context;
};

void held_init(struct held *h, struct exchange *x, const struct held_events *events, void *context);
/* Status 200 and headers go out, the answer follows when there is one; looks soon, for the bus may not listen yet. left_ms: until the row ends by itself. */
void held_open(struct held *h, const uint8_t hash[static LOGIN_HASH_LEN], int64_t left_ms);
/* Looked, and there is no answer yet. */
void held_wait(struct held *h, int64_t left_ms);
/* The row could not be read. */
void held_retry(struct held *h);
/* Of one that is open: the answer goes out when there is room. */
void held_answer(struct held *h, struct bytes json);
/* Of one that is open: a broken stream, which the client asks again. */
void held_abort(struct held *h);
/* Of one that is not open, after it was answered. */
void held_over(struct held *h);

/* This id was answered: whoever holds it looks. */
void held_ring(struct coordinator *c, const uint8_t hash[static LOGIN_HASH_LEN]);
/* Drain: those who wait are sent away; they come again, elsewhere. */
void held_end_all(struct coordinator *c);

#endif
