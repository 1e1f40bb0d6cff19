/* relayload: load for any DERP server, one measurement per call, one JSON line as its answer. integration/relayload/run makes a bench of many. */
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "drive.h"
#include "idle.h"
#include "storm.h"
#include "straight.h"
#include "text.h"

enum { HOST_MAX = 256 };

static const char usage_text[] =
	"usage: relayload --straight [--size BYTES] [--gather N]\n"
	"       relayload --direct [as with --url: pairs are connected with each other, without a relay]\n"
	"       relayload --url http[s]://ADDRESS:PORT [--pid PID] [--host NAME] [--pairs N] [--size BYTES] [--gather PACKETS PER WRITE]\n"
	"                 [--in-flight N | --rate PACKETS PER SECOND] [--echo] [--keen] [--warm SECONDS] [--seconds SECONDS]\n"
	"                 [--second ADDRESS:PORT OF A SIBLING, WHERE THE SECOND OF EACH PAIR IS]\n"
	"       relayload --url ... --pid PID --idle CONNECTIONS [--settle SECONDS]\n"
	"       relayload --url ... --storm CLIENTS [--seconds SECONDS]\n";

static int wrong_use(void)
{
	fputs(usage_text, stderr);
	return 2;
}

struct words {
	struct drive drive;
	bool straight, url;
	unsigned idle, storm;
	double settle_s;
};

static bool read_count(const char *text, uint64_t most, unsigned *value)
{
	uint64_t number;

	if (text_parse_u64(bytes_text(text), most, &number) || !number)
		return false;
	*value = (unsigned)number;
	return true;
}

static bool read_real(const char *text, double most, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return *text && !*end && isfinite(*value) && *value > 0 && *value <= most;
}

static bool read_url(struct words *w, const char *text)
{
	static const char plain[] = "http://", secure[] = "https://";
	bool tls = !strncmp(text, secure, sizeof secure - 1);

	if (!tls && strncmp(text, plain, sizeof plain - 1) != 0)
		return false;
	w->drive.tls = tls ? peerconn_tls() : NULL;
	w->url = true;
	return !endpoint_parse(bytes_text(text + (tls ? sizeof secure : sizeof plain) - 1), &w->drive.at);
}

static bool take(struct words *w, int option, const char *text)
{
	struct drive *d = &w->drive;
	unsigned pid;

	switch (option) {
	case 'u':
		return read_url(w, text);
	case 'h':
		return strlen(d->host = text) < HOST_MAX;
	case 'P':
		return read_count(text, INT32_MAX, &pid) && (d->pid = (int)pid);
	case 'n':
		return read_count(text, DRIVE_PAIRS_MOST, &d->pairs);
	case 's':
		return read_count(text, PEERCONN_PACKET_MAX, &d->size) && d->size >= DRIVE_PACKET_LEAST;
	case 'g':
		return read_count(text, PEERCONN_WAITING, &d->per_write);
	case 'f':
		return read_count(text, PEERCONN_WAITING, &d->in_flight);
	case 'r':
		return read_real(text, 1e8, &d->rate);
	case 'e':
		return d->echo = true;
	case 'w':
		return read_real(text, 600, &d->warm_s);
	case 't':
		return read_real(text, 600, &d->seconds);
	case 'i':
		return read_count(text, 100000, &w->idle);
	case 'l':
		return read_real(text, 600, &w->settle_s);
	case 'c':
		return read_count(text, STORM_CLIENTS_MOST, &w->storm);
	case 'b':
		return !endpoint_parse(bytes_text(text), &d->second_at) && d->second_at.port;
	case 'k':
		return d->keen = true;
	case 'd':
		return d->direct = true;
	case 'S':
		return w->straight = true;
	default:
		return false;
	}
}

static bool parse(struct words *w, int argc, char **argv)
{
	static const struct option options[] = {{"url", required_argument, NULL, 'u'},
						{"host", required_argument, NULL, 'h'},
						{"pid", required_argument, NULL, 'P'},
						{"pairs", required_argument, NULL, 'n'},
						{"size", required_argument, NULL, 's'},
						{"gather", required_argument, NULL, 'g'},
						{"in-flight", required_argument, NULL, 'f'},
						{"rate", required_argument, NULL, 'r'},
						{"echo", no_argument, NULL, 'e'},
						{"warm", required_argument, NULL, 'w'},
						{"seconds", required_argument, NULL, 't'},
						{"idle", required_argument, NULL, 'i'},
						{"settle", required_argument, NULL, 'l'},
						{"storm", required_argument, NULL, 'c'},
						{"straight", no_argument, NULL, 'S'},
						{"direct", no_argument, NULL, 'd'},
						{"keen", no_argument, NULL, 'k'},
						{"second", required_argument, NULL, 'b'},
						{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take(w, option, optarg ? optarg : ""))
			return false;
	return optind == argc && (w->straight || w->drive.direct || w->url) && (!w->idle || w->drive.pid) && (!w->storm || w->url);
}

static int run_idle(const struct words *w)
{
	struct idle found;

	if (!idle_run(w->drive.at, w->drive.host, w->drive.tls, w->drive.pid, w->idle, w->settle_s, &found))
		return 1;
	printf("{\"connections\": %u, \"connected_bytes\": %.0f, \"used_bytes\": %.0f, \"connect_s\": %.2f, \"server_s\": %.2f}\n", w->idle, found.connected,
	       found.used, found.connect_s, found.server_s);
	return 0;
}

static int run_storm(const struct words *w)
{
	struct storm r;

	storm_run(w->drive.at, w->drive.host, w->drive.tls, w->storm, w->drive.seconds, &r);
	printf("{\"seconds\": %.3f, \"admitted\": %lu, \"refused\": %lu, \"admitted_per_s\": %.0f, \"own_s\": %.3f}\n", r.seconds, r.admitted, r.refused,
	       (double)r.admitted / r.seconds, r.own_s);
	return r.refused ? 1 : 0;
}

static int run_drive(const struct drive *d)
{
	static struct driven r;

	if (!drive_run(d, &r))
		return 1;
	printf("{\"seconds\": %.3f, \"offered\": %lu, \"refused\": %lu, \"lost\": %lu, \"delivered\": %lu, \"packets_per_s\": %.0f, "
	       "\"server_s\": %.3f, \"own_s\": %.3f, \"packets_per_cpu_s\": %.0f, \"p50_us\": %lu, \"p99_us\": %lu, \"p999_us\": %lu}\n",
	       r.seconds, r.offered, r.refused, r.lost, r.delivered, (double)r.delivered / r.seconds, r.server_s, r.own_s,
	       r.server_s > 0 ? (double)r.delivered * (d->echo ? 2 : 1) / r.server_s : 0, stats_quantile(&r.us, 0.5), stats_quantile(&r.us, 0.99),
	       stats_quantile(&r.us, 0.999));
	return 0;
}

int main(int argc, char **argv)
{
	struct words w = {.drive = {.host = "127.0.0.1", .pairs = 10, .size = 1200, .per_write = 1, .in_flight = 30, .warm_s = 1, .seconds = 5}, .settle_s = 3};
	struct rlimit limit;

	if (!parse(&w, argc, argv))
		return wrong_use();
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (w.straight) {
		printf("{\"size\": %u, \"batch\": %u, \"us\": %.3f}\n", w.drive.size, w.drive.per_write, straight_us(w.drive.size, w.drive.per_write));
		return 0;
	}
	return w.idle ? run_idle(&w) : w.storm ? run_storm(&w) : run_drive(&w.drive);
}
