#include "mesh.h"

#include <stdlib.h>

#include "metrics_relay.h"
#include "relay.h"
#include "siblings.h"

struct watcher {
	struct list link;
	uint64_t client;
	uint16_t shard;
};

/* Address, port and flags, behind the head of a letter about a key that came. */
enum { PRESENCE_LEN = DERPFRAME_PRESENT_LEN - DERPFRAME_HEADER_LEN - KEY_LEN };

void mesh_open(struct shard *s)
{
	s->mesh.routes = meshroutes_new();
	s->mesh.link_of = table_new();
	list_init(&s->mesh.watchers);
	list_init(&s->mesh.links);
}

void mesh_close(struct shard *s)
{
	siblings_close(s);
	LIST_EACH(&s->mesh.watchers, w, struct watcher, link) {
		list_remove(&w->link);
		free(w);
	}
	meshroutes_free(&s->mesh.routes);
	table_free(&s->mesh.link_of);
}

/* ---- letters ---- */

static void post(struct shard *s, unsigned to, struct packet *letter)
{
	if (to == s->index)
		mesh_take_letter(s, letter);
	else
		crossing_send(s, to, letter);
}

static struct packet *letter_new(const struct shard *s, enum letter_kind kind, const struct node_key *key, uint64_t about, uint32_t len)
{
	struct packet *letter = packet_new(key, key, len);
	letter->kind = (uint8_t)kind;
	letter->sender = about;
	letter->from_loop = (uint16_t)s->index;
	return letter;
}

static void post_to_all(struct shard *s, enum letter_kind kind, uint64_t about)
{
	static const struct node_key nobody;
	for (unsigned i = 0; i < s->relay->count; i++)
		post(s, i, letter_new(s, kind, &nobody, about, 0));
}

/* ---- who is here, for siblings ---- */

static void tell_watcher(struct shard *s, const struct watcher *w, const struct node_key *key, const uint8_t *frame)
{
	struct packet *letter = letter_new(s, frame ? LETTER_PRESENT : LETTER_GONE, key, w->client, frame ? PRESENCE_LEN : 0);
	if (frame)
		memcpy(packet_payload(letter), frame + DERPFRAME_HEADER_LEN + KEY_LEN, PRESENCE_LEN);
	post(s, w->shard, letter);
}

void mesh_tell_present(struct shard *s, const struct node_key *key, struct endpoint peer, uint8_t flags)
{
	uint8_t frame[DERPFRAME_PRESENT_LEN];
	if (list_empty(&s->mesh.watchers))
		return;
	derpframe_encode_peer_present(frame, key, peer, flags);
	LIST_EACH(&s->mesh.watchers, w, struct watcher, link)
		tell_watcher(s, w, key, frame);
}

void mesh_tell_gone(struct shard *s, const struct node_key *key)
{
	LIST_EACH(&s->mesh.watchers, w, struct watcher, link)
		tell_watcher(s, w, key, NULL);
}

void mesh_watch(struct shard *s, uint64_t client)
{
	post_to_all(s, LETTER_WATCH, client);
}

void mesh_unwatch(struct shard *s, uint64_t client)
{
	if (!s->closing)
		post_to_all(s, LETTER_UNWATCH, client);
}

static void tell_one(struct shard *s, void *watcher, const struct node_key *key, struct endpoint peer, uint8_t flags)
{
	uint8_t frame[DERPFRAME_PRESENT_LEN];
	derpframe_encode_peer_present(frame, key, peer, flags);
	tell_watcher(s, watcher, key, frame);
}

static void add_watcher(struct shard *s, const struct packet *letter)
{
	struct watcher *w = x_alloc(sizeof *w);
	*w = (struct watcher){.client = letter->sender, .shard = letter->from_loop};
	/* Those who are here already, to the new one alone. */
	list_init(&w->link);
	client_each_present(s, w, tell_one);
	list_append(&s->mesh.watchers, &w->link);
}

static void remove_watcher(struct shard *s, const struct packet *letter)
{
	LIST_EACH(&s->mesh.watchers, w, struct watcher, link) {
		if (w->client != letter->sender || w->shard != letter->from_loop)
			continue;
		list_remove(&w->link);
		free(w);
	}
}

