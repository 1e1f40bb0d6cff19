#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "key.h"

#define DIGITS "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
#define UPPER "7B0D47D93427F8311160781C7C733FD89F88970AEF490D8AA0EE19A4CB8A1B14"

static enum err as_machine(struct bytes text)
{
	struct machine_key key;
	return key_parse_machine(text, &key);
}

static enum err as_node(struct bytes text)
{
	struct node_key key;
	return key_parse_node(text, &key);
}

static enum err as_disco(struct bytes text)
{
	struct disco_key key;
	return key_parse_disco(text, &key);
}

static enum err as_lock(struct bytes text)
{
	struct lock_key key;
	return key_parse_lock(text, &key);
}

static const struct kind {
	enum err (*parse)(struct bytes);
	const char *good, *also;
} kinds[] = {
	{as_machine, "mkey:" DIGITS, "mkey:" UPPER},
	{as_node, "nodekey:" DIGITS, "nodekey:" UPPER},
	{as_disco, "discokey:" DIGITS, "discokey:" UPPER},
	{as_lock, "nlpub:" DIGITS, "tlpub:" DIGITS},
};

static void each_kind_reads_only_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		for (size_t j = 0; j < COUNT_OF(kinds); j++) {
			enum err want = i == j ? ERR_NONE : ERR_MALFORMED;
			assert_int_equal(kinds[i].parse(bytes_text(kinds[j].good)), want);
			assert_int_equal(kinds[i].parse(bytes_text(kinds[j].also)), want);
		}
		struct bytes good = bytes_text(kinds[i].good);
		for (size_t len = 0; len < good.len; len++)
			assert_int_equal(kinds[i].parse(bytes_take(good, len)), ERR_MALFORMED);
	}
}

static void bad_texts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",     "nodekey:",        "NODEKEY:" DIGITS,  "nodekey:" DIGITS "0", " nodekey:" DIGITS, "nodekey:" DIGITS " ", "nodekey: " DIGITS,
		DIGITS, "nodekey:g" UPPER, "nodekey:0x" DIGITS};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(as_node(bytes_text(bad[i])), ERR_MALFORMED);
	char not_hex[] = "nodekey:" DIGITS;
	not_hex[20] = 'g';
	assert_int_equal(as_node(bytes_text(not_hex)), ERR_MALFORMED);
}

static void texts_go_there_and_back(void **state)
{
	(void)state;
	char text[KEY_TEXT_MAX];
	struct machine_key machine;
	struct node_key node;
	struct disco_key disco;
	struct public_key challenge;
	assert_int_equal(key_parse_machine(BYTES("mkey:" UPPER), &machine), ERR_NONE);
	assert_int_equal(key_format_machine(text, &machine), 69);
	assert_string_equal(text, "mkey:" DIGITS);
	assert_int_equal(key_parse_node(BYTES("nodekey:" DIGITS), &node), ERR_NONE);
	assert_int_equal(key_format_node(text, &node), 72);
	assert_string_equal(text, "nodekey:" DIGITS);
	assert_int_equal(key_parse_disco(BYTES("discokey:" DIGITS), &disco), ERR_NONE);
	assert_int_equal(key_format_disco(text, &disco), 73);
	assert_string_equal(text, "discokey:" DIGITS);
	memcpy(challenge.raw, node.raw, KEY_LEN);
	assert_int_equal(key_format_challenge(text, &challenge), 72);
	assert_string_equal(text, "chalpub:" DIGITS);
	assert_string_equal(key_short(text, node.raw), "[ew1H2]");
}

static void zero_is_a_value(void **state)
{
	(void)state;
	struct node_key key;
	assert_int_equal(key_parse_node(BYTES("nodekey:0000000000000000000000000000000000000000000000000000000000000000"), &key), ERR_NONE);
	assert_true(key_is_zero(key.raw));
	key.raw[31] = 1;
	assert_false(key_is_zero(key.raw));
}

static void minted_keys_are_clamped_and_differ(void **state)
{
	(void)state;
	struct private_key a, b;
	struct public_key a_public, b_public, again;
	key_mint(&a, &a_public);
	key_mint(&b, &b_public);
	assert_int_equal(a.raw[0] & 7, 0);
	assert_int_equal(a.raw[31] & 0xc0, 0x40);
	assert_false(key_equal(a.raw, b.raw));
	assert_false(key_equal(a_public.raw, b_public.raw));
	key_public(&a, &again);
	assert_true(key_equal(a_public.raw, again.raw));
	assert_true(random_number() != random_number());
	key_wipe(&a, sizeof(a));
	assert_true(key_is_zero(a.raw));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_reads_only_its_own),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(texts_go_there_and_back),
		cmocka_unit_test(zero_is_a_value),
		cmocka_unit_test(minted_keys_are_clamped_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
