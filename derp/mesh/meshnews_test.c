/* What siblings are told of who is here, and for how long they may hear it: by the relay of relay_house.h. */
#include "meshnews.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "clientparts.h"
#include "metrics_relay.h"
#include "relay_house.h"
#include "routing.h"
#include "text.h"

static char mesh_key[2][2 * KEY_LEN + 1];

static void rotate(void)
{
	uint8_t key[KEY_LEN];
	memcpy(mesh_key[1], mesh_key[0], sizeof mesh_key[0]);
	random_fill(key, sizeof key);
	hex_encode(mesh_key[0], bytes_of(key, KEY_LEN));
}

static void tell_keys(bool overlap)
{
	char text[300];
	snprintf(text, sizeof text, "\"MeshKey\":\"%s\",\"MeshKeyBefore\":\"%s\"", mesh_key[0], overlap ? mesh_key[1] : "");
	house_tell(text);
}

static void join_sibling(struct peer *p, unsigned home, const char *key, int receive_buffer)
{
	struct node_key own;
	struct private_key secret;
	char info[200];
	mint(&own, &secret, home);
	begin(p, &own, &secret, receive_buffer);
	snprintf(info, sizeof info, "{\"version\":2,\"meshKey\":\"%s\"}", key);
	send_info(p, info);
	assert_true(server_info_comes(p));
	send_frame(p->fd, DERPFRAME_WATCH_CONNS, NULL, 0);
}

/* The next news: of a key that is here (true) or not. */
static bool hear(struct peer *p, struct node_key *key)
{
	uint32_t len = 0;
	uint8_t type = read_frame(p->fd, &len);
	assert_true(type == DERPFRAME_PEER_PRESENT || type == DERPFRAME_PEER_GONE);
	memcpy(key->raw, payload_in, KEY_LEN);
	return type == DERPFRAME_PEER_PRESENT;
}

static void hears(struct peer *p, const struct node_key *key, bool present)
{
	struct node_key of;
	assert_int_equal(hear(p, &of), present);
	assert_memory_equal(of.raw, key->raw, KEY_LEN);
}

static void a_sibling_hears_of_all(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer here[4], later, sibling;
		struct node_key key;
		unsigned seen = 0;
		for (unsigned i = 0; i < 4; i++)
			join(&here[i], i % HOUSE_SHARDS);
		join_sibling(&sibling, home, mesh_key[0], 0);
		while (seen != 0x1f) {
			unsigned bit = 4;
			assert_true(hear(&sibling, &key));
			for (unsigned i = 0; i < 4; i++)
				if (!memcmp(key.raw, here[i].key.raw, KEY_LEN))
					bit = i;
			assert_true(bit < 4 || !memcmp(key.raw, sibling.key.raw, KEY_LEN));
			assert_false(seen & 1u << bit);
			seen |= 1u << bit;
		}
		for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
			join(&later, i);
			hears(&sibling, &later.key, true);
			close(later.fd);
			hears(&sibling, &later.key, false);
		}
		for (unsigned i = 0; i < 4; i++) {
			close(here[i].fd);
			hears(&sibling, &here[i].key, false);
		}
		close(sibling.fd);
	}
}

static void a_sibling_closes_all_connections_of_a_key(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer first, second, other, sibling;
		join(&first, home);
		join_as(&second, &first.key, &first.secret);
		join(&other, home);
		join_sibling(&sibling, 0, mesh_key[0], 0);
		send_frame(sibling.fd, DERPFRAME_CLOSE_PEER, first.key.raw, KEY_LEN);
		expect_end(first.fd);
		expect_end(second.fd);
		expect_quiet(&other);
		close(other.fd);
		close(sibling.fd);
	}
}

/* ---- many ---- */

enum { MANY = 150000, PORTIONS = HOUSE_SHARDS * 2 * NEWSLOG_PIECE };

/* Clients as far as this walk sees them; others, which look at connections, rest meanwhile. */
static struct client *crowd;

static void crowd_in(struct shard *s, void *context)
{
	(void)context;
	rttlook_close(s);
	for (uint32_t i = 0; i < MANY; i++) {
		struct client *c = &crowd[i];
		c->shard = s;
		c->state = CLIENT_LIVE;
		put_be32(c->key.raw, i);
		memcpy(c->key.raw + 4, "crowd", 5);
		list_append(&s->in_state[CLIENT_LIVE], &c->in_state);
	}
}

static void crowd_out(struct shard *s, void *context)
{
	(void)context;
	for (uint32_t i = 0; i < MANY; i++) {
		clientwalk_leave(&crowd[i]);
		list_remove(&crowd[i].in_state);
	}
	rttlook_open(s);
}

static void most_waiting(struct shard *s, void *context)
{
	size_t *most = context;
	LIST_EACH(&s->mesh.accepted, m, struct client_mesh, link)
		if (m->client->control.len > *most)
			*most = m->client->control.len;
}

static bool is_stuck(struct shard *s)
{
	bool stuck = false;
	LIST_EACH(&s->mesh.accepted, m, struct client_mesh, link)
		stuck |= pipe_busy(m->client->pipe) && m->client->control.len;
	return stuck;
}

static void ask_stuck(struct shard *s, void *context)
{
	*(bool *)context |= is_stuck(s);
}

static void wait_until_stuck(unsigned shard)
{
	bool stuck = false;
	for (unsigned i = 0; i < 5000 && !stuck; i++) {
		house_run(shard, ask_stuck, &stuck);
		usleep(1000);
	}
	assert_true(stuck);
}

