#include "pairprobe.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay.h"
#include "relayclient.h"
#include "self.h"
#include "stunprobe.h"

enum { ADMITTED_MS = 8000, TRIP_MS = 2000, MESH_MS = 3000, AGAIN_MS = 100, PACKET_LEN = 8, SENDS_MAX = MESH_MS / AGAIN_MS + 1 };

struct pairprobe {
	struct loop *loop;
	const struct relay *relay;
	struct peer peer;
	struct figure figure;
	char why[96];
	pairprobe_fn on_done;
	void *context;
	struct relayclient *there, *here; /* here: through our own listener, the sender into the mesh */
	struct outward *page;             /* /derp/probe */
	struct stunprobe *stun;
	bool stun_done, relay_done, meshing;
	uint8_t packet[PACKET_LEN];
	uint64_t begun_us, sent_us[SENDS_MAX];
	unsigned sends;
	struct timer patience, again;
};

static void explain(struct pairprobe *p, const char *what, const char *why)
{
	if (!*p->why)
		snprintf(p->why, sizeof p->why, "%s: %s", what, why);
}

static int64_t since(uint64_t us)
{
	return (int64_t)(clock_mono_us() - us);
}

static const struct probekey *key_of(const struct pairprobe *p, unsigned which)
{
	return &p->relay->probes.key[which];
}

/* ---- its end ---- */

static void finish_when_done(struct pairprobe *p)
{
	if (!p->relay_done || !p->stun_done)
		return;
	p->figure.at = clock_mono();
	p->on_done(p->context, &p->figure, p->why);
}

static void hang_up(struct pairprobe *p)
{
	timer_cancel(&p->patience);
	timer_cancel(&p->again);
	relayclient_close(&p->there);
	relayclient_close(&p->here);
	outward_close(&p->page);
}

static void end_relay(struct pairprobe *p)
{
	p->relay_done = true;
	hang_up(p);
	finish_when_done(p);
}

/* ---- STUN ---- */

static void on_stun(void *context, int64_t us)
{
	struct pairprobe *p = context;
	p->figure.stun = us < 0 ? FIGURE_LOST : FIGURE_OK;
	p->figure.stun_us = us < 0 ? FIGURE_UNKNOWN : us;
	if (us < 0)
		explain(p, "STUN", "no answer");
	p->stun_done = true;
	stunprobe_free(&p->stun);
	finish_when_done(p);
}

static void try_stun(struct pairprobe *p, struct ip ip, bool last)
{
	if (p->stun || p->stun_done)
		return;
	if (ip.family != IP_NONE && p->peer.stun_port > 0) {
		p->stun = stunprobe_new(p->loop, (struct endpoint){ip, (uint16_t)p->peer.stun_port}, on_stun, p);
	} else if (p->peer.stun_port < 0 || last) {
		p->figure.stun = p->peer.stun_port < 0 ? FIGURE_NONE : FIGURE_UNREACHABLE;
		p->stun_done = true;
	}
}

/* ---- a relay that does not want us ---- */

static void on_page_connected(void *context)
{
	(void)context;
}

static void on_page(void *context, struct buffer *in)
{
	static const char good[] = "HTTP/1.1 200";
	struct pairprobe *p = context;
	if (in->len < sizeof good - 1)
		return;
	if (bytes_starts(buffer_bytes(in), good))
		p->figure.connect_us = since(p->begun_us);
	end_relay(p);
}

static void on_page_end(void *context, const char *why)
{
	(void)why;
	end_relay(context);
}

static const struct outward_events page_events = {
	.on_connected = on_page_connected, .on_data = on_page, .on_written = on_page_connected, .on_end = on_page_end};

static void ask_page(struct pairprobe *p)
{
	const struct outward_wish wish = {.to = p->peer.at, .probe = true, .out_cap = 1 << 16};
	p->begun_us = clock_mono_us();
	p->page = outward_open(p->loop, &wish, &page_events, p);
	if (p->page)
		timer_set(&p->patience, ADMITTED_MS);
	else
		end_relay(p);
}

/* ---- through the mesh ---- */

static void end_mesh(struct pairprobe *p, enum figure_kind kind)
{
	p->figure.mesh = kind;
	if (kind == FIGURE_LOST)
		explain(p, "mesh", "no packet arrives there");
	end_relay(p);
}

/* News of who is where take their time to spread. */
static void send_again(void *context)
{
	struct pairprobe *p = context;
	if (p->sends == SENDS_MAX)
		return;
	put_be16(p->packet, (uint16_t)p->sends);
	p->sent_us[p->sends++] = clock_mono_us();
	relayclient_send(p->here, &key_of(p, PROBEKEYS_TOLD)->node, bytes_of(p->packet, sizeof p->packet));
	timer_set(&p->again, AGAIN_MS);
}

static void on_here(void *context)
{
	send_again(context);
}

static void on_nothing(void *context, const struct node_key *from, struct bytes packet)
{
	(void)context;
	(void)from;
	(void)packet;
}

/* Nothing was found out about the mesh; our own listener is for others to judge. */
static void on_here_end(void *context, const char *why)
{
	struct pairprobe *p = context;
	explain(p, "own listener", why);
	end_mesh(p, FIGURE_NONE);
}

static const struct relayclient_events here_events = {.on_ready = on_here, .on_packet = on_nothing, .on_end = on_here_end};

