#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capver.h"
#include "chunk.h"
#include "madeup.h"

static struct chunk_key key_of(const struct madeup *m, enum chunk_kind kind, uint32_t segment, bool zstd)
{
	return (struct chunk_key){.kind = kind,
				  .view = m->views.everybody,
				  .segment = segment,
				  .mask = bitset_word(&m->views.everybody->row, segment),
				  .form = kind == CHUNK_PEERS ? CAPVER_HOME_DERP : 0,
				  .zstd = zstd};
}

static void made_once_until_something_moves(void **state)
{
	struct madeup m;
	struct chunk_cache *c = chunk_cache_new();
	(void)state;
	madeup_new(&m, 150, 4096);
	const struct chunk *first = chunk_get(c, m.snapshot, key_of(&m, CHUNK_PEERS, 0, true)),
			   *other = chunk_get(c, m.snapshot, key_of(&m, CHUNK_PEERS, 1, true));
	const struct chunk *profiles = chunk_get(c, m.snapshot, key_of(&m, CHUNK_PROFILES, 0, true));
	uint8_t name[LINK_CHUNK_NAME_LEN];
	memcpy(name, first->name, sizeof name);
	assert_ptr_equal(first, chunk_get(c, m.snapshot, key_of(&m, CHUNK_PEERS, 0, true)));
	madeup_move(&m, 10);
	madeup_hand_over(&m, 10, 1, CHANGE_NODE_ENDPOINTS);
	first = chunk_get(c, m.snapshot, key_of(&m, CHUNK_PEERS, 0, true));
	assert_memory_not_equal(name, first->name, sizeof name);
	assert_ptr_equal(other, chunk_get(c, m.snapshot, key_of(&m, CHUNK_PEERS, 1, true)));
	assert_ptr_equal(profiles, chunk_get(c, m.snapshot, key_of(&m, CHUNK_PROFILES, 0, true)));
	assert_true(chunk_cache_size(c) > 0);
	chunk_cache_forget(c);
	assert_int_equal(chunk_cache_size(c), 0);
	chunk_cache_free(&c);
	madeup_free(&m);
}

static void every_mask_form_and_encoding_has_its_own(void **state)
{
	struct madeup m;
	struct chunk_cache *c = chunk_cache_new();
	(void)state;
	madeup_new(&m, 64, 4096);
	struct chunk_key key = key_of(&m, CHUNK_PEERS, 0, true), masked = key, old = key, plain = key;
	masked.mask &= ~UINT64_C(2);
	old.form = 0;
	plain.zstd = false;
	const uint8_t *a = chunk_get(c, m.snapshot, key)->name, *b = chunk_get(c, m.snapshot, masked)->name;
	assert_memory_not_equal(a, b, LINK_CHUNK_NAME_LEN);
	assert_memory_not_equal(a, chunk_get(c, m.snapshot, old)->name, LINK_CHUNK_NAME_LEN);
	const struct chunk *text = chunk_get(c, m.snapshot, plain);
	assert_int_equal(text->body->at[0], '{');
	assert_int_equal(text->body->at[text->body->len - 1], ',');
	/* Far more variants than are kept: the cache stays small. */
	size_t before = chunk_cache_size(c);
	for (unsigned i = 2; i < 60; i++) {
		masked.mask = key.mask & ~(UINT64_C(1) << i);
		assert_non_null(chunk_get(c, m.snapshot, masked));
	}
	assert_true(chunk_cache_size(c) < before * 8);
	assert_null(chunk_get(c, m.snapshot, (struct chunk_key){.mask = 0}));
	chunk_cache_free(&c);
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(made_once_until_something_moves), cmocka_unit_test(every_mask_form_and_encoding_has_its_own)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
