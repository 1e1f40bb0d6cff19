/* Two relays of one region in this process: the one of relay_house.h and another beside it, each the other's sibling. They have no TLS themselves: before each stands
 * a door of this test, by which siblings come. Clients come without. */
#include "mesh.h"

#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "jsonr.h"
#include "metrics_relay.h"
#include "relay_house.h"
#include "tls_door.h"

#define MESH_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { PATIENCE = 4000, NO_LINK = 1 << 30 };

/* ---- two relays ---- */

static struct relay other;
static struct worker *other_workers;

static struct side {
	struct relay *relay;
	struct worker **workers;
	struct tls_door *door;
} here = {.relay = &relay, .workers = &house_workers}, beside = {.relay = &other, .workers = &other_workers};

struct errand {
	struct shard *shard;
	void (*fn)(struct shard *shard, void *context);
	void *context;
	sem_t done;
};

static void on_errand(void *context)
{
	struct errand *e = context;
	e->fn(e->shard, e->context);
	sem_post(&e->done);
}

static void run(struct side *at, unsigned shard, void (*fn)(struct shard *shard, void *context), void *context)
{
	struct worker *w = &(*at->workers)[shard];
	struct errand e = {.shard = w->program, .fn = fn, .context = context};
	sem_init(&e.done, 0, 0);
	loop_post(w->loop, on_errand, &e);
	while (sem_wait(&e.done))
		;
	sem_destroy(&e.done);
}

static void on_start(struct worker *w)
{
	struct diag why = {0};
	if (shard_open(&other, w, HOUSE_SHARDS, &why)) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
}

static void on_ending(void *context)
{
	struct shard *s = context;
	shard_drain(s);
	shard_close(s);
	loop_stop(s->loop);
}

static void nothing(struct shard *s, void *context)
{
	(void)s, (void)context;
}

/* What shards have for each other has arrived. */
static void settle(struct side *at)
{
	for (unsigned i = 0; i < 2 * HOUSE_SHARDS; i++)
		run(at, i % HOUSE_SHARDS, nothing, NULL);
}

static int64_t counted(enum relay_metric metric, unsigned value)
{
	return metric_sum(&relay_metrics[metric], value);
}

static void await_count(enum relay_metric metric, unsigned value, int64_t wanted)
{
	for (unsigned i = 0; i < PATIENCE && counted(metric, value) != wanted; i++)
		usleep(5000);
	assert_int_equal(counted(metric, value), wanted);
}

static void hear(struct shard *first, void *context)
{
	relaylife_heard(first, context);
}

/* Both are told of both: neither is told which of them it is. */
static void tell(void)
{
	char text[700], whole[800];
	snprintf(text, sizeof text,
		 "\"MeshKey\":\"" MESH_KEY "\",\"Siblings\":[{\"Name\":\"a\",\"HostName\":\"127.0.0.1\",\"DERPPort\":%u,\"InsecureForTests\":true},"
		 "{\"Name\":\"b\",\"HostName\":\"127.0.0.1\",\"DERPPort\":%u,\"InsecureForTests\":true}]",
		 tls_door_port(here.door), tls_door_port(beside.door));
	house_tell(text);
	snprintf(whole, sizeof whole, "{%s}", text);
	json_t *answer = json_loads(whole, 0, NULL);
	assert_non_null(answer);
	run(&beside, 0, hear, answer);
	json_decref(answer);
}

static int open(void **state)
{
	static struct relay_options its_options;
	static struct owncert own;
	struct diag why = {0};
	if (house_open(state))
		return 1;
	its_options = options;
	assert_int_equal(relay_open(&other, &its_options, &why), ERR_NONE);
	other_workers = worker_start(HOUSE_SHARDS, on_start, NULL);
	assert_int_equal(owncert_open_unsafe(&own, "127.0.0.1", &why), ERR_NONE);
	here.door = tls_door_open(relay.port.at, &own);
	beside.door = tls_door_open(other.port.at, &own);
	owncert_close(&own);
	tell();
	await_count(RELAY_SIBLINGS, 0, 2);
	return 0;
}

