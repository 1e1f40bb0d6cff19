/* Links of siblings.h one by one: which there are, their proof, their time, what goes out by them. Connections are played: what is said on them is kept, what comes is given by the test. Time stands still but for what the test lets pass. */
#include "siblings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "metrics_relay.h"
#include "outward.h"
#include "shard.h"

enum { OPEN_MAX = 64 };

#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222222222222222222222222222"
#define KEYS "\"MeshKey\":\"" ONE "\",\"MeshKeyBefore\":\"" TWO "\""
#define SIBLING(name) "{\"Name\":\"" name "\",\"HostName\":\"" name ".example\"}"

/* ---- connections ---- */

struct outward {
	const struct outward_events *events;
	void *context;
	char host[DERPNODE_HOST_MAX + 1];
	struct buffer in, said;
	size_t unsent;
	bool closed;
};

static struct outward *opened[OPEN_MAX];
static unsigned open_count; /* ever */
static bool cannot_open;
static unsigned says, say_fails_at; /* 0: never */

struct outward *outward_open(struct loop *loop, const struct outward_wish *wish, const struct outward_events *events, void *context)
{
	(void)loop;
	assert_false(wish->plain || wish->probe || wish->first.len);
	if (cannot_open)
		return NULL;
	assert_true(open_count < OPEN_MAX);
	struct outward *o = x_zalloc(sizeof *o);
	o->events = events;
	o->context = context;
	memcpy(o->host, wish->to.host, sizeof o->host);
	buffer_init(&o->in, 1 << 21);
	buffer_init(&o->said, 1 << 26);
	opened[open_count++] = o;
	return o;
}

/* Kept until the end of the test, so that it can be looked at. */
void outward_close(struct outward **outward)
{
	if (*outward)
		(*outward)->closed = true;
	*outward = NULL;
}

bool outward_say(struct outward *o, struct bytes text)
{
	assert_false(o->closed);
	if (++says == say_fails_at)
		return false;
	assert_int_equal(buffer_add(&o->said, text), ERR_NONE);
	return true;
}

size_t outward_unsent(const struct outward *o)
{
	return o->unsent;
}

/* ---- who hears of keys ---- */

static char learned[400]; /* "1+a 1-b 1! ": link, how, key; ! the link is forgotten */

static void note(const char *format, unsigned link, unsigned key)
{
	char text[40];
	int len = snprintf(text, sizeof text, format, link, key);
	assert_true(strlen(learned) + (size_t)len < sizeof learned);
	memcpy(learned + strlen(learned), text, (size_t)len + 1);
}

void mesh_learn(struct shard *s, uint32_t link, const struct node_key *key, bool present)
{
	(void)s;
	note(present ? "%u+%c " : "%u-%c ", link, key->raw[0]);
}

void mesh_forget_link(struct shard *s, uint32_t link)
{
	(void)s;
	note("%u! ", link, 0);
}

/* ---- the room ---- */

static bool is_full;

bool room_make_for_sibling(struct shard *s, bool slow, struct packet *p)
{
	(void)s;
	if (!is_full || !slow)
		return true;
	packet_free(&p);
	return false;
}

/* ---- a relay ---- */

static struct loop *loop;
static struct relay relay;
static struct shard shards[4];
static struct shard *const shard = &shards[0];
static struct private_key far_secret;
static struct public_key far_key;

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= 100) {
		clock_step_by_hand(ms < 100 ? ms : 100);
		loop_turn(loop, 0);
	}
	loop_turn(loop, 0);
}

static void tell(const char *text)
{
	json_t *answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	for (unsigned i = 0; i < relay.count; i++) {
		told_drop(&shards[i].life.told);
		shards[i].life.told = told_new(answer);
		siblings_follow(&shards[i], shards[i].life.told);
	}
	json_decref(answer);
	pass(0);
}

static int open_many(unsigned count)
{
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	relay = (struct relay){.count = count};
	key_mint(&relay.key, &relay.public_key);
	key_mint(&far_secret, &far_key);
	for (unsigned i = 0; i < count; i++) {
		shards[i] = (struct shard){.relay = &relay, .loop = loop, .index = i};
		relay.shard[i] = &shards[i];
		shards[i].mesh.link_of = table_new();
		list_init(&shards[i].mesh.links);
	}
	open_count = says = say_fails_at = 0;
	cannot_open = is_full = false;
	*learned = '\0';
	return 0;
}

static int open(void **state)
{
	(void)state;
	return open_many(1);
}