static void begin_mesh(struct pairprobe *p)
{
	struct outward_wish wish;
	self_wish(p->relay, &wish);
	p->meshing = true;
	p->here = relayclient_open(p->loop, &wish, key_of(p, PROBEKEYS_MESH), &here_events, p);
	if (p->here)
		timer_set(&p->patience, MESH_MS);
	else
		end_mesh(p, FIGURE_NONE);
}

static void on_arrived(struct pairprobe *p, struct bytes packet)
{
	uint16_t number = get_be16(packet.at);
	if (number >= p->sends)
		return;
	p->figure.mesh_us = since(p->sent_us[number]);
	end_mesh(p, FIGURE_OK);
}

/* ---- a client of the relay ---- */

static void on_there(void *context)
{
	struct pairprobe *p = context;
	p->figure.connect_us = since(p->begun_us);
	try_stun(p, relayclient_peer(p->there).ip, true);
	random_fill(p->packet, sizeof p->packet);
	p->begun_us = clock_mono_us();
	relayclient_send(p->there, &key_of(p, PROBEKEYS_TOLD)->node, bytes_of(p->packet, sizeof p->packet));
	timer_set(&p->patience, TRIP_MS);
}

/* The first two bytes are a number in the mesh. */
static bool is_ours(const struct pairprobe *p, const struct node_key *from, struct bytes packet)
{
	size_t skip = p->meshing ? 2 : 0;
	return packet.len == sizeof p->packet && !memcmp(packet.at + skip, p->packet + skip, sizeof p->packet - skip) &&
	       !memcmp(from->raw, key_of(p, p->meshing ? PROBEKEYS_MESH : PROBEKEYS_TOLD)->node.raw, KEY_LEN);
}

static void on_packet(void *context, const struct node_key *from, struct bytes packet)
{
	struct pairprobe *p = context;
	if (!is_ours(p, from, packet))
		return;
	if (p->meshing) {
		on_arrived(p, packet);
		return;
	}
	p->figure.trip_us = since(p->begun_us);
	p->figure.relay = FIGURE_OK;
	if (p->peer.mesh)
		begin_mesh(p);
	else
		end_relay(p);
}

static void fail(struct pairprobe *p, bool in_time, const char *why)
{
	static const struct {
		enum figure_kind ended, silent;
		const char *at;
	} kinds[] = {
		[RELAYCLIENT_DIALING] = {FIGURE_UNREACHABLE, FIGURE_UNREACHABLE, "dialing"},
		[RELAYCLIENT_SECURING] = {FIGURE_TLS, FIGURE_TLS, "TLS"},
		[RELAYCLIENT_ASKING] = {FIGURE_PROTOCOL, FIGURE_PROTOCOL, "upgrade"},
		[RELAYCLIENT_PROVING] = {FIGURE_REFUSED, FIGURE_SILENT, "admission"},
		[RELAYCLIENT_READY] = {FIGURE_LOST, FIGURE_LOST, "packet to itself"},
	};
	enum relayclient_stage stage = relayclient_stage(p->there);
	p->figure.relay = in_time ? kinds[stage].ended : kinds[stage].silent;
	explain(p, kinds[stage].at, why);
	try_stun(p, relayclient_peer(p->there).ip, true);
	relayclient_close(&p->there);
	if (p->figure.relay == FIGURE_REFUSED)
		ask_page(p);
	else
		end_relay(p);
}

static void on_there_end(void *context, const char *why)
{
	struct pairprobe *p = context;
	if (p->meshing)
		end_mesh(p, FIGURE_LOST);
	else
		fail(p, true, why);
}

static const struct relayclient_events there_events = {.on_ready = on_there, .on_packet = on_packet, .on_end = on_there_end};

static void on_patience(void *context)
{
	struct pairprobe *p = context;
	if (p->meshing) {
		end_mesh(p, p->sends ? FIGURE_LOST : FIGURE_NONE);
	} else if (p->there) {
		fail(p, false, "nothing in time");
	} else {
		if (!p->figure.relay)
			p->figure.relay = FIGURE_TLS;
		explain(p, "TLS", "not here");
		try_stun(p, (struct ip){0}, true);
		end_relay(p);
	}
}

struct pairprobe *pairprobe_new(struct loop *loop, const struct relay *relay, const struct peer *peer, pairprobe_fn on_done, void *context)
{
	struct pairprobe *p = x_zalloc(sizeof *p);
	const struct outward_wish wish = {.to = peer->at};
	struct ip ip = peer->at.ip4.family != IP_NONE ? peer->at.ip4 : peer->at.ip6;
	*p = (struct pairprobe){.loop = loop, .relay = relay, .peer = *peer, .figure = figure_new(peer->id), .on_done = on_done, .context = context};
	timer_init(&p->patience, loop, on_patience, p);
	timer_init(&p->again, loop, send_again, p);
	if (ip.family == IP_NONE && ip_parse(bytes_text(peer->at.host), &ip))
		ip = (struct ip){0};
	try_stun(p, ip, false);
	p->begun_us = clock_mono_us();
	p->there = relayclient_open(loop, &wish, key_of(p, PROBEKEYS_TOLD), &there_events, p);
	timer_set(&p->patience, p->there ? ADMITTED_MS : 0);
	return p;
}

void pairprobe_free(struct pairprobe **probe)
{
	struct pairprobe *p = *probe;
	*probe = NULL;
	if (!p)
		return;
	hang_up(p);
	stunprobe_free(&p->stun);
	free(p);
}