static void say_present(struct shard *s, struct packet *letter)
{
	uint8_t frame[DERPFRAME_PRESENT_LEN];
	derpframe_encode(frame, DERPFRAME_PEER_PRESENT, DERPFRAME_PRESENT_LEN - DERPFRAME_HEADER_LEN);
	memcpy(frame + DERPFRAME_HEADER_LEN, letter->to.raw, KEY_LEN);
	memcpy(frame + DERPFRAME_HEADER_LEN + KEY_LEN, packet_payload(letter), PRESENCE_LEN);
	client_tell_sibling(s, letter->sender, frame, sizeof frame);
}

static void say_gone(struct shard *s, const struct packet *letter)
{
	uint8_t frame[DERPFRAME_PEER_GONE_LEN];
	derpframe_encode_peer_gone(frame, &letter->to, DERPFRAME_GONE_DISCONNECTED);
	client_tell_sibling(s, letter->sender, frame, sizeof frame);
}

void mesh_close_peer(struct shard *s, const struct node_key *key)
{
	post(s, relay_home(s->relay, key), letter_new(s, LETTER_CLOSE_PEER, key, 0, 0));
}

/* ---- who is with siblings ---- */

static void count_routes(struct shard *s)
{
	size_t now = meshroutes_count(s->mesh.routes);
	relay_count(RELAY_REMOTE_KEYS, (int64_t)now - (int64_t)s->mesh.told);
	s->mesh.told = now;
}

static void on_key_lost(void *context, const struct node_key *key)
{
	struct shard *s = context;
	if (!directory_find(s->directory, key))
		client_tell_left(s, key);
}

static void take_route(struct shard *s, const struct packet *letter)
{
	struct meshlink_at link = {(uint32_t)letter->sender, letter->from_loop};
	if (letter->kind == LETTER_ROUTE)
		meshroutes_add(s->mesh.routes, &letter->to, link);
	else if (letter->kind == LETTER_UNROUTE) {
		if (meshroutes_remove(s->mesh.routes, &letter->to, link))
			on_key_lost(s, &letter->to);
	} else {
		meshroutes_clear(s->mesh.routes, link, on_key_lost, s);
	}
	count_routes(s);
}

void mesh_learn(struct shard *s, uint32_t link, const struct node_key *key, bool present)
{
	/* A sibling sees us, too. */
	if (!memcmp(key->raw, s->relay->public_key.raw, KEY_LEN))
		return;
	post(s, relay_home(s->relay, key), letter_new(s, present ? LETTER_ROUTE : LETTER_UNROUTE, key, link, 0));
}

void mesh_forget_link(struct shard *s, uint32_t link)
{
	if (!s->closing)
		post_to_all(s, LETTER_UNROUTE_ALL, link);
}

bool mesh_reaches(const struct shard *s, const struct node_key *key)
{
	struct meshlink_at at;
	return meshroutes_find(s->mesh.routes, key, &at);
}

bool mesh_forward(struct shard *s, struct packet *p)
{
	struct meshlink_at at;
	if (!meshroutes_find(s->mesh.routes, &p->to, &at))
		return false;
	p->kind = LETTER_FORWARD;
	p->via = at.number;
	post(s, at.shard, p);
	return true;
}

void mesh_take_letter(struct shard *s, struct packet *letter)
{
	switch ((enum letter_kind)letter->kind) {
	case LETTER_FORWARD:
		siblings_send(s, letter);
		return;
	case LETTER_WATCH:
		add_watcher(s, letter);
		break;
	case LETTER_UNWATCH:
		remove_watcher(s, letter);
		break;
	case LETTER_PRESENT:
		say_present(s, letter);
		break;
	case LETTER_GONE:
		say_gone(s, letter);
		break;
	case LETTER_ROUTE:
	case LETTER_UNROUTE:
	case LETTER_UNROUTE_ALL:
		take_route(s, letter);
		break;
	case LETTER_CLOSE_PEER:
		client_end_key(s, &letter->to);
		break;
	default:
		break;
	}
	packet_free(&letter);
}
