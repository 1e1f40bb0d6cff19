/* Relays announce and probe, come and go, while administrators change regions and tokens and the map moves: nobody waits in a circle.
 * Not what each of them does (relays_test.c, relayprobes_test.c). Against a PostgreSQL of its own. The order is in migrations/0030. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audits.h"
#include "duty.h"
#include "nodes_fixture.h"
#include "relayprobes.h"
#include "relays.h"

enum { POOLS = 4, WORKERS = 14, REGIONS = 3, NAMES = 5, DEEDS = 4000, AT_MOST_MS = 120000 };
enum deed { ANNOUNCE, PROBE, REMOVE, WISH, BY_HAND, NEW_TOKEN, CHANGE, ROTATE, EMPTY_REGION, STEP, DEED_COUNT };

static struct pg *pools[POOLS];
static struct relay_token tokens[REGIONS];
static uint64_t newest;           /* relays have numbers up to here */
static unsigned begun, out, seed; /* deeds */
static unsigned done[DEED_COUNT]; /* that went through, of each */
static bool all_done;

struct worker {
	struct pg *pg;
	enum deed deed;
	unsigned region, statement;
};

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % sides;
}

static uint64_t some_relay(void)
{
	/* Of the last ones: most of the others have gone. */
	uint64_t back = dice(2 * REGIONS * NAMES);
	return newest > back ? newest - back : 1;
}

static struct bytes some_name(struct tx *tx, unsigned region)
{
	return bytes_text(arena_format(tx_arena(tx), "r%u-%u", region, dice(NAMES)));
}

static void announces(struct tx *tx, struct worker *w)
{
	struct relay said = {.version = BYTES("1"), .draining = !dice(8), .node = {.name = some_name(tx, w->region)}};
	said.node.host_name = dice(2) ? BYTES("here") : BYTES("there");
	w->statement = relays_announce(tx, &tokens[w->region], &said);
	relays_told(tx, &tokens[w->region], said.node.name);
	relays_siblings(tx, w->region + 900);
	relays_peers(tx, w->region + 900, some_relay());
	if (w->deed == PROBE) {
		struct node_key key = {.raw = {(uint8_t)dice(4), 1}};
		struct relayprobe found[REGIONS * NAMES];
		for (size_t i = 0; i < COUNT_OF(found); i++)
			found[i] = (struct relayprobe){
				.to = some_relay(), .age_ms = dice(10) ? 0 : 172800000, .relay = BYTES("ok"), .stun = BYTES(""), .mesh = BYTES("")};
		relayprobes_put(tx, &tokens[w->region], said.node.name, &key, found, COUNT_OF(found));
	}
}

static void changes(struct tx *tx, unsigned id)
{
	struct bytes owner = BYTES("default");
	struct region_change change = {
		.id = id, .latitude = NAN, .longitude = NAN, .score = 1 + dice(3), .set_tailnets = true, .tailnets = &owner, .tailnet_count = dice(2)};
	regions_update(tx, &change);
}

static void steps(struct tx *tx)
{
	uint64_t heard[2 * REGIONS * NAMES], homes[2 * REGIONS * NAMES];
	for (size_t i = 0; i < COUNT_OF(heard); i++)
		heard[i] = some_relay(), homes[i] = dice(2);
	duty_take(tx, DUTY_RELAYS);
	relays_step(tx, heard, homes, COUNT_OF(heard), true, &(struct relays_patience){0, 0, 0, 0});
}

/* A region that nobody is in goes and comes again, with a token that a relay may be using. */
static void replaces(struct tx *tx, struct worker *w)
{
	unsigned id = 900 + w->region;
	if (dice(2))
		regions_delete(tx, id);
	else
		regions_insert(tx, &(struct relay_region){.id = id, .code = BYTES("x"), .name = BYTES("X")});
}