static int shut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < relay.count; i++) {
		siblings_close(&shards[i]);
		assert_int_equal(table_count(shards[i].mesh.link_of), 0);
		assert_int_equal(shards[i].mesh.waiting + shards[i].mesh.unsent, 0);
		told_drop(&shards[i].life.told);
		table_free(&shards[i].mesh.link_of);
	}
	pass(20000);
	for (unsigned i = 0; i < open_count; i++) {
		assert_true(opened[i]->closed);
		buffer_clear(&opened[i]->in);
		buffer_clear(&opened[i]->said);
		free(opened[i]);
	}
	loop_free(&loop);
	packet_spare_clear();
	assert_int_equal(metric_sum(&relay_metrics[RELAY_SIBLINGS], 0), 0);
	return 0;
}

static unsigned open_now(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < open_count; i++)
		count += !opened[i]->closed;
	return count;
}

/* ---- the far end ---- */

static void come(struct outward *o, struct bytes text)
{
	assert_int_equal(buffer_add(&o->in, text), ERR_NONE);
	if (!o->closed)
		o->events->on_data(o->context, &o->in);
}

static void greet(struct outward *o, const struct public_key *key)
{
	uint8_t frame[DERPFRAME_SERVER_KEY_LEN];
	derpframe_encode_server_key(frame, key);
	o->events->on_connected(o->context);
	come(o, BYTES("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
	come(o, bytes_of(frame, sizeof frame));
}

static void news(struct outward *o, char key, bool present)
{
	struct node_key k = {{(uint8_t)key}};
	uint8_t frame[DERPFRAME_PRESENT_LEN], gone[DERPFRAME_PEER_GONE_LEN];
	derpframe_encode_peer_present(frame, &k, (struct endpoint){0}, 0);
	derpframe_encode_peer_gone(gone, &k, DERPFRAME_GONE_NOT_HERE);
	come(o, present ? bytes_of(frame, sizeof frame) : bytes_of(gone, sizeof gone));
}

/* First digit of the mesh key that it was shown; WatchConns follows. */
static unsigned shown_key(const struct outward *o)
{
	struct derpframe_header h;
	struct derpframe_client_info info;
	struct bytes said = buffer_bytes(&o->said);
	assert_int_equal(derpframe_decode(said, &h), ERR_NONE);
	assert_int_equal(h.type, DERPFRAME_CLIENT_INFO);
	assert_int_equal(derpframe_decode_client_info(bytes_take(bytes_skip(said, DERPFRAME_HEADER_LEN), h.len), &far_secret, &info), ERR_NONE);
	assert_true(info.has_mesh_key);
	assert_memory_equal(info.key.raw, relay.public_key.raw, KEY_LEN);
	said = bytes_skip(said, DERPFRAME_HEADER_LEN + h.len);
	assert_int_equal(said.len, DERPFRAME_HEADER_LEN);
	assert_memory_equal(said.at, "\x10\0\0\0\0", DERPFRAME_HEADER_LEN);
	return info.mesh_key[0] >> 4;
}

static struct outward *up(void)
{
	struct outward *o = opened[open_count - 1];
	assert_false(o->closed);
	greet(o, &far_key);
	news(o, 'x', true);
	buffer_reset(&o->said);
	return o;
}

/* Until it is dialed again. */
static int64_t dialed_in(int64_t most)
{
	unsigned before = open_count;
	int64_t ms = 0;
	while (open_count == before && ms <= most) {
		pass(100);
		ms += 100;
	}
	return ms;
}

/* ---- which ---- */

static void those_that_are_told(void **state)
{
	(void)state;
	tell("{\"Siblings\":[" SIBLING("b") "]}"); /* no key of the mesh */
	assert_int_equal(open_count, 0);
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "," SIBLING("c") "," SIBLING("b") "]}");
	assert_int_equal(open_count, 2);
	assert_string_equal(opened[0]->host, "b.example");
	assert_string_equal(opened[1]->host, "c.example");
	tell("{" KEYS ",\"Siblings\":[" SIBLING("c") "," SIBLING("b") "]}");
	assert_int_equal(open_count, 2);
	/* Reached in another way: dialed anew. */
	tell("{" KEYS ",\"Siblings\":[" SIBLING("c") ",{\"Name\":\"b\",\"HostName\":\"b2.example\"}]}");
	assert_int_equal(open_count, 3);
	assert_true(opened[0]->closed);
	assert_string_equal(opened[2]->host, "b2.example");
	tell("{" KEYS ",\"Siblings\":[" SIBLING("c") "]}");
	assert_int_equal(open_now(), 1);
	tell("{\"Siblings\":[" SIBLING("c") "]}");
	assert_int_equal(open_now(), 0);
}

/* One link of the whole relay to each. */
static void one_shard_dials(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= COUNT_OF(shards); count++) {
		open_many(count);
		tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "," SIBLING("c") "," SIBLING("d") "," SIBLING("e") "," SIBLING("f") "," SIBLING("g") "]}");
		assert_int_equal(open_now(), 6);
		shut(state);
	}
	open(state);
}

