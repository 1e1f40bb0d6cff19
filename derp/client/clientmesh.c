#include <stdlib.h>

#include "clientparts.h"
#include "log.h"
#include "metrics_relay.h"

enum {
	NEWS_WAITING = 65536, /* below it a sibling is given the next portions */
	/* Every shard's portion on its way, and what else it is told. */
	SIBLING_CONTROL_CAP = (RELAY_SHARDS_MAX + 2) * 2 * NEWSLOG_PIECE,
};

void client_begin_sibling(struct client *c, const uint8_t key[static KEY_LEN])
{
	c->mesh = x_zalloc(sizeof *c->mesh);
	c->mesh->client = c;
	memcpy(c->mesh->key, key, KEY_LEN);
	list_append(&c->shard->mesh.accepted, &c->mesh->link);
	buffer_init(&c->control, SIBLING_CONTROL_CAP);
}

void client_end_sibling(struct client *c)
{
	if (!c->mesh)
		return;
	list_remove(&c->mesh->link);
	key_wipe(c->mesh->key, KEY_LEN);
	free(c->mesh);
	c->mesh = NULL;
}

void client_check_siblings(struct shard *s)
{
	LIST_EACH(&s->mesh.accepted, m, struct client_mesh, link) {
		if (told_is_mesh_key(s->life.told, m->key))
			continue;
		log_info(SUBJECT("mesh"), "a sibling's key counts no more", F_UINT("number", m->client->number));
		client_end(m->client, RELAY_END_REVOKED);
	}
}

static struct client *find(const struct shard *s, uint64_t number)
{
	struct client *c = table_find_number(s->clients, number);
	return c && c->state == CLIENT_LIVE && c->mesh ? c : NULL;
}

void client_cut_sibling(struct shard *s, uint64_t number)
{
	struct client *c = find(s, number);
	if (!c)
		return;
	/* It ends with the turn: whoever has news walks along clients and watchers. */
	c->missed = true;
	client_want_flush(c);
}

static unsigned count_frames(struct bytes frames)
{
	struct derpframe_header h;
	unsigned count = 0;
	for (; !derpframe_decode(frames, &h) && frames.len >= DERPFRAME_HEADER_LEN + (size_t)h.len; count++)
		frames = bytes_skip(frames, DERPFRAME_HEADER_LEN + (size_t)h.len);
	return count;
}

void client_tell_sibling(struct shard *s, uint64_t number, unsigned from, struct bytes frames)
{
	struct client *c = find(s, number);
	if (!c)
		return;
	if (buffer_add(&c->control, frames) || c->mesh->owed_count == COUNT_OF(c->mesh->owed))
		c->missed = true;
	else
		c->mesh->owed[c->mesh->owed_count++] = (uint16_t)from;
	unsigned count = count_frames(frames);
	c->control_frames += count;
	relay_observe(RELAY_MESH_BATCH, count);
	client_want_flush(c);
}

void client_hear_on(struct client *c)
{
	if (c->control.len >= NEWS_WAITING)
		return;
	for (unsigned i = 0; i < c->mesh->owed_count; i++)
		meshnews_go_on(c->shard, c->number, c->mesh->owed[i]);
	c->mesh->owed_count = 0;
}

uint8_t client_presence_flags(const struct client *c)
{
	uint8_t flags = (c->mesh ? DERPFRAME_IS_MESH_PEER : 0) | (c->prober ? DERPFRAME_IS_PROBER : 0) | (c->not_ideal ? DERPFRAME_IS_NOT_IDEAL : 0);
	return flags ? flags : DERPFRAME_IS_REGULAR;
}

void client_encode_present(const struct client *c, uint8_t frame[static DERPFRAME_PRESENT_LEN])
{
	derpframe_encode_peer_present(frame, &c->key, c->peer, client_presence_flags(c));
}

void client_end_key(struct shard *s, const struct node_key *key)
{
	for (struct member *m = directory_first(s->directory, key), *next; m; m = next) {
		next = directory_after(m);
		client_end(OWNER_OF(m, struct client, member), RELAY_END_CLOSE_PEER);
	}
}

bool client_begin_mesh_frame(struct client *c, struct buffer *in, struct derpframe_header h)
{
	uint32_t head = h.type == DERPFRAME_FORWARD_PACKET ? 2 * KEY_LEN : h.len;
	struct node_key from = {{0}}, to = {{0}};
	if (in->len < DERPFRAME_HEADER_LEN + head)
		return false;
	if (head)
		memcpy(from.raw, in->at + DERPFRAME_HEADER_LEN, KEY_LEN);
	if (head > KEY_LEN)
		memcpy(to.raw, in->at + DERPFRAME_HEADER_LEN + KEY_LEN, KEY_LEN);
	buffer_consume(in, DERPFRAME_HEADER_LEN + head);
	if (h.type == DERPFRAME_FORWARD_PACKET) {
		c->incoming = packet_new(&from, &to, h.len - head);
		c->incoming_len = 0;
		c->forwarded = true;
	} else if (h.type == DERPFRAME_CLOSE_PEER) {
		mesh_close_peer(c->shard, &from);
	} else if (!c->watching) {
		c->watching = true;
		relay_count(RELAY_WATCHERS, 1);
		meshnews_watch(c->shard, c->number);
	}
	return true;
}
