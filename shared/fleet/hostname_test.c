#include "hostname.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void makes_labels(void **state)
{
	(void)state;
	static const struct {
		const char *name, *label;
	} trials[] = {
		{"laptop", "laptop"},
		{"Joe's Mac mini", "joes-mac-mini"},
		{"mail.server", "mail-server"},
		{"\xe4\xb8\xad\xe6\x96\x87", "node"},
		{"", "node"},
		{"---", "node"},
		{"host.local", "host"},
		{"host.localdomain", "host"},
		{"host.lan", "host"},
		{"host.lan.localdomain.local", "host"},
		{"host.local.lan", "host-local"}, /* each suffix once, in the client's order */
		{"host.LOCAL", "host-local"},
		{".local", "node"},
		{"a_b@c d.e", "a-b-c-d-e"},
		{"-_x_-", "x"},
		{"na\xc3\xafve", "nave"},
		{"a..b", "a--b"},
		{"X", "x"},
		{"\"; DROP TABLE nodes; --", "drop-table-nodes"},
		{"123456789012345678901234567890123456789012345678901234567890123456789", "123456789012345678901234567890123456789012345678901234567890123"},
		{"12345678901234567890123456789012345678901234567890123456789012-456789", "12345678901234567890123456789012345678901234567890123456789012"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		char label[NODE_LABEL_MAX + 1];
		hostname_label(bytes_text(trials[i].name), label);
		assert_string_equal(label, trials[i].label);
		assert_int_equal(hostname_check(bytes_text(label), NULL), ERR_NONE);
	}
}

/* Whatever bytes come, a good label leaves. */
static void survives_all_bytes(void **state)
{
	(void)state;
	uint8_t name[130];
	char label[NODE_LABEL_MAX + 1];
	uint32_t seed = 1;
	for (int round = 0; round < 20000; round++) {
		size_t len = (seed >> 8) % sizeof name;
		for (size_t i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			name[i] = (uint8_t)(seed >> 24);
		}
		seed = seed * 1664525 + 1013904223;
		hostname_label(bytes_of(name, len), label);
		assert_int_equal(hostname_check(bytes_text(label), NULL), ERR_NONE);
	}
}

static void makes_candidates(void **state)
{
	(void)state;
	char label[NODE_LABEL_MAX + 1], full[NODE_LABEL_MAX + 1];
	hostname_candidate("node", 0, label);
	assert_string_equal(label, "node");
	hostname_candidate("node", 1, label);
	assert_string_equal(label, "node-1");
	hostname_candidate("node", 4294967295u, label);
	assert_string_equal(label, "node-4294967295");
	memset(full, 'a', NODE_LABEL_MAX);
	full[NODE_LABEL_MAX] = 0;
	hostname_candidate(full, 0, label);
	assert_string_equal(label, full);
	hostname_candidate(full, 12, label);
	assert_int_equal(strlen(label), NODE_LABEL_MAX);
	assert_string_equal(label + NODE_LABEL_MAX - 4, "a-12");
	full[NODE_LABEL_MAX - 4] = '-';
	hostname_candidate(full, 12, label);
	assert_string_equal(label + strlen(label) - 4, "a-12");
}

static void checks_choices(void **state)
{
	(void)state;
	struct diag why;
	static const char *bad[] = {"", "-a", "a-", "A", "a.b", "a_b", "a b", "\xc3\xa4", "1234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(hostname_check(bytes_text(bad[i]), &why), ERR_MALFORMED);
	static const char *good[] = {"a", "0", "a-b", "a--b", "123456789012345678901234567890123456789012345678901234567890123"};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(hostname_check(bytes_text(good[i]), &why), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(makes_labels), cmocka_unit_test(survives_all_bytes), cmocka_unit_test(makes_candidates),
					   cmocka_unit_test(checks_choices)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
