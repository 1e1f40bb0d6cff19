#include "proxyline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\1\2\3\4\5\6\7\x8\0\x63\1\xbb"                                                          /* 1.2.3.4:99 to 5.6.7.8:443 */
#define TCP6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\x63\1\xbb" /* [2001:db8::1]:99 to [2001:db8::2]:443 */
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4\0\0\0\0\0\0\0\0\0\0\xff\xff\5\6\7\x8\0\x63\1\xbb"

struct trial {
	const char *at;
	size_t len;
	enum err e;
	const char *source, *target; /* NULL: not known */
	bool secure;
};

#define T(text) text, sizeof(text) - 1

static const struct trial TRIALS[] = {
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99 443\r\n"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	{T("PROXY TCP6 2001:db8::1 2001:db8::2 99 443\r\n"), ERR_NONE, "[2001:db8::1]:99", "[2001:db8::2]:443", false},
	{T("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 99 443\r\n"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	{T("PROXY UNKNOWN\r\n"), ERR_NONE, NULL, NULL, false},
	{T("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), ERR_NONE, NULL, NULL, false},
	{T("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), ERR_NONE, "255.255.255.255:65535", "255.255.255.255:65535", false},
	{T(""), ERR_AGAIN, NULL, NULL, false},
	{T("PROX"), ERR_AGAIN, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99 443\r"), ERR_AGAIN, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99 443\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99 443 1\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4 5.6.7.8 99 65536\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.4  5.6.7.8 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 2001:db8::1 2001:db8::2 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP6 1.2.3.4 5.6.7.8 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY TCP4 1.2.3.999 5.6.7.8 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY UDP4 1.2.3.4 5.6.7.8 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY \r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("PROXY\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("proxy TCP4 1.2.3.4 5.6.7.8 99 443\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("GET / HTTP/1.1\r\n"), ERR_MALFORMED, NULL, NULL, false},
	{T("\x16\3\1\2\0"), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x11\0\x0c" TCP4), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	{T(SIGNATURE "\x21\x21\0\x24" TCP6), ERR_NONE, "[2001:db8::1]:99", "[2001:db8::2]:443", false},
	{T(SIGNATURE "\x21\x21\0\x24" MAPPED), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	{T(SIGNATURE "\x20\x00\0\0"), ERR_NONE, NULL, NULL, false},
	{T(SIGNATURE "\x20\x11\0\x0c" TCP4), ERR_NONE, NULL, NULL, false},
	{T(SIGNATURE "\x21\x00\0\0"), ERR_NONE, NULL, NULL, false},
	{T(SIGNATURE "\x21\x11\0\x14" TCP4 "\x20\0\5\1\0\0\0\0"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", true},
	{T(SIGNATURE "\x21\x11\0\x14" TCP4 "\x20\0\5\0\0\0\0\0"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	/* As HAProxy 2.6 writes it (send-proxy-v2-ssl). */
	{T(SIGNATURE "\x21\x11\0\x1e" TCP4 "\x20\0\x0f\1\0\0\0\0\x21\0\7TLSv1.3"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", true},
	{T(SIGNATURE "\x21\x11\0\x13" TCP4 "\1\0\4h2aa"), ERR_NONE, "1.2.3.4:99", "5.6.7.8:443", false},
	{T(SIGNATURE "\x21\x11\0\x0f" TCP4 "\1\0\1"), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x11\0\x0e" TCP4 "\1\0"), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x11\0\x0b\1\2\3\4\5\6\7\x8\0\x63\1"), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x12\0\x0c" TCP4), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x31\0\x0c" TCP4), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x22\x11\0\x0c" TCP4), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x11\x11\0\x0c" TCP4), ERR_MALFORMED, NULL, NULL, false},
	{T(SIGNATURE "\x21\x11\xff\xff"), ERR_TOO_BIG, NULL, NULL, false},
	{T("\r\n\r\n\0\r\nQUIX\n"), ERR_MALFORMED, NULL, NULL, false},
};

static void assert_endpoint(struct endpoint endpoint, const char *wanted)
{
	char text[ENDPOINT_TEXT_MAX];
	endpoint_format(text, endpoint);
	assert_string_equal(text, wanted);
}

/* The bytes in memory of their own, so that a reader past the end is seen. */
static enum err decode(const char *at, size_t len, struct proxyline *line, size_t *used)
{
	uint8_t *copy = x_dup(at, len);
	enum err e = proxyline_decode(bytes_of(copy, len), line, used);
	free(copy);
	return e;
}

static void headers_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		const struct trial *t = &TRIALS[i];
		struct proxyline line;
		size_t used;
		assert_int_equal(decode(t->at, t->len, &line, &used), t->e);
		if (t->e)
			continue;
		assert_int_equal(used, t->len);
		assert_int_equal(line.known, t->source != NULL);
		assert_int_equal(line.secure, t->secure);
		if (t->source) {
			assert_endpoint(line.source, t->source);
			assert_endpoint(line.target, t->target);
		}
	}
}

/* Whatever is whole is incomplete at each byte before its end, and its end does not depend on what follows. */
static void headers_come_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		const struct trial *t = &TRIALS[i];
		struct proxyline line;
		size_t used;
		if (t->e)
			continue;
		for (size_t part = 0; part < t->len; part++)
			assert_int_equal(decode(t->at, part, &line, &used), ERR_AGAIN);
		char more[512];
		memcpy(more, t->at, t->len);
		memset(more + t->len, 'P', 20);
		assert_int_equal(decode(more, t->len + 20, &line, &used), ERR_NONE);
		assert_int_equal(used, t->len);
	}
}

/* What is malformed never becomes whole by more bytes. */
static void nonsense_stays_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		const struct trial *t = &TRIALS[i];
		struct proxyline line;
		size_t used;
		if (t->e != ERR_MALFORMED && t->e != ERR_TOO_BIG)
			continue;
		char more[512] = {0};
		memcpy(more, t->at, t->len);
		assert_true(decode(more, sizeof(more), &line, &used) >= ERR_MALFORMED);
	}
}

static void long_lines_have_a_cap(void **state)
{
	(void)state;
	char line_text[107] = "PROXY UNKNOWN ";
	struct proxyline line;
	size_t used;
	memset(line_text + 14, 'a', sizeof(line_text) - 14);
	assert_int_equal(decode(line_text, 106, &line, &used), ERR_AGAIN);
	assert_int_equal(decode(line_text, 107, &line, &used), ERR_MALFORMED);
	line_text[105] = '\r', line_text[106] = '\n';
	assert_int_equal(decode(line_text, 107, &line, &used), ERR_NONE);
}

static void long_headers_have_a_cap(void **state)
{
	(void)state;
	uint8_t header[PROXYLINE_MAX + 1] = SIGNATURE "\x21\x11\0\0" TCP4;
	struct proxyline line;
	size_t used;
	size_t extra = PROXYLINE_MAX - 16 - 12 - 3, len = PROXYLINE_MAX - 16;
	header[28] = 0x30;
	header[29] = (uint8_t)(extra >> 8), header[30] = (uint8_t)extra;
	header[14] = (uint8_t)(len >> 8), header[15] = (uint8_t)len;
	assert_int_equal(proxyline_decode(bytes_of(header, PROXYLINE_MAX), &line, &used), ERR_NONE);
	assert_int_equal(used, PROXYLINE_MAX);
	len++;
	header[14] = (uint8_t)(len >> 8), header[15] = (uint8_t)len;
	assert_int_equal(proxyline_decode(bytes_of(header, 16), &line, &used), ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read),      cmocka_unit_test(headers_come_in_pieces),  cmocka_unit_test(nonsense_stays_nonsense),
		cmocka_unit_test(long_lines_have_a_cap), cmocka_unit_test(long_headers_have_a_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
