#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "served.h"

enum {
	EVENTS = 512,
	READS = 4,
	STALLED_NS = 200000000,
	BURST_MOST = 64,
	/* Real-time priority ends for a while when it is used for more than 95 % of a second. */
	AWAKE_NS = 20000000,
	REST_NS = 2000000,
	HOME_NS = 5000000 /* packets that are not back by then are lost */
};

/* What a packet says; the rest of it is filler. */
struct note {
	uint64_t number, sent_ns;
	uint64_t back; /* on its way back */
};

struct side {
	struct peerconn *conn;
	struct pair *pair;
	bool second;
	unsigned waiting_for; /* epoll events */
};

struct pair {
	struct run *run;
	struct side side[2];
	uint64_t next, arrived; /* numbers */
	unsigned credit;        /* closed loop: may be sent now */
	uint64_t moved_ns;
	uint64_t due; /* open loop: have been due so far */
};

struct run {
	const struct drive *d;
	struct driven *result;
	struct pair *pairs;
	int epoll;
	uint64_t now_ns, begun_ns;
	uint64_t rested_ns, awake_ns; /* all rests so far; since when there was none */
	bool counting;
	uint8_t packet[PEERCONN_PACKET_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double own_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool send_one(struct pair *p)
{
	struct run *r = p->run;
	struct note note = {.number = p->next++, .sent_ns = now_ns()};

	memcpy(r->packet, &note, sizeof note);
	if (r->counting)
		r->result->offered++;
	if (peerconn_send(p->side[0].conn, &p->side[1].conn->key, bytes_of(r->packet, r->d->size)))
		return true;
	p->next--;
	if (r->counting)
		r->result->refused++;
	return false;
}

/* One packet has made its way. */
static void arrive(struct pair *p, const struct note *note)
{
	struct run *r = p->run;
	uint64_t gap = note->number >= p->arrived ? note->number - p->arrived : 0;

	p->arrived = note->number + 1;
	p->credit += 1 + (unsigned)gap;
	p->moved_ns = r->now_ns;
	if (!r->counting)
		return;
	r->result->delivered++;
	r->result->lost += gap;
	stats_add(&r->result->us, (now_ns() - note->sent_ns) / 1000);
}

static void on_packet(void *context, struct bytes packet)
{
	struct side *s = context;
	struct run *r = s->pair->run;
	struct note note;

	if (packet.len < sizeof note)
		return;
	memcpy(&note, packet.at, sizeof note);
	if (s->second && r->d->echo) {
		note.back = 1;
		memcpy(r->packet, &note, sizeof note);
		(void)!peerconn_send(s->conn, &s->pair->side[0].conn->key, bytes_of(r->packet, r->d->size));
	} else {
		arrive(s->pair, &note);
	}
}

static void watch(struct run *r, struct side *s)
{
	unsigned wanted = EPOLLIN | (s->conn->blocked ? EPOLLOUT : 0u);
	struct epoll_event e = {.events = wanted, .data.ptr = s};

	if (wanted == s->waiting_for)
		return;
	if (epoll_ctl(r->epoll, s->waiting_for ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->conn->fd, &e) < 0)
		abort();
	s->waiting_for = wanted;
}

static void push(struct run *r, struct side *s)
{
	peerconn_flush(s->conn);
	watch(r, s);
}

/* Closed loop: what came back may go out again; what was lost on the way comes back after a while. */
static void send_by_credit(struct run *r, struct pair *p)
{
	if (!p->credit && r->now_ns - p->moved_ns > STALLED_NS) {
		p->credit = r->d->in_flight;
		p->moved_ns = r->now_ns;
	}
	while (p->credit && send_one(p))
		p->credit--;
}

/* Open loop: what has become due since. */
static void send_by_clock(struct run *r, struct pair *p)
{
	size_t index = (size_t)(p - r->pairs);
	/* Pairs do not send in step. */
	double each = r->d->rate / r->d->pairs, shift = (double)index / r->d->pairs;
	uint64_t due = (uint64_t)((double)(r->now_ns - r->begun_ns - r->rested_ns) / 1e9 * each + shift);

	for (unsigned i = 0; p->due < due && i < BURST_MOST; i++, p->due++)
		(void)!send_one(p);
	if (p->due < due && r->counting) {
		r->result->offered += due - p->due;
		r->result->refused += due - p->due;
	}
	p->due = due;
}

static bool any_broken(const struct run *r)
{
	for (unsigned i = 0; i < r->d->pairs; i++)
		for (unsigned k = 0; k < 2; k++)
			if (r->pairs[i].side[k].conn->broken)
				return true;
	return false;
}

/* Until the next packet is due: who spins would take the processor from others. */
static struct timespec patience(const struct run *r)
{
	double wait_ns = r->d->keen ? 0 : r->d->rate > 0 ? 1e9 / r->d->rate : 1e7;
	return (struct timespec){.tv_nsec = (long)(wait_ns < 1e7 ? wait_ns : 1e7)};
}

static void receive(struct run *r)
{
	struct epoll_event events[EVENTS];
	struct timespec wait = patience(r);
	int count = epoll_pwait2(r->epoll, events, EVENTS, &wait, NULL);

	r->now_ns = now_ns();
	for (int i = 0; i < count; i++) {
		struct side *s = events[i].data.ptr;
		if (events[i].events & ~(unsigned)EPOLLOUT)
			(void)!peerconn_read(s->conn, READS, on_packet, s);
		if (s->conn->out.len)
			push(r, s);
	}
}

static bool all_home(const struct run *r)
{
	for (unsigned i = 0; i < r->d->pairs; i++)
		if (r->pairs[i].arrived != r->pairs[i].next)
			return false;
	return true;
}

/* Its time does not count. */
static void rest(struct run *r)
{
	const struct timespec time = {.tv_nsec = REST_NS};
	uint64_t from = r->now_ns;

	while (!all_home(r) && r->now_ns - from < HOME_NS)
		receive(r);
	(void)nanosleep(&time, NULL);
	r->now_ns = r->awake_ns = now_ns();
	r->rested_ns += r->now_ns - from;
}

/* For so long, rests not counted. */
static bool turn_for(struct run *r, double seconds)
{
	uint64_t end_ns = r->now_ns - r->rested_ns + (uint64_t)(seconds * 1e9);

	while (r->now_ns - r->rested_ns < end_ns) {
		receive(r);
		if (r->d->keen && r->now_ns - r->awake_ns > AWAKE_NS)
			rest(r);
		for (unsigned i = 0; i < r->d->pairs; i++) {
			struct pair *p = &r->pairs[i];
			if (r->d->rate > 0)
				send_by_clock(r, p);
			else
				send_by_credit(r, p);
			if (p->side[0].conn->out.len && !p->side[0].conn->blocked)
				push(r, &p->side[0]);
		}
		if (any_broken(r)) {
			fprintf(stderr, "relayload: the relay has closed a connection\n");
			return false;
		}
	}
	return true;
}

static bool open_pair(struct run *r, struct pair *p)
{
	const struct drive *d = r->d;

	*p = (struct pair){.run = r, .credit = d->in_flight, .moved_ns = now_ns()};
	struct peerconn *ends[2] = {NULL};
	if (d->direct && !peerconn_join(ends))
		return false;
	for (unsigned k = 0; k < 2; k++) {
		struct side *s = &p->side[k];
		*s = (struct side){.conn = d->direct ? ends[k] : peerconn_open(k && d->second_at.port ? d->second_at : d->at, d->host, d->tls),
				   .pair = p,
				   .second = k == 1};
		if (!s->conn)
			return false;
		s->conn->per_write = d->per_write;
		watch(r, s);
	}
	return true;
}

static bool measure(struct run *r)
{
	const struct drive *d = r->d;
	struct driven *result = r->result;
	struct served before = {0}, after = {0};
	r->begun_ns = r->awake_ns = r->now_ns = now_ns();
	if (!turn_for(r, d->warm_s))
		return false;
	r->counting = true;
	uint64_t from = now_ns(), rested = r->rested_ns;
	double own = own_s();
	(void)!served_look(d->pid, &before);
	if (!turn_for(r, d->seconds))
		return false;
	(void)!served_look(d->pid, &after);
	result->own_s = own_s() - own;
	result->server_s = after.cpu_s - before.cpu_s;
	result->seconds = (double)(now_ns() - from - (r->rested_ns - rested)) / 1e9;
	return true;
}

bool drive_run(const struct drive *d, struct driven *result)
{
	(void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	struct run r = {.d = d, .result = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	bool good = true;

	*result = (struct driven){0};
	for (size_t i = 0; i < sizeof r.packet; i++)
		r.packet[i] = (uint8_t)(i * 7);
	r.pairs = x_zalloc(d->pairs * sizeof *r.pairs);
	for (unsigned i = 0; i < d->pairs && good; i++)
		good = open_pair(&r, &r.pairs[i]);
	if (good)
		good = measure(&r);
	for (unsigned i = 0; i < d->pairs; i++)
		for (unsigned k = 0; k < 2; k++)
			peerconn_close(&r.pairs[i].side[k].conn);
	close(r.epoll);
	free(r.pairs);
	return good;
}
