/* Links of one shard to siblings: the network is the test, which says what siblings say; so is the mesh. Time stands still but for what the test lets pass. */
#include "siblings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "box.h"
#include "jsonr.h"
#include "metrics_relay.h"
#include "outward.h"
#include "shard.h"

enum { DIALED_MAX = 64 };

static struct loop *loop;
static struct relay relay;
static struct shard shard;

/* ---- the network ---- */

static struct outward {
	const struct outward_events *events;
	void *context;
	struct buffer in, said;
	bool open;
} dialed[DIALED_MAX];
static unsigned dials;

struct outward *outward_open(struct loop *on, const struct outward_wish *wish, const struct outward_events *events, void *context)
{
	(void)on;
	assert_string_equal(wish->to.host, "b.example");
	assert_true(dials < DIALED_MAX);
	struct outward *o = &dialed[dials++];
	*o = (struct outward){.events = events, .context = context, .open = true};
	buffer_init(&o->in, 1 << 20);
	buffer_init(&o->said, 1 << 20);
	return o;
}

void outward_close(struct outward **outward)
{
	if (*outward)
		(*outward)->open = false;
	*outward = NULL;
}

bool outward_say(struct outward *o, struct bytes text)
{
	assert_true(o->open);
	return !buffer_add(&o->said, text);
}

size_t outward_unsent(const struct outward *o)
{
	(void)o;
	return 0;
}

static unsigned standing(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < dials; i++)
		count += dialed[i].open;
	return count;
}

/* ---- the mesh ---- */

/* Who has key 'k' (k < 256), by number of the link; oldest first. */
static uint32_t via[256][8];
static unsigned via_count[256];
static unsigned without; /* how often a key has lost its last link */

static void unlearn(unsigned key, uint32_t link)
{
	for (unsigned i = 0; i < via_count[key]; i++) {
		if (via[key][i] != link)
			continue;
		memmove(&via[key][i], &via[key][i + 1], (via_count[key] - i - 1) * sizeof via[key][0]);
		if (!--via_count[key])
			without++;
		return;
	}
}

void mesh_learn(struct shard *s, uint32_t link, const struct node_key *key, bool present)
{
	unsigned k = key->raw[0];
	assert_ptr_equal(s, &shard);
	if (!present)
		unlearn(k, link);
	for (unsigned i = 0; i < via_count[k]; i++)
		present &= via[k][i] != link;
	if (present)
		via[k][via_count[k]++] = link;
}

void mesh_forget_link(struct shard *s, uint32_t link)
{
	(void)s;
	for (unsigned k = 0; k < 256; k++)
		unlearn(k, link);
}

bool room_make_for_sibling(struct shard *s, bool slow, struct packet *p)
{
	(void)s, (void)slow, (void)p;
	return true;
}

/* ---- what siblings do ---- */

static struct private_key sibling_secret;
static struct public_key sibling_key;

