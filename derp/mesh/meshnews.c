#include "meshnews.h"

#include <stdlib.h>

#include "shard.h"

struct watcher {
	struct list link;
	uint64_t client;
	uint16_t shard;
	bool ready;             /* the portion before has gone out */
	struct clientwalk walk; /* goes: not all who were here when it came have been told */
	uint64_t at;            /* in the log */
};

static void end(struct watcher *w)
{
	clientwalk_end(&w->walk);
	list_remove(&w->link);
	free(w);
}

void meshnews_close(struct shard *s)
{
	LIST_EACH(&s->mesh.news.watchers, w, struct watcher, link)
		end(w);
	defer_cancel(&s->mesh.news.telling);
	timer_cancel(&s->mesh.news.next);
	newslog_free(&s->mesh.news.log);
}

/* ---- portions ---- */

static void forget(struct shard *s)
{
	struct meshnews *n = &s->mesh.news;
	uint64_t slowest = newslog_end(n->log);
	LIST_EACH(&n->watchers, w, struct watcher, link)
		if (w->at < slowest)
			slowest = w->at;
	newslog_forget(n->log, slowest);
}

/* Those who were here. What has changed meanwhile is in the log, so that the last word about a key is right whichever comes first. */
static void add_walked(struct watcher *w, struct buffer *out)
{
	size_t most = out->len + NEWSLOG_PIECE;
	while (out->len + DERPFRAME_PRESENT_LEN <= most) {
		struct client *c = clientwalk_next(&w->walk);
		if (!c) {
			clientwalk_end(&w->walk);
			return;
		}
		uint8_t frame[DERPFRAME_PRESENT_LEN];
		client_encode_present(c, frame);
		if (buffer_add(out, bytes_of(frame, sizeof frame)))
			abort();
	}
}

static void tell(struct shard *s, struct watcher *w)
{
	static const struct node_key nobody;
	struct bytes news = newslog_from(s->mesh.news.log, w->at);
	struct buffer out;
	if (!w->ready || (!clientwalk_goes(&w->walk) && !news.len))
		return;
	buffer_init(&out, 2 * NEWSLOG_PIECE);
	if (buffer_add(&out, news))
		abort();
	w->at += news.len;
	if (clientwalk_goes(&w->walk))
		add_walked(w, &out);
	if (out.len) {
		struct packet *letter = mesh_letter(s, LETTER_NEWS, &nobody, w->client, (uint32_t)out.len);
		memcpy(packet_payload(letter), out.at, out.len);
		w->ready = false;
		mesh_post(s, w->shard, letter);
	}
	buffer_clear(&out);
}

static void on_turn_end(void *context)
{
	struct shard *s = context;
	LIST_EACH(&s->mesh.news.watchers, w, struct watcher, link)
		tell(s, w);
	forget(s);
}

void meshnews_open(struct shard *s)
{
	list_init(&s->mesh.news.watchers);
	s->mesh.news.log = newslog_new();
	defer_init(&s->mesh.news.telling, on_turn_end, s);
	timer_init(&s->mesh.news.next, s->loop, on_turn_end, s);
}

/* ---- what happens here ---- */

/* A sibling so slow that each client may have come and gone meanwhile: it begins anew when it can. */
static void cut_off(struct shard *s, uint64_t before)
{
	static const struct node_key nobody;
	LIST_EACH(&s->mesh.news.watchers, w, struct watcher, link) {
		if (w->at >= before)
			continue;
		mesh_post(s, w->shard, mesh_letter(s, LETTER_NEWS_LOST, &nobody, w->client, 0));
		end(w);
	}
	forget(s);
}

static void add(struct shard *s, const uint8_t *frame, size_t len)
{
	struct meshnews *n = &s->mesh.news;
	size_t most = 2 * ((size_t)s->options->limit_connections + 1) * DERPFRAME_PRESENT_LEN + 4 * NEWSLOG_PIECE;
	newslog_add(n->log, bytes_of(frame, len));
	if (newslog_size(n->log) > most)
		cut_off(s, newslog_end(n->log) - most / 2);
	loop_defer(s->loop, &n->telling);
}

void meshnews_present(struct shard *s, const struct node_key *key, struct endpoint peer, uint8_t flags)
{
	uint8_t frame[DERPFRAME_PRESENT_LEN];
	if (list_empty(&s->mesh.news.watchers))
		return;
	derpframe_encode_peer_present(frame, key, peer, flags);
	add(s, frame, sizeof frame);
}

void meshnews_gone(struct shard *s, const struct node_key *key)
{
	uint8_t frame[DERPFRAME_PEER_GONE_LEN];
	if (list_empty(&s->mesh.news.watchers))
		return;
	derpframe_encode_peer_gone(frame, key, DERPFRAME_GONE_DISCONNECTED);
	add(s, frame, sizeof frame);
}

/* ---- watchers ---- */

void meshnews_watch(struct shard *s, uint64_t client)
{
	mesh_post_to_all(s, LETTER_WATCH, client);
}

void meshnews_unwatch(struct shard *s, uint64_t client)
{
	if (!s->closing)
		mesh_post_to_all(s, LETTER_UNWATCH, client);
}

void meshnews_go_on(struct shard *s, uint64_t client, unsigned from)
{
	static const struct node_key nobody;
	mesh_post(s, from, mesh_letter(s, LETTER_NEWS_ON, &nobody, client, 0));
}

static void add_watcher(struct shard *s, const struct packet *letter)
{
	struct watcher *w = x_zalloc(sizeof *w);
	*w = (struct watcher){.client = letter->sender, .shard = letter->from_loop, .ready = true, .at = newslog_end(s->mesh.news.log)};
	clientwalk_begin(s, &w->walk);
	list_append(&s->mesh.news.watchers, &w->link);
	loop_defer(s->loop, &s->mesh.news.telling);
}

static struct watcher *find(const struct shard *s, const struct packet *letter)
{
	LIST_EACH(&s->mesh.news.watchers, w, struct watcher, link)
		if (w->client == letter->sender && w->shard == letter->from_loop)
			return w;
	return NULL;
}

void meshnews_take_letter(struct shard *s, struct packet *letter)
{
	struct watcher *w;
	switch ((enum letter_kind)letter->kind) {
	case LETTER_WATCH:
		add_watcher(s, letter);
		break;
	case LETTER_UNWATCH:
		w = find(s, letter);
		if (w)
			end(w);
		loop_defer(s->loop, &s->mesh.news.telling);
		break;
	case LETTER_NEWS_ON:
		w = find(s, letter);
		if (w)
			w->ready = true;
		if (letter->from_loop == s->index)
			timer_set(&s->mesh.news.next, 0);
		else
			loop_defer(s->loop, &s->mesh.news.telling);
		break;
	case LETTER_NEWS:
		client_tell_sibling(s, letter->sender, letter->from_loop, bytes_of(packet_payload(letter), letter->len));
		break;
	case LETTER_NEWS_LOST:
		client_cut_sibling(s, letter->sender);
		break;
	default:
		break;
	}
}
