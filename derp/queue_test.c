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
		queue_add(&q, numbered(i));
	assert_int_equal(q.bytes, 5 * 38);
	for (uint8_t i = 0; i < 5; i++) {
		struct packet *p = queue_pop(&q);
		assert_int_equal(*packet_payload(p), i);
		packet_free(&p);
	}
	assert_null(queue_pop(&q));
	assert_int_equal(q.bytes, 0);
	queue_add(&q, numbered(9));
	assert_int_equal(queue_clear(&q), 1);
}

static void the_head_is_cut(void **state)
{
	(void)state;
	struct queue q;
	queue_init(&q);
	for (unsigned i = 0; i < 100; i++)
		queue_add(&q, numbered((uint8_t)i));
	struct packet *p;
	for (unsigned i = 0; i < 100 - QUEUE_DEPTH; i++) {
		p = queue_cut(&q);
		assert_int_equal(*packet_payload(p), i);
		packet_free(&p);
	}
	assert_null(queue_cut(&q));
	assert_int_equal(q.count, QUEUE_DEPTH);
	p = queue_pop(&q);
	assert_int_equal(*packet_payload(p), 100 - QUEUE_DEPTH);
	packet_free(&p);
	assert_int_equal(queue_clear(&q), QUEUE_DEPTH - 1);
	assert_int_equal(queue_clear(&q), 0);
}

/* What was lent is written over once its turn has ended; what was kept stays, in its place. */
static void lent_packets_are_kept(void **state)
{
	(void)state;
	uint8_t read[2][DERPFRAME_RECV_HEADER_LEN + 2] = {{[37] = 'a', 'b'}, {[37] = 'c', 'd'}};
	struct queue q;
	queue_init(&q);
	queue_add(&q, packet_lend(&from, &to, read[0], 2));
	queue_add(&q, numbered(7));
	queue_add(&q, packet_lend(&from, &to, read[1], 2));
	assert_ptr_equal(q.first->frame, read[0]);
	assert_memory_equal(read[0], "\x05\0\0\0\x22\x01", 6);
	queue_keep(&q);
	memset(read, 'x', sizeof read);
	queue_add(&q, numbered(8));
	static const char *const want[] = {"ab", "\x07", "cd", "\x08"};
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		struct packet *p = queue_pop(&q);
		assert_false(p->lent);
		assert_memory_equal(packet_payload(p), want[i], p->len);
		packet_free(&p);
	}
	assert_null(queue_pop(&q));
	packet_spare_clear();
}

static void large_packets_are_cut_by_bytes(void **state)
{
	(void)state;
	struct queue q;
	struct packet *p;
	unsigned lost = 0;
	queue_init(&q);
	for (unsigned i = 0; i < 10; i++)
		queue_add(&q, packet_new(&from, &to, 1000));
	size_t one = q.bytes / 10;
	while ((p = queue_cut_to(&q, 8, SIZE_MAX)))
		packet_free(&p), lost++;
	assert_int_equal(lost, 2);
	while ((p = queue_cut_to(&q, 8, 3 * one + 1)))
		packet_free(&p), lost++;
	assert_int_equal(lost, 7);
	assert_int_equal(q.bytes, 3 * one);
	assert_int_equal(queue_clear(&q), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(packet_is_a_frame), cmocka_unit_test(order_is_kept), cmocka_unit_test(the_head_is_cut),
					   cmocka_unit_test(lent_packets_are_kept), cmocka_unit_test(large_packets_are_cut_by_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