static void pass(int64_t ms)
{
	for (int64_t gone = 0; gone < ms; gone += 50) {
		clock_step_by_hand(ms - gone < 50 ? ms - gone : 50);
		loop_turn(loop, 0);
	}
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

static void say(struct outward *o, struct bytes text)
{
	assert_true(o->open);
	assert_int_equal(buffer_add(&o->in, text), ERR_NONE);
	o->events->on_data(o->context, &o->in);
}

static void present(struct outward *o, uint8_t k)
{
	struct node_key key = {{k}};
	uint8_t frame[DERPFRAME_PRESENT_LEN];
	derpframe_encode_peer_present(frame, &key, (struct endpoint){.port = 1}, DERPFRAME_IS_REGULAR);
	say(o, bytes_of(frame, sizeof frame));
}

/* Up to its key. */
static void greet_as(struct outward *o, const struct public_key *key)
{
	uint8_t frame[DERPFRAME_SERVER_KEY_LEN];
	o->events->on_connected(o->context);
	say(o, BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n"));
	derpframe_encode_server_key(frame, key);
	say(o, bytes_of(frame, sizeof frame));
}

/* The mesh key that it was told. */
static char told_by(struct outward *o)
{
	struct derpframe_header h;
	struct derpframe_client_info info;
	assert_int_equal(derpframe_decode(buffer_bytes(&o->said), &h), ERR_NONE);
	assert_int_equal(h.type, DERPFRAME_CLIENT_INFO);
	assert_int_equal(derpframe_decode_client_info(bytes_of(o->said.at + DERPFRAME_HEADER_LEN, h.len), &sibling_secret, &info), ERR_NONE);
	assert_true(info.has_mesh_key);
	return (char)info.mesh_key[0];
}

static void up(struct outward *o, char key)
{
	greet_as(o, &sibling_key);
	assert_int_equal(told_by(o), key);
	present(o, 1);
	present(o, 2);
}

static void end(struct outward *o)
{
	assert_true(o->open);
	o->events->on_end(o->context, "it went");
}

/* Keys by one letter; 0: none. */
static void hear(char key, char before, bool sibling)
{
	struct told *told;
	json_t *answer = json_object(), *list = json_array();
	char text[2 * KEY_LEN + 1];
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "%02x%062x", i ? before : key, 0);
		json_object_set_new(answer, i ? "MeshKeyBefore" : "MeshKey", json_string(text));
	}
	if (sibling)
		json_array_append_new(list, json_pack("{s:s,s:s}", "Name", "b", "HostName", "b.example"));
	json_object_set_new(answer, "Siblings", list);
	told = told_new(answer);
	json_decref(answer);
	told_drop(&shard.life.told);
	shard.life.told = told;
	siblings_follow(&shard, told);
	pass(0);
}

static void forward(uint8_t k)
{
	struct node_key from = {{9}}, to = {{k}};
	struct packet *p = packet_new(&from, &to, 4);
	p->kind = LETTER_FORWARD;
	assert_true(via_count[k]);
	p->via = via[k][0];
	siblings_send(&shard, p);
	pass(0);
}

static int open(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	relay = (struct relay){.count = 1};
	key_mint(&relay.key, &relay.public_key);
	key_mint(&sibling_secret, &sibling_key);
	shard = (struct shard){.relay = &relay, .loop = loop};
	list_init(&shard.mesh.links);
	shard.mesh.link_of = table_new();
	dials = without = 0;
	memset(via_count, 0, sizeof via_count);
	return 0;
}

static int shut(void **state)
{
	(void)state;
	shard.closing = true;
	siblings_close(&shard);
	assert_int_equal(standing(), 0);
	assert_int_equal(table_count(shard.mesh.link_of), 0);
	told_drop(&shard.life.told);
	loop_free(&loop);
	table_free(&shard.mesh.link_of);
	for (unsigned i = 0; i < dials; i++) {
		buffer_clear(&dialed[i].in);
		buffer_clear(&dialed[i].said);
	}
	assert_int_equal(metric_sum(&relay_metrics[RELAY_SIBLINGS], 0), 0);
	return 0;
}

static int64_t siblings(void)
{
	return metric_sum(&relay_metrics[RELAY_SIBLINGS], 0);
}

/* The first link stands, by this key. */
static void stand_by(char key)
{
	hear(key, 0, true);
	pass(100);
	up(&dialed[0], key);
}

/* The region's key is the next one: beside the link that stands one by that is dialed. */
static void move_on(char key, char before)
{
	unsigned seen = dials;
	hear(key, before, true);
	pass(100);
	assert_int_equal(dials, seen + 1);
}

/* ---- tests ---- */

static void a_broken_link_is_dialed_again(void **state)
{
	(void)state;
	stand_by('a');
	assert_int_equal(dials, 1);
	assert_int_equal(siblings(), 1);
	forward(1);
	int64_t ended = metric_sum(&relay_metrics[RELAY_LINK_ENDS], RELAY_LINK_UP);
	end(&dialed[0]);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_LINK_ENDS], RELAY_LINK_UP), ended + 1);
	assert_int_equal(via_count[1] + via_count[2], 0);
	assert_int_equal(siblings(), 0);
	pass(5000);
	assert_int_equal(dials, 2);
	up(&dialed[1], 'a');
	assert_int_equal(siblings(), 1);
	hear('a', 0, false);
	assert_int_equal(standing(), 0);
}

