#include "stunprobe.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "key.h"
#include "mem.h"
#include "stun.h"

enum { TRIES = 3, TRY_MS = 700, ANSWER_MAX = 1500, READS = 16 };

struct stunprobe {
	struct loop *loop;
	struct endpoint to;
	void (*on_done)(void *context, int64_t us);
	void *context;
	int fd;
	struct watch *watch;
	unsigned tries;
	uint8_t id[TRIES][STUN_ID_LEN];
	uint64_t sent_us[TRIES];
	struct timer next;
};

static void on_answer(void *context, unsigned ready)
{
	struct stunprobe *p = context;
	uint8_t datagram[ANSWER_MAX];
	(void)ready;
	for (unsigned reads = 0; reads < READS; reads++) {
		ssize_t len = recv(p->fd, datagram, sizeof datagram, MSG_DONTWAIT);
		if (len < 0)
			return;
		for (unsigned i = 0; i < p->tries; i++) {
			if (stun_is_answer(bytes_of(datagram, (size_t)len), p->id[i])) {
				p->on_done(p->context, (int64_t)(clock_mono_us() - p->sent_us[i]));
				return;
			}
		}
	}
}

static void on_next(void *context)
{
	struct stunprobe *p = context;
	uint8_t request[STUN_REQUEST_LEN];
	if (p->tries == TRIES || p->fd < 0) {
		p->on_done(p->context, -1);
		return;
	}
	random_fill(p->id[p->tries], STUN_ID_LEN);
	stun_encode_request(request, p->id[p->tries]);
	p->sent_us[p->tries++] = clock_mono_us();
	(void)!send(p->fd, request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL);
	timer_set(&p->next, TRY_MS);
}

struct stunprobe *stunprobe_new(struct loop *loop, struct endpoint to, void (*on_done)(void *context, int64_t us), void *context)
{
	struct stunprobe *p = x_zalloc(sizeof *p);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(to, &sa);
	*p = (struct stunprobe){.loop = loop, .to = to, .on_done = on_done, .context = context};
	p->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Connected: answers of others do not come in. */
	if (p->fd >= 0 && connect(p->fd, (struct sockaddr *)&sa, len) < 0) {
		close(p->fd);
		p->fd = -1;
	}
	if (p->fd >= 0) {
		p->watch = watch_open(loop, p->fd, on_answer, p);
		watch_want(p->watch, WATCH_READ);
	}
	timer_init(&p->next, loop, on_next, p);
	timer_set(&p->next, 0);
	return p;
}

void stunprobe_free(struct stunprobe **probe)
{
	struct stunprobe *p = *probe;
	*probe = NULL;
	if (!p)
		return;
	timer_cancel(&p->next);
	watch_close(&p->watch);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}