static void administers(struct tx *tx, struct worker *w)
{
	struct secret secret;
	uint64_t relay = some_relay();
	unsigned id = 900 + w->region;
	struct relay foreign = {.by_hand = true, .region = id, .node = {.name = some_name(tx, w->region), .host_name = BYTES("h")}};
	audits_open(tx, &(struct audit){.actor = BYTES("t"),
					.action = w->deed == CHANGE ? BYTES("region.update") : BYTES("relay.delete"),
					.subject = w->deed == CHANGE ? id : relay});
	secret_mint(SECRET_RELAY, &secret);
	switch (w->deed) {
	case REMOVE:
		relays_remove(tx, relay);
		break;
	case WISH:
		relays_wish(tx, relay, dice(2));
		break;
	case BY_HAND:
		w->statement = relays_insert(tx, &foreign, &secret);
		break;
	case NEW_TOKEN:
		relay_tokens_revoke(tx, tokens[w->region].id);
		w->statement = relay_tokens_insert(tx, &(struct relay_token){.region = id}, &secret);
		break;
	case CHANGE:
		changes(tx, id);
		break;
	case ROTATE:
		regions_rotate(tx, id, NULL, 1000);
		break;
	default:
		replaces(tx, w);
	}
}

static void begin(struct worker *w);

static void on_done(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct worker *w = context;
	/* What one may hear of another that was there before; a circle ends with ERR_UNAVAILABLE for one of it, and waiting with ERR_TIMEOUT. */
	if (e && e != ERR_NOT_FOUND && e != ERR_DENIED && e != ERR_CONFLICT && e != ERR_EXISTS && e != ERR_AGAIN)
		fail_msg("deed %d: %s", w->deed, why->text);
	if (!e) {
		done[w->deed]++;
		if (w->deed == NEW_TOKEN)
			tokens[w->region].id = tx_u64(tx, w->statement, 0, 0);
		else if (w->deed <= PROBE || w->deed == BY_HAND)
			newest = tx_u64(tx, w->statement, 0, 0) > newest ? tx_u64(tx, w->statement, 0, 0) : newest;
	}
	out--;
	if (begun < DEEDS)
		begin(w);
	all_done = !out;
}

static void begin(struct worker *w)
{
	struct tx *tx = tx_begin(w->pg, 0, TX_WRITE);
	unsigned lot = dice(40);
	w->deed = lot < 14 ? ANNOUNCE : lot < 22 ? PROBE : lot < 29 ? REMOVE : WISH + lot % (DEED_COUNT - WISH);
	w->region = dice(REGIONS);
	begun++, out++;
	if (w->deed <= PROBE)
		announces(tx, w);
	else if (w->deed == STEP)
		steps(tx);
	else
		administers(tx, w);
	tx_run(tx, on_done, w);
}

static void see_id(void *context, struct tx *tx)
{
	struct worker *w = context;
	tokens[w->region] = (struct relay_token){.id = tx_u64(tx, w->statement, 0, 0), .region = 900 + w->region};
}

static void nobody_waits_in_a_circle(void **state)
{
	struct worker workers[WORKERS];
	(void)state;
	for (unsigned i = 0; i < POOLS; i++)
		pools[i] = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 4, 20000, 60000});
	for (unsigned i = 0; i < REGIONS; i++) {
		struct worker w = {.region = i};
		struct secret secret;
		struct tx *tx = tx_begin(pools[0], 0, TX_WRITE);
		secret_mint(SECRET_RELAY, &secret);
		regions_insert(tx, &(struct relay_region){.id = 900 + i, .code = BYTES("x"), .name = BYTES("X")});
		w.statement = relay_tokens_insert(tx, &(struct relay_token){.region = 900 + i}, &secret);
		assert_int_equal(fixture_run(loop, tx, see_id, &w, NULL), ERR_NONE);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].pg = pools[i % POOLS];
		begin(&workers[i]);
	}
	assert_true(fixture_wait(loop, &all_done, AT_MOST_MS));
	assert_int_equal(begun, DEEDS);
	for (unsigned i = 0; i < DEED_COUNT; i++)
		assert_true(done[i]);
	assert_false(fixture_logged(fx, "deadlock detected"));
	for (unsigned i = 0; i < POOLS; i++)
		pg_free(&pools[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nobody_waits_in_a_circle, nodes_fixture_open, nodes_fixture_close)};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
