#include "idle.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "served.h"

enum { BEFOREHAND = 32, PATIENCE_MS = 5000, PACKET = 1200 };

static void on_packet(void *context, struct bytes packet)
{
	unsigned *count = context;

	*count += packet.len == PACKET;
}

/* To itself and back. */
static bool carry_one(struct peerconn *c)
{
	static const uint8_t packet[PACKET];
	uint64_t begun = clock_mono_us();
	unsigned came = 0;

	if (!peerconn_send(c, &c->key, bytes_of(packet, sizeof packet)))
		return false;
	peerconn_flush(c);
	while (!came && !c->broken && clock_mono_us() - begun < PATIENCE_MS * 1000) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		(void)poll(&p, 1, 100);
		(void)!peerconn_read(c, 4, on_packet, &came);
	}
	return came && !c->out.len;
}

static unsigned open_all(struct peerconn **conns, unsigned count, struct endpoint at, const char *host, SSL_CTX *tls)
{
	unsigned made = 0;

	while (made < count && (conns[made] = peerconn_open(at, host, tls)))
		made++;
	return made;
}

static void close_all(struct peerconn **conns, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		peerconn_close(&conns[i]);
}

static bool measure(struct peerconn **conns, unsigned count, int pid, double settle_s, const struct served *from, struct idle *result)
{
	struct served s;

	usleep((useconds_t)(settle_s * 1e6));
	if (!served_look(pid, &s))
		return false;
	result->connected = (double)(int64_t)(s.rss - from->rss) / count;
	for (unsigned i = 0; i < count; i++)
		if (!carry_one(conns[i])) {
			fprintf(stderr, "relayload: an idle connection carries nothing\n");
			return false;
		}
	usleep((useconds_t)(settle_s * 1e6));
	if (!served_look(pid, &s))
		return false;
	result->used = (double)(int64_t)(s.rss - from->rss) / count;
	return true;
}

bool idle_run(struct endpoint at, const char *host, SSL_CTX *tls, int pid, unsigned count, double settle_s, struct idle *result)
{
	struct peerconn **conns = x_zalloc((count + BEFOREHAND) * sizeof *conns);
	/* The first ones fill the server's pools and caches. */
	unsigned made = open_all(conns, BEFOREHAND, at, host, tls);
	bool good = made == BEFOREHAND;
	struct served from, then;

	for (unsigned i = 0; i < made && good; i++)
		good = carry_one(conns[i]);
	usleep(200000);
	good = good && served_look(pid, &from);
	if (good) {
		uint64_t begun = clock_mono_us();
		made += open_all(conns + BEFOREHAND, count, at, host, tls);
		result->connect_s = (double)(clock_mono_us() - begun) / 1e6;
		good = made == count + BEFOREHAND && served_look(pid, &then);
	}
	if (good) {
		result->server_s = then.cpu_s - from.cpu_s;
		good = measure(conns + BEFOREHAND, count, pid, settle_s, &from, result);
	}
	close_all(conns, made);
	free(conns);
	return good;
}
