#include "sshaction.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void writes(const struct ssh_action *action, const char *expected)
{
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	sshaction_write(&w, NULL, action);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	if (!bytes_equal_text(buffer_bytes(&out), expected))
		fail_msg("%.*s is not %s", BYTES_ARG(buffer_bytes(&out)), expected);
	buffer_clear(&out);
}

#define ACCEPTED "{\"accept\":true,\"allowAgentForwarding\":true,\"allowLocalPortForwarding\":true,\"allowRemotePortForwarding\":true"

static void all_that_there_are(void **state)
{
	(void)state;
	writes(&(struct ssh_action){.accept = true}, ACCEPTED "}");
	writes(&(struct ssh_action){.reject = true}, "{\"reject\":true}");
	writes(&(struct ssh_action){.reject = true, .message = BYTES("no \"you\"\n")}, "{\"message\":\"no \\\"you\\\"\\n\",\"reject\":true}");
	writes(&(struct ssh_action){.message = BYTES("go"), .hold = "https://unused/x?a=b&c=d"},
	       "{\"message\":\"go\",\"holdAndDelegate\":\"https://unused/x?a=b&c=d\"}");
}

static void recorders(void **state)
{
	struct endpoint list[] = {{.port = 80}, {.port = 80}};
	struct ssh_action action;

	(void)state;
	assert_int_equal(endpoint_parse(BYTES("100.64.0.9:80"), &list[0]), ERR_NONE);
	assert_int_equal(endpoint_parse(BYTES("[fd7a::9]:80"), &list[1]), ERR_NONE);
	action = sshaction_accept(list, 2, false);
	writes(&action, ACCEPTED ",\"recorders\":[\"100.64.0.9:80\",\"[fd7a::9]:80\"],"
				 "\"onRecordingFailure\":{\"NotifyURL\":\"https://unused/machine/ssh/notify\"}}");
	action = sshaction_accept(list, 1, true);
	writes(&action, ACCEPTED ",\"recorders\":[\"100.64.0.9:80\"],\"onRecordingFailure\":{"
				 "\"RejectSessionWithMessage\":\"This session must be recorded, and no recorder answers.\","
				 "\"TerminateSessionWithMessage\":\"This session must be recorded, and its recording has "
				 "ended.\",\"NotifyURL\":\"https://unused/machine/ssh/notify\"}}");
	/* A client takes no recorders for none wanted. */
	action = sshaction_accept(NULL, 0, true);
	assert_true(action.reject && !action.accept);
	action = sshaction_accept(NULL, 0, false);
	writes(&action, ACCEPTED "}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_that_there_are), cmocka_unit_test(recorders)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
