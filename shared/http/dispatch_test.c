#include "dispatch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

/* A carrier that only remembers. */
static unsigned status;
static char allow[128], said[256];
static const char *served;
static struct exchange x;

static void add_header(struct exchange *e, const char *name, struct bytes value)
{
	(void)e;
	assert_string_equal(name, "Allow");
	snprintf(allow, sizeof(allow), "%.*s", BYTES_ARG(value));
}

static void reply(struct exchange *e, unsigned code, const char *type, struct bytes body)
{
	(void)e, (void)type;
	status = code;
	snprintf(said, sizeof(said), "%.*s", BYTES_ARG(body));
}

static const struct carrier CARRIER = {.add_header = add_header, .reply = reply};

static void serve_a(struct exchange *e)
{
	served = "a";
	exchange_reply_text(e, 200, "");
}

static void serve_b(struct exchange *e)
{
	served = "b";
	exchange_reply_text(e, 200, "");
}

static void guard_late(struct exchange *e)
{
	(void)e;
	served = "guard";
}

static const struct route TABLE[] = {
	{METHOD_GET, "/", DOOR_CLIENTS, NULL, serve_a, 0},
	{METHOD_GET, "/n/{id}", DOOR_CLIENTS, NULL, serve_a, 0},
	{METHOD_POST, "/n/{id}", DOOR_CLIENTS, NULL, serve_b, 7},
	{METHOD_GET, "/n/special", DOOR_CLIENTS, NULL, serve_b, 0},
	{METHOD_POST, "/n/register", DOOR_CLIENTS, NULL, serve_b, 0},
	{METHOD_DELETE, "/n/{id}/r/{name}", DOOR_CLIENTS | DOOR_ADMIN, NULL, serve_a, 0},
	{METHOD_GET, "/g", DOOR_CLIENTS, guard_late, serve_a, 0},
	{METHOD_GET, "/four/{a}/{b}/{c}/{d}", DOOR_CLIENTS, NULL, serve_a, 0},
	{METHOD_GET, "/files/{*}", DOOR_CLIENTS, NULL, serve_a, 0},
	{0},
};

static void go(enum door door, enum method method, const char *path)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &CARRIER, .arena = arena_new(), .door = door, .method = method, .path = bytes_text(path)};
	status = 0;
	served = "";
	*allow = 0;
	dispatch(TABLE, &x);
}

