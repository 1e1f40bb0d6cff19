#include "probereport.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "jsonr.h"

#define KEY "nodekey:abababababababababababababababababababababababababababababababab"

static struct arena *arena;

/* What is wrong with it, "" when nothing is. */
static const char *decode(const char *text, struct probereport *r)
{
	static struct diag why;
	json_t *body;

	why = (struct diag){.text = ""};
	assert_int_equal(jsonr_parse(bytes_text(text), 1 << 18, &body, NULL), ERR_NONE);
	probereport_decode(body, arena, r, &why);
	json_decref(body);
	return why.text;
}

static void a_round_is_read(void **state)
{
	struct probereport r;

	(void)state;
	assert_string_equal(decode("{\"ProbeKey\":\"" KEY
				   "\",\"PeersFrom\":4,\"Probes\":[{\"To\":2,\"AgeMs\":1200,\"Relay\":\"ok\",\"ConnectMs\":3.25,\"TripMs\":0.5,"
				   "\"STUN\":\"ok\",\"STUNMs\":0,\"Mesh\":\"lost\"},{\"To\":3,\"Relay\":\"refused\",\"AgeMs\":5}]}",
				   &r),
			    "");
	assert_true(r.probing && r.wants_peers);
	assert_int_equal(r.key.raw[31], 0xab);
	assert_int_equal(r.after, 4);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.probes[0].to, 2);
	assert_int_equal(r.probes[0].age_ms, 1200);
	assert_int_equal(r.probes[0].connect_us, 3250);
	assert_int_equal(r.probes[0].trip_us, 500);
	assert_int_equal(r.probes[0].stun_us, 1);
	assert_int_equal(r.probes[0].mesh_us, 0);
	assert_true(bytes_equal_text(r.probes[0].mesh, "lost") && bytes_equal_text(r.probes[1].relay, "refused") && !r.probes[1].stun.len);
}

static void who_does_not_probe_says_nothing(void **state)
{
	struct probereport r;

	(void)state;
	assert_string_equal(decode("{\"PeersFrom\":0,\"Probes\":[{\"To\":2,\"Relay\":\"ok\"}]}", &r), "");
	assert_false(r.probing || r.wants_peers || r.count);
	assert_string_equal(decode("{\"ProbeKey\":null}", &r), "");
	assert_false(r.probing);
	assert_string_equal(decode("{\"ProbeKey\":\"" KEY "\"}", &r), "");
	assert_true(r.probing && !r.wants_peers && !r.count);
}

static void what_is_not_understood_is_passed_over(void **state)
{
	struct probereport r;

	(void)state;
	assert_string_equal(
		decode("{\"ProbeKey\":\"" KEY "\",\"Probes\":[7,{\"To\":-2,\"Relay\":\"ok\"},{\"To\":2},{\"To\":3,\"Relay\":\"later\"},"
		       "{\"To\":4,\"Relay\":\"ok\",\"STUN\":\"later\"},{\"To\":5,\"Relay\":\"ok\",\"ConnectMs\":-1,\"TripMs\":1e300,\"STUNMs\":\"x\","
		       "\"AgeMs\":-7,\"More\":1}]}",
		       &r),
		"");
	assert_int_equal(r.count, 1);
	assert_int_equal(r.probes[0].to, 5);
	assert_int_equal(r.probes[0].connect_us, 0);
	assert_int_equal(r.probes[0].trip_us, 1000000000);
	assert_int_equal(r.probes[0].age_ms, 0);
	assert_string_equal(decode("{\"ProbeKey\":\"nodekey:12\"}", &r), "ProbeKey is not a node key");
	assert_string_equal(decode("{\"ProbeKey\":\"" KEY "\",\"PeersFrom\":-1}", &r), "PeersFrom is not a number");
}

static void peers(size_t count, const char *part, const char * not )
{
	struct relay *relays = ARENA_ARRAY(arena, struct relay, count);
	struct buffer out;
	struct jsonw w;

	for (size_t i = 0; i < count; i++)
		relays[i] = (struct relay){
			.id = i + 1, .region = i < 2 ? 900 : 901, .mesh = true, .node = {.name = BYTES("n"), .host_name = BYTES("h"), .stun_port = -1}};
	buffer_init(&out, 1 << 20);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	probereport_write_peers(&w, relays, count, 1, 900, true);
	jsonw_object_end(&w);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_non_null(strstr((char *)out.at, part));
	assert_null(strstr((char *)out.at, not ));
	buffer_clear(&out);
}

static void peers_are_others_and_capped(void **state)
{
	(void)state;
	peers(1, "{\"Peers\":[],\"MorePeers\":false}", "\"ID\"");
	peers(2, "\"ID\":2,\"Name\":\"n\",\"HostName\":\"h\",\"STUNPort\":-1,\"Mesh\":true}]", "\"ID\":1,");
	peers(3, "\"STUNPort\":-1,\"Mesh\":false}],\"MorePeers\":false", "\"MorePeers\":true");
	peers(RELAY_PEERS_MAX + 1, "\"ID\":129,", "\"MorePeers\":true");
	peers(RELAY_PEERS_MAX + 2, "\"MorePeers\":true", "\"ID\":130,");
}

static void failures_have_words(void **state)
{
	static const char *const kinds[] = {"unreachable", "tls", "protocol", "refused", "silent", "lost"};

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_false(bytes_equal_text(probereport_sentence(bytes_text(kinds[i])), kinds[i]));
	assert_true(bytes_equal_text(probereport_sentence(BYTES("later")), "later"));
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_round_is_read), cmocka_unit_test(who_does_not_probe_says_nothing),
					   cmocka_unit_test(what_is_not_understood_is_passed_over), cmocka_unit_test(peers_are_others_and_capped),
					   cmocka_unit_test(failures_have_words)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
