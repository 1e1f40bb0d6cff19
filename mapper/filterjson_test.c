#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filterjson.h"
#include "sshjson.h"

enum { ROOM = 1 << 16 };

static struct bytes texts[] = {{(const uint8_t *)"100.64.0.1", 10}, {(const uint8_t *)"fd7a::1-fd7a::9", 15}};
static const struct source some = {.texts = texts, .text_count = 2}, none = {0};

static void check(const struct buffer *out, const char *wanted)
{
	assert_int_equal(out->len, strlen(wanted));
	assert_memory_equal(out->at, wanted, out->len);
}

static void written(const struct filter_rule *rule, const char *wanted)
{
	struct buffer out;
	struct jsonw w;
	buffer_init(&out, ROOM);
	jsonw_start(&w, &out);
	filterjson_rule(&w, rule->source->texts, rule->source->text_count, rule);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	check(&out, wanted);
	buffer_clear(&out);
}

static void ports_and_protocol(void **state)
{
	struct filter_dst dst[] = {{BYTES("*"), {0, 65535}}, {BYTES("10.0.0.0/8"), {22, 22}}};
	(void)state;
	written(&(struct filter_rule){.source = &some, .proto = PROTO_ABSENT, .dst = dst, .dst_count = 2},
		"{\"SrcIPs\":[\"100.64.0.1\",\"fd7a::1-fd7a::9\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}},"
		"{\"IP\":\"10.0.0.0/8\",\"Ports\":{\"First\":22,\"Last\":22}}]}");
	written(&(struct filter_rule){.source = &some, .proto = 0, .dst = dst, .dst_count = 1},
		"{\"SrcIPs\":[\"100.64.0.1\",\"fd7a::1-fd7a::9\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}],\"IPProto\":[0]}");
}

/* Without sources too: the rule stands, and lets nobody in. */
static void grants(void **state)
{
	struct prefix dsts[] = {{{IP_V4, {100, 64, 0, 1}}, 32}};
	struct capability app[] = {{BYTES("example.com/\"cap"), BYTES("[{\"a\":1}]")}, {BYTES("tailscale.com/cap/drive-sharer"), BYTES("null")}};
	struct filter_grant grant = {dsts, 1, app, 2};
	(void)state;
	written(&(struct filter_rule){.source = &none, .proto = PROTO_ABSENT, .grants = &grant, .grant_count = 1},
		"{\"SrcIPs\":[],\"CapGrant\":[{\"Dsts\":[\"100.64.0.1/32\"],"
		"\"CapMap\":{\"example.com/\\\"cap\":[{\"a\":1}],\"tailscale.com/cap/drive-sharer\":null}}]}");
}

static void ssh_rules(void **state)
{
	struct ip from[] = {{IP_V4, {100, 64, 0, 1}}};
	struct sshrule_user users[] = {{BYTES("*"), BYTES("=")}, {BYTES("root"), BYTES("")}};
	struct bytes env[] = {BYTES("GIT_*")};
	struct alias recorder = {.kind = ALIAS_PREFIX, .prefix = {{IP_V4, {10, 0, 0, 9}}, 32}};
	struct ssh_rule check_it = {.check = true}, accept = {.accept_env = env, .accept_env_count = 1};
	struct ssh_rule recorded = {.recorders = {&recorder, 1}, .enforce_recorder = true}, alone = {.enforce_recorder = true};
	struct sshrule list[] = {{&check_it, from, 1, users, 2}, {&accept, from, 1, users, 1}, {&recorded, from, 0, users, 0}, {&alone, from, 0, users, 0}};
	struct sshrules rules = {list, 4}, nothing = {0};
	struct arena *arena = arena_new();
	struct buffer out;
	struct jsonw w;
	(void)state;
	buffer_init(&out, ROOM);
	jsonw_start(&w, &out);
	sshjson_write(&w, NULL, NULL, arena, &rules);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	check(&out,
	      "{\"rules\":[{\"principals\":[{\"nodeIP\":\"100.64.0.1\"}],\"sshUsers\":{\"*\":\"=\",\"root\":\"\"},\"action\":{\"holdAndDelegate\":"
	      "\"https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER\"}},"
	      "{\"principals\":[{\"nodeIP\":\"100.64.0.1\"}],\"sshUsers\":{\"*\":\"=\"},\"action\":{\"accept\":true,\"allowAgentForwarding\":true,"
	      "\"allowLocalPortForwarding\":true,\"allowRemotePortForwarding\":true},\"acceptEnv\":[\"GIT_*\"]},"
	      "{\"principals\":[],\"sshUsers\":{},\"action\":{\"accept\":true,\"allowAgentForwarding\":true,\"allowLocalPortForwarding\":true,"
	      "\"allowRemotePortForwarding\":true,\"recorders\":[\"10.0.0.9:80\"],\"onRecordingFailure\":{\"RejectSessionWithMessage\":\"This session must be "
	      "recorded, and no recorder "
	      "answers.\",\"TerminateSessionWithMessage\":\"This session must be recorded, and its recording has "
	      "ended.\",\"NotifyURL\":\"https://unused/machine/ssh/notify\"}}},"
	      "{\"principals\":[],\"sshUsers\":{},\"action\":{\"message\":\"This session must be recorded, and there is no recorder.\\n\",\"reject\":true}}]}");
	buffer_reset(&out);
	jsonw_start(&w, &out);
	sshjson_write(&w, NULL, NULL, NULL, &nothing);
	check(&out, "{\"rules\":null}");
	buffer_clear(&out);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_and_protocol),
		cmocka_unit_test(grants),
		cmocka_unit_test(ssh_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