static int shut(void **state)
{
	for (unsigned i = 0; i < HOUSE_SHARDS; i++)
		loop_post(other_workers[i].loop, on_ending, other_workers[i].program);
	worker_join(&other_workers, HOUSE_SHARDS);
	relay_close(&other);
	int failed = house_close(state);
	tls_door_close(&here.door);
	tls_door_close(&beside.door);
	return failed;
}

/* ---- clients ---- */

static void mint_at(struct side *at, struct node_key *key, struct private_key *secret, unsigned home)
{
	struct public_key public_key;
	do {
		key_mint(secret, &public_key);
		memcpy(key->raw, public_key.raw, KEY_LEN);
	} while (relay_home(at->relay, key) != home);
}

static void come_as(struct side *at, struct peer *p, const struct peer *known)
{
	relay_at = at->relay->port.at;
	join_as(p, &known->key, &known->secret);
	relay_at = relay.port.at;
}

static void come(struct side *at, struct peer *p, unsigned home)
{
	struct peer minted;
	mint_at(at, &minted.key, &minted.secret, home);
	come_as(at, p, &minted);
}

struct question {
	const struct node_key *key;
	bool yes;
};

static void ask_reach(struct shard *s, void *context)
{
	struct question *q = context;
	q->yes = mesh_reaches(s, q->key);
}

static bool reaches(struct side *at, const struct node_key *key)
{
	struct question q = {.key = key};
	run(at, relay_home(at->relay, key), ask_reach, &q);
	return q.yes;
}

static void await_reach(struct side *at, const struct node_key *key, bool wanted)
{
	for (unsigned i = 0; i < PATIENCE && reaches(at, key) != wanted; i++)
		usleep(5000);
	assert_int_equal(reaches(at, key), wanted);
}

static void send_disco(struct peer *from, const struct node_key *to)
{
	static const uint8_t packet[70] = "TS\xf0\x9f\x92\xac";
	send_packet(from, to, packet, sizeof packet);
}

static void expect_gone(struct peer *p, const struct node_key *key, uint8_t reason)
{
	uint32_t len = 0;
	assert_int_equal(read_frame(p->fd, &len), DERPFRAME_PEER_GONE);
	assert_int_equal(len, KEY_LEN + 1);
	assert_memory_equal(payload_in, key->raw, KEY_LEN);
	assert_int_equal(payload_in[KEY_LEN], reason);
}

/* ---- packets ---- */

/* From every shard to every shard, both ways: of any length, and in order. */
static void packets_reach_clients_of_siblings(void **state)
{
	static uint8_t large[DERPFRAME_PACKET_MAX];
	static const uint32_t lens[] = {0, 1, 1400, sizeof large};
	(void)state;
	for (unsigned way = 0; way < 2 * HOUSE_SHARDS * HOUSE_SHARDS; way++) {
		struct side *near = way % 2 ? &here : &beside, *far = way % 2 ? &beside : &here;
		struct peer from, to;
		come(near, &from, way / 2 % HOUSE_SHARDS);
		come(far, &to, way / 2 / HOUSE_SHARDS);
		await_reach(near, &to.key, true);
		assert_false(reaches(far, &to.key));
		int64_t out = counted(RELAY_FORWARDED_OUT, 0), in = counted(RELAY_FORWARDED_IN, 0);
		for (unsigned i = 0; i < COUNT_OF(lens); i++) {
			memset(large, 'a' + (int)i, sizeof large);
			send_packet(&from, &to.key, large, lens[i]);
			expect_packet(&to, &from.key, large, lens[i]);
		}
		for (uint32_t round = 0; round < 10; round++) {
			for (uint32_t i = 0; i < 20; i++)
				send_packet(&from, &to.key, &(uint32_t){20 * round + i}, sizeof i);
			for (uint32_t i = 0; i < 20; i++)
				expect_packet(&to, &from.key, &(uint32_t){20 * round + i}, sizeof i);
		}
		assert_int_equal(counted(RELAY_FORWARDED_OUT, 0) - out, COUNT_OF(lens) + 200);
		assert_int_equal(counted(RELAY_FORWARDED_IN, 0) - in, COUNT_OF(lens) + 200);
		close(from.fd);
		close(to.fd);
		await_reach(near, &to.key, false);
		await_reach(far, &from.key, false);
	}
	await_count(RELAY_REMOTE_KEYS, 0, 0);
}

