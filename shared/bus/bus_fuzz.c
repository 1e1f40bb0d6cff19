/* All users of a bus against a Redis that greets well and then says anything. The input: runs of a length (two bytes; the highest bit: on the
 * line of the messages, else of the commands) and that many bytes. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "notice.h"
#include "presence.h"
#include "roster.h"

#define SUBSCRIBED(len, channel) "*3\r\n$9\r\nsubscribe\r\n$" len "\r\n" channel "\r\n:1\r\n"

enum { TAILNETS = 2, NODES = 3, TURNS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static int listening;
static char url[64];

struct users {
	struct bus *bus;
	struct presence *presence;
	struct presence_view *view;
	struct roster *roster;
	struct roster_member *member;
	struct notice_listener *bells;
	unsigned known;
};

static void start(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	log_setup("fuzz", LOG_ERROR, LOG_TEXT);
	loop = loop_new();
	listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listening, (struct sockaddr *)&sa, len) || listen(listening, 16) || getsockname(listening, (struct sockaddr *)&sa, &len))
		abort();
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", ntohs(sa.sin_port));
}

static void turns(unsigned count)
{
	while (count--)
		loop_turn(loop, 0);
}

static void say(int fd, struct bytes text)
{
	if (text.len && send(fd, text.at, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		turns(1); /* the other end is gone */
}

static int accept_one(void)
{
	int fd = -1;
	for (unsigned i = 0; i < 200 && fd < 0; i++) {
		loop_turn(loop, 1);
		fd = accept(listening, NULL, NULL);
	}
	if (fd < 0)
		abort();
	return fd;
}

/* ---- users ---- */

static void on_replaced(void *context, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct users *u = context;
	presence_drop(u->presence, tailnet, node, session);
}

static void on_online(void *context, uint64_t tailnet, uint64_t node)
{
	struct users *u = context;
	(void)presence_online(u->view, tailnet, node);
}

static void on_known(void *context, uint64_t tailnet)
{
	struct users *u = context;
	(void)presence_certain(u->view, tailnet);
	if (++u->known > TAILNETS)
		abort();
}

static void on_bell(void *context, uint64_t tailnet, uint64_t generation)
{
	(void)context, (void)tailnet, (void)generation;
}

static void users_open(struct users *u)
{
	struct diag why;
	*u = (struct users){.bus = bus_new(loop, url, &why)};
	if (!u->bus)
		abort();
	u->presence = presence_new(u->bus, "us", on_replaced, u);
	u->view = presence_view_new(u->bus, 1000, on_online, u);
	u->roster = roster_new(u->bus, NULL, NULL);
	u->member = roster_announce(u->bus, "us-1", (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}, .port = 1});
	u->bells = notice_listen(u->bus, on_bell, NULL, NULL);
	for (uint64_t tailnet = 1; tailnet <= TAILNETS; tailnet++) {
		presence_follow(u->view, tailnet, on_known, u);
		for (uint64_t node = 1; node <= NODES; node++)
			presence_take(u->presence, tailnet, node, 100 + node);
	}
}

static void users_close(struct users *u)
{
	notice_unlisten(&u->bells);
	roster_withdraw(&u->member);
	roster_free(&u->roster);
	presence_view_free(&u->view);
	presence_free(&u->presence);
	bus_free(&u->bus);
	turns(2);
}

/* ---- Redis ---- */

static void talk(struct users *u, const int line[static 2], struct bytes in)
{
	struct endpoint picked;
	while (in.len > 2) {
		unsigned head = get_be16(in.at);
		in = bytes_skip(in, 2);
		struct bytes run = bytes_take(in, head & 0x7fff);
		say(line[head >> 15], run);
		turns(TURNS);
		in = bytes_skip(in, run.len);
		if (roster_pick(u->roster, 1, &picked) == ERR_NONE)
			roster_mark(u->roster, picked);
	}
	presence_drop(u->presence, 1, 1, 101);
	turns(TURNS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct users users;
	if (!loop)
		start();
	users_open(&users);
	int line[2];
	for (unsigned i = 0; i < 2; i++) {
		line[i] = accept_one();
		say(line[i], BYTES("+PONG\r\n"));
	}
	say(line[1], BYTES(SUBSCRIBED("7", "fs:bell") SUBSCRIBED("11", "fs:presence") SUBSCRIBED("9", "fs:roster")));
	turns(TURNS);
	talk(&users, line, bytes_of(data, size));
	/* Reset instead of a goodbye: no port rests. The users do not know yet. */
	for (unsigned i = 0; i < 2; i++) {
		setsockopt(line[i], SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
		close(line[i]);
	}
	users_close(&users);
	return 0;
}