/* One that knows the key before alone. */
static void the_other_key_is_tried(void **state)
{
	(void)state;
	hear('b', 'a', true);
	pass(100);
	greet_as(&dialed[0], &sibling_key);
	assert_int_equal(told_by(&dialed[0]), 'b');
	int64_t ended = metric_sum(&relay_metrics[RELAY_LINK_ENDS], RELAY_LINK_PROVING);
	end(&dialed[0]);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_LINK_ENDS], RELAY_LINK_PROVING), ended + 1);
	pass(5000);
	up(&dialed[1], 'a');
	assert_int_equal(siblings(), 1);
}

/* A link by the next key is made beside the one that stands; no key is without a link at any time, and no packet is lost. */
static void the_next_key_is_proven_before_the_link_goes(void **state)
{
	(void)state;
	stand_by('a');
	move_on('b', 'a');
	hear('b', 'a', true);
	up(&dialed[1], 'b');
	assert_int_equal(siblings(), 1);
	/* Both stand, the older one is used. */
	forward(1);
	size_t by_first = dialed[0].said.len;
	pass(5000);
	assert_int_equal(standing(), 2);
	struct packet *late = packet_new(&(struct node_key){{9}}, &(struct node_key){{1}}, 4);
	late->via = via[1][0];
	while (via_count[1] == 2)
		pass(50);
	assert_int_equal(via_count[1], 1);
	/* On a way that was chosen earlier. */
	siblings_send(&shard, late);
	pass(0);
	assert_true(dialed[0].said.len > by_first);
	size_t by_second = dialed[1].said.len;
	forward(1);
	assert_true(dialed[1].said.len > by_second);
	/* What the first one says now counts no more. */
	present(&dialed[0], 3);
	assert_int_equal(via_count[3], 0);
	pass(5000);
	assert_false(dialed[0].open);
	assert_true(dialed[1].open);
	assert_int_equal(siblings(), 1);
	assert_int_equal(without, 0);
	hear('b', 0, true);
	pass(60000);
	assert_int_equal(dials, 2);
}

/* Still being told of keys, it does not take over yet; not for ever. */
static void it_takes_over_when_it_knows(void **state)
{
	(void)state;
	stand_by('a');
	move_on('b', 'a');
	up(&dialed[1], 'b');
	for (unsigned i = 0; i < 45; i++) {
		pass(1000);
		present(&dialed[1], (uint8_t)(10 + i));
		assert_int_equal(standing(), 2);
	}
	for (unsigned i = 0; i < 30 && standing() == 2; i++) {
		pass(1000);
		if (dialed[1].open)
			present(&dialed[1], (uint8_t)(100 + i));
	}
	assert_false(dialed[0].open);
	assert_int_equal(via_count[10], 1);
}

/* A sibling that hears of the key late is tried again and again, ever more rarely; its link stands meanwhile. */
static void a_late_sibling_keeps_its_link(void **state)
{
	(void)state;
	stand_by('a');
	hear('b', 'a', true);
	unsigned seen = 1;
	for (unsigned s = 0; s < 600; s++) {
		pass(1000);
		/* It keeps the first one alive. */
		present(&dialed[0], 1);
		for (; seen < dials; seen++) {
			greet_as(&dialed[seen], &sibling_key);
			assert_int_equal(told_by(&dialed[seen]), 'b');
			end(&dialed[seen]);
		}
	}
	assert_in_range(dials, 10, 30);
	assert_int_equal(standing(), 1);
	assert_int_equal(without, 0);
	while (seen == dials)
		pass(1000);
	up(&dialed[seen], 'b');
	pass(20000);
	assert_true(dialed[seen].open);
	assert_int_equal(standing(), 1);
	assert_int_equal(without, 0);
}