static void who_is_with_no_sibling_is_not_here(void **state)
{
	struct peer a, b;
	struct node_key nobody;
	struct private_key secret;
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		come(&here, &a, 0);
		mint(&nobody, &secret, home);
		send_disco(&a, &nobody);
		expect_gone(&a, &nobody, DERPFRAME_GONE_NOT_HERE);
		come(&beside, &b, home);
		await_reach(&here, &b.key, true);
		send_disco(&a, &b.key);
		uint32_t len;
		assert_int_equal(read_frame(b.fd, &len), DERPFRAME_RECV_PACKET);
		close(b.fd);
		await_reach(&here, &b.key, false);
		send_disco(&a, &b.key);
		expect_gone(&a, &b.key, DERPFRAME_GONE_NOT_HERE);
		close(a.fd);
	}
}

/* Each sees the other's link, and the other sees that. */
static void a_relay_is_not_with_its_sibling(void **state)
{
	struct peer a, b;
	struct node_key own;
	(void)state;
	come(&here, &a, 0);
	come(&beside, &b, 0);
	await_reach(&here, &b.key, true);
	await_reach(&beside, &a.key, true);
	memcpy(own.raw, relay.public_key.raw, KEY_LEN);
	assert_false(reaches(&here, &own));
	send_disco(&a, &own);
	expect_gone(&a, &own, DERPFRAME_GONE_NOT_HERE);
	memcpy(own.raw, other.public_key.raw, KEY_LEN);
	assert_false(reaches(&beside, &own));
	close(a.fd);
	close(b.fd);
}

static void who_is_here_is_preferred(void **state)
{
	struct peer a, k, again;
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		come(&here, &a, 0);
		come(&here, &k, home);
		come_as(&beside, &again, &k);
		await_reach(&here, &k.key, true);
		send_packet(&a, &k.key, "1", 1);
		expect_packet(&k, &a.key, "1", 1);
		expect_quiet(&again);
		close(k.fd);
		/* From the sibling, once the one here has gone. */
		for (unsigned i = 0; i < PATIENCE; i++) {
			struct pollfd f = {.fd = again.fd, .events = POLLIN};
			send_packet(&a, &k.key, "2", 1);
			if (poll(&f, 1, 5) == 1)
				break;
		}
		expect_packet(&again, &a.key, "2", 1);
		close(again.fd);
		close(a.fd);
		await_reach(&here, &again.key, false);
	}
}

/* ---- who hears that somebody has left ---- */

static void leaving_is_told_when_the_last_has_left(void **state)
{
	struct peer a, k, again;
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		for (unsigned sibling_first = 0; sibling_first < 2; sibling_first++) {
			come(&here, &a, 0);
			come(&here, &k, home);
			come_as(&beside, &again, &k);
			await_reach(&here, &k.key, true);
			await_reach(&beside, &a.key, true);
			send_packet(&again, &a.key, "x", 1);
			expect_packet(&a, &k.key, "x", 1);
			int64_t left = counted(RELAY_CONNECTIONS, 0);
			close(sibling_first ? again.fd : k.fd);
			await_count(RELAY_CONNECTIONS, 0, left - 1);
			if (sibling_first)
				await_reach(&here, &k.key, false);
			settle(&here);
			expect_quiet(&a);
			close(sibling_first ? k.fd : again.fd);
			expect_gone(&a, &k.key, DERPFRAME_GONE_DISCONNECTED);
			close(a.fd);
			await_reach(&beside, &a.key, false);
		}
	}
	await_count(RELAY_REMOTE_KEYS, 0, 0);
}

