#include "queue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct node_key from = {{1}}, to = {{2}};

static struct packet *numbered(uint8_t number)
{
	struct packet *p = packet_new(&from, &to, 1);
	*packet_payload(p) = number;
	return p;
}

static void packet_is_a_frame(void **state)
{
	(void)state;
	struct packet *p = packet_new(&from, &to, 3);
	memcpy(packet_payload(p), "abc", 3);
	assert_int_equal(packet_frame_len(p), 40);
	assert_memory_equal(p->frame, "\x05\0\0\0\x23\x01", 6);
	assert_memory_equal(p->frame + 37, "abc", 3);
	struct node_key source;
	packet_source(p, &source);
	assert_memory_equal(source.raw, from.raw, KEY_LEN);
	packet_free(&p);
	assert_null(p);
	packet_free(&p);
}

static void order_is_kept(void **state)
{
	(void)state;
	struct queue q;
	queue_init(&q);
	assert_null(queue_pop(&q));
	for (uint8_t i = 0; i < 5; i++)
		assert_null(queue_push(&q, numbered(i)));
	assert_int_equal(q.bytes, 5 * 38);
	for (uint8_t i = 0; i < 5; i++) {
		struct packet *p = queue_pop(&q);
		assert_int_equal(*packet_payload(p), i);
		packet_free(&p);
	}
	assert_null(queue_pop(&q));
	assert_int_equal(q.bytes, 0);
	assert_null(queue_push(&q, numbered(9)));
	assert_int_equal(queue_clear(&q), 1);
}

static void the_head_is_dropped(void **state)
{
	(void)state;
	struct queue q;
	queue_init(&q);
	for (unsigned i = 0; i < 100; i++) {
		struct packet *oldest = queue_push(&q, numbered((uint8_t)i));
		if (i < QUEUE_DEPTH) {
			assert_null(oldest);
			continue;
		}
		assert_int_equal(*packet_payload(oldest), i - QUEUE_DEPTH);
		packet_free(&oldest);
	}
	assert_int_equal(q.count, QUEUE_DEPTH);
	struct packet *p = queue_pop(&q);
	assert_int_equal(*packet_payload(p), 100 - QUEUE_DEPTH);
	packet_free(&p);
	assert_int_equal(queue_clear(&q), QUEUE_DEPTH - 1);
	assert_int_equal(queue_clear(&q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(packet_is_a_frame), cmocka_unit_test(order_is_kept), cmocka_unit_test(the_head_is_dropped)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
