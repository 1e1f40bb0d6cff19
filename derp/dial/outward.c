#include "outward.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "linktls.h"
#include "pipe.h"
#include "worker.h"

enum { DIAL_MS = 5000, IN_CAP = 1 << 20, PLAIN_CAP = 4 << 20, REQUEST_MAX = DERPNODE_HOST_MAX + 192 };

struct lookup {
	struct outward *outward; /* NULL: nobody waits any more */
	char host[DERPNODE_HOST_MAX + 1];
	struct ip found;
};

struct outward {
	struct loop *loop;
	struct outward_wish wish;
	const struct outward_events *events;
	void *context;
	struct buffer first;
	struct lookup *lookup;
	struct endpoint peer;
	struct pipe *pipe;
	struct linktls *tls;
	struct buffer plain, sealed;
	bool connected, asked, closed;
	struct defer starting, ending;
};

static void on_freed(void *context)
{
	free(context);
}

void outward_close(struct outward **outward)
{
	struct outward *o = *outward;
	*outward = NULL;
	if (!o)
		return;
	o->closed = true;
	if (o->lookup)
		o->lookup->outward = NULL;
	pipe_close(&o->pipe);
	linktls_free(&o->tls);
	buffer_clear(&o->first);
	buffer_clear(&o->plain);
	buffer_clear(&o->sealed);
	defer_cancel(&o->starting);
	loop_defer(o->loop, &o->ending);
}

static void end(struct outward *o, const char *why)
{
	if (!o->closed)
		o->events->on_end(o->context, why);
}

/* ---- what is said ---- */

static bool flush(struct outward *o)
{
	return !o->sealed.len || !pipe_write(o->pipe, &o->sealed);
}

bool outward_say(struct outward *o, struct bytes text)
{
	enum err e = o->tls ? linktls_seal(o->tls, text, &o->sealed) : buffer_add(&o->sealed, text);
	return !e && flush(o);
}

size_t outward_unsent(const struct outward *o)
{
	return pipe_unsent(o->pipe);
}

struct endpoint outward_peer(const struct outward *o)
{
	return o->peer;
}

bool outward_asked(const struct outward *o)
{
	return o->asked;
}

static bool ask(struct outward *o)
{
	const struct derpnode *to = &o->wish.to;
	bool bare = strchr(to->host, ':');
	uint16_t usual = o->wish.plain ? 80 : 443;
	char request[REQUEST_MAX], port[8] = "";
	if (to->port != usual)
		snprintf(port, sizeof port, ":%u", to->port);
	int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\nUser-Agent: fleetscale\r\n%s\r\n",
			   o->wish.probe ? "/derp/probe" : "/derp", bare ? "[" : "", to->host, bare ? "]" : "", port,
			   o->wish.probe ? "Connection: close\r\n" : "Connection: Upgrade\r\nUpgrade: DERP\r\n");
	o->asked = true;
	return outward_say(o, bytes_of(request, (size_t)len));
}

/* ---- what comes ---- */

static void show(struct outward *o, enum err e, const char *why)
{
	o->events->on_data(o->context, &o->plain);
	if (o->closed)
		return;
	if (e)
		end(o, why);
	else if (!o->plain.len)
		buffer_clear(&o->plain);
}

static void turn(struct outward *o, struct buffer *in)
{
	struct diag why = {.text = ""};
	bool was_ready = o->asked;
	enum err e = linktls_turn(o->tls, in, &o->plain, &o->sealed, &why);
	if (!flush(o) || (!e && !was_ready && linktls_ready(o->tls) && !ask(o)))
		e = ERR_IO;
	show(o, e, *why.text ? why.text : "the connection broke");
}

static void on_data(void *context, struct buffer *in)
{
	struct outward *o = context;
	if (o->tls) {
		turn(o, in);
		return;
	}
	enum err e = buffer_add(&o->plain, buffer_bytes(in));
	buffer_consume(in, in->len);
	show(o, e, "it says too much");
}

static void on_connected(struct outward *o)
{
	struct buffer none;
	o->connected = true;
	o->events->on_connected(o->context);
	if (o->closed)
		return;
	bool good = !o->first.len || !pipe_write(o->pipe, &o->first);
	if (good && o->tls) {
		buffer_init(&none, 1);
		turn(o, &none);
	} else if (!good || !ask(o)) {
		end(o, "cannot write");
	}
}

static void on_written(void *context)
{
	struct outward *o = context;
	if (o->connected)
		o->events->on_written(o->context);
	else
		on_connected(o);
}

static void on_end(void *context, enum err why)
{
	end(context, err_text(why));
}

static const struct pipe_events events = {.on_data = on_data, .on_written = on_written, .on_end = on_end};

/* ---- dialing ---- */

static void connect_to(struct outward *o, struct ip ip)
{
	o->peer = (struct endpoint){ip, o->wish.to.port};
	o->pipe = pipe_connect(o->loop, o->peer, DIAL_MS, IN_CAP, &events, o);
	pipe_set_out_cap(o->pipe, o->wish.out_cap);
}

static void look_up(void *context)
{
	struct lookup *k = context;
	struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
	if (!getaddrinfo(k->host, NULL, &hints, &found) && found)
		k->found = endpoint_from_sockaddr(found->ai_addr).ip;
	if (found)
		freeaddrinfo(found);
}

static void on_looked_up(void *context)
{
	struct lookup *k = context;
	struct outward *o = k->outward;
	if (o) {
		o->lookup = NULL;
		if (k->found.family == IP_NONE)
			end(o, "its name leads nowhere");
		else
			connect_to(o, k->found);
	}
	free(k);
}

static void on_start(void *context)
{
	struct outward *o = context;
	const struct derpnode *to = &o->wish.to;
	struct ip ip = to->ip4.family != IP_NONE ? to->ip4 : to->ip6;
	if (ip.family != IP_NONE || !ip_parse(bytes_text(to->host), &ip)) {
		connect_to(o, ip);
		return;
	}
	struct lookup *k = x_zalloc(sizeof *k);
	memcpy(k->host, to->host, sizeof k->host);
	k->outward = o;
	o->lookup = k;
	task_run(o->loop, look_up, on_looked_up, k);
}

struct outward *outward_open(struct loop *loop, const struct outward_wish *wish, const struct outward_events *e, void *context)
{
	struct linktls *tls = wish->plain ? NULL : linktls_new(wish->to.host, wish->to.cert_name, wish->to.insecure_for_tests);
	if (!wish->plain && !tls)
		return NULL;
	struct outward *o = x_zalloc(sizeof *o);
	o->loop = loop;
	o->wish = *wish;
	o->events = e;
	o->context = context;
	o->tls = tls;
	buffer_init(&o->first, 1 << 16);
	buffer_init(&o->plain, PLAIN_CAP);
	buffer_init(&o->sealed, wish->out_cap);
	if (buffer_add(&o->first, wish->first))
		abort();
	o->wish.first = BYTES_NONE;
	defer_init(&o->starting, on_start, o);
	defer_init(&o->ending, on_freed, o);
	loop_defer(loop, &o->starting);
	return o;
}