/* The first one breaks, since the sibling lets nobody stay who has the key before alone. */
static void the_next_one_takes_over_at_once(void **state)
{
	(void)state;
	stand_by('a');
	move_on('b', 'a');
	up(&dialed[1], 'b');
	end(&dialed[0]);
	assert_int_equal(without, 0);
	assert_int_equal(siblings(), 1);
	pass(10000);
	assert_int_equal(dials, 2);
	/* Before the next one stands: one link is dialed, by the next key. */
	move_on('c', 'b');
	end(&dialed[1]);
	assert_int_equal(standing(), 0);
	pass(5000);
	assert_int_equal(dials, 4);
	up(&dialed[3], 'c');
	pass(30000);
	assert_int_equal(dials, 4);
	assert_int_equal(siblings(), 1);
	/* A sibling that leaves takes both. */
	move_on('d', 'c');
	assert_int_equal(standing(), 2);
	hear('d', 'c', false);
	assert_int_equal(standing(), 0);
}

/* The overlap is over, and it has the key before alone: nothing goes there any more until it follows. */
static void who_has_not_followed_is_cut(void **state)
{
	(void)state;
	stand_by('a');
	move_on('b', 'a');
	assert_int_equal(standing(), 2);
	assert_int_equal(siblings(), 1);
	hear('b', 0, true);
	assert_int_equal(standing(), 0);
	assert_int_equal(siblings(), 0);
	unsigned seen = dials;
	for (unsigned i = 0; i < 60 && seen == dials; i++)
		pass(1000);
	assert_int_equal(dials, seen + 1);
	up(&dialed[seen], 'b');
	pass(10000);
	assert_int_equal(standing(), 1);
	assert_int_equal(siblings(), 1);
	assert_int_equal(dials, seen + 1);
}

/* Neither frames that are none about keys nor such as are cut short; those of older relays end behind the key. */
static void other_frames_tell_of_nobody(void **state)
{
	(void)state;
	stand_by('a');
	say(&dialed[0], BYTES("\x09\0\0\0\x1f"
			      "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
	say(&dialed[0], BYTES("\x77\0\0\0\x20"
			      "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
	say(&dialed[0], BYTES("\x06\0\0\0\0"));
	assert_int_equal(via_count['k'], 0);
	say(&dialed[0], BYTES("\x09\0\0\0\x20"
			      "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
	assert_int_equal(via_count['k'], 1);
	say(&dialed[0], BYTES("\x08\0\0\0\x1f"
			      "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
	assert_int_equal(via_count['k'], 1);
	say(&dialed[0], BYTES("\x08\0\0\0\x20"
			      "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
	assert_int_equal(via_count['k'], 0);
	assert_int_equal(standing(), 1);
}

/* Its own name in the list: nothing is proven to it; looked at again rarely, for the name may lead elsewhere one day. */
static void it_knows_itself(void **state)
{
	(void)state;
	hear('a', 0, true);
	pass(100);
	greet_as(&dialed[0], &relay.public_key);
	assert_int_equal(standing(), 0);
	assert_int_equal(dialed[0].said.len, 0);
	for (unsigned s = 0; s < 50; s++) {
		hear('a', 0, true);
		pass(1000);
	}
	assert_int_equal(dials, 1);
	pass(20000);
	assert_int_equal(dials, 2);
	greet_as(&dialed[1], &relay.public_key);
	assert_int_equal(dialed[1].said.len, 0);
	pass(70000);
	assert_int_equal(dials, 3);
	up(&dialed[2], 'a');
	assert_int_equal(siblings(), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open, shut)
	const struct CMUnitTest tests[] = {
		T(a_broken_link_is_dialed_again), T(the_other_key_is_tried),        T(the_next_key_is_proven_before_the_link_goes),
		T(it_takes_over_when_it_knows),   T(a_late_sibling_keeps_its_link), T(the_next_one_takes_over_at_once),
		T(who_has_not_followed_is_cut),   T(other_frames_tell_of_nobody),   T(it_knows_itself),
	};
	metric_register(relay_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
