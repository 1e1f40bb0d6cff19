#include "hostinfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "jsonr.h"
#include "node.h"

static struct arena *arena;

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static enum err decode(const char *text, struct hostinfo *h, struct diag *why)
{
	json_t *value;
	assert_int_equal(jsonr_parse(bytes_text(text), 1 << 20, &value, NULL), ERR_NONE);
	enum err e = hostinfo_decode(value, arena, h, why);
	json_decref(value);
	return e;
}

/* As tailscaled on Linux sends it. */
static const char from_linux[] =
	"{\"IPNVersion\":\"1.102.5-t0123456\",\"BackendLogID\":\"ab\",\"OS\":\"linux\",\"OSVersion\":\"6.1\",\"Container\":false,\"Env\":"
	"\"kn\",\"Distro\":\"debian\","
	"\"Desktop\":null,\"Hostname\":\"Joe's "
	"Mac\",\"Machine\":\"x86_64\",\"GoArch\":\"amd64\",\"RoutableIPs\":[\"10.1.2.3/8\",\"::/0\",\"0.0.0.0/0\",\"10.0.0.0/8\"],"
	"\"RequestTags\":[\"tag:web\",\"tag:db\",\"tag:web\"],\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":41234},{\"Proto\":"
	"\"peerapi6\",\"Port\":41235}],"
	"\"NetInfo\":{\"MappingVariesByDestIP\":false,\"WorkingIPv6\":null,\"PreferredDERP\":900,\"DERPLatency\":{\"900-v4\":0.0123},"
	"\"FirewallMode\":\"nft\"},"
	"\"sshHostKeys\":[\"ssh-ed25519 "
	"AAAA\"],\"Userspace\":true,\"AppConnector\":false,\"PushDeviceToken\":\"secret\",\"Novelty\":{\"a\":[1,2.5]},"
	"\"TPM\":{\"Manufacturer\":\"INTC\",\"FirmwareVersion\":169646455332864},\"StateEncrypted\":true}";

static void decodes(void **state)
{
	(void)state;
	struct hostinfo h;
	struct diag why = {0};
	char text[PREFIX_TEXT_MAX];
	static const char *routes[] = {"0.0.0.0/0", "10.0.0.0/8", "::/0"};
	assert_int_equal(decode(from_linux, &h, &why), ERR_NONE);
	assert_true(h.present);
	assert_true(bytes_equal_text(h.hostname, "Joe's Mac"));
	assert_true(bytes_equal_text(h.os, "linux"));
	assert_true(bytes_equal_text(h.os_version, "6.1"));
	assert_true(bytes_equal_text(h.ipn_version, "1.102.5-t0123456"));
	assert_int_equal(h.route_count, 3);
	for (size_t i = 0; i < 3; i++) {
		prefix_format(text, h.routes[i]);
		assert_string_equal(text, routes[i]);
	}
	assert_int_equal(h.request_tag_count, 2);
	assert_true(bytes_equal_text(h.request_tags[0], "tag:db"));
	assert_true(bytes_equal_text(h.request_tags[1], "tag:web"));
	struct bytes *tags;
	assert_int_equal(hostinfo_request_tags(h.json, arena, &tags), 2);
	assert_true(bytes_equal_text(tags[0], "tag:db") && bytes_equal_text(tags[1], "tag:web"));
	assert_int_equal(hostinfo_request_tags(BYTES("{}"), arena, &tags), 0);
	assert_int_equal(hostinfo_request_tags(BYTES("{\"RequestTags\":[\"tag:a\""), arena, &tags), 0);
	assert_true(h.has_net_info);
	assert_int_equal(h.preferred_derp, 900);
	const char *json = (const char *)arena_text(arena, h.json);
	assert_null(strstr(json, "secret"));
	assert_non_null(strstr(json, "\"Novelty\":{\"a\":[1,2.5]}"));
	assert_non_null(strstr(json, "{\"900-v4\":0.0123}"));
}

static void decodes_nothing(void **state)
{
	(void)state;
	struct hostinfo h;
	assert_int_equal(hostinfo_decode(NULL, arena, &h, NULL), ERR_NONE);
	assert_false(h.present);
	assert_int_equal(decode("null", &h, NULL), ERR_NONE);
	assert_false(h.present);
	assert_int_equal(decode("{}", &h, NULL), ERR_NONE);
	assert_true(h.present);
	assert_true(bytes_equal_text(h.json, "{}"));
}

/* Equal content is equal text. */
static void is_canonical(void **state)
{
	(void)state;
	struct hostinfo a, b;
	assert_int_equal(decode("{\"OS\":\"linux\",\"Hostname\":\"x\", \"NetInfo\":{\"PreferredDERP\":1,\"UPnP\":true}}", &a, NULL), ERR_NONE);
	assert_int_equal(decode("{\"NetInfo\":{\"UPnP\":true,\"PreferredDERP\":1},\"Hostname\":\"y\",\"Hostname\":\"\\u0078\",\"OS\":\"linux\"}", &b, NULL),
			 ERR_NONE);
	assert_true(bytes_equal(a.json, b.json));
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} trials[] = {
		{"[]", "Hostinfo is not an object"},
		{"\"x\"", "Hostinfo is not an object"},
		{"{\"OS\":5}", "Hostinfo.OS is not a text"},
		{"{\"Container\":\"true\"}", "Hostinfo.Container is not true, false or null"},
		{"{\"RoutableIPs\":\"10.0.0.0/8\"}", "Hostinfo.RoutableIPs is not an array"},
		{"{\"RoutableIPs\":[\"10.0.0.0/8\",\"x\"]}", "Hostinfo.RoutableIPs[1] is not an address with a prefix length"},
		{"{\"RoutableIPs\":[\"10.0.0.0\"]}", "Hostinfo.RoutableIPs[0] is not an address with a prefix length"},
		{"{\"RoutableIPs\":[null]}", "Hostinfo.RoutableIPs[0] is not an address with a prefix length"},
		{"{\"RoutableIPs\":[\"10.0.0.0/33\"]}", "Hostinfo.RoutableIPs[0] is not an address with a prefix length"},
		{"{\"RequestTags\":[1]}", "Hostinfo.RequestTags[0] is not a text"},
		{"{\"Services\":[{\"Port\":65536}]}", "Hostinfo.Services[0].Port is not between 0 and 65535"},
		{"{\"NetInfo\":[]}", "Hostinfo.NetInfo is not an object"},
		{"{\"NetInfo\":{\"PreferredDERP\":-1}}", "Hostinfo.NetInfo.PreferredDERP is not between 0 and 65535"},
		{"{\"NetInfo\":{\"DERPLatency\":{\"1-v4\":\"x\"}}}", "Hostinfo.NetInfo.DERPLatency.1-v4 is not a number"},
		{"{\"Location\":{\"Priority\":-1}}", "Hostinfo.Location.Priority is not between 0 and 2147483647"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct hostinfo h;
		struct diag why = {0};
		assert_int_equal(decode(trials[i].text, &h, &why), ERR_MALFORMED);
		assert_string_equal(why.text, trials[i].why);
	}
}

static char *many(const char *head, const char *item, size_t count, const char *tail)
{
	size_t item_len = strlen(item);
	char *text = arena_alloc(arena, strlen(head) + (item_len + 1) * count + strlen(tail) + 1);
	size_t len = (size_t)sprintf(text, "%s", head);
	for (size_t i = 0; i < count; i++) {
		for (size_t c = 0; c < item_len; c++)
			text[len++] = item[c];
		text[len++] = ',';
	}
	strcpy(text + len - (count > 0), tail);
	return text;
}

static void keeps_to_its_caps(void **state)
{
	(void)state;
	struct hostinfo h;
	struct diag why;
	assert_int_equal(decode(many("{\"RoutableIPs\":[", "\"10.0.0.0/8\"", NODE_ROUTES_MAX, "]}"), &h, &why), ERR_NONE);
	assert_int_equal(h.route_count, 1);
	assert_int_equal(decode(many("{\"RoutableIPs\":[", "\"10.0.0.0/8\"", NODE_ROUTES_MAX + 1, "]}"), &h, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "Hostinfo.RoutableIPs is not within its limit of 1024 entries");
	assert_int_equal(decode(many("{\"RequestTags\":[", "\"tag:a\"", 65, "]}"), &h, &why), ERR_MALFORMED);
	assert_int_equal(decode(many("{\"Unknown\":[", "12345678", HOSTINFO_MAX / 9 + 1, "]}"), &h, &why), ERR_TOO_BIG);
	assert_string_equal(why.text, "Hostinfo is larger than 32768 bytes");
}

static void wants_for_peers(const char *json, const char *wanted)
{
	struct buffer out;
	buffer_init(&out, 65536);
	assert_int_equal(hostinfo_for_peers(bytes_text(json), &out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_string_equal((const char *)out.at, wanted);
	buffer_clear(&out);
}

static void tells_peers(void **state)
{
	(void)state;
	struct hostinfo h;
	assert_int_equal(decode(from_linux, &h, NULL), ERR_NONE);
	wants_for_peers(arena_text(arena, h.json), "{\"OS\":\"linux\",\"Hostname\":\"Joe's "
						   "Mac\",\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":41234},{\"Proto\":\"peerapi6\",\"Port\":41235}],"
						   "\"sshHostKeys\":[\"ssh-ed25519 AAAA\"],\"AppConnector\":false}");
	wants_for_peers("{}", "{}");
	/* what would spoil a peer's map: other cases of a name, wrong types, nested ones */
	wants_for_peers("{\"os\":5,\"Os\":[],\"hostname\":{},\"O\xc5\xbf\":1,\"OS\":\"linux\"}", "{\"OS\":\"linux\"}");
	wants_for_peers("{\"OS\":5,\"Hostname\":\"x\",\"Services\":[{\"Port\":70000}]}", "{\"Hostname\":\"x\"}");
	wants_for_peers("{\"Services\":[{\"Proto\":\"tcp\",\"Port\":1,\"port\":\"x\"}]}", "{\"Services\":[{\"Proto\":\"tcp\",\"Port\":1}]}");
	wants_for_peers("{\"Location\":{\"City\":\"Bern\",\"Latitude\":46.95,\"Priority\":0},\"OS\":null}",
			"{\"Location\":{\"City\":\"Bern\",\"Latitude\":46.95}}");
}

static void refuses_broken_rows(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 16);
	assert_int_equal(hostinfo_for_peers(BYTES("[]"), &out), ERR_MALFORMED);
	assert_int_equal(hostinfo_for_peers(BYTES(""), &out), ERR_MALFORMED);
	assert_int_equal(hostinfo_for_peers(BYTES("{\"OS\":\"averylongname\"}"), &out), ERR_TOO_BIG);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
}

static void wants_merged(const char *old, const char *new, const char *wanted)
{
	struct buffer out;
	buffer_init(&out, 2 * HOSTINFO_MAX);
	assert_int_equal(hostinfo_merge(bytes_text(old), bytes_text(new), &out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_string_equal((const char *)out.at, wanted);
	buffer_clear(&out);
}

static void merges(void **state)
{
	(void)state;
	wants_merged("{\"NetInfo\":{\"UPnP\":true},\"OS\":\"a\"}", "{\"OS\":\"b\"}", "{\"NetInfo\":{\"UPnP\":true},\"OS\":\"b\"}");
	wants_merged("{\"NetInfo\":{\"UPnP\":true}}", "{\"NetInfo\":{},\"OS\":\"b\"}", "{\"NetInfo\":{},\"OS\":\"b\"}");
	wants_merged("{\"NetInfo\":{\"UPnP\":true}}", "{\"NetInfo\":null}", "{\"NetInfo\":{\"UPnP\":true}}");
	wants_merged("{}", "{\"OS\":\"b\"}", "{\"OS\":\"b\"}");
	wants_merged("", "{\"OS\":\"b\"}", "{\"OS\":\"b\"}");
	struct buffer out;
	buffer_init(&out, 2 * HOSTINFO_MAX);
	assert_int_equal(hostinfo_merge(BYTES("{}"), BYTES("nonsense"), &out), ERR_MALFORMED);
	/* each fits, both do not: the old part is dropped */
	struct hostinfo old, new;
	assert_int_equal(decode(many("{\"NetInfo\":{\"x\":[", "1234567", 3500, "]}}"), &old, NULL), ERR_NONE);
	assert_int_equal(decode(many("{\"x\":[", "1234567", 3500, "]}"), &new, NULL), ERR_NONE);
	assert_int_equal(hostinfo_merge(old.json, new.json, &out), ERR_NONE);
	assert_true(bytes_equal(buffer_bytes(&out), new.json));
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decodes, begin, end),
		cmocka_unit_test_setup_teardown(decodes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(is_canonical, begin, end),
		cmocka_unit_test_setup_teardown(refuses, begin, end),
		cmocka_unit_test_setup_teardown(keeps_to_its_caps, begin, end),
		cmocka_unit_test_setup_teardown(tells_peers, begin, end),
		cmocka_unit_test_setup_teardown(refuses_broken_rows, begin, end),
		cmocka_unit_test_setup_teardown(merges, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
