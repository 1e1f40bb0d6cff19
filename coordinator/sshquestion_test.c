#include "sshquestion.h"

#include "sshcheck.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void takes_what_clients_ask(void **state)
{
	struct sshquestion q;

	(void)state;
	assert_int_equal(sshquestion_read(BYTES("12"), BYTES("9223372036854775807"), BYTES("j\xc3\xb8rgen"), BYTES_NONE, &q, NULL), ERR_NONE);
	assert_true(q.source == 12 && q.destination == INT64_MAX && !q.follows);
	assert_true(bytes_equal_text(q.local_user, "j\xc3\xb8rgen"));
	assert_int_equal(sshquestion_read(BYTES("1"), BYTES("2"), BYTES("root"), BYTES("hskey-authreq-0123456789abcdef01234567"), &q, NULL), ERR_NONE);
	assert_true(q.follows);
	assert_string_equal(q.id.text, "hskey-authreq-0123456789abcdef01234567");
}

/* The client would ask for half an hour: it begins anew instead. */
static void passes_over_ids_of_another_form(void **state)
{
	static const char *const odd[] = {"", "x", "hskey-authreq-0123456789ABCDEF01234567", "hskey-authreq-0123456789abcdef0123456", "$AUTH"};
	struct sshquestion q;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		assert_int_equal(sshquestion_read(BYTES("1"), BYTES("2"), BYTES("root"), bytes_text(odd[i]), &q, NULL), ERR_NONE);
		assert_false(q.follows);
	}
}

static void refuses(void **state)
{
	char name[SSHCHECK_LOGIN_MAX + 2];
	const struct {
		struct bytes source, destination, login;
	} trials[] = {
		{BYTES(""), BYTES("2"), BYTES("root")},
		{BYTES("0"), BYTES("2"), BYTES("root")},
		{BYTES("1"), BYTES("0"), BYTES("root")},
		{BYTES("-1"), BYTES("2"), BYTES("root")},
		{BYTES("1"), BYTES("9223372036854775808"), BYTES("root")},
		{BYTES("$SRC_NODE_ID"), BYTES("2"), BYTES("root")},
		{BYTES("1"), BYTES("2"), BYTES_NONE},
		{BYTES("1"), BYTES("2"), BYTES("")},
		{BYTES("1"), BYTES("2"), BYTES("a\nb")},
		{BYTES("1"), BYTES("2"), BYTES("a\x7f")},
		{BYTES("1"), BYTES("2"), bytes_of("a\0b", 3)},
		{BYTES("1"), BYTES("2"), BYTES("\xff")},
		{BYTES("1"), BYTES("2"), bytes_of(name, SSHCHECK_LOGIN_MAX + 1)},
	};
	struct sshquestion q;

	(void)state;
	memset(name, 'a', sizeof name);
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct diag why = {0};

		assert_int_equal(sshquestion_read(trials[i].source, trials[i].destination, trials[i].login, BYTES_NONE, &q, &why), ERR_MALFORMED);
		assert_true(strlen(why.text) > 10);
	}
	assert_int_equal(sshquestion_read(BYTES("1"), BYTES("2"), bytes_of(name, SSHCHECK_LOGIN_MAX), BYTES_NONE, &q, NULL), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_clients_ask),
		cmocka_unit_test(passes_over_ids_of_another_form),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
