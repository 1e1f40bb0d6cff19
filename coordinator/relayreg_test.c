/* The doors of relays, over played reads and writes: whose token is taken, what an announcement may say, each answer, whatever fails. */
#include "relayreg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act.h"
#include "dispatch.h"
#include "doorstep.h"
#include "log.h"
#include "relayfleet.h"
#include "relayprobes.h"
#include "relays.h"
#include "secret.h"
#include "serverkeys.h"
#include "signers.h"
#include "tailnet.h"

#define LONG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct coordinator_options options;
static struct coordinator c = {.options = &options};
static struct secret secret;
static char secret_text[SECRET_TEXT_MAX];
static struct relay_token token;

/* ---- the far end ---- */

static unsigned status, answers;
static char text[8192];
static const char *authorization;

static struct bytes get_header(const struct exchange *x, const char *name)
{
	(void)x;
	return strcmp(name, "authorization") == 0 && authorization ? bytes_text(authorization) : BYTES_NONE;
}

static void add_header(struct exchange *x, const char *name, struct bytes value)
{
	(void)x, (void)name, (void)value;
}

static void take_reply(struct exchange *x, unsigned code, const char *type, struct bytes body)
{
	(void)x, (void)type;
	status = code;
	snprintf(text, sizeof text, "%.*s", BYTES_ARG(body));
	answers++;
}

static const struct carrier far = {.header = get_header, .add_header = add_header, .reply = take_reply};

/* ---- neighbours ---- */

static enum err find_error, commit_error, verify_error;
static bool too_often, token_known, told_known;
static unsigned finds, refusals, commits, heard;
static uint64_t heard_homes;
static struct relay announced;
static uint64_t known_rechecks;
static struct relay_standing standing;
static struct node_key asked_key;
static unsigned asked_region;

bool doorstep_credential(struct exchange *x)
{
	if (too_often)
		exchange_reply_text(x, 429, "too often");
	return !too_often;
}

void doorstep_refused(struct exchange *x)
{
	(void)x;
	refusals++;
}

void relay_tokens_find(struct pg *pg, struct bytes prefix, struct arena *arena, relay_token_fn on_found, void *context)
{
	(void)pg, (void)arena;
	finds++;
	assert_true(bytes_equal_text(prefix, secret.prefix));
	on_found(context, find_error, !find_error && token_known ? &token : NULL);
}

struct tx {
	struct arena *arena;
};

static struct tx the_tx;

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	(void)pg;
	assert_int_equal(tailnet, TAILNET_INSTALLATION);
	assert_int_equal(mode, TX_WRITE);
	return &the_tx;
}

uint64_t tx_generation(const struct tx *tx)
{
	(void)tx;
	return 0;
}

unsigned relays_announce(struct tx *tx, const struct relay_token *by, const struct relay *said)
{
	(void)tx;
	assert_ptr_equal(by, &token);
	announced = *said;
	return 0;
}

unsigned relays_told(struct tx *tx, const struct relay_token *by, struct bytes name)
{
	(void)tx, (void)by, (void)name;
	return 1;
}

unsigned relays_siblings(struct tx *tx, unsigned region)
{
	(void)tx;
	assert_int_equal(region, token.region);
	return 2;
}

unsigned regions_keys(struct tx *tx, unsigned region)
{
	(void)tx;
	assert_int_equal(region, token.region);
	return 3;
}

unsigned relay_rechecks(struct tx *tx, unsigned region, uint64_t known)
{
	(void)tx;
	assert_int_equal(region, token.region);
	known_rechecks = known;
	return 4;
}

/* Nobody signs; what is signed is relayanswer's. */
const struct signing_key *signers_now(const struct signers *signers)
{
	(void)signers;
	return NULL;
}

const struct signing_key *signers_all(const struct signers *signers, size_t *count)
{
	(void)signers;
	*count = 0;
	return NULL;
}

/* Only relays that probe each other say so. */
unsigned relays_peers(struct tx *tx, unsigned region, uint64_t after)
{
	(void)tx, (void)region, (void)after;
	fail();
	return 0;
}

unsigned relayprobes_put(struct tx *tx, const struct relay_token *by, struct bytes name, const struct node_key *key, const struct relayprobe *probes,
			 size_t count)
{
	(void)tx, (void)by, (void)name, (void)key, (void)probes, (void)count;
	fail();
	return 0;
}

static struct relay_told told = {.id = 5,
				 .region = {.id = 900, .code = BYTES("fra")},
				 .name = BYTES("900a"),
				 .drain = true,
				 .shown = true,
				 .held_back = true,
				 .stage = 1,
				 .siblings_serve = true,
				 .mesh = true,
				 .client_rate = 7,
				 .client_burst = 8,
				 .tailnet_rate = 9,
				 .tailnet_burst = 10};