/* ---- letters, with links that are none ---- */

struct learning {
	struct node_key key, marker;
	uint32_t link;
	bool last;
};

static void learn(struct shard *s, void *context)
{
	struct learning *l = context;
	mesh_learn(s, l->link, &l->key, l->last);
}

static void forget(struct shard *s, void *context)
{
	mesh_forget_link(s, *(uint32_t *)context);
}

static void change_often(struct shard *s, void *context)
{
	struct learning *l = context;
	for (unsigned i = 0; i < 1001; i++)
		mesh_learn(s, l->link, &l->key, (i % 2 == 0) == l->last);
	mesh_learn(s, l->link, &l->marker, true);
}

static void the_last_word_of_a_key_counts(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 2 * HOUSE_SHARDS * HOUSE_SHARDS; way++) {
		unsigned home = way / 2 % HOUSE_SHARDS, from = way / 2 / HOUSE_SHARDS;
		struct learning l = {.link = NO_LINK, .last = way % 2};
		struct private_key secret;
		mint(&l.key, &secret, home);
		mint(&l.marker, &secret, home);
		run(&here, from, change_often, &l);
		await_reach(&here, &l.marker, true);
		assert_int_equal(reaches(&here, &l.key), l.last);
		run(&here, from, forget, &l.link);
		await_reach(&here, &l.marker, false);
		assert_false(reaches(&here, &l.key));
	}
	await_count(RELAY_REMOTE_KEYS, 0, 0);
}

/* What one link has told goes with it, on all shards; what another has told stays, be it of the same number elsewhere. */
static void a_link_is_forgotten_alone(void **state)
{
	struct learning key[HOUSE_SHARDS][3];
	struct private_key secret;
	uint32_t first = NO_LINK, second = NO_LINK + 1;
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		for (unsigned i = 0; i < 3; i++) {
			key[home][i] = (struct learning){.link = first, .last = true};
			mint(&key[home][i].key, &secret, home);
			run(&here, 0, learn, &key[home][i]);
		}
		run(&here, 1, learn, &key[home][1]);
		key[home][2].link = second;
		run(&here, 0, learn, &key[home][2]);
		await_reach(&here, &key[home][2].key, true);
	}
	await_count(RELAY_REMOTE_KEYS, 0, 3 * HOUSE_SHARDS);
	run(&here, 0, forget, &first);
	for (unsigned home = 0; home < HOUSE_SHARDS; home++)
		await_reach(&here, &key[home][0].key, false);
	await_count(RELAY_REMOTE_KEYS, 0, 2 * HOUSE_SHARDS);
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		assert_true(reaches(&here, &key[home][1].key));
		assert_true(reaches(&here, &key[home][2].key));
	}
	run(&here, 0, forget, &second);
	run(&here, 1, forget, &first);
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		await_reach(&here, &key[home][1].key, false);
		await_reach(&here, &key[home][2].key, false);
	}
	await_count(RELAY_REMOTE_KEYS, 0, 0);
}

static void forward(struct shard *s, void *context)
{
	struct question *q = context;
	struct node_key from = {{1}};
	struct packet *p = packet_new(&from, q->key, 10);
	q->yes = mesh_forward(s, p);
	if (!q->yes)
		packet_free(&p);
}

/* A packet without a way stays its owner's; one on a way that ends nowhere is dropped and counted. */
static void packets_are_taken_when_there_is_a_way(void **state)
{
	struct private_key secret;
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct learning l = {.link = NO_LINK, .last = true};
		struct question q = {.key = &l.key};
		mint(&l.key, &secret, home);
		int64_t dropped = counted(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST + 1);
		run(&here, home, forward, &q);
		assert_false(q.yes);
		assert_int_equal(counted(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST + 1), dropped);
		for (unsigned from = 0; from < HOUSE_SHARDS; from++) {
			run(&here, from, learn, &l);
			await_reach(&here, &l.key, true);
			run(&here, home, forward, &q);
			assert_true(q.yes);
			await_count(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST + 1, ++dropped);
			run(&here, from, forget, &l.link);
			await_reach(&here, &l.key, false);
		}
	}
}