static void routes_are_found(void **state)
{
	static const struct {
		enum door door;
		enum method method;
		const char *path;
		unsigned status;
		const char *served, *first, *second;
	} CASES[] = {
		{DOOR_CLIENTS, METHOD_GET, "/", 200, "a", NULL, NULL},
		{DOOR_CLIENTS, METHOD_HEAD, "/", 200, "a", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "//", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "n/1", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/17", 200, "a", "17", NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/a%20%41", 200, "a", "a A", NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/1/", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/%", 400, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/%0", 400, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/%00", 400, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/%G0", 400, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_POST, "/n/1", 200, "b", "1", NULL},
		{DOOR_CLIENTS, METHOD_GET, "/n/special", 200, "b", NULL, NULL}, /* spelt out */
		{DOOR_CLIENTS, METHOD_GET, "/n/register", 405, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_POST, "/n/special", 405, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_DELETE, "/n/1/r/x%2fy", 200, "a", "1", "x/y"},
		{DOOR_ADMIN, METHOD_DELETE, "/n/1/r/x", 200, "a", "1", "x"},
		{DOOR_ADMIN, METHOD_GET, "/n/1", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/g", 0, "guard", NULL, NULL},
		{DOOR_CLIENTS, METHOD_GET, "/four/1/2/3/4", 200, "a", "1", "2"},
		{DOOR_CLIENTS, METHOD_GET, "/files/a/b/c", 200, "a", "a/b/c", NULL},
		{DOOR_CLIENTS, METHOD_GET, "/files/", 200, "a", "", NULL},
		{DOOR_CLIENTS, METHOD_GET, "/files", 404, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_OTHER, "/g", 405, "", NULL, NULL},
		{DOOR_CLIENTS, METHOD_PUT, "/n/1", 405, "", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(CASES); i++) {
		go(CASES[i].door, CASES[i].method, CASES[i].path);
		if (status != CASES[i].status || strcmp(served, CASES[i].served) != 0)
			fail_msg("case %zu: %u %s", i, status, served);
		if (CASES[i].first && !bytes_equal_text(x.params[0], CASES[i].first))
			fail_msg("case %zu: first is %.*s", i, BYTES_ARG(x.params[0]));
		if (CASES[i].second && !bytes_equal_text(x.params[1], CASES[i].second))
			fail_msg("case %zu: second is %.*s", i, BYTES_ARG(x.params[1]));
	}
	assert_string_equal(allow, "GET, HEAD, POST");
}

static void guards_pass_later(void **state)
{
	(void)state;
	go(DOOR_CLIENTS, METHOD_GET, "/g");
	assert_false(x.answered);
	dispatch_pass(&x);
	assert_string_equal(served, "a");
	assert_true(x.answered);
}

static void body_caps_are_known_before_the_body(void **state)
{
	(void)state;
	assert_int_equal(dispatch_body_max(TABLE, DOOR_CLIENTS, METHOD_POST, BYTES("/n/1")), 7);
	assert_int_equal(dispatch_body_max(TABLE, DOOR_CLIENTS, METHOD_GET, BYTES("/n/1")), 1 << 20);
	assert_int_equal(dispatch_body_max(TABLE, DOOR_CLIENTS, METHOD_GET, BYTES("/nothing")), 1 << 20);
}

static void queries_are_decoded(void **state)
{
	(void)state;
	go(DOOR_CLIENTS, METHOD_GET, "/g");
	x.query = BYTES("a=1&b+c=x%20y+z&empty=&bare&a=2&bad=%zz&bad=good");
	assert_true(bytes_equal_text(exchange_query(&x, "a"), "1"));
	assert_true(bytes_equal_text(exchange_query(&x, "b c"), "x y z"));
	assert_non_null(exchange_query(&x, "empty").at);
	assert_non_null(exchange_query(&x, "bare").at);
	assert_true(bytes_equal_text(exchange_query(&x, "bad"), "good"));
	assert_null(exchange_query(&x, "none").at);
	x.query = BYTES_NONE;
	assert_null(exchange_query(&x, "a").at);
}

static void errors_have_a_status_and_a_reason(void **state)
{
	struct diag why = {.text = "no such thing", .line = 3, .column = 9};
	(void)state;
	go(DOOR_CLIENTS, METHOD_GET, "/g");
	exchange_reply_error(&x, ERR_NOT_FOUND, &why);
	assert_int_equal(status, 404);
	assert_string_equal(said, "3:9: no such thing\n");
	for (enum err e = 0; e < ERR_COUNT; e++)
		assert_true(exchange_status_of(e) >= 200 && exchange_status_of(e) < 600);
	arena_free(&x.arena);
}

static void refuse_own(struct exchange *e)
{
	served = "refusal";
	exchange_reply_text(e, e->refusal, "own");
}

static void a_table_may_refuse_in_its_own_words(void **state)
{
	static const struct route OWN[] = {{METHOD_GET, "/n/{id}", DOOR_CLIENTS, NULL, serve_a, 0}, {.handler = refuse_own}};
	static const struct {
		enum method method;
		const char *path;
		unsigned status;
	} CASES[] = {{METHOD_GET, "/x", 404}, {METHOD_PUT, "/n/1", 405}, {METHOD_GET, "/n/%zz", 400}};

	(void)state;
	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		arena_free(&x.arena);
		x = (struct exchange){
			.carrier = &CARRIER, .arena = arena_new(), .door = DOOR_CLIENTS, .method = CASES[i].method, .path = bytes_text(CASES[i].path)};
		dispatch(OWN, &x);
		assert_int_equal(status, CASES[i].status);
		assert_string_equal(said, "own");
	}
	x.answered = false;
	dispatch_refuse(OWN, &x, 413);
	assert_int_equal(status, 413);
	arena_free(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_may_refuse_in_its_own_words),
		cmocka_unit_test(routes_are_found),
		cmocka_unit_test(guards_pass_later),
		cmocka_unit_test(body_caps_are_known_before_the_body),
		cmocka_unit_test(queries_are_decoded),
		cmocka_unit_test(errors_have_a_status_and_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