/* ---- proof ---- */

static void it_proves_itself(void **state)
{
	(void)state;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	assert_int_equal(opened[0]->said.len, 0);
	greet(opened[0], &far_key);
	assert_int_equal(shown_key(opened[0]), 1);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_SIBLINGS], 0), 0);
	assert_string_equal(learned, "");
	news(opened[0], 'a', true);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_SIBLINGS], 0), 1);
	news(opened[0], 'b', true);
	news(opened[0], 'a', false);
	assert_string_equal(learned, "1+a 1+b 1-a ");
	/* What was learned by it is forgotten when it breaks; the next one has another number. */
	opened[0]->events->on_end(opened[0]->context, "broken");
	assert_string_equal(learned, "1+a 1+b 1-a 1! ");
	assert_int_equal(metric_sum(&relay_metrics[RELAY_SIBLINGS], 0), 0);
	assert_in_range(dialed_in(10000), 500, 6000);
	greet(opened[1], &far_key);
	assert_int_equal(shown_key(opened[1]), 1);
	news(opened[1], 'a', true);
	assert_string_equal(learned, "1+a 1+b 1-a 1! 2+a ");
}

/* A sibling that knows one key of two, whichever. */
static void keys_take_turns(void **state)
{
	static const unsigned shown[] = {1, 2, 1, 2};
	(void)state;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	for (unsigned i = 0; i < COUNT_OF(shown); i++) {
		greet(opened[i], &far_key);
		assert_int_equal(shown_key(opened[i]), shown[i]);
		opened[i]->events->on_end(opened[i]->context, "closed");
		assert_in_range(dialed_in(10000), 500, 6000);
	}
	/* Refused before that says nothing about keys. */
	come(opened[4], BYTES("HTTP/1.1 503 no room\r\n\r\n"));
	assert_true(opened[4]->closed);
	assert_in_range(dialed_in(10000), 500, 6000);
	greet(opened[5], &far_key);
	assert_int_equal(shown_key(opened[5]), 1);
	/* The one that was good stays the one. */
	news(opened[5], 'a', true);
	opened[5]->events->on_end(opened[5]->context, "closed");
	dialed_in(10000);
	greet(opened[6], &far_key);
	assert_int_equal(shown_key(opened[6]), 1);
}

/* ---- time ---- */

static int64_t closed_in(const struct outward *o, int64_t most)
{
	int64_t ms = 0;
	while (!o->closed && ms <= most) {
		pass(100);
		ms += 100;
	}
	return ms;
}

static void silence_ends_it(void **state)
{
	(void)state;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	/* Connected, and no word. */
	opened[0]->events->on_connected(opened[0]->context);
	assert_in_range(closed_in(opened[0], 20000), 9000, 11000);
	assert_in_range(dialed_in(10000), 500, 6000);
	/* A greeting, and no key: nobody's mesh key was good, or it is no sibling. */
	greet(opened[1], &far_key);
	assert_in_range(closed_in(opened[1], 20000), 9000, 11000);
	assert_in_range(dialed_in(10000), 500, 6000);
	struct outward *o = up();
	for (unsigned i = 0; i < 10; i++) {
		pass(100000);
		assert_false(o->closed);
		come(o, BYTES("\x06\0\0\0\0"));
	}
	assert_in_range(closed_in(o, 200000), 119000, 121000);
	assert_in_range(dialed_in(10000), 500, 6000);
}

static void no_way_there(void **state)
{
	(void)state;
	cannot_open = true;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	pass(20000);
	cannot_open = false;
	assert_in_range(dialed_in(10000), 100, 6000);
	/* While it is being dialed others may want it gone. */
	tell("{" KEYS "}");
	assert_true(opened[0]->closed);
	pass(60000);
	assert_int_equal(open_count, 1);
	/* Of a link that never stood there is nothing to forget. */
	assert_string_equal(learned, "");
}

/* ---- packets ---- */

