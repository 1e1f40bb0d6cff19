#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "capver.h"
#include "madeup.h"
#include "nodejson.h"

enum { OLD = 0, MIDDLE = CAPVER_HOME_DERP, NEW = CAPVER_HOME_DERP | CAPVER_OMIT_ALLOWED_IPS | CAPVER_STABLE_TAILNET };

static struct prefix routes[] = {{.ip = {.family = IP_V4, .byte = {10, 1}}, .bits = 16}, {.ip = {.family = IP_V4}}, {.ip = {.family = IP_V6}}};
static struct bytes tags[] = {{(const uint8_t *)"tag:web", 7}};

enum written { PEER, SELF, PATCH, PROFILE };

/* What is written of row 1 as it stands, as text. */
static const char *write(struct madeup *m, enum written what, unsigned arg, bool online, bool expired)
{
	static char text[4096];
	struct buffer out;
	struct jsonw w;
	madeup_hand_over(m, 1, 1, CHANGE_NODE_HOSTINFO);
	uint32_t slot = madeup_slot(m, 1);
	m->snapshot->seats[slot].online = online;
	m->snapshot->seats[slot].expired = expired;
	buffer_init(&out, sizeof text - 1);
	jsonw_start(&w, &out);
	if (what == PEER)
		nodejson_peer(&w, NULL, m->snapshot, m->views.everybody, slot, arg);
	else if (what == SELF)
		nodejson_self(&w, NULL, m->snapshot, m->views.rules, slot, arg);
	else if (what == PATCH)
		nodejson_patch(&w, m->snapshot, slot, arg);
	else
		nodejson_profile(&w, m->snapshot, node_wire_user(snapshot_node(m->snapshot, slot)));
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	snprintf(text, sizeof text, "%.*s", (int)out.len, (const char *)out.at);
	buffer_clear(&out);
	return text;
}

enum { ONLINE = 1, EXPIRED = 2 };

static void what_a_client_is_told(void **state)
{
	static const struct {
		enum written what;
		unsigned arg;
		unsigned how;
		const char *has[5], *has_not[4];
	} cases[] = {
		{PEER,
		 NEW,
		 ONLINE,
		 {"\"ID\":1001,\"StableID\":\"1001\",\"Name\":\"host-1.made-up.example.\"", "\"HomeDERP\":900", "\"Online\":true", "\"MachineAuthorized\":true",
		  "\"Addresses\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\"]"},
		 {"AllowedIPs", "LastSeen", "PrimaryRoutes", "\"DERP\""}},
		{PEER, NEW, 0, {"\"Online\":false", "\"LastSeen\":\""}, {"Expired", "Tags"}},
		{PEER, OLD, ONLINE, {"\"DERP\":\"127.3.3.40:900\"", "\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\"]"}, {"HomeDERP"}},
		{PEER, MIDDLE, ONLINE, {"\"HomeDERP\":900", "AllowedIPs"}, {"\"DERP\""}},
		{PEER, NEW, ONLINE | EXPIRED, {"\"Expired\":true", "\"Endpoints\":[]"}, {"HomeDERP", "203."}},
		{PEER, NEW, ONLINE, {"\"peerapi4\"", "\"OS\":\"linux\""}, {"BackendLogID", "DERPLatency"}},
		{SELF, NEW, ONLINE, {"\"CapMap\":{", "\"StableTailnetID\":\"7\"", "\"HomeDERP\":900"}, {"Online", "LastSeen", "Endpoints"}},
		{SELF, OLD, ONLINE, {"\"DERP\":\"127.3.3.40:900\""}, {"StableTailnetID"}},
		{PROFILE, 0, 0, {"\"ID\":11", "\"LoginName\":\"user1@made-up.example\""}, {"tagged"}},
		{PATCH, FACET_ENDPOINTS, ONLINE, {"{\"NodeID\":1001,\"Endpoints\":[\"10."}, {"Online", "Key", "DERPRegion"}},
		{PATCH, FACET_ENDPOINTS, ONLINE | EXPIRED, {"\"Endpoints\":[]"}, {"10."}},
		{PATCH, FACET_RELAY, ONLINE, {"{\"NodeID\":1001,\"DERPRegion\":900}"}, {0}},
		{PATCH, FACET_ONLINE, ONLINE, {"{\"NodeID\":1001,\"Online\":true}"}, {"LastSeen"}},
		{PATCH, FACET_ONLINE, 0, {"{\"NodeID\":1001,\"Online\":false,\"LastSeen\":\""}, {0}},
		{PATCH, FACET_SEEN, 0, {"{\"NodeID\":1001,\"LastSeen\":\""}, {"Online"}},
		{PATCH, FACET_DISCO | FACET_ONLINE, ONLINE, {"DiscoKey", "\"Online\":true}"}, {"},{"}},
		{PATCH, FACET_DISCO | FACET_ONLINE, 0, {"\"},{\"NodeID\":1001,\"Online\":false,\"LastSeen\":"}, {0}},
		{PATCH, FACET_KEY | FACET_EXPIRY | FACET_CAPVER, ONLINE, {"\"Key\":\"nodekey:", "\"KeyExpiry\":\"20", "\"Cap\":142"}, {"Online"}},
	};
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 4096);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *text = write(&m, cases[i].what, cases[i].arg, cases[i].how & ONLINE, cases[i].how & EXPIRED);
		for (size_t j = 0; j < COUNT_OF(cases[i].has) && cases[i].has[j]; j++)
			if (!strstr(text, cases[i].has[j]))
				fail_msg("case %zu lacks %s: %s", i, cases[i].has[j], text);
		for (size_t j = 0; j < COUNT_OF(cases[i].has_not) && cases[i].has_not[j]; j++)
			if (strstr(text, cases[i].has_not[j]))
				fail_msg("case %zu has %s: %s", i, cases[i].has_not[j], text);
	}
	madeup_free(&m);
}

