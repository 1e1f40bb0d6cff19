/* Clients are entries in lists, coordinators are the test. Time stands still but for what the test lets pass. */
#include "recheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clientparts.h"

enum { CLIENTS = 300 };

static struct loop *loop;
static struct relay relay;
static struct shard shard;
static struct client *clients;

/* Of each client, by its key. */
static struct {
	unsigned asked, doubted, refused;
} done[CLIENTS];
static bool full;
static unsigned refuses; /* this one; CLIENTS: none */

static unsigned number_of(const struct node_key *key)
{
	unsigned number = get_be32(key->raw) - 1;
	assert_true(number < CLIENTS);
	return number;
}

void verify_doubt(struct verify *v, const struct node_key *key)
{
	(void)v;
	done[number_of(key)].doubted++;
}

void verify_doubt_all(struct verify *v)
{
	(void)v;
	for (unsigned i = 0; i < CLIENTS; i++)
		done[i].doubted++;
}

bool verify_has_room(const struct verify *v, const struct node_key *key)
{
	(void)v, (void)key;
	return !full;
}

enum verdict verify_ask(struct verify *v, const struct node_key *key, struct ip source, struct verify_wait *wait)
{
	(void)v, (void)source, (void)wait;
	done[number_of(key)].asked++;
	return number_of(key) == refuses ? VERDICT_REFUSED : VERDICT_ALLOWED;
}

void client_log_refused(struct client *c, const char *reason)
{
	(void)c;
	assert_true(*reason);
}

void client_end(struct client *c, enum relay_end why)
{
	assert_int_equal(why, RELAY_END_REVOKED);
	done[number_of(&c->key)].refused++;
	clientwalk_leave(c);
	directory_remove(shard.directory, &c->member);
	list_remove(&c->in_state);
}

static void pass(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

static int open(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	relay = (struct relay){.count = 1};
	shard = (struct shard){.relay = &relay, .loop = loop, .directory = directory_new()};
	list_init(&shard.walks);
	list_init(&shard.in_state[CLIENT_LIVE]);
	recheck_open(&shard);
	clients = x_zalloc(CLIENTS * sizeof *clients);
	memset(done, 0, sizeof done);
	full = false;
	refuses = CLIENTS;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];
		c->shard = &shard;
		c->state = CLIENT_LIVE;
		put_be32(c->key.raw, i + 1);
		list_init(&c->wait.link);
		list_append(&shard.in_state[CLIENT_LIVE], &c->in_state);
		directory_add(shard.directory, &c->key, &c->member);
	}
	return 0;
}

static int shut(void **state)
{
	(void)state;
	recheck_close(&shard);
	assert_true(list_empty(&shard.walks));
	for (unsigned i = 0; i < CLIENTS; i++)
		directory_remove(shard.directory, &clients[i].member);
	directory_free(&shard.directory);
	free(clients);
	loop_free(&loop);
	return 0;
}

static unsigned asked(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		count += done[i].asked;
	return count;
}

static void each_was_asked_about(unsigned times)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (done[i].asked != times || done[i].doubted != times)
			fail_msg("%u: asked about %u times, doubted %u times", i, done[i].asked, done[i].doubted);
	}
}

static void all_by_and_by(void **state)
{
	(void)state;
	recheck_all(&shard);
	assert_int_equal(asked(), 0);
	pass(0);
	assert_in_range(asked(), 1, CLIENTS / 2);
	for (unsigned i = 0; i < 20; i++)
		pass(50);
	each_was_asked_about(1);
	pass(60000);
	each_was_asked_about(1);
}

/* Who was asked about may be so no more. */
static void anew_while_it_goes(void **state)
{
	(void)state;
	recheck_all(&shard);
	pass(0);
	unsigned first = asked();
	recheck_all(&shard);
	for (unsigned i = 0; i < 20; i++)
		pass(50);
	assert_int_equal(asked(), first + CLIENTS);
}

static void its_end_ends_the_walk(void **state)
{
	(void)state;
	recheck_all(&shard);
	pass(0);
	unsigned before = asked();
	recheck_close(&shard);
	pass(1000);
	assert_int_equal(asked(), before);
	assert_false(clientwalk_goes(&shard.rechecks.walk));
}

/* One that ends on the way leaves nobody out. */
static void the_refused_end(void **state)
{
	(void)state;
	refuses = 17;
	recheck_all(&shard);
	for (unsigned i = 0; i < 20; i++)
		pass(50);
	each_was_asked_about(1);
	assert_int_equal(done[17].refused, 1);
}

static void of_one_key(void **state)
{
	(void)state;
	recheck_key(&shard, &clients[5].key);
	assert_int_equal(done[5].asked, 1);
	assert_int_equal(done[5].doubted, 1);
	/* One on its way already: its question knows of the doubt. */
	list_append(&shard.walks, &clients[5].wait.link);
	recheck_key(&shard, &clients[5].key);
	list_remove(&clients[5].wait.link);
	assert_int_equal(done[5].asked, 1);
	assert_int_equal(done[5].doubted, 2);
	assert_int_equal(asked(), 1);
}

static void who_has_proven_what_it_is(void **state)
{
	struct client_mesh mesh;
	(void)state;
	clients[5].mesh = &mesh;
	relay.probes.key[PROBEKEYS_OWN].node = clients[6].key;
	recheck_key(&shard, &clients[5].key);
	recheck_key(&shard, &clients[6].key);
	assert_int_equal(asked(), 0);
}

static void nobody_could_say(void **state)
{
	(void)state;
	recheck_unsure(&shard);
	assert_int_equal(asked(), 0);
	full = true;
	recheck_key(&shard, &clients[5].key);
	recheck_later(&clients[7]);
	assert_int_equal(asked(), 0);
	recheck_unsure(&shard);
	assert_int_equal(asked(), 0);
	full = false;
	recheck_unsure(&shard);
	assert_int_equal(done[5].asked, 1);
	assert_int_equal(done[7].asked, 1);
	recheck_unsure(&shard);
	assert_int_equal(asked(), 2);
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, open, shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(all_by_and_by), IN_ORDER(anew_while_it_goes),        IN_ORDER(its_end_ends_the_walk), IN_ORDER(the_refused_end),
		IN_ORDER(of_one_key),    IN_ORDER(who_has_proven_what_it_is), IN_ORDER(nobody_could_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