static struct packet *packet(uint32_t link, char mark, bool disco, uint32_t len)
{
	struct node_key from = {{'f'}}, to = {{'t'}};
	struct packet *p = packet_new(&from, &to, len);
	memset(packet_payload(p), mark, len);
	p->via = link;
	p->disco = disco;
	return p;
}

/* Marks of the packets that went out; each is whole. */
static void wants_said(struct outward *o, const char *marks)
{
	struct bytes said = buffer_bytes(&o->said);
	char found[64] = "";
	size_t count = 0;
	while (said.len) {
		struct derpframe_header h;
		assert_int_equal(derpframe_decode(said, &h), ERR_NONE);
		assert_int_equal(h.type, DERPFRAME_FORWARD_PACKET);
		assert_true(said.len >= DERPFRAME_HEADER_LEN + h.len && count < sizeof found - 1);
		assert_int_equal(said.at[DERPFRAME_HEADER_LEN], 'f');
		assert_int_equal(said.at[DERPFRAME_HEADER_LEN + KEY_LEN], 't');
		found[count++] = h.len > 2 * KEY_LEN ? (char)said.at[DERPFRAME_FORWARD_HEADER_LEN] : '.';
		said = bytes_skip(said, DERPFRAME_HEADER_LEN + h.len);
	}
	assert_string_equal(found, marks);
	buffer_reset(&o->said);
}

static void packets_go_out(void **state)
{
	(void)state;
	int64_t before = metric_sum(&relay_metrics[RELAY_FORWARDED_OUT], 0);
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	siblings_send(shard, packet(1, 'z', false, 10)); /* not up: dropped */
	struct outward *o = up();
	siblings_send(shard, packet(2, 'y', false, 10)); /* no such link */
	siblings_send(shard, packet(1, '1', false, 10));
	siblings_send(shard, packet(1, '2', false, 0));
	siblings_send(shard, packet(1, '3', false, DERPFRAME_PACKET_MAX));
	siblings_send(shard, packet(1, '4', true, 100));
	/* One that lies in what this turn has read. */
	struct node_key from = {{'f'}}, to = {{'t'}};
	uint8_t read[DERPFRAME_RECV_HEADER_LEN + 10];
	memset(read, '8', sizeof read);
	struct packet *lent = packet_lend(&from, &to, read, 10);
	lent->via = 1;
	siblings_send(shard, lent);
	memset(read, 'x', sizeof read);
	pass(0);
	wants_said(o, "41.38");
	assert_int_equal(metric_sum(&relay_metrics[RELAY_FORWARDED_OUT], 0) - before, 5);
	/* While the far end takes nothing they wait, and the oldest go. */
	o->unsent = 1 << 20;
	siblings_send(shard, packet(1, '5', false, 10));
	siblings_send(shard, packet(1, '6', true, 10));
	pass(0);
	wants_said(o, "");
	assert_int_equal(shard->mesh.waiting, 2 * (DERPFRAME_RECV_HEADER_LEN + 10));
	o->unsent = 0;
	o->events->on_written(o->context);
	wants_said(o, "65");
	assert_int_equal(shard->mesh.waiting, 0);
	/* What waits when it breaks is lost, and not sent by the next one. */
	o->unsent = 1 << 20;
	siblings_send(shard, packet(1, '7', false, 10));
	o->events->on_end(o->context, "broken");
	assert_int_equal(shard->mesh.waiting, 0);
	dialed_in(10000);
	o = up();
	o->events->on_written(o->context);
	pass(0);
	wants_said(o, "");
}

/* However much comes for a sibling that takes nothing: a bound, and the newest. */
static void queues_are_bounded(void **state)
{
	enum { MANY = 20000 };
	(void)state;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	for (unsigned large = 0; large < 2; large++) {
		struct outward *o = large ? opened[0] : up();
		size_t frames = 0;
		uint32_t len = large ? 60000 : 8, last = 0;
		int64_t before = metric_sum(&relay_metrics[RELAY_FORWARDED_OUT], 0);
		o->unsent = 1 << 20;
		for (uint32_t i = 0; i < MANY / (large ? 20 : 1); i++) {
			struct packet *p = packet(1, 'm', false, len);
			put_be32(packet_payload(p), i);
			siblings_send(shard, p);
		}
		pass(0);
		assert_in_range(shard->mesh.waiting, 100 * len, 20 << 20);
		o->unsent = 0;
		o->events->on_written(o->context);
		assert_int_equal(shard->mesh.waiting, 0);
		for (struct bytes said = buffer_bytes(&o->said); said.len; said = bytes_skip(said, DERPFRAME_FORWARD_HEADER_LEN + len)) {
			uint32_t number = get_be32(said.at + DERPFRAME_FORWARD_HEADER_LEN);
			assert_true(!frames || number == last + 1);
			last = number;
			frames++;
		}
		assert_int_equal(last, MANY / (large ? 20 : 1) - 1);
		assert_in_range(frames, 100, 10000);
		assert_true(frames * len <= 20 << 20);
		assert_int_equal(metric_sum(&relay_metrics[RELAY_FORWARDED_OUT], 0) - before, frames);
		buffer_reset(&o->said);
	}
}

