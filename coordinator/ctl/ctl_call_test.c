#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl_call.h"
#include "told.h"

/* A server that hears one request after the other and answers each with the next of its texts. */
enum { ANSWERS_MAX = 4, REQUEST_MAX = 4096 };

struct fake {
	char folder[32], path[64];
	int listener;
	pthread_t thread;
	const char *answers[ANSWERS_MAX];
	char requests[ANSWERS_MAX][REQUEST_MAX];
	unsigned count;
};

static bool is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");

	return end && strlen(end + 4) >= (length ? strtoul(length + 16, NULL, 10) : 0);
}

static void *serve(void *context)
{
	struct fake *fake = context;

	for (; fake->count < ANSWERS_MAX && fake->answers[fake->count]; fake->count++) {
		int fd = accept(fake->listener, NULL, NULL);
		char *request = fake->requests[fake->count];
		size_t len = 0;
		ssize_t got = 1;

		while (!is_whole(request) && got > 0) {
			got = read(fd, request + len, REQUEST_MAX - 1 - len);
			len += got > 0 ? (size_t)got : 0;
		}
		if (write(fd, fake->answers[fake->count], strlen(fake->answers[fake->count])) < 0)
			abort();
		close(fd);
	}
	return NULL;
}

static void fake_start(struct fake *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(fake->folder, sizeof fake->folder, "/tmp/fs-ctl-XXXXXX");
	assert_non_null(mkdtemp(fake->folder));
	snprintf(fake->path, sizeof fake->path, "%s/admin.sock", fake->folder);
	memcpy(address.sun_path, fake->path, sizeof fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fake->listener, 4), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static void fake_end(struct fake *fake)
{
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->folder);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define PROBLEM(status) "HTTP/1.1 " status " x\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
#define ZOE "{\"id\":\"7\",\"name\":\"zoe\",\"createdAt\":\"2026-01-02T03:04:05.6Z\",\"displayName\":\"Zoe\",\"email\":\"\"}"

static const struct {
	const char *words[12], *answers[ANSWERS_MAX];
	const char *request; /* start of the last one */
	const char *body;    /* end of the last one; NULL: any */
	int status;
	const char *out, *err;
} cases[] = {
	{{"users", "list"},
	 {OK "{\"users\":[" ZOE "]}"},
	 "GET /api/v1/user HTTP/1.1\r\n",
	 NULL,
	 0,
	 "ID  Username  Name  Email  Created\n7   zoe       Zoe          2026-01-02 03:04:05\n",
	 ""},
	{{"-o", "json-line", "users", "list"}, {OK "{\"users\":[" ZOE "]}"}, "GET /api/v1/user HTTP/1.1\r\n", NULL, 0, "[" ZOE "]\n", ""},
	{{"user", "ls", "-n", "a b/c"},
	 {OK "{\"users\":[]}"},
	 "GET /api/v1/user?name=a%20b%2fc HTTP/1.1\r\n",
	 NULL,
	 0,
	 "ID  Username  Name  Email  Created\n",
	 ""},
	{{"users", "create", "zoe", "-d", "Zoe"},
	 {OK "{\"user\":" ZOE "}"},
	 "POST /api/v1/user HTTP/1.1\r\n",
	 "{\"name\":\"zoe\",\"displayName\":\"Zoe\"}",
	 0,
	 "ID        7\nUsername  zoe\nName      Zoe\nCreated   2026-01-02 03:04:05\n",
	 ""},
	{{"users", "destroy", "zoe", "--force"},
	 {OK "{\"users\":[" ZOE "]}", OK "{}"},
	 "DELETE /api/v1/user/7 HTTP/1.1\r\n",
	 "",
	 0,
	 "User zoe is removed.\n",
	 ""},
	{{"users", "rename", "-i", "7", "-r", "../x"},
	 {OK "{\"users\":[" ZOE "]}", OK "{\"user\":" ZOE "}"},
	 "POST /api/v1/user/7/rename/..%2fx HTTP/1.1\r\n",
	 "",
	 0,
	 NULL,
	 ""},
	{{"users", "destroy", "nobody", "--force"},
	 {OK "{\"users\":[]}"},
	 "GET /api/v1/user?name=nobody HTTP/1.1\r\n",
	 "",
	 1,
	 "",
	 "Error: there is no user nobody: see `fleetscale users list`\n"},
	{{"preauthkeys", "create", "-u", "zoe", "--reusable", "-e", "2030-01-01T00:00:00Z"},
	 {OK "{\"users\":[" ZOE "]}", OK "{\"preAuthKey\":{\"key\":\"hskey-auth-x\"}}"},
	 "POST /api/v1/preauthkey HTTP/1.1\r\n",
	 "{\"reusable\":true,\"ephemeral\":false,\"expiration\":\"2030-01-01T00:00:00Z\",\"aclTags\":[],\"user\":\"7\"}",
	 0,
	 "hskey-auth-x\n",
	 ""},
	{{"authkeys", "create", "-t", "tag:a,tag:b", "-e", "2030-01-01T00:00:00Z", "-o", "json-line"},
	 {OK "{\"preAuthKey\":{\"key\":\"hskey-auth-x\"}}"},
	 "POST /api/v1/preauthkey HTTP/1.1\r\n",
	 "{\"reusable\":false,\"ephemeral\":false,\"expiration\":\"2030-01-01T00:00:00Z\",\"aclTags\":[\"tag:a\",\"tag:b\"],\"user\":\"\"}",
	 0,
	 "{\"key\":\"hskey-auth-x\"}\n",
	 ""},
	{{"apikeys", "create", "-e", "2030-01-01T00:00:00Z", "-o", "json"},
	 {OK "{\"apiKey\":\"hskey-api-x\"}"},
	 "POST /api/v1/apikey HTTP/1.1\r\n",
	 "{\"expiration\":\"2030-01-01T00:00:00Z\"}",
	 0,
	 "\"hskey-api-x\"\n",
	 ""},
	{{"apikeys", "delete", "4"},
	 {OK "{\"apiKeys\":[{\"id\":\"4\",\"prefix\":\"hskey-api-abc-***\"}]}", OK "{}"},
	 "DELETE /api/v1/apikey/hskey-api-abc-%2a%2a%2a HTTP/1.1\r\n",
	 "",
	 0,
	 "API key hskey-api-abc-*** is removed.\n",
	 ""},
	{{"operator", "create", "-e", "2030-01-01T00:00:00Z"},
	 {OK "{\"apiKey\":\"hskey-api-x\"}"},
	 "POST /api/fleetscale/v1/operator/keys HTTP/1.1\r\n",
	 "{\"expiration\":\"2030-01-01T00:00:00Z\"}",
	 0,
	 "hskey-api-x\n",
	 ""},
	{{"nodes", "tag", "-i", "7", "-t", "tag:a"},
	 {OK "{\"node\":{\"id\":\"7\"}}"},
	 "POST /api/v1/node/7/tags HTTP/1.1\r\n",
	 "{\"tags\":[\"tag:a\"]}",
	 0,
	 NULL,
	 ""},
	{{"nodes", "approve-routes", "-i", "7", "-r", ""},
	 {OK "{\"node\":{\"id\":\"7\"}}"},
	 "POST /api/v1/node/7/approve_routes HTTP/1.1\r\n",
	 "{\"routes\":[]}",
	 0,
	 NULL,
	 ""},
	{{"nodes", "expire", "7"}, {OK "{\"node\":{\"id\":\"7\"}}"}, "POST /api/v1/node/7/expire HTTP/1.1\r\n", "", 0, NULL, ""},
	{{"nodes", "expire", "7", "-d"}, {OK "{\"node\":{\"id\":\"7\"}}"}, "POST /api/v1/node/7/expire HTTP/1.1\r\n", "{\"disableExpiry\":true}", 0, NULL, ""},
	{{"nodes", "list-routes", "-o", "json-line"},
	 {OK "{\"nodes\":[{\"id\":\"7\",\"availableRoutes\":[]},{\"id\":\"8\",\"availableRoutes\":[\"10.0.0.0/8\"]}]}"},
	 "GET /api/v1/node HTTP/1.1\r\n",
	 "",
	 0,
	 "[{\"id\":\"8\",\"availableRoutes\":[\"10.0.0.0/8\"]}]\n",
	 ""},
	{{"relays", "create", "--name", "900a"},
	 {OK "{\"relay\":{\"id\":\"1\"},\"token\":\"hskey-relay-x\"}"},
	 "POST /api/fleetscale/v1/relays HTTP/1.1\r\n",
	 "{\"name\":\"900a\",\"regionId\":\"900\",\"regionCode\":\"fl\",\"regionName\":\"fleet\"}",
	 0,
	 "hskey-relay-x\n",
	 ""},
	{{"tailnets", "create", "other", "--ipv4-range", "10.0.0.0/8"},
	 {OK "{\"tailnet\":{\"id\":\"2\"}}"},
	 "POST /api/fleetscale/v1/tailnets HTTP/1.1\r\n",
	 "{\"name\":\"other\",\"ipv4Range\":\"10.0.0.0/8\"}",
	 0,
	 "ID             2\nState          open\nNodes at most  -\nUsers at most  -\nRelay rate     -\nRelay burst    -\nCreated        -\n",
	 ""},
	{{"audits", "list"},
	 {OK "{\"audits\":[{\"id\":\"1\",\"actor\":\"socket\",\"action\":\"user.create\",\"subject\":\"7\",\"outcome\":\"done\",\"before\":null,\"after\":{"
	     "\"name\":\"zoe\"},\"detail\":null}]}"},
	 "GET /api/fleetscale/v1/audits?limit=100 HTTP/1.1\r\n",
	 "",
	 0,
	 "ID  At  Who     Did          To  Before  After           Detail\n1   -   socket  user.create  7           {\"name\":\"zoe\"}\n",
	 ""},
	/* Pages are followed to the end, or as far as was asked. */
	{{"audits", "list", "--installation", "-n", "0", "-o", "json-line"},
	 {OK "{\"audits\":[{\"id\":\"9\"}],\"nextCursor\":\"a/b\"}", OK "{\"audits\":[{\"id\":\"8\"}],\"nextCursor\":null}"},
	 "GET /api/fleetscale/v1/operator/audits?limit=500&cursor=a%2fb HTTP/1.1\r\n",
	 "",
	 0,
	 "[{\"id\":\"9\"},{\"id\":\"8\"}]\n",
	 ""},
	{{"audits", "list", "-n", "1", "-o", "json-line"},
	 {OK "{\"audits\":[{\"id\":\"9\"}],\"nextCursor\":\"a\"}"},
	 "GET /api/fleetscale/v1/audits?limit=1 HTTP/1.1\r\n",
	 "",
	 0,
	 "[{\"id\":\"9\"}]\n",
	 ""},
	{{"nodes", "list", "-u", "zoe", "-o", "yaml"},
	 {OK "{\"users\":[" ZOE "]}", OK "{\"nodes\":[{\"id\":\"1\",\"user\":null},{\"id\":\"2\",\"user\":{\"id\":\"7\"}}],\"nextCursor\":null}"},
	 "GET /api/fleetscale/v1/nodes?limit=500 HTTP/1.1\r\n",
	 "",
	 0,
	 "- id: \"2\"\n  user:\n    id: \"7\"\n",
	 ""},
	{{"nodes", "ping", "7", "8", "--type", "disco", "-w", "2s"},
	 {OK "{\"ping\":{\"type\":\"disco\",\"error\":\"\",\"latencySeconds\":0.0015,\"target\":\"100.64.0.8\",\"region\":0}}"},
	 "POST /api/fleetscale/v1/nodes/7/ping HTTP/1.1\r\n",
	 "{\"type\":\"disco\",\"timeoutSeconds\":2,\"target\":\"8\"}",
	 0,
	 "Type     disco\nLatency  1.5 ms\nTarget   100.64.0.8\n",
	 ""},
	{{"nodes", "debug", "7", "-d", "hi"},
	 {OK "{\"answer\":{\"status\":200,\"encoding\":\"base64\",\"body\":\"aGkK\"}}"},
	 "POST /api/fleetscale/v1/nodes/7/debug HTTP/1.1\r\n",
	 "{\"path\":\"/echo\",\"body\":\"hi\"}",
	 0,
	 "hi\n",
	 ""},
	{{"nodes", "approve", "7", "--revoke"},
	 {OK "{\"node\":{\"id\":\"7\"}}"},
	 "POST /api/fleetscale/v1/nodes/7/approve HTTP/1.1\r\n",
	 "{\"approved\":false}",
	 0,
	 NULL,
	 ""},
	{{"nodes", "register", "-u", "zoe", "-k", "a+b"},
	 {OK "{\"users\":[" ZOE "]}", OK "{\"node\":{\"id\":\"7\"}}"},
	 "POST /api/v1/node/register?user=zoe&key=a%2bb HTTP/1.1\r\n",
	 "",
	 0,
	 NULL,
	 ""},
	{{"nodes", "backfillips", "--force"},
	 {OK "{\"changes\":[\"x\"]}"},
	 "POST /api/v1/node/backfillips?confirmed=true HTTP/1.1\r\n",
	 "",
	 0,
	 "1 addresses were given.\n",
	 ""},
	{{"auth", "reject", "--auth-id", "x"}, {OK "{}"}, "POST /api/v1/auth/reject HTTP/1.1\r\n", "{\"authId\":\"x\"}", 0, "The login is rejected.\n", ""},
	{{"auth", "register", "-u", "7", "--auth-id", "x"},
	 {OK "{\"users\":[" ZOE "]}", OK "{\"node\":{\"id\":\"9\"}}"},
	 "POST /api/v1/auth/register HTTP/1.1\r\n",
	 "{\"user\":\"zoe\",\"authId\":\"x\"}",
	 0,
	 "ID       9\nExpires  -\n",
	 ""},
	{{"authkeys", "create", "-t", "tag:a", "-d", "lab", "--preapproved", "-e", "2030-01-01T00:00:00Z"},
	 {OK "{\"authKey\":{\"key\":\"hskey-auth-x\",\"tags\":[\"tag:a\"]}}"},
	 "POST /api/fleetscale/v1/authkeys HTTP/1.1\r\n",
	 "{\"reusable\":false,\"ephemeral\":false,\"expiration\":\"2030-01-01T00:00:00Z\",\"tags\":[\"tag:a\"],\"preapproved\":true,\"description\":\"lab\"}",
	 0,
	 "hskey-auth-x\n",
	 ""},
	{{"apikeys", "create", "-s", "nodes:read,users", "-e", "2030-01-01T00:00:00Z"},
	 {OK "{\"apiKey\":\"hskey-api-x\",\"key\":{}}"},
	 "POST /api/fleetscale/v1/keys HTTP/1.1\r\n",
	 "{\"expiration\":\"2030-01-01T00:00:00Z\",\"description\":\"\",\"scopes\":[\"nodes:read\",\"users\"]}",
	 0,
	 "hskey-api-x\n",
	 ""},
	{{"tailnets", "set", "lab", "--node-limit", "3", "--login-host", ""},
	 {OK "{\"tailnet\":{\"id\":\"2\",\"nodeLimit\":3,\"suspended\":true}}"},
	 "PATCH /api/fleetscale/v1/tailnets/lab HTTP/1.1\r\n",
	 "{\"loginHost\":\"\",\"nodeLimit\":3}",
	 0,
	 "ID             2\nState          suspended\nNodes at most  3\nUsers at most  -\nRelay rate     -\nRelay burst    -\nCreated        -\n",
	 ""},
	{{"tailnets", "delete", "a b", "--confirm", "a b", "--with-nodes"},
	 {OK "{}"},
	 "DELETE /api/fleetscale/v1/tailnets/a%20b?confirm=a%20b&force=true HTTP/1.1\r\n",
	 "",
	 0,
	 "Tailnet a b is removed.\n",
	 ""},
	{{"settings", "set", "--split=a.example=1.1.1.1,2.2.2.2+exit", "--record", "x.example  TXT a, b", "--search", "", "--ssh=false", "--key-lifetime=1w"},
	 {OK "{\"settings\":{}}"},
	 "PATCH /api/fleetscale/v1/settings HTTP/1.1\r\n",
	 "{\"ssh\":false,\"keyLifetimeSeconds\":604800,\"dns\":{\"split\":[{\"domain\":\"a.example\",\"resolvers\":[{\"address\":\"1.1.1.1\","
	 "\"useWithExitNode\":false},"
	 "{\"address\":\"2.2.2.2\",\"useWithExitNode\":true}]}],\"searchDomains\":[],\"records\":[{\"name\":\"x.example\",\"type\":\"TXT\",\"value\":\"a, "
	 "b\"}]}}",
	 0,
	 NULL,
	 ""},
	{{"regions", "list", "-o", "json-line"},
	 {OK "{\"regions\":[{\"id\":900,\"code\":\"a\"}],\"nextCursor\":null}"},
	 "GET /api/fleetscale/v1/regions HTTP/1.1\r\n",
	 "",
	 0,
	 "[{\"id\":900,\"code\":\"a\"}]\n",
	 ""},
	{{"regions", "set", "900", "--score", "2", "--tailnets", "a,b"},
	 {OK "{\"region\":{\"id\":900}}"},
	 "PATCH /api/fleetscale/v1/regions/900 HTTP/1.1\r\n",
	 "{\"score\":2.0,\"tailnets\":[\"a\",\"b\"]}",
	 0,
	 NULL,
	 ""},
	{{"relays", "drain", "7"}, {OK "{}"}, "PATCH /api/fleetscale/v1/relays/7 HTTP/1.1\r\n", "{\"wish\":\"drain\"}", 0, NULL, ""},
	{{"relays", "token", "--region", "900"},
	 {OK "{\"token\":\"hskey-relay-x\"}"},
	 "POST /api/fleetscale/v1/relay-tokens HTTP/1.1\r\n",
	 "{\"regionId\":\"900\"}",
	 0,
	 "hskey-relay-x\n",
	 ""},
	{{"health"}, {OK "{\"databaseConnectivity\":true}"}, "GET /api/v1/health HTTP/1.1\r\n", "", 0, "", ""},
	{{"health"},
	 {OK "{\"databaseConnectivity\":false}"},
	 "GET /api/v1/health HTTP/1.1\r\n",
	 "",
	 1,
	 "",
	 "Error: the coordinator does not reach its database\n"},
	/* Refusals: what was done, then each cause once. */
	{{"nodes", "get", "7"},
	 {PROBLEM("404") "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"getting node\",\"errors\":[{\"message\":\"node not "
			 "found\"}],\"message\":\"node not found\"}"},
	 "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n",
	 "",
	 1,
	 "",
	 "Error: getting node: node not found\n"},
	{{"-o", "json-line", "nodes", "get", "7"},
	 {PROBLEM("404") "{\"detail\":\"getting node\",\"errors\":[{\"message\":\"node not found\"}]}"},
	 "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n",
	 "",
	 1,
	 "",
	 "{\"error\":\"getting node: node not found\"}\n"},
	/* headscale before 0.30. */
	{{"nodes", "get", "7"},
	 {PROBLEM("500") "{\"code\":2,\"message\":\"node not found\",\"details\":[]}"},
	 "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n",
	 "",
	 1,
	 "",
	 "Error: node not found\n"},
	{{"nodes", "get", "7"}, {PROBLEM("502") "<html>"}, "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n", "", 1, "", NULL},
	{{"nodes", "get", "7"}, {OK "[]"}, "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n", "", 1, "", NULL},
	{{"nodes", "get", "7"}, {OK "{\"node\":"}, "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n", "", 1, "", NULL},
	{{"nodes", "get", "7"}, {"nonsense"}, "GET /api/fleetscale/v1/nodes/7 HTTP/1.1\r\n", "", 1, "", NULL},
	/* Members of another type than promised. */
	{{"nodes", "list"},
	 {OK "{\"nodes\":[{\"id\":7,\"user\":[],\"tags\":{},\"ipAddresses\":[1,null],\"lastSeen\":7,\"preAuthKey\":\"x\"},null,7]}"},
	 "GET /api/fleetscale/v1/nodes?limit=500 HTTP/1.1\r\n",
	 "",
	 0,
	 NULL,
	 ""},
};

static void answers_are_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fake fake = {.answers = {cases[i].answers[0], cases[i].answers[1]}};
		const char *last, *body;
		struct told told;

		fake_start(&fake);
		told = told_over(fake.path, cases[i].words);
		fake_end(&fake);
		last = fake.requests[fake.count - 1];
		body = strstr(last, "\r\n\r\n");
		assert_memory_equal(last, cases[i].request, strlen(cases[i].request));
		if (cases[i].body)
			assert_string_equal(body + 4, cases[i].body);
		if (cases[i].err)
			assert_string_equal(told.err, cases[i].err);
		if (cases[i].out)
			assert_string_equal(told.out, cases[i].out);
		assert_int_equal(told.status, cases[i].status);
		told_clear(&told);
	}
}

