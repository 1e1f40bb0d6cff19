#include "storm.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "served.h"

struct stormer {
	pthread_t thread;
	struct endpoint at;
	const char *host;
	SSL_CTX *tls;
	uint64_t until_us, admitted, refused;
};

static void *connect_on(void *context)
{
	struct stormer *s = context;
	while (clock_mono_us() < s->until_us) {
		struct peerconn *c = peerconn_open(s->at, s->host, s->tls);
		s->admitted += !!c;
		s->refused += !c;
		peerconn_close(&c);
	}
	return NULL;
}

void storm_run(struct endpoint at, const char *host, SSL_CTX *tls, unsigned clients, double seconds, struct storm *result)
{
	struct stormer s[STORM_CLIENTS_MOST];
	uint64_t begun_us = clock_mono_us();
	struct served before = {0}, after = {0};
	*result = (struct storm){0};
	served_look(getpid(), &before);
	for (unsigned i = 0; i < clients; i++) {
		s[i] = (struct stormer){.at = at, .host = host, .tls = tls, .until_us = begun_us + (uint64_t)(seconds * 1e6)};
		if (pthread_create(&s[i].thread, NULL, connect_on, &s[i]))
			abort();
	}
	for (unsigned i = 0; i < clients; i++) {
		pthread_join(s[i].thread, NULL);
		result->admitted += s[i].admitted;
		result->refused += s[i].refused;
	}
	result->seconds = (double)(clock_mono_us() - begun_us) / 1e6;
	served_look(getpid(), &after);
	result->own_s = after.cpu_s - before.cpu_s;
}
