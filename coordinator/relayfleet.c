#include "relayfleet.h"

#include <stdlib.h>

#include "act.h"
#include "duty.h"
#include "lease.h"
#include "log.h"
#include "relays.h"
#include "tailnet.h"
#include "text.h"

enum { SLOW_MS = RELAYFLEET_LEASE_SECONDS * 1000 / 3 };

#define CHANNEL "fs:relays.changed"

static const struct lease_kind relays = {"fs:relays", "fs:relay:", CHANNEL, RELAYFLEET_LEASE_SECONDS * 1000};

void relayfleet_heard(struct coordinator *c, uint64_t relay, uint64_t homes)
{
	char name[U64_DIGITS_MAX], value[U64_DIGITS_MAX];
	size_t name_len = text_put_u64(name, relay), value_len = text_put_u64(value, homes);

	lease_take(c->bus, &relays, bytes_of(name, name_len), bytes_of(value, value_len), bytes_of(name, name_len), NULL, NULL);
}

struct asked {
	relayfleet_fn on_leases;
	void *context;
};

static void on_listed(void *context, enum err e, const struct redisReply *reply)
{
	struct asked asked = *(struct asked *)context;
	struct relayfleet_lease *leases = NULL;
	size_t count = 0, most = e ? 0 : lease_count(reply);

	free(context);
	leases = x_zalloc((most + 1) * sizeof *leases);
	for (size_t i = 0; i < most && count < RELAYFLEET_MAX; i++) {
		struct bytes name, value;

		if (lease_at(reply, i, &name, &value) && !text_parse_u64(name, INT64_MAX, &leases[count].relay) &&
		    !text_parse_u64(value, INT64_MAX, &leases[count].homes))
			count++;
	}
	/* Who is behind the cap is not silent. */
	if (count == RELAYFLEET_MAX && most > RELAYFLEET_MAX) {
		e = ERR_TOO_BIG;
		log_warning(SUBJECT("relays"), "more relays have leases than are looked at: none is held to be silent", F_UINT("leases", most));
	}
	asked.on_leases(asked.context, e, leases, count);
	free(leases);
}

void relayfleet_leases(struct coordinator *c, relayfleet_fn on_leases, void *context)
{
	struct asked *asked = x_alloc(sizeof *asked);

	*asked = (struct asked){on_leases, context};
	lease_list(c->bus, &relays, on_listed, asked);
}

/* --- the duty -------------------------------------------------------------------------------------------------------------------------------- */

/* Outlives its owner while an answer is out: `c` is NULL then. */
struct relayfleet {
	struct coordinator *c;
	struct timer look;
	bool out;
	struct mono begun;
	struct mono certain_since; /* leases could be read, and taken, so long; .ms 0: they cannot */
};

static void answered(struct relayfleet *f)
{
	f->out = false;
	if (!f->c)
		free(f);
}

static void on_stepped(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relayfleet *f = context;

	bool failed = e && e != ERR_AGAIN && e != ERR_CANCELED;

	/* Nor could relays announce themselves then. */
	if (failed || (f->c && loop_now(f->c->loop).ms - f->begun.ms > SLOW_MS))
		f->certain_since = (struct mono){0};
	if (failed)
		log_warning(SUBJECT("relays"), "the relay map cannot be moved now", F_ERR(e), F_TEXT("reason", why->text));
	else if (!e && tx_generation(tx))
		log_info(SUBJECT("relays"), "relay map moved", F_UINT("generation", tx_generation(tx)));
	answered(f);
}

/* After Redis came back empty, or the database, without which nobody takes a lease, every relay must have had the time to take its own anew. */
static bool is_certain(struct relayfleet *f, enum err e)
{
	struct mono now = loop_now(f->c->loop);

	if (e)
		f->certain_since = (struct mono){0};
	else if (!f->certain_since.ms)
		f->certain_since = now;
	return !e && now.ms - f->certain_since.ms >= RELAYFLEET_LEASE_SECONDS * 1000;
}

static void on_leases(void *context, enum err e, const struct relayfleet_lease *leases, size_t count)
{
	struct relayfleet *f = context;
	const struct coordinator_options *o = f->c ? f->c->options : NULL;
	uint64_t *heard, *homes;
	struct tx *tx;

	if (!f->c || e == ERR_CANCELED) {
		answered(f);
		return;
	}
	f->begun = loop_now(f->c->loop);
	tx = tx_begin(f->c->pg, TAILNET_INSTALLATION, TX_WRITE);
	heard = ARENA_ARRAY(tx_arena(tx), uint64_t, count + 1);
	homes = ARENA_ARRAY(tx_arena(tx), uint64_t, count + 1);
	for (size_t i = 0; i < count; i++)
		heard[i] = leases[i].relay, homes[i] = leases[i].homes;
	duty_take(tx, DUTY_RELAYS);
	relays_step(tx, heard, homes, count, is_certain(f, e),
		    &(struct relays_patience){o->relays_settle_ms, o->relays_patience_ms, o->relays_dead_ms, o->relays_steady_ms});
	act_commit(f->c, tx, on_stepped, f);
}

static void on_look(void *context)
{
	struct relayfleet *f = context;

	if (!f->out) {
		f->out = true;
		relayfleet_leases(f->c, on_leases, f);
	}
	timer_set(&f->look, f->c->options->sweep_ms);
}

struct relayfleet *relayfleet_new(struct coordinator *c)
{
	struct relayfleet *f = x_zalloc(sizeof *f);

	f->c = c;
	timer_init(&f->look, c->loop, on_look, f);
	timer_set(&f->look, c->options->sweep_ms);
	return f;
}

void relayfleet_free(struct relayfleet **fleet)
{
	struct relayfleet *f = *fleet;

	if (!f)
		return;
	*fleet = NULL;
	timer_cancel(&f->look);
	f->c = NULL;
	if (!f->out)
		free(f);
}
