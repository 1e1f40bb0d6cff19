#include "floor.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "noise.h"

enum { RECORD = 230, PLAIN = RECORD - NOISE_HEADER_LEN - NOISE_TAG_LEN };

static int listen_here(struct sockaddr_in *at)
{
	socklen_t len = sizeof *at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) || listen(fd, 16) || getsockname(fd, (struct sockaddr *)at, &len))
		abort();
	return fd;
}

static unsigned connect_pairs(unsigned count, int (*pairs)[2])
{
	struct sockaddr_in at;
	int listener = listen_here(&at);
	unsigned made = 0;

	for (; made < count; made++) {
		int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), in;

		if (out < 0 || connect(out, (struct sockaddr *)&at, sizeof at) || (in = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
			if (out >= 0)
				close(out);
			break;
		}
		pairs[made][0] = out;
		pairs[made][1] = in;
	}
	close(listener);
	return made;
}

static double thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool send_all(unsigned count, int (*pairs)[2], struct noise_cipher *ciphers, struct buffer *out)
{
	static const uint8_t plain[PLAIN];

	for (unsigned i = 0; i < count; i++) {
		buffer_reset(out);
		if (noise_seal(&ciphers[i], bytes_of(plain, sizeof plain), out) || send(pairs[i][0], out->at, out->len, MSG_NOSIGNAL) != RECORD)
			return false;
	}
	return true;
}

static bool drain_all(unsigned count, int (*pairs)[2])
{
	uint8_t record[RECORD];

	for (unsigned i = 0; i < count; i++)
		if (recv(pairs[i][1], record, sizeof record, MSG_WAITALL) != RECORD)
			return false;
	return true;
}

static bool best_of(unsigned rounds, unsigned count, int (*pairs)[2], double *us)
{
	struct noise_cipher *ciphers = x_zalloc(count * sizeof *ciphers);
	struct buffer out;
	bool good = true;

	buffer_init(&out, 4 * RECORD);
	*us = 0;
	for (unsigned round = 0; good && round < rounds; round++) {
		double from = thread_us(), each;

		good = send_all(count, pairs, ciphers, &out);
		each = (thread_us() - from) / count;
		good = good && drain_all(count, pairs);
		if (!round || each < *us)
			*us = each;
	}
	buffer_clear(&out);
	free(ciphers);
	return good;
}

bool floor_measure(unsigned connections, unsigned rounds, double *us)
{
	int(*pairs)[2] = x_alloc(connections * sizeof *pairs);
	unsigned made = connect_pairs(connections, pairs);
	bool good = made == connections && best_of(rounds, connections, pairs, us);

	for (unsigned i = 0; i < made; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	free(pairs);
	return good;
}
