/* A dial with a few subscriptions against a mapper that says anything behind a good handshake. The first byte tells how the polls behave. */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "log.h"
#include "noise.h"

#define SECRET BYTES("secret")

enum { POLLS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct dial *dial;
static int listening;
static struct endpoint at;
static uint8_t manner;

struct poll_end {
	struct subscription *s;
	unsigned frames, ends;
};

static void on_frame(void *context, uint64_t version, struct body *const *pieces, size_t count)
{
	struct poll_end *end = context;
	size_t sum = 0;
	(void)version;
	assert(!end->ends);
	for (size_t i = 0; i < count; i++)
		sum += pieces[i]->len;
	end->frames++;
	if (manner & 1)
		subscription_credit(end->s, false);
	if (manner & 2)
		subscription_credit(end->s, true);
	if (manner & 4 && sum % 5 == 0)
		subscription_close(&end->s);
}

static void on_end(void *context, enum err why, enum link_end reason)
{
	struct poll_end *end = context;
	(void)why;
	(void)reason;
	assert(!end->ends++);
}

static const struct subscription_events events = {on_frame, on_end};

static void start(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	log_setup("fuzz", LOG_ERROR, LOG_TEXT);
	loop = loop_new();
	dial = dial_new(loop, SECRET, NULL, NULL);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listening, (struct sockaddr *)&sa, len) || listen(listening, 16) || getsockname(listening, (struct sockaddr *)&sa, &len))
		abort();
	at = endpoint_from_sockaddr((struct sockaddr *)&sa);
}

static int accept_one(void)
{
	int fd = -1;
	for (int i = 0; i < 200 && fd < 0; i++) {
		loop_turn(loop, 1);
		fd = accept(listening, NULL, NULL);
	}
	return fd;
}

static bool greet(int fd, struct noise *noise)
{
	uint8_t message[NOISE_PSK_MESSAGE_LEN], answer[NOISE_PSK_MESSAGE_LEN];
	for (int i = 0; i < 50; i++) {
		loop_turn(loop, 1);
		if (recv(fd, message, sizeof(message), MSG_DONTWAIT) != sizeof(message))
			continue;
		return noise_psk_accept(SECRET, BYTES(LINK_PROLOGUE), bytes_of(message, sizeof(message)), answer, noise) == ERR_NONE &&
		       write(fd, answer, sizeof(answer)) == sizeof(answer);
	}
	return false;
}

static void say(int fd, struct bytes plain)
{
	struct noise noise;
	struct buffer out;
	if (!greet(fd, &noise))
		return;
	buffer_init(&out, 4 << 20);
	if (noise_seal(&noise.tx, plain, &out) == ERR_NONE && write(fd, out.at, out.len) < 0)
		loop_turn(loop, 0);
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loop)
		start();
	if (!size)
		return 0;
	struct poll_end polls[POLLS] = {0};
	manner = data[0];
	for (size_t i = 0; i < POLLS; i++)
		polls[i].s = dial_subscribe(dial, at, &(struct link_subscribe){.tailnet = 1, .node = i}, &events, &polls[i]);
	int fd = accept_one();
	if (fd < 0)
		abort();
	say(fd, bytes_of(data + 1, size - 1));
	for (int i = 0; i < 4; i++)
		loop_turn(loop, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
	close(fd);
	size_t left = POLLS;
	for (int i = 0; i < 200 && left; i++) {
		loop_turn(loop, 1);
		left = 0;
		for (size_t k = 0; k < POLLS; k++)
			left += polls[k].s && !polls[k].ends;
	}
	assert(!left);
	for (size_t i = 0; i < POLLS; i++)
		subscription_close(&polls[i].s);
	return 0;
}
