#include "mesh.h"

#include <stdlib.h>

#include "metrics_relay.h"
#include "routing.h"
#include "shard.h"
#include "siblings.h"

void mesh_open(struct shard *s)
{
	s->mesh.routes = meshroutes_new(MESHROUTES_MOST);
	s->mesh.link_of = table_new();
	list_init(&s->mesh.accepted);
	meshnews_open(s);
	list_init(&s->mesh.links);
}

void mesh_close(struct shard *s)
{
	siblings_close(s);
	meshnews_close(s);
	meshroutes_free(&s->mesh.routes);
	table_free(&s->mesh.link_of);
}

/* ---- letters ---- */

void mesh_post(struct shard *s, unsigned to, struct packet *letter)
{
	if (to == s->index)
		mesh_take_letter(s, letter);
	else
		crossing_send(s, to, letter);
}

struct packet *mesh_letter(const struct shard *s, enum letter_kind kind, const struct node_key *key, uint64_t about, uint32_t len)
{
	struct packet *letter = packet_new(key, key, len);
	letter->kind = (uint8_t)kind;
	letter->sender = about;
	letter->from_loop = (uint16_t)s->index;
	return letter;
}

void mesh_post_to_all(struct shard *s, enum letter_kind kind, uint64_t about)
{
	static const struct node_key nobody;
	for (unsigned i = 0; i < s->relay->count; i++)
		mesh_post(s, i, mesh_letter(s, kind, &nobody, about, 0));
}

void mesh_close_peer(struct shard *s, const struct node_key *key)
{
	mesh_post(s, relay_home(s->relay, key), mesh_letter(s, LETTER_CLOSE_PEER, key, 0, 0));
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
		routing_tell_left(s, key);
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
	mesh_post(s, relay_home(s->relay, key), mesh_letter(s, present ? LETTER_ROUTE : LETTER_UNROUTE, key, link, 0));
}

void mesh_forget_link(struct shard *s, uint32_t link)
{
	if (!s->closing)
		mesh_post_to_all(s, LETTER_UNROUTE_ALL, link);
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
	mesh_post(s, at.shard, p);
	return true;
}

void mesh_take_letter(struct shard *s, struct packet *letter)
{
	switch ((enum letter_kind)letter->kind) {
	case LETTER_FORWARD:
		siblings_send(s, letter);
		return;
	case LETTER_WATCH:
	case LETTER_UNWATCH:
	case LETTER_NEWS:
	case LETTER_NEWS_ON:
	case LETTER_NEWS_LOST:
		meshnews_take_letter(s, letter);
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
