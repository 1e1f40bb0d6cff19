#include "stundoor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "limit.h"
#include "metrics_relay.h"
#include "stun.h"

enum {
	BATCH = 64, /* datagrams per system call */
	ROUNDS = 4, /* batches per turn, so that packets are not kept waiting */
	DATAGRAM_MAX = 1500,
	CONTROL_MAX = 128,
	RECEIVE_BUFFER = 1 << 20
};

/* Everything one batch needs, in and out; answers go where the requests came from. */
struct slot {
	uint8_t in[DATAGRAM_MAX], out[STUN_ANSWER_MAX];
	_Alignas(struct cmsghdr) char control[CONTROL_MAX];
	struct sockaddr_storage from;
	struct iovec vector;
};

struct stundoor {
	int fd;
	struct loop *loop;
	struct rate rate; /* of answers; a flood shall not take the loop from the relay's clients */
	struct limit limit;
	struct watch *watch;
	struct slot slot[BATCH];
	struct mmsghdr message[BATCH], answer[BATCH];
};

static void set_int(int fd, int level, int name, int value)
{
	(void)!setsockopt(fd, level, name, &value, sizeof value);
}

int stundoor_bind(struct endpoint at, struct diag *why)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	char text[ENDPOINT_TEXT_MAX];
	endpoint_format(text, at);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		diag_set(why, ERR_IO, "cannot make a UDP socket for %s: %s", text, strerror(errno));
		return -1;
	}
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (sa.ss_family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
		diag_set(why, ERR_IO, "cannot bind UDP %s: %s", text, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* The request's packet info names the address that was asked; given back, it becomes the answer's source. The interface is routing's choice. */
static void free_interface(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			info.ipi_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof info);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				info.ipi6_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof info);
		}
	}
}

static void prepare(struct stundoor *d)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct slot *s = &d->slot[i];
		s->vector = (struct iovec){.iov_base = s->in, .iov_len = sizeof s->in};
		d->message[i].msg_hdr = (struct msghdr){.msg_name = &s->from,
							.msg_namelen = sizeof s->from,
							.msg_iov = &s->vector,
							.msg_iovlen = 1,
							.msg_control = s->control,
							.msg_controllen = sizeof s->control};
	}
}

/* False: nothing to say. */
static bool answer(struct stundoor *d, struct slot *s, struct mmsghdr *message, struct mmsghdr *out)
{
	uint8_t id[STUN_ID_LEN];
	struct endpoint from = endpoint_from_sockaddr((struct sockaddr *)&s->from);
	if (message->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || from.ip.family == IP_NONE || stun_decode(bytes_of(s->in, message->msg_len), id)) {
		relay_count_at(RELAY_STUN_REQUESTS, RELAY_STUN_NOT_STUN, 1);
		return false;
	}
	if (!limit_take(&d->limit, d->rate, loop_now(d->loop))) {
		relay_count_at(RELAY_STUN_REQUESTS, RELAY_STUN_LIMITED, 1);
		return false;
	}
	s->vector = (struct iovec){.iov_base = s->out, .iov_len = stun_encode(s->out, id, from)};
	free_interface(&message->msg_hdr);
	*out = (struct mmsghdr){.msg_hdr = message->msg_hdr};
	out->msg_hdr.msg_flags = 0;
	relay_count_at(RELAY_STUN_FAMILY, from.ip.family == IP_V6, 1);
	return true;
}

static void send_answers(struct stundoor *d, unsigned count)
{
	unsigned sent = 0;
	while (sent < count) {
		int n = sendmmsg(d->fd, d->answer + sent, count - sent, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* The one at the front is at fault, such as a source that cannot be answered: the others go on. */
		if (n <= 0) {
			relay_count_at(RELAY_STUN_REQUESTS, RELAY_STUN_WRITE_ERROR, 1);
			n = 1;
		} else {
			relay_count_at(RELAY_STUN_REQUESTS, RELAY_STUN_SUCCESS, n);
		}
		sent += (unsigned)n;
	}
}

static void on_ready(void *context, unsigned ready)
{
	struct stundoor *d = context;
	(void)ready;
	for (unsigned round = 0; round < ROUNDS; round++) {
		prepare(d);
		int got = recvmmsg(d->fd, d->message, BATCH, MSG_DONTWAIT, NULL);
		if (got <= 0) {
			/* What the kernel tells of earlier answers (ECONNREFUSED) is no reason to stop. */
			if (got < 0 && errno != EAGAIN && errno != EINTR)
				relay_count_at(RELAY_STUN_REQUESTS, RELAY_STUN_READ_ERROR, 1);
			return;
		}
		unsigned count = 0;
		for (int i = 0; i < got; i++)
			count += answer(d, &d->slot[i], &d->message[i], &d->answer[count]);
		send_answers(d, count);
		if (got < BATCH)
			return;
	}
}

static struct rate rate_of(unsigned per_second)
{
	return (struct rate){.per_second = per_second, .burst = per_second / 10 + 1};
}

struct stundoor *stundoor_open(struct loop *loop, int fd, unsigned per_second)
{
	struct stundoor *d = x_zalloc(sizeof(*d));
	d->fd = fd;
	d->loop = loop;
	d->rate = rate_of(per_second);
	d->watch = watch_open(loop, fd, on_ready, d);
	watch_want(d->watch, WATCH_READ);
	return d;
}

void stundoor_set_rate(struct stundoor *d, unsigned per_second)
{
	if (d)
		d->rate = rate_of(per_second);
}

void stundoor_close(struct stundoor **door)
{
	struct stundoor *d = *door;
	*door = NULL;
	if (!d)
		return;
	watch_close(&d->watch);
	close(d->fd);
	free(d);
}
