/* Three shards on one loop; what arrives is written down. */
#include "crossing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "metrics_relay.h"
#include "routing.h"
#include "shard.h"

enum { SHARDS = 3, LARGE = 65536 };

static struct loop *loop;
static struct relay relay;
static struct shard shards[SHARDS];
static char arrived[SHARDS][8192]; /* a letter each: p packet, n not here, l left, f forwarded, w forward, g other news, with its mark behind it */
static size_t arrived_bytes;

void routing_letter(struct shard *s, struct packet *letter)
{
	static const char kinds[] = {
		[LETTER_PACKET] = 'p', [LETTER_NOT_HERE] = 'n', [LETTER_LEFT] = 'l', [LETTER_FORWARDED] = 'f', [LETTER_FORWARD] = 'w', [LETTER_NEWS] = 'g'};
	char *at = arrived[s->index] + strlen(arrived[s->index]);
	assert_null(letter->next);
	assert_false(letter->lent);
	assert_true(at - arrived[s->index] < (ptrdiff_t)sizeof arrived[0] - 4);
	at[0] = kinds[letter->kind];
	at[1] = (char)letter->to.raw[0];
	at[2] = letter->len ? (char)packet_payload(letter)[letter->len - 1] : '.';
	at[3] = '\0';
	arrived_bytes += letter->len;
	packet_free(&letter);
}

static int open(void **state)
{
	(void)state;
	loop = loop_new();
	relay = (struct relay){.count = SHARDS};
	memset(arrived, 0, sizeof arrived);
	arrived_bytes = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i] = (struct shard){.relay = &relay, .loop = loop, .index = i};
		relay.shard[i] = &shards[i];
		crossing_open(&shards[i], SHARDS);
	}
	return 0;
}

static void turn(void)
{
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

static int shut(void **state)
{
	(void)state;
	turn();
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(atomic_load(&shards[i].crossing.waiting), 0);
		crossing_close(&shards[i]);
	}
	loop_free(&loop);
	packet_spare_clear();
	return 0;
}

static struct packet *letter(enum letter_kind kind, char mark, uint32_t len)
{
	struct node_key key = {{(uint8_t)mark}};
	struct packet *p = packet_new(&key, &key, len);
	p->kind = (uint8_t)kind;
	memset(packet_payload(p), mark, len);
	return p;
}

static int64_t dropped(enum relay_drop reason)
{
	return metric_sum(&relay_metrics[RELAY_PACKETS_DROPPED], 2 * reason + 1); /* data */
}

static void order_is_kept(void **state)
{
	(void)state;
	int64_t crossed = metric_sum(&relay_metrics[RELAY_PACKETS_CROSSED], 0);
	crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'a', 10));
	crossing_send(&shards[0], 2, letter(LETTER_FORWARD, 'b', 0));
	crossing_send(&shards[0], 1, letter(LETTER_LEFT, 'c', 0));
	crossing_send(&shards[0], 1, letter(LETTER_NEWS, 'd', 5));
	crossing_send(&shards[0], 1, letter(LETTER_FORWARDED, 'e', 1));
	crossing_send(&shards[2], 0, letter(LETTER_NOT_HERE, 'f', 0));
	assert_string_equal(arrived[1], ""); /* with the end of the turn */
	turn();
	assert_string_equal(arrived[0], "nf.");
	assert_string_equal(arrived[1], "paalc.gddfee");
	assert_string_equal(arrived[2], "wb.");
	assert_int_equal(metric_sum(&relay_metrics[RELAY_PACKETS_CROSSED], 0) - crossed, 3);
	crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'g', 1));
	turn();
	crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'h', 1));
	turn();
	assert_string_equal(arrived[1], "paalc.gddfeepggphh");
}

/* What lies in the memory of a turn has its own when it arrives. */
static void lent_packets_are_kept(void **state)
{
	(void)state;
	struct node_key key = {{'a'}};
	uint8_t read[DERPFRAME_RECV_HEADER_LEN + 100];
	memset(read, 'x', sizeof read);
	struct packet *p = packet_lend(&key, &key, read, 100);
	p->kind = LETTER_PACKET;
	crossing_send(&shards[0], 1, p);
	memset(read, 'y', sizeof read);
	turn();
	assert_string_equal(arrived[1], "pax");
}

static void all_others_hear_who_left(void **state)
{
	(void)state;
	struct node_key key = {{'k'}};
	crossing_tell_left(&shards[1], &key);
	turn();
	assert_string_equal(arrived[0], "lk.");
	assert_string_equal(arrived[1], "");
	assert_string_equal(arrived[2], "lk.");
}

/* Too much for a shard that takes nothing: packets go and are counted, news arrive, in order. Others are not touched, and later it goes on. */
static void past_the_cap_packets_go(void **state)
{
	(void)state;
	int64_t before = dropped(RELAY_DROP_CROSSING);
	size_t sent = 0;
	/* Batches that were posted and not taken out. */
	while (dropped(RELAY_DROP_CROSSING) == before && sent < 2000) {
		for (unsigned i = 0; i < 16; i++)
			crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'p', LARGE));
		crossing_send(&shards[0], 1, letter(LETTER_LEFT, '1', 0));
		sent += 16;
		defer_cancel(&shards[0].crossing.posting);
		shards[0].crossing.posting.on_turn_end(shards[0].crossing.posting.context);
	}
	assert_in_range(sent * LARGE, 8 << 20, 64 << 20);
	assert_int_equal(dropped(RELAY_DROP_CROSSING) - before, 16);
	assert_true(atomic_load(&shards[1].crossing.waiting) <= 16 << 20);
	crossing_send(&shards[0], 2, letter(LETTER_PACKET, 'o', LARGE));
	turn();
	assert_string_equal(arrived[2], "poo");
	/* All news came. */
	unsigned news = 0;
	for (const char *at = arrived[1]; *at; at += 3)
		news += *at == 'l';
	assert_int_equal(news, sent / 16);
	assert_int_equal(arrived_bytes, (sent - 16) * LARGE + LARGE);
	*arrived[1] = '\0';
	crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'q', LARGE));
	turn();
	assert_string_equal(arrived[1], "pqq");
}

static void who_is_closed_takes_nothing(void **state)
{
	(void)state;
	int64_t before = dropped(RELAY_DROP_GONE);
	shards[1].closing = true;
	crossing_send(&shards[0], 1, letter(LETTER_PACKET, 'a', 10));
	crossing_send(&shards[0], 1, letter(LETTER_LEFT, 'b', 0));
	turn();
	assert_string_equal(arrived[1], "");
	assert_int_equal(dropped(RELAY_DROP_GONE) - before, 1);
	/* What it still has to say is said; afterwards nothing is. */
	crossing_send(&shards[1], 2, letter(LETTER_LEFT, 'c', 0));
	crossing_close(&shards[1]);
	crossing_send(&shards[1], 2, letter(LETTER_LEFT, 'd', 0));
	crossing_tell_left(&shards[1], &(struct node_key){{'e'}});
	turn();
	assert_string_equal(arrived[2], "lc.");
	crossing_open(&shards[1], SHARDS);
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, open, shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(order_is_kept),           IN_ORDER(lent_packets_are_kept),       IN_ORDER(all_others_hear_who_left),
		IN_ORDER(past_the_cap_packets_go), IN_ORDER(who_is_closed_takes_nothing),
	};
	metric_register(relay_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