static void headers_say_who_and_where(void **state)
{
	struct fake fake = {.answers = {OK "{\"users\":[]}"}};
	struct told told;

	(void)state;
	setenv("FLEETSCALE_TAILNET", "not-this", 1);
	fake_start(&fake);
	told = told_over(fake.path, WORDS("users", "list", "--tailnet", "other"));
	fake_end(&fake);
	unsetenv("FLEETSCALE_TAILNET");
	assert_int_equal(told.status, CTL_DONE);
	assert_non_null(strstr(fake.requests[0], "\r\nFleetscale-Tailnet: other\r\n"));
	assert_null(strstr(fake.requests[0], "Authorization"));
	told_clear(&told);
}

static void nobody_there_is_told(void **state)
{
	struct told told = told_over("/nowhere/admin.sock", WORDS("nodes", "list"));

	(void)state;
	assert_int_equal(told.status, CTL_FAILED);
	assert_string_equal(told.out, "");
	assert_string_equal(told.err, "Error: no answer from unix socket /nowhere/admin.sock (No such file or directory): is a coordinator running there? "
				      "Name another with --server URL or --socket PATH\n");
	told_clear(&told);
}

static void secrets_come_from_files_too(void **state)
{
	char path[] = "/tmp/fs-ctl-key-XXXXXX";
	int fd = mkstemp(path);
	struct ctl c = {.arena = arena_new(), .err = fopen("/dev/null", "w")};

	(void)state;
	assert_int_equal(write(fd, "  hskey-api-x\n", 14), 14);
	setenv("FLEETSCALE_API_KEY_FILE", path, 1);
	assert_string_equal(ctl_secret(&c, "FLEETSCALE_API_KEY"), "hskey-api-x");
	setenv("FLEETSCALE_API_KEY", "hskey-api-y", 1);
	assert_string_equal(ctl_secret(&c, "FLEETSCALE_API_KEY"), "hskey-api-y");
	unsetenv("FLEETSCALE_API_KEY");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_null(ctl_secret(&c, "FLEETSCALE_API_KEY"));
	assert_int_equal(c.status, CTL_FAILED);
	unlink(path);
	assert_null(ctl_secret(&c, "FLEETSCALE_API_KEY"));
	unsetenv("FLEETSCALE_API_KEY_FILE");
	close(fd);
	fclose(c.err);
	arena_free(&c.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_shown),
		cmocka_unit_test(headers_say_who_and_where),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(secrets_come_from_files_too),
	};

	setenv("FLEETSCALE_CLI_CONFIG", "/nowhere/cli.yaml", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
