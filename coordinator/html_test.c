#include "html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pages.h"

static struct buffer out;

static const char *fill(enum err wanted, const char *text, const struct html_value *values)
{
	static char filled[4096];
	enum err e;

	buffer_init(&out, sizeof filled - 1);
	e = html_fill(bytes_text(text), values, &out);
	assert_int_equal(e, wanted);
	memcpy(filled, out.len ? out.at : (const uint8_t *)"", out.len);
	filled[out.len] = 0;
	buffer_clear(&out);
	return filled;
}

#define VALUES(...) ((const struct html_value[]){__VA_ARGS__, {0}})
#define EMPTY BYTES_NONE

static void values_are_escaped(void **state)
{
	(void)state;
	assert_string_equal(fill(ERR_NONE, "<p>{{a}}</p>", VALUES({"a", BYTES("<script>alert('\"&\"')</script>")})),
			    "<p>&lt;script&gt;alert(&#39;&quot;&amp;&quot;&#39;)&lt;/script&gt;</p>");
	/* A value is never read as a template. */
	assert_string_equal(fill(ERR_NONE, "{{a}}", VALUES({"a", BYTES("{{a}}{{#a}}")})), "{{a}}{{#a}}");
	assert_string_equal(fill(ERR_NONE, "{{a}}", VALUES({"a", BYTES("a\xff\x01z\x7f\xc3")})), "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(fill(ERR_NONE, "{{a}}", VALUES({"a", BYTES("J\xc3\xb6rg \xe2\x98\x83")})), "J\xc3\xb6rg \xe2\x98\x83");
	assert_string_equal(fill(ERR_NONE, "", VALUES({"a", EMPTY})), "");
	assert_string_equal(fill(ERR_NONE, "{ } {x} }}", VALUES({"a", EMPTY})), "{ } {x} }}");
}

static void sections_stay_or_go(void **state)
{
	(void)state;
	const struct html_value *v = VALUES({"yes", BYTES("1")}, {"no", EMPTY});
	assert_string_equal(fill(ERR_NONE, "a{{#yes}}b{{yes}}{{/yes}}c{{#no}}d{{yes}}{{/no}}e", v), "ab1ce");
	assert_string_equal(fill(ERR_NONE, "{{#no}}{{#yes}}x{{/yes}}y{{/no}}{{#yes}}z{{#no}}w{{/no}}v{{/yes}}", v), "zv");
}

static void bad_templates_are_refused(void **state)
{
	static const char *const bad[] = {"{{b}}", "{{a", "{{#a}}", "{{/a}}", "{{#a}}{{#b}}{{/a}}{{/b}}", "{{#a}}{{/b}}", "{{}}", "{{#a}}{{#c}}{{/a}}{{/c}}"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		fill(ERR_MALFORMED, bad[i], VALUES({"a", BYTES("1")}, {"c", BYTES("1")}));
	fill(ERR_MALFORMED, "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}", VALUES({"a", BYTES("1")}));
}

static void a_page_has_its_cap(void **state)
{
	struct buffer small;

	(void)state;
	buffer_init(&small, 8);
	assert_int_equal(html_fill(BYTES("{{a}}"), VALUES({"a", BYTES("123456789")}), &small), ERR_TOO_BIG);
	buffer_clear(&small);
}

static bool holds(struct bytes b, const char *text)
{
	return memmem(b.at, b.len, text, strlen(text)) != NULL;
}

/* What strict policies forbid is not in them: scripts, handlers, styles of elements, anything from elsewhere. */
static void pages_hold_their_own_policy(void **state)
{
	const struct bytes pages[] = {page_login, page_check, page_missing};
	static const char *const never[] = {"<script", "style=\"", " onload", " onclick", "http://", "https://", "src=", "@import", "url(", "<form"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		for (size_t n = 0; n < COUNT_OF(never); n++)
			assert_false(holds(pages[i], never[n]));
		assert_non_null(memmem(pages[i].at, pages[i].len, page_style.at, page_style.len));
		assert_true(holds(pages[i], "prefers-color-scheme: dark"));
		assert_true(holds(pages[i], "width=device-width"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_escaped), cmocka_unit_test(sections_stay_or_go),         cmocka_unit_test(bad_templates_are_refused),
		cmocka_unit_test(a_page_has_its_cap), cmocka_unit_test(pages_hold_their_own_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