static void check(struct madeup *m, enum written what, unsigned arg, bool online, const char *has, const char *has_not)
{
	const char *text = write(m, what, arg, online, false);
	if (has && !strstr(text, has))
		fail_msg("lacks %s: %s", has, text);
	if (has_not && strstr(text, has_not))
		fail_msg("has %s: %s", has_not, text);
}

static void strange_rows(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 4096);
	struct node *n = &m.rows[1];
	n->routes_advertised = n->routes_approved = routes;
	n->advertised_count = n->approved_count = 3;
	/* Of several routers the elected one serves; itself is told of all that it offers. Exit routes are everybody's own. */
	check(&m, PEER, NEW, true, "\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\",\"0.0.0.0/0\",\"::/0\"],\"Hostinfo\"", "PrimaryRoutes");
	check(&m, SELF, NEW, true, "\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\",\"0.0.0.0/0\",\"10.1.0.0/16\",\"::/0\"],\"Hostinfo\"",
	      "PrimaryRoutes");
	check(&m, PEER, NEW, true, "\"CapMap\":{\"suggest-exit-node\":[]}", NULL);
	assert_null(strstr(write(&m, PEER, NEW, true, true), "CapMap"));
	assert_null(strstr(write(&m, PEER, NEW, true, true), "AllowedIPs"));
	n->advertised_count = 2;
	check(&m, PEER, NEW, true, NULL, "CapMap"); /* of one family alone: clients offer no such exit node */
	n->advertised_count = 3;
	n->routes_primary = routes;
	n->primary_count = 1;
	check(&m, PEER, NEW, true,
	      "\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\",\"0.0.0.0/0\",\"::/0\",\"10.1.0.0/16\"],\"PrimaryRoutes\":[\"10.1.0.0/16\"]", NULL);
	check(&m, SELF, NEW, true, "\"PrimaryRoutes\":[\"10.1.0.0/16\"]", NULL);
	n->approved_count = 2;
	check(&m, PEER, NEW, true, "\"PrimaryRoutes\":[\"10.1.0.0/16\"]", "0.0.0.0/0");
	check(&m, PEER, NEW, true, NULL, "CapMap");
	n->tags = tags;
	n->tag_count = 1;
	n->user = 0;
	check(&m, PEER, NEW, true, "\"Tags\":[\"tag:web\"]", NULL);
	check(&m, PEER, NEW, true, "\"User\":1001,", NULL);
	check(&m, PROFILE, 0, true, "{\"ID\":1001,\"LoginName\":\"tagged-devices\",\"DisplayName\":\"Tagged Devices\"}", NULL);
	memset(n->disco_key.raw, 0, 32);
	check(&m, PEER, NEW, true, NULL, "DiscoKey");
	check(&m, PATCH, FACET_DISCO, true, NULL, "NodeID");
	n->home_relay = 0;
	check(&m, PEER, OLD, true, NULL, "DERP");
	check(&m, PATCH, FACET_RELAY, true, NULL, "NodeID");
	n->expiry = WALL_ZERO;
	check(&m, PEER, NEW, true, NULL, "KeyExpiry");
	check(&m, PATCH, FACET_EXPIRY, true, "\"KeyExpiry\":\"0001-01-01T00:00:00Z\"", NULL);
	n->last_seen = WALL_ZERO;
	check(&m, PEER, NEW, false, "\"Online\":false", "LastSeen");
	m.snapshot->suspended = true;
	check(&m, SELF, NEW, true, NULL, "MachineAuthorized");
	m.snapshot->suspended = false;
	check(&m, SELF, NEW, true, "MachineAuthorized", NULL);
	n->approved = false;
	check(&m, SELF, NEW, true, NULL, "MachineAuthorized");
	n->ip6.family = IP_NONE;
	check(&m, SELF, NEW, true, "\"Addresses\":[\"100.64.0.1/32\"]", NULL);
	madeup_free(&m);
}

static void what_settings_allow(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 4096);
	struct features *f = &m.snapshot->features;
	*f = (struct features){0};
	check(&m, SELF, NEW, true, "\"CapMap\":{\"default-auto-update\":[false],\"tailnet-display-name\":[\"Made up\"]}", NULL);
	*f = (struct features){true, true, true, true, true, 90000};
	check(&m, SELF, NEW, true,
	      "\"CapMap\":{\"https://tailscale.com/cap/file-sharing\":[],\"https://tailscale.com/cap/ssh\":[],\"default-auto-update\":[true],"
	      "\"randomize-client-port\":[],\"tailnet.maxKeyDuration\":[90],",
	      NULL);
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_client_is_told), cmocka_unit_test(strange_rows), cmocka_unit_test(what_settings_allow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
