#include "clientparts.h"
#include "metrics_relay.h"

enum { RECONNECT_MS = 100 /* told to clients of a relay that goes */ };

/* ---- asked again, and sent away ---- */

static void recheck(struct client *c)
{
	if (!list_empty(&c->wait.link) || c->mesh || probekeys_has(&c->shard->relay->probes, &c->key))
		return;
	if (verify_ask(c->shard->verify, &c->key, c->peer.ip, &c->wait) == VERDICT_REFUSED) {
		client_log_refused(c, "not admitted any more");
		client_end(c, RELAY_END_REVOKED);
	}
}

void client_recheck(struct shard *s, const struct node_key *key)
{
	verify_doubt(s->verify, key);
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		if (!memcmp(c->key.raw, key->raw, KEY_LEN))
			recheck(c);
	}
}

uint64_t client_recheck_after(struct shard *s, uint64_t number, unsigned most)
{
	unsigned asked = 0;
	/* Numbers grow along the list. */
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		if (c->number <= number)
			continue;
		if (asked++ == most)
			return number;
		number = c->number;
		verify_doubt(s->verify, &c->key);
		recheck(c);
	}
	return 0;
}

void client_part_all(struct shard *s, int64_t spread_ms)
{
	LIST_EACH(&s->in_state[CLIENT_ASKING], c, struct client, in_state)
		client_end(c, RELAY_END_DRAIN);
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		uint8_t frame[DERPFRAME_RESTARTING_LEN];
		derpframe_encode_restarting(frame, RECONNECT_MS, (uint32_t)spread_ms);
		client_add_control(c, frame, sizeof frame);
		c->parting = true;
		timer_set(&c->keep_alive, 1 + (int64_t)(random_number() % (uint64_t)spread_ms));
	}
}

void client_end_all(struct shard *s)
{
	for (unsigned state = CLIENT_ASKING; state < CLIENT_ENDED; state++) {
		LIST_EACH(&s->in_state[state], c, struct client, in_state)
			client_end(c, s->closing ? RELAY_END_SHUTDOWN : RELAY_END_DRAIN);
	}
}

/* ---- the mesh ---- */

uint8_t client_presence_flags(const struct client *c)
{
	uint8_t flags = (c->mesh ? DERPFRAME_IS_MESH_PEER : 0) | (c->prober ? DERPFRAME_IS_PROBER : 0) | (c->not_ideal ? DERPFRAME_IS_NOT_IDEAL : 0);
	return flags ? flags : DERPFRAME_IS_REGULAR;
}

void client_tell_sibling(struct shard *s, uint64_t number, const uint8_t *frame, size_t len)
{
	struct client *c = table_find_number(s->clients, number);
	if (!c || c->state != CLIENT_LIVE || !c->mesh)
		return;
	/* It ends with the turn: whoever has news walks along clients and watchers. */
	c->missed = c->missed || buffer_add(&c->control, bytes_of(frame, len));
	client_want_flush(c);
}

void client_each_present(struct shard *s, void *context,
			 void (*each)(struct shard *shard, void *context, const struct node_key *key, struct endpoint peer, uint8_t flags))
{
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		if (directory_find(s->directory, &c->key) == &c->member)
			each(s, context, &c->key, c->peer, client_presence_flags(c));
	}
}

void client_end_key(struct shard *s, const struct node_key *key)
{
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		if (!memcmp(c->key.raw, key->raw, KEY_LEN))
			client_end(c, RELAY_END_CLOSE_PEER);
	}
}

/* What only siblings may say. */
bool client_begin_mesh(struct client *c, struct buffer *in, struct derpframe_header h)
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
		mesh_watch(c->shard, c->number);
	}
	return true;
}
