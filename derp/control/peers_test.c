#include "peers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "jsonr.h"

static bool read(const char *text, struct peers *peers)
{
	json_t *answer;
	assert_int_equal(jsonr_parse(bytes_text(text), 1 << 18, &answer, NULL), ERR_NONE);
	bool named = peers_read(answer, peers);
	json_decref(answer);
	return named;
}

static void members_are_read(void **state)
{
	(void)state;
	struct peers p = {0};
	assert_true(
		read("{\"Peers\":[{\"ID\":7,\"Name\":\"a\",\"HostName\":\"h.example\",\"CertName\":\"c.example\",\"IPv4\":\"198.51.100.1\",\"IPv6\":\"none\","
		     "\"DERPPort\":8443,\"STUNPort\":-1,\"Mesh\":true},{\"ID\":8,\"Name\":\"b\",\"HostName\":\"i.example\"}],\"MorePeers\":true}",
		     &p));
	assert_int_equal(p.count, 2);
	assert_true(p.more);
	assert_int_equal(p.peer[0].id, 7);
	assert_string_equal(p.peer[0].at.host, "h.example");
	assert_string_equal(p.peer[0].at.cert_name, "c.example");
	assert_int_equal(p.peer[0].at.port, 8443);
	assert_int_equal(p.peer[0].stun_port, -1);
	assert_true(p.peer[0].mesh);
	assert_int_equal(p.peer[1].at.port, 443);
	assert_int_equal(p.peer[1].stun_port, 3478);
	assert_false(p.peer[1].mesh);
	/* Nothing said is nothing changed; an empty list is one. */
	assert_false(read("{}", &p) || read("{\"Peers\":7}", &p));
	assert_int_equal(p.count, 2);
	assert_true(read("{\"Peers\":[]}", &p));
	assert_int_equal(p.count, 0);
	assert_false(p.more);
	peers_clear(&p);
}

static void bad_ones_are_left_out(void **state)
{
	(void)state;
	struct peers p = {0};
	assert_true(read("{\"Peers\":[7,{\"ID\":0,\"Name\":\"a\",\"HostName\":\"x\"},{\"ID\":-2,\"Name\":\"a\",\"HostName\":\"x\"},{\"ID\":1,\"Name\":\"a\"},"
			 "{\"ID\":2,\"HostName\":\"x\"},{\"ID\":3,\"Name\":\"a\",\"HostName\":\"x "
			 "y\"},{\"ID\":4,\"Name\":\"n\",\"HostName\":\"y\",\"STUNPort\":70000}]}",
			 &p));
	assert_int_equal(p.count, 1);
	assert_int_equal(p.peer[0].id, 4);
	assert_int_equal(p.peer[0].stun_port, -1);
	peers_clear(&p);
}

static void there_is_a_cap(void **state)
{
	(void)state;
	struct peers p = {0};
	json_t *answer = json_object(), *list = json_array();
	for (int i = 1; i <= PEERS_MAX + 5; i++)
		json_array_append_new(list, json_pack("{s:i,s:s,s:s}", "ID", i, "Name", "n", "HostName", "h"));
	json_object_set_new(answer, "Peers", list);
	assert_true(peers_read(answer, &p));
	assert_int_equal(p.count, PEERS_MAX);
	assert_int_equal(p.peer[PEERS_MAX - 1].id, PEERS_MAX);
	json_decref(answer);
	peers_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(members_are_read), cmocka_unit_test(bad_ones_are_left_out), cmocka_unit_test(there_is_a_cap)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