bool relays_read_told(struct tx *tx, unsigned statement, struct arena *arena, struct relay_told *out)
{
	(void)tx, (void)arena;
	assert_int_equal(statement, 1);
	*out = told;
	return told_known;
}

static struct relay siblings[] = {
	{.id = 5, .node = {.name = BYTES("900a"), .host_name = BYTES("a.example")}},
	{.id = 6, .node = {.name = BYTES("900b"), .host_name = BYTES("b.example"), .ipv4 = BYTES("192.0.2.1"), .relay_port = 8443, .insecure_for_tests = true}},
};

size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out)
{
	(void)tx, (void)arena;
	assert_int_equal(statement, 2);
	*out = siblings;
	return COUNT_OF(siblings);
}

bool regions_read_keys(struct tx *tx, unsigned statement, struct arena *arena, struct region_keys *out)
{
	(void)tx, (void)arena;
	assert_int_equal(statement, 3);
	*out = (struct region_keys){BYTES("now"), BYTES("before")};
	return true;
}

static bool rechecks_fit;

bool relay_rechecks_read(struct tx *tx, unsigned statement, struct arena *arena, uint64_t *stands, struct bytes **keys, size_t *count)
{
	static struct bytes list[] = {BYTES("aa"), BYTES("bb")};
	(void)tx, (void)arena;
	assert_int_equal(statement, 4);
	*stands = 4712;
	*keys = list;
	*count = 2;
	return rechecks_fit;
}

void act_commit(struct coordinator *coordinator, struct tx *tx, tx_fn on_done, void *context)
{
	struct diag why = {.text = "so it is"};
	assert_ptr_equal(coordinator, &c);
	commits++;
	on_done(context, commit_error, tx, &why);
}

void relayfleet_heard(struct coordinator *coordinator, uint64_t relay, uint64_t homes)
{
	(void)coordinator;
	assert_int_equal(relay, 5);
	heard_homes = homes;
	heard++;
}

void relays_verify(struct pg *pg, const struct node_key *key, unsigned region, relay_verdict_fn on_verified, void *context)
{
	(void)pg;
	asked_key = *key;
	asked_region = region;
	on_verified(context, verify_error, &standing);
}

/* ---- a request ---- */

static const struct route routes[] = {
	{METHOD_POST, "/relay/v1/announce", DOOR_CLIENTS, relayreg_guard, serve_relay_announce, 0},
	{METHOD_POST, "/relay/v1/verify", DOOR_CLIENTS, relayreg_guard, serve_relay_verify, 0},
	{METHOD_POST, "/relay/v1/verify/{token}", DOOR_CLIENTS, relayreg_guard_path, serve_relay_verify, 0},
	{0},
};

static unsigned request(const char *path, const char *body)
{
	struct arena *arena = arena_new();
	struct exchange x = {.carrier = &far,
			     .arena = arena,
			     .program = &c,
			     .door = DOOR_CLIENTS,
			     .method = METHOD_POST,
			     .path = bytes_text(path),
			     .body = bytes_text(body)};
	unsigned before = answers;
	status = 0;
	dispatch(routes, &x);
	assert_int_equal(answers - before, 1);
	arena_free(&arena);
	return status;
}

static int open(void **state)
{
	static char header[SECRET_TEXT_MAX + 10];
	(void)state;
	options = (struct coordinator_options){0};
	find_error = commit_error = verify_error = ERR_NONE;
	too_often = false;
	token_known = told_known = rechecks_fit = true;
	finds = refusals = commits = heard = 0;
	secret_mint(SECRET_RELAY, &secret);
	memcpy(secret_text, secret.text, strlen(secret.text) + 1);
	token = (struct relay_token){.id = 3, .region = 900, .revoked = WALL_ZERO};
	memcpy(token.hash, secret.hash, sizeof token.hash);
	snprintf(header, sizeof header, "Bearer %s", secret_text);
	authorization = header;
	standing = (struct relay_standing){.allowed = true, .tailnet = 4, .rate = 5, .burst = 6};
	return 0;
}

#define VERIFY "{\"NodePublic\":\"nodekey:ab01000000000000000000000000000000000000000000000000000000000000\",\"Source\":\"192.0.2.7\"}"

/* ---- tests ---- */

