#include "ipam.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct prefix range_of(const char *text)
{
	struct prefix p;
	assert_int_equal(prefix_parse(bytes_text(text), &p), ERR_NONE);
	return p;
}

static void wants(const char *range, uint64_t cursor, const char *address, uint64_t next)
{
	struct ip ip;
	uint64_t at;
	char text[IP_TEXT_MAX];
	assert_int_equal(ipam_next(range_of(range), cursor, &ip, &at), ERR_NONE);
	ip_format(text, ip);
	assert_string_equal(text, address);
	assert_int_equal(at, next);
}

static void exhausted(const char *range, uint64_t cursor)
{
	struct ip ip;
	uint64_t next;
	assert_int_equal(ipam_next(range_of(range), cursor, &ip, &next), ERR_EXHAUSTED);
}

static void steps(void **state)
{
	(void)state;
	wants("100.64.0.0/10", 0, "100.64.0.1", 2);
	wants("100.64.0.0/10", 1, "100.64.0.1", 2);
	wants("100.64.0.0/10", 2, "100.64.0.2", 3);
	wants("100.64.0.7/10", 2, "100.64.0.2", 3); /* host bits of the range do not matter */
	wants("fd7a:115c:a1e0::/48", 0, "fd7a:115c:a1e0::1", 2);
	wants("fd7a:115c:a1e0::/48", 0x53, "fd7a:115c:a1e0::54", 0x55);
	/* over the resolver, over the ChromeOS block */
	wants("100.100.100.0/24", 100, "100.100.100.101", 102);
	wants("100.115.88.0/21", 4 * 256, "100.115.94.0", 6 * 256 + 1);
	/* over the 4via6 block: 64 bits wide, but a range may begin just before it */
	wants("fd7a:115c:a1e0:ab12:4843:cd96:6200:0/103", 0, "fd7a:115c:a1e0:ab12:4843:cd96:6300:0", (1 << 24) + 1);
}

static void ends(void **state)
{
	(void)state;
	exhausted("100.64.0.0/30", 3); /* broadcast end */
	wants("100.64.0.0/30", 2, "100.64.0.2", 3);
	exhausted("100.64.0.0/31", 0);
	exhausted("100.64.0.0/32", 0);
	exhausted("100.100.100.100/32", 0);
	exhausted("100.115.92.0/24", 0);
	exhausted("100.64.0.0/10", 1 << 22);
	exhausted("100.64.0.0/10", UINT64_MAX);
	exhausted("fd7a:115c:a1e0:b1a::/64", 0);
	exhausted("fd7a:115c:a1e0::/48", UINT64_MAX);
	exhausted("fd7a:115c:a1e0:ab12:4843:cd96:6200:0/104", 0);
}

/* Walking a whole range gives exactly what is not reserved, each once. */
static void walks(void **state)
{
	(void)state;
	struct prefix range = range_of("100.115.88.0/20"); /* 100.115.80.0 - 100.115.95.255 */
	uint64_t cursor = 0, count = 0;
	struct ip ip, last = {0};
	while (!ipam_next(range, cursor, &ip, &cursor)) {
		assert_true(prefix_has(range, ip));
		assert_true(!count || ip_compare(last, ip) < 0);
		last = ip;
		count++;
	}
	assert_int_equal(count, 4096 - 2 - 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(ends), cmocka_unit_test(walks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