static void send_marked(uint32_t link, const char *marks)
{
	for (; *marks; marks++)
		siblings_send(shard, packet(link, *marks, *marks >= 'a', 1000));
}

/* The one for which most waits loses its oldest, disco last. */
static void slow_ones_give_way(void **state)
{
	enum { FRAME = DERPFRAME_RECV_HEADER_LEN + 1000 };
	struct outward *o[3];
	(void)state;
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
	o[0] = up();
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "," SIBLING("c") "]}");
	o[1] = up();
	tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "," SIBLING("c") "," SIBLING("d") "]}");
	o[2] = up();
	o[0]->unsent = o[1]->unsent = 1 << 20;
	o[2]->unsent = 1000;
	send_marked(1, "x123y4");
	send_marked(2, "123");
	send_marked(3, "123456789");
	/* Who is quick loses nothing. */
	assert_int_equal(siblings_waiting(shard), 9 * FRAME);
	siblings_give_way(shard, 1);
	assert_int_equal(siblings_waiting(shard), 8 * FRAME);
	pass(0);
	wants_said(o[2], "123456789");
	assert_int_equal(shard->mesh.waiting, 8 * FRAME);
	assert_int_equal(shard->mesh.unsent, (2 << 20) + 1000);
	siblings_give_way(shard, 2 * FRAME + 1);
	assert_int_equal(siblings_waiting(shard), 5 * FRAME);
	/* Now it is the other one. */
	siblings_give_way(shard, 1);
	assert_int_equal(siblings_waiting(shard), 4 * FRAME);
	is_full = true;
	send_marked(1, "5z");
	send_marked(3, "1");
	is_full = false;
	send_marked(1, "6");
	o[0]->unsent = o[1]->unsent = 0;
	for (unsigned i = 0; i < 2; i++)
		o[i]->events->on_written(o[i]->context);
	pass(0);
	wants_said(o[0], "xy6");
	wants_said(o[1], "23");
	wants_said(o[2], "1");
	assert_int_equal(shard->mesh.unsent, 1000);
	o[0]->unsent = 1 << 20;
	send_marked(1, "12");
	pass(0);
	siblings_give_way(shard, SIZE_MAX);
	siblings_give_way(shard, SIZE_MAX);
	assert_int_equal(siblings_waiting(shard) + shard->mesh.waiting, 0);
}

/* The n-th thing that is said cannot be written, for every n: it ends and is dialed again. */
static void words_that_cannot_be_written(void **state)
{
	for (unsigned n = 1; n <= 4; n++) {
		open(state);
		say_fails_at = n;
		tell("{" KEYS ",\"Siblings\":[" SIBLING("b") "]}");
		greet(opened[0], &far_key);
		if (!opened[0]->closed)
			news(opened[0], 'x', true);
		for (unsigned i = 0; i < 3 && !opened[0]->closed; i++) {
			siblings_send(shard, packet(1, '1', i % 2, 10));
			pass(0);
		}
		assert_true(opened[0]->closed);
		assert_int_equal(says, n);
		assert_in_range(dialed_in(10000), 500, 6000);
		greet(opened[1], &far_key);
		news(opened[1], 'x', true);
		buffer_reset(&opened[1]->said);
		siblings_send(shard, packet(2, '2', false, 10));
		pass(0);
		wants_said(opened[1], "2");
		shut(state);
	}
	open(state);
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, open, shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(those_that_are_told), cmocka_unit_test_teardown(one_shard_dials, shut),
		IN_ORDER(it_proves_itself),    IN_ORDER(keys_take_turns),
		IN_ORDER(silence_ends_it),     IN_ORDER(no_way_there),
		IN_ORDER(packets_go_out),      IN_ORDER(queues_are_bounded),
		IN_ORDER(slow_ones_give_way),  cmocka_unit_test_teardown(words_that_cannot_be_written, shut),
	};
	log_setup("siblinglinks_test", LOG_ERROR + 1, LOG_TEXT);
	metric_register(relay_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
