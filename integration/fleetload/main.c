#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"
#include "scenario.h"
#include "text.h"

enum { SERVERS_MOST = 16, AUTH_KEYS_MOST = 16, NODES_MOST = 20000, ANSWER_MAX = 8192, CAPVER = 142, FLOOR_CONNECTIONS = 4000, FLOOR_ROUNDS = 10 };

static const char usage_text[] =
	"usage: fleetload --calibrate\n"
	"       fleetload --server HOST:PORT [--server ...] --auth-key KEY [--auth-key ...] [--other-auth-key KEY] [--state up.json] [--nodes N] [--models N]\n"
	"                 [--window N] [--joins N] [--seconds N] [--seed N] [--set-policy PROGRAM] S1|M|S2|J|S5|R|all ...\n";

static int wrong_use(const char *why)
{
	fprintf(stderr, "fleetload: %s\n%s", why, usage_text);
	return 2;
}

/* GET /key on a plain socket: once per run, so it may block. */
static bool fetch_key(struct endpoint server, struct public_key *key)
{
	static const char request[] = "GET /key?v=142 HTTP/1.1\r\nHost: fleetload\r\nConnection: close\r\n\r\n", field[] = "\"publicKey\":\"";
	struct timeval patience = {.tv_sec = 10};
	struct sockaddr_storage to;
	socklen_t to_len = endpoint_to_sockaddr(server, &to);
	char answer[ANSWER_MAX];
	size_t len = 0;
	ssize_t got;
	const char *at;
	struct machine_key found;
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) || connect(fd, (struct sockaddr *)&to, to_len) ||
	    send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		return false;
	}
	while (len < sizeof answer && (got = recv(fd, answer + len, sizeof answer - len, 0)) > 0)
		len += (size_t)got;
	close(fd);
	at = memmem(answer, len, field, sizeof field - 1);
	if (!at)
		return false;
	at += sizeof field - 1;
	if (key_parse_machine(bytes_take(bytes_of(at, len - (size_t)(at - answer)), sizeof "mkey:" - 1 + 2 * KEY_LEN), &found))
		return false;
	memcpy(key->raw, found.raw, KEY_LEN);
	return true;
}

static unsigned scenario_named(const char *name)
{
	static const struct {
		const char *name;
		unsigned what;
	} names[] = {{"S1", SCENARIO_S1}, {"M", SCENARIO_M}, {"S2", SCENARIO_S2},  {"J", SCENARIO_J},
		     {"S5", SCENARIO_S5}, {"R", SCENARIO_R}, {"all", SCENARIO_ALL}};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (!strcmp(name, names[i].name))
			return names[i].what;
	return 0;
}

static bool read_count(const char *text, uint64_t most, unsigned *value)
{
	uint64_t number;

	if (text_parse_u64(bytes_text(text), most, &number) || !number)
		return false;
	*value = (unsigned)number;
	return true;
}

static struct endpoint servers[SERVERS_MOST];
static const char *auth_keys[AUTH_KEYS_MOST];

struct arguments {
	struct scenario_options options;
	const char *state;
	bool calibrate;
};

static bool take(struct arguments *a, int option, const char *text)
{
	struct scenario_options *o = &a->options;

	switch (option) {
	case 'c':
		return a->calibrate = true;
	case 's':
		return o->target.server_count < SERVERS_MOST && !endpoint_parse(bytes_text(text), &servers[o->target.server_count++]);
	case 'k':
		return *text && o->target.auth_key_count < AUTH_KEYS_MOST && (auth_keys[o->target.auth_key_count++] = text);
	case 'p':
		return *(o->set_policy = text);
	case 'o':
		o->other_auth_key = text;
		return *text;
	case 'f':
		return procs_load(&o->procs, a->state = text);
	case 'n':
		return read_count(text, NODES_MOST, &o->nodes) && o->nodes > 1;
	case 'm':
		return read_count(text, 1000, &o->models);
	case 'w':
		return read_count(text, NODES_MOST, &o->window);
	case 'j':
		return read_count(text, 1000, &o->joins);
	case 't':
		return read_count(text, 60, &o->seconds);
	case 'S':
		return !text_parse_u64(bytes_text(text), UINT64_MAX, &o->target.seed);
	default:
		return false;
	}
}

static bool parse(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {{"calibrate", no_argument, NULL, 'c'},
						{"server", required_argument, NULL, 's'},
						{"auth-key", required_argument, NULL, 'k'},
						{"other-auth-key", required_argument, NULL, 'o'},
						{"state", required_argument, NULL, 'f'},
						{"nodes", required_argument, NULL, 'n'},
						{"models", required_argument, NULL, 'm'},
						{"window", required_argument, NULL, 'w'},
						{"joins", required_argument, NULL, 'j'},
						{"seconds", required_argument, NULL, 't'},
						{"seed", required_argument, NULL, 'S'},
						{"set-policy", required_argument, NULL, 'p'},
						{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take(a, option, optarg ? optarg : ""))
			return false;
	for (; optind < argc; optind++) {
		unsigned what = scenario_named(argv[optind]);

		if (!what)
			return false;
		a->options.what |= what;
	}
	return a->calibrate || (a->options.what && a->options.target.server_count && a->options.target.auth_key_count);
}

static void allow_sockets(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct arguments a = {.options = {.nodes = 100,
					  .models = 10,
					  .window = 256,
					  .joins = 10,
					  .seconds = 10,
					  .target = {.servers = servers, .auth_keys = auth_keys, .capver = CAPVER, .seed = 1}}};
	static struct figures figures;
	bool good = true;

	if (!parse(&a, argc, argv))
		return wrong_use("these words make no run");
	signal(SIGPIPE, SIG_IGN);
	allow_sockets();
	if (!floor_measure(FLOOR_CONNECTIONS, FLOOR_ROUNDS, &a.options.floor_us))
		fprintf(stderr, "fleetload: no floor: too few sockets allowed\n");
	else
		figures_add(&figures, "floor", FLOOR_CONNECTIONS, "seal and send 230 B", a.options.floor_us, "us CPU");
	if (!a.calibrate) {
		if (!fetch_key(servers[0], &a.options.target.server_key)) {
			fprintf(stderr, "fleetload: no answer to GET /key\n");
			return 1;
		}
		a.options.target.loop = loop_new();
		good = scenario_run(&a.options, &figures);
		loop_free(&a.options.target.loop);
	}
	figures_print(&figures);
	return good && !figures.broken ? 0 : 1;
}
