#include "sourcebook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 600 };

/* A source of single addresses; its texts are formatted as the policy's are. */
struct list {
	struct arena *arena;
	bool in[MOST];
	struct source source;
};

static int by_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void format(struct list *l)
{
	struct span *spans = ARENA_ARRAY(l->arena, struct span, MOST);
	size_t count = 0;
	for (unsigned i = 0; i < MOST; i++) {
		struct ip ip = {.family = IP_V4, .byte = {100, 64, (uint8_t)(i / 256), (uint8_t)i}};
		if (l->in[i])
			spans[count++] = (struct span){ip, ip};
	}
	l->source.spans = spans_of(spans, count);
	l->source.text_count = l->source.spans.count;
	l->source.texts = ARENA_ARRAY(l->arena, struct bytes, l->source.text_count + 1);
	l->source.sum = 0;
	for (size_t i = 0; i < l->source.text_count; i++) {
		char text[SPAN_TEXT_MAX];
		l->source.texts[i] = arena_copy(l->arena, bytes_of(text, span_format(text, l->source.spans.list[i])));
		for (size_t k = 0; k < l->source.texts[i].len; k++)
			l->source.sum += (uint64_t)l->source.texts[i].at[k] * (k * k + 7) * 1000003u;
	}
	qsort(l->source.texts, l->source.text_count, sizeof *l->source.texts, by_bytes);
}

static void begin(struct list *l, struct sourcebook *b, unsigned count, unsigned step)
{
	*l = (struct list){.arena = arena_new()};
	for (unsigned i = 0; i < count; i++)
		l->in[i * step] = true;
	format(l);
	sourcebook_init(b);
	sourcebook_turn(b, 1);
}

static void end(struct list *l, struct sourcebook *b)
{
	sourcebook_clear(b);
	arena_free(&l->arena);
}

/* Which addresses the texts name. */
static void name(const struct bytes *texts, size_t count, bool *named)
{
	for (size_t i = 0; i < count; i++) {
		struct bytes last, first = bytes_split(texts[i], '-', &last);
		struct prefix prefix;
		struct span span;
		assert_int_equal(prefix_parse(first, &prefix), ERR_NONE);
		span = span_of(prefix);
		if (last.at)
			assert_int_equal(ip_parse(last, &span.last), ERR_NONE);
		for (unsigned at = span.first.byte[2] * 256u + span.first.byte[3]; at <= span.last.byte[2] * 256u + span.last.byte[3]; at++)
			named[at] = true;
	}
}

static struct split must_split(struct list *l, struct sourcebook *b)
{
	bool named[MOST] = {false};
	struct split split = sourcebook_split(b, &l->source);
	name(split.base, split.base_count, named);
	name(split.late, split.late_count, named);
	assert_memory_equal(named, l->in, sizeof named);
	return split;
}

static void a_short_list_is_told_whole(void **state)
{
	struct list l;
	struct sourcebook b;
	(void)state;
	begin(&l, &b, SOURCEBOOK_LEAST - 1, 2);
	assert_ptr_equal(must_split(&l, &b).base, l.source.texts);
	l.in[500] = true;
	format(&l);
	assert_int_equal(must_split(&l, &b).late_count, 0);
	l.in[502] = true;
	format(&l);
	assert_int_equal(must_split(&l, &b).late_count, 1);
	end(&l, &b);
}

static void who_comes_and_goes_costs_a_few(void **state)
{
	struct list l;
	struct sourcebook b;
	(void)state;
	begin(&l, &b, 100, 2);
	uint64_t base = must_split(&l, &b).base_hash;
	l.in[400] = true;
	format(&l);
	struct split split = must_split(&l, &b);
	assert_int_equal(split.late_count, 1);
	assert_true(split.base_hash == base);
	l.in[400] = false;
	l.in[402] = true;
	format(&l);
	split = must_split(&l, &b);
	assert_int_equal(split.late_count, 1);
	assert_true(split.base_hash == base);
	/* Neighbours become a range; the first part names some of it already. */
	l.in[1] = true;
	format(&l);
	split = must_split(&l, &b);
	assert_int_equal(split.late_count, 2);
	assert_true(split.base_hash == base);
	/* One of the first part goes. */
	l.in[8] = false;
	format(&l);
	split = must_split(&l, &b);
	assert_int_equal(split.late_count, 0);
	assert_false(split.base_hash == base);
	end(&l, &b);
}

static void many_that_came_are_told_anew(void **state)
{
	struct list l;
	struct sourcebook b;
	(void)state;
	begin(&l, &b, 200, 2);
	uint64_t base = must_split(&l, &b).base_hash;
	for (unsigned i = 0; i < 20; i++) {
		l.in[400 + 2 * i] = true;
		format(&l);
		assert_true(must_split(&l, &b).base_hash == base);
	}
	l.in[450] = true;
	format(&l);
	struct split split = must_split(&l, &b);
	assert_int_equal(split.late_count, 0);
	assert_int_equal(split.base_count, 221);
	assert_false(split.base_hash == base);
	end(&l, &b);
}

static void another_policy_goes_on(void **state)
{
	struct list l;
	struct sourcebook b;
	(void)state;
	begin(&l, &b, 100, 2);
	uint64_t base = must_split(&l, &b).base_hash;
	l.in[300] = true;
	format(&l);
	must_split(&l, &b);
	sourcebook_turn(&b, 3);
	l.source.number = 2;
	struct split split = must_split(&l, &b);
	assert_true(split.base_hash == base);
	assert_int_equal(split.late_count, 1);
	/* Who was not asked for has no past. */
	sourcebook_turn(&b, 3);
	sourcebook_turn(&b, 3);
	assert_int_equal(must_split(&l, &b).late_count, 0);
	end(&l, &b);
}

static void memory_is_bounded(void **state)
{
	struct list l;
	struct sourcebook b;
	(void)state;
	begin(&l, &b, 100, 2);
	b.most = 99;
	assert_ptr_equal(must_split(&l, &b).base, l.source.texts);
	assert_int_equal(b.texts, 0);
	b.most = 100;
	assert_ptr_not_equal(must_split(&l, &b).base, l.source.texts);
	assert_int_equal(b.texts, 100);
	l.in[400] = true;
	format(&l);
	must_split(&l, &b);
	assert_int_equal(b.texts, 101);
	sourcebook_turn(&b, 1);
	assert_int_equal(b.texts, 101);
	sourcebook_turn(&b, 1);
	assert_int_equal(b.texts, 0);
	end(&l, &b);
}

static void whatever_happens_the_addresses_are_right(void **state)
{
	struct list l;
	struct sourcebook b;
	size_t wholes = 0;
	(void)state;
	srand(7);
	begin(&l, &b, 150, 3);
	for (int i = 0; i < 2000; i++) {
		unsigned at = (unsigned)rand() % MOST;
		l.in[at] = rand() % 5 ? true : !l.in[at];
		if (i % 100 == 99)
			for (unsigned k = 0; k < MOST; k++)
				l.in[k] = l.in[k] && k % 3 == 0;
		arena_reset(l.arena);
		format(&l);
		wholes += !must_split(&l, &b).late_count;
		if (rand() % 50 == 0)
			sourcebook_turn(&b, 1);
	}
	assert_in_range(wholes, 100, 1900);
	end(&l, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_list_is_told_whole),
		cmocka_unit_test(who_comes_and_goes_costs_a_few),
		cmocka_unit_test(many_that_came_are_told_anew),
		cmocka_unit_test(another_policy_goes_on),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(whatever_happens_the_addresses_are_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