/* However many there are: what waits for a sibling is a portion of each shard, and in the end it knows all; what changed meanwhile it hears in order. */
static void any_number_goes_in_portions(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer sibling, leaves, comes;
		struct node_key key;
		size_t most = 0;
		uint32_t heard = 0;
		bool came = false, left = false;
		crowd = x_zalloc(MANY * sizeof *crowd);
		join(&leaves, 1);
		house_run(1, crowd_in, NULL);
		join_sibling(&sibling, home, mesh_key[0], 4096);
		wait_until_stuck(home);
		close(leaves.fd);
		join(&comes, 1);
		house_run(home, most_waiting, &most);
		while (heard < MANY || !came || !left) {
			bool present = hear(&sibling, &key);
			if (!memcmp(key.raw + 4, "crowd", 5)) {
				assert_int_equal(get_be32(key.raw), heard++);
				if (heard % 1000 == 0)
					house_run(home, most_waiting, &most);
			} else if (!memcmp(key.raw, comes.key.raw, KEY_LEN)) {
				assert_true(present);
				came = true;
			} else if (!memcmp(key.raw, leaves.key.raw, KEY_LEN)) {
				left = !present;
			}
		}
		assert_true(most > 0 && most <= PORTIONS + 4096);
		house_run(1, crowd_out, NULL);
		free(crowd);
		close(comes.fd);
		close(sibling.fd);
	}
}

static void say_much(struct shard *s, void *context)
{
	struct node_key key = {{0}};
	random_fill(key.raw, KEY_LEN);
	for (unsigned i = 0; i < 1000; i++) {
		put_be32(key.raw, i);
		meshnews_present(s, &key, (struct endpoint){.port = 1}, DERPFRAME_IS_REGULAR);
	}
	*(size_t *)context = newslog_size(s->mesh.news.log);
}

/* It takes nothing while far more happens than there can be clients: it ends, others hear on. */
static void one_that_takes_nothing_does_not_fill_the_memory(void **state)
{
	(void)state;
	struct peer deaf, sibling;
	struct node_key key;
	size_t size = 0, most = 0;
	int64_t before = metric_sum(&relay_metrics[RELAY_DISCONNECTS], RELAY_END_MISSED_NEWS);
	join_sibling(&deaf, 0, mesh_key[0], 4096);
	for (unsigned i = 0; i < 2000 && metric_sum(&relay_metrics[RELAY_DISCONNECTS], RELAY_END_MISSED_NEWS) == before; i++) {
		house_run(1, say_much, &size);
		most = size > most ? size : most;
	}
	assert_int_equal(metric_sum(&relay_metrics[RELAY_DISCONNECTS], RELAY_END_MISSED_NEWS), before + 1);
	assert_true(most < (1 << 20));
	close(deaf.fd);
	join_sibling(&sibling, 1, mesh_key[0], 0);
	hears(&sibling, &sibling.key, true);
	house_run(1, say_much, &size);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(hear(&sibling, &key));
		assert_int_equal(get_be32(key.raw), i);
	}
	close(sibling.fd);
}

/* ---- keys ---- */

static bool answers(struct peer *p)
{
	uint32_t len = 0;
	uint8_t type;
	send_frame(p->fd, DERPFRAME_PING, "abcdefgh", 8);
	do {
		type = read_frame(p->fd, &len);
	} while (type == DERPFRAME_PEER_PRESENT || type == DERPFRAME_PEER_GONE);
	return type == DERPFRAME_PONG;
}

static void a_key_that_is_rotated_out_ends_its_siblings(void **state)
{
	(void)state;
	struct peer before[HOUSE_SHARDS], after[HOUSE_SHARDS], client;
	join(&client, 0);
	for (unsigned i = 0; i < HOUSE_SHARDS; i++)
		join_sibling(&before[i], i, mesh_key[0], 0);
	rotate();
	tell_keys(true);
	for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
		join_sibling(&after[i], i, mesh_key[0], 0);
		assert_true(answers(&before[i]));
		assert_true(answers(&after[i]));
	}
	tell_keys(false);
	for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
		uint32_t len = 0;
		while (read_frame(before[i].fd, &len))
			;
		close(before[i].fd);
		assert_true(answers(&after[i]));
		close(after[i].fd);
	}
	expect_quiet(&client);
	close(client.fd);
}

/* ---- what crosses ---- */

static void ask_for_nobody(struct shard *s, void *context)
{
	struct node_key from = {{1}}, to = {{2}};
	struct packet *p = packet_new(&from, &to, 60000);
	p->kind = LETTER_PACKET;
	p->disco = true;
	p->from_loop = 0;
	routing_letter(s, p);
	/* Behind what else this turn has to say there. */
	const struct packet *answer = s->crossing.to[0].first;
	while (answer && answer->kind != LETTER_NOT_HERE)
		answer = answer->next;
	if (!answer) {
		fail_msg("nothing goes back");
		return;
	}
	assert_memory_equal(answer->to.raw, to.raw, KEY_LEN);
	*(uint32_t *)context = answer->len;
}

static void that_a_key_is_not_here_goes_back_without_the_payload(void **state)
{
	(void)state;
	uint32_t len = 1;
	house_run(1, ask_for_nobody, &len);
	assert_int_equal(len, 0);
}

static int open_mesh(void **state)
{
	int failed = house_open(state);
	rotate();
	if (!failed)
		tell_keys(false);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sibling_hears_of_all),
		cmocka_unit_test(a_sibling_closes_all_connections_of_a_key),
		cmocka_unit_test(any_number_goes_in_portions),
		cmocka_unit_test(one_that_takes_nothing_does_not_fill_the_memory),
		cmocka_unit_test(a_key_that_is_rotated_out_ends_its_siblings),
		cmocka_unit_test(that_a_key_is_not_here_goes_back_without_the_payload),
	};
	return cmocka_run_group_tests(tests, open_mesh, house_close);
}