static void tokens_open_the_door(void **state)
{
	char path[200], bad[SECRET_TEXT_MAX + 20];
	(void)state;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 200);
	snprintf(path, sizeof path, "/relay/v1/verify/%s", secret_text);
	authorization = NULL;
	assert_int_equal(request(path, VERIFY), 200);
	assert_int_equal(refusals, 0);
	/* Not one at all, in either place: nobody is asked. */
	static const char *const strangers[] = {NULL, "", "Bearer ", "Bearer hskey-relay-", "Bearer hskey-api-x", "Basic eDp5"};
	finds = 0;
	for (size_t i = 0; i < COUNT_OF(strangers); i++) {
		authorization = strangers[i];
		assert_int_equal(request("/relay/v1/verify", VERIFY), 401);
		assert_int_equal(request("/relay/v1/announce", "{\"HostName\":\"h\"}"), 401);
	}
	assert_int_equal(request("/relay/v1/verify/x", VERIFY), 401);
	assert_int_equal(finds, 0);
	assert_int_equal(refusals, 2 * COUNT_OF(strangers) + 1);
	/* The right prefix is not enough. */
	snprintf(bad, sizeof bad, "Bearer %s", secret_text);
	bad[strlen(bad) - 1] = bad[strlen(bad) - 1] == '0' ? '1' : '0';
	authorization = bad;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 401);
	snprintf(bad, sizeof bad, "Bearer %s", secret_text);
	token_known = false;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 401);
	token_known = true;
	token.revoked = (struct wall){1};
	assert_int_equal(request("/relay/v1/verify", VERIFY), 403);
	token.revoked = WALL_ZERO;
	find_error = ERR_UNAVAILABLE;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 503);
	find_error = ERR_NONE;
	too_often = true;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 429);
	assert_int_equal(commits, 0);
}

static void keys_are_judged(void **state)
{
	static const char *const bad[] = {
		"", "[]", "null", "{}", "{\"NodePublic\":7}", "{\"NodePublic\":\"ab\"}", "{\"NodePublic\":\"mkey:ab\"}", "{\"NodePublic\":"};
	char path[200];
	(void)state;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 200);
	assert_string_equal(text, "{\"Allow\":true,\"Tailnet\":4,\"TailnetBytesPerSecond\":5,\"TailnetBurstBytes\":6}");
	/* A foreign relay's token is that, wherever it stands. */
	token.by_hand = true;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 200);
	assert_string_equal(text, "{\"Allow\":true}");
	token.by_hand = false;
	assert_int_equal(asked_key.raw[0], 0xab);
	assert_int_equal(asked_region, 900);
	/* Stock relays learn nothing but whether. */
	snprintf(path, sizeof path, "/relay/v1/verify/%s", secret_text);
	assert_int_equal(request(path, VERIFY), 200);
	assert_string_equal(text, "{\"Allow\":true}");
	standing.allowed = false;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 200);
	assert_string_equal(text, "{\"Allow\":false}");
	verify_error = ERR_UNAVAILABLE;
	assert_int_equal(request("/relay/v1/verify", VERIFY), 503);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(request("/relay/v1/verify", bad[i]), 400);
}

static void announcements_are_answered(void **state)
{
	(void)state;
	assert_int_equal(request("/relay/v1/announce",
				 "{\"Name\":\"900a\",\"HostName\":\"a.example\",\"IPv4\":\"198.51.100.1\",\"IPv6\":\"none\",\"DERPPort\":8443,\"STUNPort\":-1,"
				 "\"CertName\":\"sha256-raw:" LONG_64
				 "\",\"CanPort80\":true,\"Version\":\"0.1.0\",\"Homes\":17,\"RechecksFrom\":4711,\"Draining\":true}"),
			 200);
	assert_int_equal(heard, 1);
	assert_int_equal(heard_homes, 17);
	assert_int_equal(known_rechecks, 4711);
	assert_int_equal(announced.node.relay_port, 8443);
	assert_int_equal(announced.node.stun_port, -1);
	assert_true(announced.draining && announced.node.can_port80 && !announced.node.insecure_for_tests);
	static const char *const has[] = {
		"{\"RegionID\":900,\"RegionCode\":\"fra\",\"Name\":\"900a\",\"LeaseSeconds\":15,\"Drain\":true,\"Shown\":true,\"HeldBack\":true,\"Stage\":1,",
		"\"SiblingsServe\":true,\"OthersServe\":false,\"ClientBytesPerSecond\":7,\"ClientBurstBytes\":8,\"TailnetBytesPerSecond\":9,",
		"\"TailnetBurstBytes\":10,\"Siblings\":[{",
		"\"HostName\":\"b.example\"",
		"\"IPv4\":\"192.0.2.1\"",
		"\"DERPPort\":8443",
		"\"MeshKey\":\"now\",\"MeshKeyBefore\":\"before\"",
		"\"RechecksFrom\":4712,\"RecheckAll\":false,\"Rechecks\":[\"aa\",\"bb\"]",
	};
	for (size_t i = 0; i < COUNT_OF(has); i++)
		if (!strstr(text, has[i]))
			fail_msg("%s has no %s", text, has[i]);
	assert_null(strstr(text, "a.example")); /* itself */
	/* More than can be named are all. */
	rechecks_fit = false;
	assert_int_equal(request("/relay/v1/announce", "{\"HostName\":\"h\"}"), 200);
	assert_non_null(strstr(text, "\"RecheckAll\":true,\"Rechecks\":[]"));
	/* Beside the mesh it learns nothing of it. */
	told.mesh = false;
	assert_int_equal(request("/relay/v1/announce", "{\"HostName\":\"h\"}"), 200);
	assert_non_null(strstr(text, "\"Siblings\":[]"));
	assert_non_null(strstr(text, "\"MeshKey\":\"\",\"MeshKeyBefore\":\"\""));
	told.mesh = true;
}

