#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

static char said[16384];

/* What log_line writes, caught in a packet pipe: one read gives what one write(2) gave. */
static const char *catch (enum log_level level, struct subject subject, const char *event, const struct log_field *fields)
{
	int ends[2], kept = dup(STDERR_FILENO);
	assert_int_equal(pipe2(ends, O_DIRECT), 0);
	dup2(ends[1], STDERR_FILENO);
	log_line(level, subject, event, fields);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(ends[1]);
	ssize_t len = read(ends[0], said, sizeof(said) - 1);
	assert_true(len > 0);
	said[len] = 0;
	assert_int_equal(said[len - 1], '\n');
	assert_ptr_equal(strchr(said, '\n'), said + len - 1);
	assert_int_equal(read(ends[0], said + len + 1, 1), 0);
	close(ends[0]);
	said[len - 1] = 0;
	return said;
}

#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.kind = LOG_END}})
#define NO_FIELDS ((const struct log_field[]){{.kind = LOG_END}})
#define WHEN "2026-11-21T01:02:03.456Z"

static int set_clock(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){0}, (struct wall){1795222923456789012});
	return 0;
}

static void text_is_readable(void **state)
{
	(void)state;
	log_setup("coordinator", LOG_INFO, LOG_TEXT);
	assert_string_equal(catch (LOG_INFO, ((struct subject){"session", 1, 7, 0}), "map stream opened", FIELDS(F_UINT("capver", 142))),
			    WHEN " info session tailnet=1 node=7 \"map stream opened\" capver=142");
	assert_string_equal(catch (LOG_ERROR, SUBJECT("loop"), "stuck", NO_FIELDS), WHEN " error loop \"stuck\"");
	assert_string_equal(catch (LOG_WARNING, TAILNET(9), "x",
				   FIELDS(F_TEXT("word", "plain"), F_TEXT("two", "a b"), F_TEXT("none", NULL), F_TEXT("empty", ""), F_INT("i", -5),
					  F_BYTES("b", BYTES("k=v")), F_ERR(ERR_NOT_FOUND))),
			    WHEN " warning tailnet tailnet=9 \"x\" word=plain two=\"a b\" none=- empty=\"\" i=-5 b=\"k=v\" error=\"not found\"");
	assert_string_equal(catch (LOG_INFO, NODE(1, 2), "a\nb", FIELDS(F_TEXT("t", "x\n2026 error \x1b[0m"))),
			    WHEN " info node tailnet=1 node=2 \"a\\nb\" t=\"x\\n2026 error \\u001b[0m\"");
}

static void json_is_escaped(void **state)
{
	(void)state;
	log_setup("co\"rd", LOG_INFO, LOG_JSON);
	assert_string_equal(catch (LOG_INFO, ((struct subject){"session", 1, 7, 3}), "say \"hi\"",
				   FIELDS(F_UINT("n", UINT64_MAX), F_INT("i", INT64_MIN), F_TEXT("none", NULL), F_ERR(ERR_IO))),
			    "{\"time\":\"" WHEN "\",\"level\":\"info\",\"program\":\"co\\\"rd\",\"subject\":\"session\",\"tailnet\":1,\"node\":7,\"id\":3,"
			    "\"event\":\"say \\\"hi\\\"\",\"n\":18446744073709551615,\"i\":-9223372036854775808,\"none\":null,"
			    "\"error\":\"refused by the operating system\"}");
	static const struct {
		struct bytes in;
		const char *out;
	} cases[] = {
		{{(const uint8_t *)"\\\b\f\n\r\t/", 7}, "\"\\\\\\b\\f\\n\\r\\t/\""},
		{{(const uint8_t *)"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\\u007f\""},
		{{(const uint8_t *)"\xf0\x9f\x94\x91\xc3\xa9", 6}, "\"\xf0\x9f\x94\x91\xc3\xa9\""},
		{{(const uint8_t *)"a\xff\xed\xa0\x80", 5}, "\"a\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *line = catch (LOG_INFO, SUBJECT("s"), "e", FIELDS(F_BYTES("v", cases[i].in)));
		char want[64];
		snprintf(want, sizeof(want), "\"v\":%s}", cases[i].out);
		assert_string_equal(line + strlen(line) - strlen(want), want);
	}
}

/* Is every quote closed, and does the line end as it must? */
static bool is_whole(const char *line)
{
	bool inside = false;
	for (const char *at = line; *at; at++) {
		if (inside && *at == '\\')
			at++;
		else if (*at == '"')
			inside = !inside;
	}
	return !inside;
}

static void long_lines_are_cut_and_stay_whole(void **state)
{
	(void)state;
	char text[6000];
	for (int json = 0; json < 2; json++) {
		log_setup("p", LOG_INFO, json ? LOG_JSON : LOG_TEXT);
		for (size_t len = 3800; len < 4200; len++) {
			memset(text, len % 2 ? 'x' : '"', sizeof(text));
			text[len % 3 ? len : len / 2] = 0;
			const char *line = catch (LOG_INFO, SUBJECT("s"), "e", FIELDS(F_TEXT("long", text), F_UINT("n", 123456789), F_TEXT("last", "z")));
			size_t got = strlen(line) + 1;
			bool cut = strstr(line, json ? ",\"cut\":true" : " cut=true") != NULL;
			assert_true(got <= 4096);
			assert_true(is_whole(line));
			assert_true(cut != (strstr(line, json ? "\"last\":\"z\"" : "last=z") != NULL));
			if (json)
				assert_int_equal(line[got - 2], '}');
			if (cut)
				assert_true(got > 4000);
		}
	}
}

static void levels_and_macros(void **state)
{
	(void)state;
	log_setup("p", LOG_WARNING, LOG_TEXT);
	assert_false(log_on(LOG_INFO));
	assert_true(log_on(LOG_WARNING) && log_on(LOG_ERROR));
	log_info(SUBJECT("s"), "never seen", F_UINT("n", 1));
	log_debug(SUBJECT("s"), "never seen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_readable),
		cmocka_unit_test(json_is_escaped),
		cmocka_unit_test(long_lines_are_cut_and_stay_whole),
		cmocka_unit_test(levels_and_macros),
	};
	return cmocka_run_group_tests(tests, set_clock, NULL);
}