static void close_peer(struct shard *s, void *context)
{
	mesh_close_peer(s, context);
}

static void connections_of_a_key_are_closed(void **state)
{
	(void)state;
	for (unsigned way = 0; way < HOUSE_SHARDS * HOUSE_SHARDS; way++) {
		struct peer k, again, bystander;
		come(&here, &k, way % HOUSE_SHARDS);
		come_as(&here, &again, &k);
		come(&here, &bystander, way % HOUSE_SHARDS);
		run(&here, way / HOUSE_SHARDS, close_peer, &k.key);
		expect_end(k.fd);
		expect_end(again.fd);
		expect_quiet(&bystander);
		close(bystander.fd);
	}
}

/* ---- a broken link ---- */

static void pass(int64_t ms)
{
	house_pass(ms);
	settle(&beside);
}

/* Until both links stand; time goes on slowly enough for handshakes. */
static void await_links(void)
{
	for (unsigned i = 0; i < PATIENCE && counted(RELAY_SIBLINGS, 0) != 2; i++) {
		pass(20);
		usleep(2000);
	}
	assert_int_equal(counted(RELAY_SIBLINGS, 0), 2);
}

static void what_a_broken_link_told_is_forgotten(void **state)
{
	struct peer a[HOUSE_SHARDS], k[HOUSE_SHARDS];
	(void)state;
	pass(0);
	for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
		come(&here, &a[i], i);
		come(&beside, &k[i], i);
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < HOUSE_SHARDS * HOUSE_SHARDS; i++) {
			struct peer *to = &a[i % HOUSE_SHARDS], *from = &k[i / HOUSE_SHARDS];
			await_reach(&here, &from->key, true);
			await_reach(&beside, &to->key, true);
			send_packet(from, &to->key, "x", 1);
			expect_packet(to, &from->key, "x", 1);
		}
		tls_door_cut(here.door);
		tls_door_cut(beside.door);
		for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
			bool told[HOUSE_SHARDS] = {false};
			for (unsigned n = 0; n < HOUSE_SHARDS; n++) {
				uint32_t len;
				assert_int_equal(read_frame(a[i].fd, &len), DERPFRAME_PEER_GONE);
				for (unsigned j = 0; j < HOUSE_SHARDS; j++)
					told[j] |= !memcmp(payload_in, k[j].key.raw, KEY_LEN);
				assert_int_equal(payload_in[KEY_LEN], DERPFRAME_GONE_DISCONNECTED);
			}
			for (unsigned j = 0; j < HOUSE_SHARDS; j++)
				assert_true(told[j]);
		}
		await_count(RELAY_SIBLINGS, 0, 0);
		await_count(RELAY_REMOTE_KEYS, 0, 0);
		send_disco(&a[0], &k[0].key);
		expect_gone(&a[0], &k[0].key, DERPFRAME_GONE_NOT_HERE);
		await_links();
	}
	for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
		close(a[i].fd);
		close(k[i].fd);
	}
	await_count(RELAY_REMOTE_KEYS, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_reach_clients_of_siblings),
		cmocka_unit_test(who_is_with_no_sibling_is_not_here),
		cmocka_unit_test(a_relay_is_not_with_its_sibling),
		cmocka_unit_test(who_is_here_is_preferred),
		cmocka_unit_test(leaving_is_told_when_the_last_has_left),
		cmocka_unit_test(the_last_word_of_a_key_counts),
		cmocka_unit_test(a_link_is_forgotten_alone),
		cmocka_unit_test(packets_are_taken_when_there_is_a_way),
		cmocka_unit_test(connections_of_a_key_are_closed),
		cmocka_unit_test(what_a_broken_link_told_is_forgotten),
	};
	return cmocka_run_group_tests(tests, open, shut);
}
