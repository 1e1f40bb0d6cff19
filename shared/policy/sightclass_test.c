#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sightgroup.h"

enum { SLOTS = 300, GROUPS = 200 };

struct world {
	struct node nodes[SLOTS];
	struct roll_node slots[SLOTS];
	struct roll roll;
	struct bitset sets[GROUPS];
	struct sight_group groups[GROUPS], *list[GROUPS];
	struct sight_groups all;
	uint32_t classes[SLOTS];
	uint64_t seed;
};

static unsigned next(struct world *w)
{
	w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->seed >> 33);
}

static void start(struct world *w, uint64_t seed)
{
	*w = (struct world){.seed = seed};
	w->roll = (struct roll){.nodes = w->slots, .node_count = SLOTS};
	w->all = (struct sight_groups){.list = w->list, .count = GROUPS};
	for (size_t i = 0; i < SLOTS; i++)
		w->slots[i].node = next(w) % 10 ? &w->nodes[i] : NULL;
	for (size_t i = 0; i < GROUPS; i++) {
		w->groups[i].members = &w->sets[i];
		w->list[i] = &w->groups[i];
	}
}

static bool alike(const struct world *w, size_t a, size_t b)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (bitset_has(&w->sets[i], a) != bitset_has(&w->sets[i], b))
			return false;
	return true;
}

static void check(struct world *w)
{
	size_t count = sight_classes(&w->all, &w->roll, w->classes), seen = 0;
	for (size_t a = 0; a < SLOTS; a++) {
		if (!w->slots[a].node) {
			assert_int_equal(w->classes[a], UINT32_MAX);
			continue;
		}
		assert_true(w->classes[a] <= seen && w->classes[a] < count);
		seen += w->classes[a] == seen;
		for (size_t b = 0; b < a; b++)
			if (w->slots[b].node)
				assert_int_equal(w->classes[a] == w->classes[b], alike(w, a, b));
	}
	assert_int_equal(seen, count);
	for (size_t i = 0; i < GROUPS; i++)
		bitset_clear(&w->sets[i]);
}

static void classes_are_what_groups_tell_apart(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct world w;
		start(&w, seed);
		for (size_t i = 0; i < GROUPS; i++)
			for (size_t slot = 0, every = seed % 7 + 1; slot < SLOTS; slot++)
				if (next(&w) % (40 * every) == 0 || (i % 64 == 0 && slot % every == 0))
					bitset_add(&w.sets[i], slot);
		check(&w);
	}
}

/* Told apart by the first groups, alike in all that follow. */
static void what_was_apart_stays_apart(void **state)
{
	(void)state;
	struct world w;
	start(&w, 5);
	for (size_t slot = 0; slot < SLOTS; slot++) {
		for (size_t i = 0; i < 64; i++)
			if (next(&w) % 2)
				bitset_add(&w.sets[i], slot);
		bitset_add(&w.sets[64], slot);
		bitset_add(&w.sets[190], slot);
	}
	check(&w);
}

/* Every group's bit stands at its place, for every slot. */
static void columns_are_turned_over(void **state)
{
	(void)state;
	struct world w;
	uint64_t columns[64];
	start(&w, 9);
	for (size_t i = 0; i < GROUPS; i++)
		for (size_t slot = 0; slot < SLOTS; slot++)
			if (next(&w) % 3 == 0)
				bitset_add(&w.sets[i], slot);
	for (size_t chunk = 0; chunk * 64 < GROUPS; chunk++) {
		for (size_t block = 0; block * 64 < SLOTS; block++) {
			assert_true(sight_columns(&w.all, chunk, block, columns));
			for (size_t bit = 0; bit < 64 * 64; bit++) {
				size_t group = chunk * 64 + bit % 64, slot = block * 64 + bit / 64;
				assert_int_equal(columns[bit / 64] >> (bit % 64) & 1, group < GROUPS && bitset_has(&w.sets[group], slot));
			}
		}
	}
	check(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_what_groups_tell_apart),
		cmocka_unit_test(what_was_apart_stays_apart),
		cmocka_unit_test(columns_are_turned_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