static void words_that_are_refused(void **state)
{
	static const char long_version[] = "{\"HostName\":\"h\",\"Version\":\"" LONG_64 "x\"}";
	static const char long_host[] = "{\"HostName\":\"" LONG_64 LONG_64 LONG_64 LONG_64 "\"}";
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{}",
		"{\"HostName\":\"\"}",
		"{\"HostName\":7}",
		"{\"HostName\":\"h i\"}",
		"{\"HostName\":\"h\\r\\nX: y\"}",
		"{\"HostName\":\"h\\u00e4\"}",
		"{\"HostName\":\"h/i\"}",
		"{\"HostName\":\"2001:db8::1\"}",
		"{\"HostName\":\"h\",\"CertName\":\"c\\td\"}",
		"{\"HostName\":\"h\",\"CertName\":\"sha256-raw:00\"}",
		"{\"HostName\":\"h\",\"Name\":\"Upper\"}",
		"{\"HostName\":\"h\",\"Name\":\"a.b\"}",
		"{\"HostName\":\"h\",\"Name\":\"-a\"}",
		"{\"HostName\":\"h\",\"Name\":[]}",
		"{\"HostName\":\"h\",\"IPv4\":\"2001:db8::1\"}",
		"{\"HostName\":\"h\",\"IPv6\":\"192.0.2.1\"}",
		"{\"HostName\":\"h\",\"IPv4\":\"192.0.2.1:80\"}",
		"{\"HostName\":\"h\",\"DERPPort\":65536}",
		"{\"HostName\":\"h\",\"DERPPort\":-1}",
		"{\"HostName\":\"h\",\"DERPPort\":\"443\"}",
		"{\"HostName\":\"h\",\"DERPPort\":443.5}",
		"{\"HostName\":\"h\",\"STUNPort\":-2}",
		"{\"HostName\":\"h\",\"Homes\":-1}",
		"{\"HostName\":\"h\",\"Homes\":2147483648}",
		"{\"HostName\":\"h\",\"RechecksFrom\":-1}",
		long_version,
		long_host,
		"{\"HostName\":\"h\",\"InsecureForTests\":true}",
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (request("/relay/v1/announce", bad[i]) != 400)
			fail_msg("%s: %u", bad[i], status);
		assert_true(strlen(text) > strlen("{\"error\":\"\"}"));
	}
	assert_int_equal(commits + heard, 0);
	options.relay_insecure_for_tests = true;
	assert_int_equal(request("/relay/v1/announce", "{\"HostName\":\"h\",\"InsecureForTests\":true}"), 200);
	assert_true(announced.node.insecure_for_tests);
}

/* A relay that is not told has no lease. */
static void what_cannot_be_written(void **state)
{
	static const struct {
		enum err e;
		bool told;
		unsigned want;
	} cases[] = {{ERR_NOT_FOUND, true, 403}, {ERR_DENIED, true, 403},   {ERR_UNAVAILABLE, true, 503},
		     {ERR_TIMEOUT, true, 503},   {ERR_CANCELED, true, 503}, {ERR_NONE, false, 403}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		commit_error = cases[i].e;
		told_known = cases[i].told;
		assert_int_equal(request("/relay/v1/announce", "{\"HostName\":\"h\"}"), cases[i].want);
		assert_int_equal(heard, 0);
	}
}

#define IN_ORDER(test) cmocka_unit_test_setup(test, open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(tokens_open_the_door),   IN_ORDER(keys_are_judged),        IN_ORDER(announcements_are_answered),
		IN_ORDER(words_that_are_refused), IN_ORDER(what_cannot_be_written),
	};

	log_setup("relayreg_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
