#include "c2n.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void encodes(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "echo", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xa4"};
	struct buffer out;

	buffer_init(&out, 4096);
	assert_int_equal(c2n_encode("POST", BYTES("/echo?x=1"), BYTES("body"), 1500, &out), ERR_NONE);
	assert_true(
		bytes_equal_text(buffer_bytes(&out), "POST /echo?x=1 HTTP/1.1\r\nHost: control\r\nC2n-Handler-Timeout: 2s\r\nContent-Length: 4\r\n\r\nbody"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(c2n_encode("GET", bytes_text(bad[i]), BYTES(""), 1000, &out), ERR_MALFORMED);
	buffer_clear(&out);
}

static void decodes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *type, *body;
		unsigned status;
	} good[] = {
		{"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc", "text/plain", "abc", 200},
		{"HTTP/1.1 204 No Content\r\n\r\n", "", "", 204},
		{"HTTP/1.0 400 Bad Request\nConnection: close\n\nto the end", "", "to the end", 400},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", "", "abc0123456789", 200},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", "", "a", 200},
	};
	static const char *const bad[] = {
		"",
		"HTTP/1.1 200 OK",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 99 x\r\n\r\n",
		"HTTP/1.1 600 x\r\n\r\n",
		"HTTP/1.1 20x x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	};
	struct arena *arena = arena_new();
	struct c2n_answer answer;

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(c2n_decode(bytes_text(good[i].text), arena, &answer), ERR_NONE);
		assert_int_equal(answer.status, good[i].status);
		assert_true(bytes_equal_text(answer.type, good[i].type));
		assert_true(bytes_equal_text(answer.body, good[i].body));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (c2n_decode(bytes_text(bad[i]), arena, &answer) != ERR_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(encodes), cmocka_unit_test(decodes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
