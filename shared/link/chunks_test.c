#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunks.h"

static void put(struct chunks *c, uint8_t letter, size_t len)
{
	uint8_t name[LINK_CHUNK_NAME_LEN];
	struct body *body = body_room(len);
	memset(name, letter, sizeof(name));
	memset(body->at, letter, len);
	chunks_put(c, name, body);
	body_drop(&body);
}

static struct chunk_kept *find(struct chunks *c, uint8_t letter)
{
	uint8_t name[LINK_CHUNK_NAME_LEN];
	memset(name, letter, sizeof(name));
	return chunks_find(c, name);
}

static void on_gone(void *context, const struct chunk_kept *chunk)
{
	char *gone = context;
	gone[strlen(gone)] = (char)chunk->name[0];
}

static void test_lru(void **state)
{
	(void)state;
	struct chunks *c = chunks_new(10000);
	char gone[8] = "";
	for (int letter = 'a'; letter <= 'd'; letter++)
		put(c, (uint8_t)letter, 2000);
	chunks_trim(c, on_gone, gone);
	assert_string_equal(gone, "");
	assert_non_null(find(c, 'a'));
	put(c, 'e', 2000);
	put(c, 'e', 2000);
	put(c, 'f', 2000);
	chunks_trim(c, on_gone, gone);
	assert_string_equal(gone, "bc");
	assert_null(find(c, 'b'));
	assert_non_null(find(c, 'a'));
	assert_true(chunks_bytes(c) <= 10000);
	put(c, 'g', 20000);
	chunks_trim(c, NULL, NULL);
	assert_int_equal(chunks_bytes(c), 0);
	put(c, 'h', 0);
	uint8_t name[LINK_CHUNK_NAME_LEN];
	memset(name, 'h', sizeof(name));
	chunks_remove(c, name);
	chunks_remove(c, name);
	assert_int_equal(chunks_bytes(c), 0);
	chunks_free(&c);
	chunks_free(&c);
}

static void test_told(void **state)
{
	(void)state;
	struct chunks *c = chunks_new(10000);
	put(c, 'a', 1);
	bitset_add(&find(c, 'a')->told, 3);
	bitset_add(&find(c, 'a')->told, 70);
	chunks_untell(c, 3);
	assert_false(bitset_has(&find(c, 'a')->told, 3));
	assert_true(bitset_has(&find(c, 'a')->told, 70));
	chunks_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lru), cmocka_unit_test(test_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
