#include "h2pipe.h"

#include <assert.h>
#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STREAMS_MAX = 100,              /* fewer make clients open further connections; control.md 1.10 */
	OWED_MAX = 2 * STREAMS_MAX,     /* with exchanges whose stream was reset while their handler still works */
	HEADER_LIST_MAX = 16 * 1024,
	FRAME_DATA_MAX = 4068,          /* one DATA frame fits one Noise record */
	BODIES_MAX = 8 << 20,           /* request bodies held at once */
	REPLIES_MAX = 64 << 20,         /* whole answers waiting for the peer's window */
	BODY_MS = 30000,                /* a request must be complete by then */
	RESETS_PER_SECOND = 100,        /* rapid reset (CVE-2023-44487); a client resets a handful of streams in its life */
	CONTROLS_PER_SECOND = 1000,     /* pings, settings, priorities, empty frames */
	SEND_PIECES_MAX = 64
};

struct field {
	struct field *next;
	struct bytes name, value;
};

/* Bodies of which [at, len) is still to be copied into frames. */
struct piece {
	struct piece *next;
	struct body *body;
	size_t at;
};

struct stream {
	struct exchange x;
	struct h2pipe *h2;              /* NULL when the h2pipe is gone */
	int32_t id;
	struct list link;
	int64_t begun_ms;
	size_t header_size;
	struct field *fields, **fields_end, *reply_fields, **reply_fields_end;
	struct buffer body;
	size_t body_max;
	struct piece *pieces, **pieces_end;
	const struct exchange_events *events;
	void *context;
	struct defer dispatching, telling, ending;
	bool header_too_big, complete, begun_handler, streaming, end_wanted, closed, deferred, told_gone;
};

struct h2pipe {
	struct h2pipe_config config;
	nghttp2_session *session;
	struct list streams;
	size_t open, known;             /* not closed; in the list */
	size_t bodies_held, replies_held;
	struct timer slow;
	struct defer output;
	struct buffer carry;            /* a frame that did not fit its taker */
	int64_t second;
	unsigned resets, controls;
	bool draining, peer_goaway, broken;
};

static const struct carrier CARRIER;

static void note_output(struct h2pipe *h2)
{
	loop_defer(h2->config.loop, &h2->output);
}

static void on_note_output(void *context)
{
	struct h2pipe *h2 = context;
	if (h2->config.on_output && (h2->carry.len || nghttp2_session_want_write(h2->session)))
		h2->config.on_output(h2->config.context);
}

/* ---- streams: beginning and end ---- */

static void drop_body(struct stream *s)
{
	if (s->h2)
		s->h2->bodies_held -= s->body.len;
	buffer_clear(&s->body);
}

static void drop_pieces(struct stream *s)
{
	while (s->pieces) {
		struct piece *p = s->pieces;
		s->pieces = p->next;
		if (s->h2 && !s->streaming)
			s->h2->replies_held -= p->body->len - p->at;
		body_drop(&p->body);
		free(p);
	}
	s->pieces_end = &s->pieces;
}

static void free_now(void *context)
{
	struct stream *s = context;
	struct arena *arena = s->x.arena;
	arena_free(&arena);
}

/* The last of it, when the stream is closed and nobody owes or awaits anything. */
static void stream_free(struct stream *s)
{
	drop_body(s);
	drop_pieces(s);
	defer_cancel(&s->dispatching);
	defer_cancel(&s->telling);
	list_remove(&s->link);
	if (s->h2)
		s->h2->known--;
	s->h2 = NULL;
	loop_defer(s->x.loop, &s->ending);
}

static void tell_gone(struct stream *s, enum err why)
{
	if (s->told_gone || s->end_wanted)
		return;
	s->told_gone = true;
	if (s->events->on_gone)
		s->events->on_gone(s->context, why);
}

/* What a stream has to tell its handler: that it is lost, or that there is room. */
static void on_tell(void *context)
{
	struct stream *s = context;
	if (s->x.gone) {
		tell_gone(s, ERR_CLOSED);
		stream_free(s);
	} else if (!s->end_wanted && !s->pieces && s->events->on_room) {
		s->events->on_room(s->context);
	}
}

static void on_dispatch(void *context)
{
	struct stream *s = context;
	s->begun_handler = true;
	dispatch(s->h2->config.table, &s->x);
}

static struct stream *stream_new(struct h2pipe *h2, int32_t id)
{
	struct arena *arena = arena_new();
	struct stream *s = ARENA_NEW(arena, struct stream);
	const struct h2pipe_config *c = &h2->config;
	*s = (struct stream){.h2 = h2, .id = id, .begun_ms = clock_mono().ms};
	s->x = (struct exchange){
		.carrier = &CARRIER,
		.arena = arena,
		.loop = c->loop,
		.program = c->program,
		.owner = c->owner,
		.door = c->door,
		.peer = c->peer,
		.machine = c->machine,
		.capver = c->capver,
		.id = random_number(),
	};
	s->fields_end = &s->fields;
	s->reply_fields_end = &s->reply_fields;
	s->pieces_end = &s->pieces;
	buffer_init(&s->body, 0);
	defer_init(&s->dispatching, on_dispatch, s);
	defer_init(&s->telling, on_tell, s);
	defer_init(&s->ending, free_now, s);
	list_init(&s->link);
	list_append(&h2->streams, &s->link);
	h2->open++;
	h2->known++;
	return s;
}

static void stream_lost(struct stream *s)
{
	s->closed = true;
	drop_pieces(s);
	if (!s->begun_handler) {
		stream_free(s);
		return;
	}
	if (s->streaming && !s->end_wanted) {
		s->x.gone = true;
		loop_defer(s->x.loop, &s->telling);
	} else if (s->x.answered) {
		stream_free(s);
	} else {
		s->x.gone = true;
	}
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	struct h2pipe *h2 = context;
	struct stream *s = nghttp2_session_get_stream_user_data(session, id);
	(void)code;
	if (!s)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	h2->open--;
	stream_lost(s);
	return 0;
}

/* ---- answers ---- */

static nghttp2_nv nv(struct bytes name, struct bytes value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at, .namelen = name.len, .value = (uint8_t *)(uintptr_t)value.at, .valuelen = value.len};
}

static size_t count_fields(const struct field *f)
{
	size_t count = 0;
	for (; f; f = f->next)
		count++;
	return count;
}

static ssize_t read_pieces(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct stream *s = source->ptr;
	size_t len = 0;
	(void)session, (void)id, (void)context;
	while (s->pieces && len < room) {
		struct piece *p = s->pieces;
		size_t part = p->body->len - p->at < room - len ? p->body->len - p->at : room - len;
		memcpy(to + len, p->body->at + p->at, part);
		len += part;
		p->at += part;
		if (!s->streaming)
			s->h2->replies_held -= part;
		if (p->at < p->body->len)
			break;
		s->pieces = p->next;
		body_drop(&p->body);
		free(p);
	}
	if (s->pieces)
		return (ssize_t)len;
	s->pieces_end = &s->pieces;
	if (s->end_wanted) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return (ssize_t)len;
	}
	if (len) {
		loop_defer(s->x.loop, &s->telling);
		return (ssize_t)len;
	}
	s->deferred = true;
	return NGHTTP2_ERR_DEFERRED;
}

static void add_piece(struct stream *s, struct body *body)
{
	struct piece *p = x_alloc(sizeof(*p));
	*p = (struct piece){.body = body_take(body)};
	*s->pieces_end = p;
	s->pieces_end = &p->next;
}

static void reset(struct stream *s, uint32_t code)
{
	nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
	note_output(s->h2);
}

static void submit(struct stream *s, unsigned status, const char *type, const size_t *content_length)
{
	char status_text[8], length_text[24];
	nghttp2_nv *list = x_alloc(sizeof(*list) * (count_fields(s->reply_fields) + 3));
	size_t count = 0;
	snprintf(status_text, sizeof(status_text), "%u", status);
	list[count++] = nv(BYTES(":status"), bytes_text(status_text));
	if (type)
		list[count++] = nv(BYTES("content-type"), bytes_text(type));
	if (content_length) {
		snprintf(length_text, sizeof(length_text), "%zu", *content_length);
		list[count++] = nv(BYTES("content-length"), bytes_text(length_text));
	}
	for (const struct field *f = s->reply_fields; f; f = f->next)
		list[count++] = nv(f->name, f->value);
	nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = read_pieces};
	bool body = (s->streaming && s->x.method != METHOD_HEAD) || s->pieces;
	if (nghttp2_submit_response(s->h2->session, s->id, list, count, body ? &provider : NULL))
		reset(s, NGHTTP2_INTERNAL_ERROR);
	free(list);
	note_output(s->h2);
}

static void answer_whole(struct stream *s, unsigned status, const char *type, struct bytes body)
{
	bool has_body = status != 204 && status != 304;
	s->end_wanted = true;
	if (body.len > REPLIES_MAX - s->h2->replies_held) {
		reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		return;
	}
	if (has_body && body.len && s->x.method != METHOD_HEAD) {
		struct body *b = body_new(body);
		add_piece(s, b);
		body_drop(&b);
		s->h2->replies_held += body.len;
	}
	submit(s, status, type, has_body ? &body.len : NULL);
}

static void reply(struct exchange *x, unsigned status, const char *type, struct bytes body)
{
	struct stream *s = OWNER_OF(x, struct stream, x);
	if (s->closed || !s->h2) {
		stream_free(s);
		return;
	}
	answer_whole(s, status, type, body);
	drop_body(s);
}

static void stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context)
{
	struct stream *s = OWNER_OF(x, struct stream, x);
	s->streaming = true;
	s->events = events;
	s->context = context;
	if (s->closed || !s->h2)
		loop_defer(x->loop, &s->telling);
	else
		submit(s, status, type, NULL);
	/* Room for the first piece is there from the beginning. */
	if (!s->x.gone)
		loop_defer(x->loop, &s->telling);
}

static bool ready(const struct exchange *x)
{
	const struct stream *s = OWNER_OF(x, struct stream, x);
	return s->streaming && !s->x.gone && !s->closed && !s->end_wanted && !s->pieces;
}

static void resume(struct stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		nghttp2_session_resume_data(s->h2->session, s->id);
	}
	note_output(s->h2);
}

static void send_pieces(struct exchange *x, struct body *const *pieces, size_t count)
{
	struct stream *s = OWNER_OF(x, struct stream, x);
	if (s->x.gone || s->closed)
		return;
	assert(ready(x) && count <= SEND_PIECES_MAX);
	for (size_t i = 0; i < count; i++)
		if (pieces[i]->len)
			add_piece(s, pieces[i]);
	if (s->pieces)
		resume(s);
	else
		loop_defer(x->loop, &s->telling);
}

static void end(struct exchange *x, bool broken)
{
	struct stream *s = OWNER_OF(x, struct stream, x);
	assert(s->streaming && !s->end_wanted);
	s->end_wanted = true;
	if (s->told_gone)
		return;                 /* inside on_gone: the stream is freed when that returns */
	if (s->closed || !s->h2)
		stream_free(s);
	else if (broken)
		reset(s, NGHTTP2_INTERNAL_ERROR);
	else
		resume(s);
}

static struct bytes get_header(const struct exchange *x, const char *name)
{
	const struct stream *s = OWNER_OF(x, struct stream, x);
	if (!strcmp(name, "host"))
		name = ":authority";
	for (const struct field *f = s->fields; f; f = f->next)
		if (bytes_equal_text(f->name, name))
			return f->value;
	return BYTES_NONE;
}

static void append_field(struct stream *s, struct field ***list_end, struct bytes name, struct bytes value)
{
	struct field *f = ARENA_NEW(s->x.arena, struct field);
	f->name = arena_copy(s->x.arena, name);
	f->value = arena_copy(s->x.arena, value);
	**list_end = f;
	*list_end = &f->next;
}

static void add_header(struct exchange *x, const char *name, struct bytes value)
{
	struct stream *s = OWNER_OF(x, struct stream, x);
	char lower[128];
	size_t len = 0;
	for (; name[len] && len < sizeof(lower); len++)
		lower[len] = (char)tolower((unsigned char)name[len]);
	append_field(s, &s->reply_fields_end, bytes_of(lower, len), value);
}

static const struct carrier CARRIER = {
	.header = get_header,
	.add_header = add_header,
	.reply = reply,
	.stream = stream,
	.ready = ready,
	.send = send_pieces,
	.end = end,
};

/* ---- requests ---- */

/* An answer of our own, before any handler: what else comes on the stream is thrown away. */
static void refuse(struct stream *s, unsigned status, const char *text)
{
	if (s->x.answered)
		return;
	s->x.answered = true;
	drop_body(s);
	answer_whole(s, status, "text/plain; charset=utf-8", bytes_text(text));
}

static enum method parse_method(struct bytes text)
{
	static const char *const NAMES[] = {[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
					    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};
	for (unsigned m = METHOD_GET; m < COUNT_OF(NAMES); m++)
		if (bytes_equal_text(text, NAMES[m]))
			return m;
	return METHOD_OTHER;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct h2pipe *h2 = context;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (h2->known >= OWED_MAX) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream_new(h2, frame->hd.stream_id));
	if (!timer_is_set(&h2->slow))
		timer_set(&h2->slow, BODY_MS);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value,
		     size_t value_len, uint8_t flags, void *context)
{
	struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	(void)flags, (void)context;
	if (!s || s->begun_handler || s->x.answered)
		return 0;
	/* As SETTINGS_MAX_HEADER_LIST_SIZE counts; trailers count too. */
	s->header_size += name_len + value_len + 32;
	if (s->header_size > HEADER_LIST_MAX) {
		s->header_too_big = true;
		return 0;
	}
	append_field(s, &s->fields_end, bytes_of(name, name_len), bytes_of(value, value_len));
	return 0;
}

static void on_head(struct stream *s)
{
	struct exchange *x = &s->x;
	if (s->header_too_big) {
		refuse(s, 431, "the request head is too large\n");
		return;
	}
	x->method = parse_method(get_header(x, ":method"));
	x->path = bytes_split(get_header(x, ":path"), '?', &x->query);
	s->body_max = dispatch_body_max(s->h2->config.table, x->door, x->method, x->path);
	s->body.cap = s->body_max;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
	struct h2pipe *h2 = context;
	struct stream *s = nghttp2_session_get_stream_user_data(session, id);
	(void)flags;
	if (!s || s->x.answered || s->begun_handler)
		return 0;
	if (h2->bodies_held + len > BODIES_MAX) {
		s->x.answered = true;
		reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		return 0;
	}
	if (buffer_add(&s->body, bytes_of(data, len)) == ERR_NONE)
		h2->bodies_held += len;
	else
		refuse(s, 413, "the request body is too large\n");
	return 0;
}

static void on_complete(struct stream *s)
{
	s->complete = true;
	if (s->x.answered || s->begun_handler)
		return;
	s->x.body = buffer_bytes(&s->body);
	loop_defer(s->x.loop, &s->dispatching);
}

/* Too many of what costs us more than it costs the peer? */
static bool too_often(struct h2pipe *h2, unsigned *counter, unsigned most)
{
	int64_t second = clock_mono().ms / 1000;
	if (second != h2->second) {
		h2->second = second;
		h2->resets = h2->controls = 0;
	}
	return ++*counter > most;
}

static bool is_abuse(struct h2pipe *h2, const nghttp2_frame *frame)
{
	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		return too_often(h2, &h2->resets, RESETS_PER_SECOND);
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		return too_often(h2, &h2->controls, CONTROLS_PER_SECOND);
	case NGHTTP2_DATA:
		return !frame->hd.length && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && too_often(h2, &h2->controls, CONTROLS_PER_SECOND);
	default:
		return false;
	}
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct h2pipe *h2 = context;
	if (is_abuse(h2, frame)) {
		h2->broken = true;
		nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
		return 0;
	}
	if (frame->hd.type == NGHTTP2_GOAWAY)
		h2->peer_goaway = true;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		on_head(s);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		on_complete(s);
	return 0;
}

/* An answer that ended before its request did: the rest of the request is not wanted. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	(void)context;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (s && !s->complete)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static ssize_t on_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t session_window, int32_t stream_window,
			      uint32_t frame_max, void *context)
{
	int32_t most = FRAME_DATA_MAX;
	(void)session, (void)type, (void)id, (void)context;
	if (most > session_window)
		most = session_window;
	if (most > stream_window)
		most = stream_window;
	return (uint32_t)most > frame_max ? (ssize_t)frame_max : most;
}

static void on_slow(void *context)
{
	struct h2pipe *h2 = context;
	int64_t now = clock_mono().ms, next = INT64_MAX;
	LIST_EACH(&h2->streams, s, struct stream, link) {
		if (s->complete || s->closed)
			continue;
		if (s->begun_ms + BODY_MS <= now)
			reset(s, NGHTTP2_CANCEL);
		else if (s->begun_ms + BODY_MS < next)
			next = s->begun_ms + BODY_MS;
	}
	if (next != INT64_MAX)
		timer_set(&h2->slow, next - now);
}

/* ---- the whole ---- */

static nghttp2_session *session_new(struct h2pipe *h2)
{
	static const nghttp2_settings_entry SETTINGS[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
		{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
	};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *session;
	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_data_length);
	nghttp2_option_set_max_deflate_dynamic_table_size(option, 0);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_settings(option, 32);
	if (nghttp2_session_server_new2(&session, callbacks, h2, option) ||
	    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, SETTINGS, COUNT_OF(SETTINGS)))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

struct h2pipe *h2pipe_new(const struct h2pipe_config *config)
{
	struct h2pipe *h2 = x_alloc(sizeof(*h2));
	*h2 = (struct h2pipe){.config = *config};
	list_init(&h2->streams);
	buffer_init(&h2->carry, SIZE_MAX / 4);
	timer_init(&h2->slow, config->loop, on_slow, h2);
	defer_init(&h2->output, on_note_output, h2);
	h2->session = session_new(h2);
	note_output(h2);
	return h2;
}

/* The connection is lost for this stream. */
static void stream_cut(struct stream *s)
{
	bool owes = s->begun_handler && !s->x.answered, streams = s->streaming && !s->end_wanted;
	s->closed = true;
	s->x.gone = true;
	if (streams)
		tell_gone(s, ERR_CLOSED);
	if (!owes) {
		stream_free(s);
		return;
	}
	/* The handler may still read what it was given. */
	if (s->x.machine)
		s->x.machine = (const void *)arena_copy(s->x.arena, bytes_of(s->x.machine, sizeof(*s->x.machine))).at;
	list_remove(&s->link);
	s->h2->known--;
	s->h2->bodies_held -= s->body.len;
	s->h2 = NULL;
}

void h2pipe_free(struct h2pipe **at)
{
	struct h2pipe *h2 = *at;
	struct stream *s;
	*at = NULL;
	if (!h2)
		return;
	timer_cancel(&h2->slow);
	while ((s = LIST_FIRST(&h2->streams, struct stream, link)))
		stream_cut(s);
	defer_cancel(&h2->output);
	nghttp2_session_del(h2->session);
	buffer_clear(&h2->carry);
	free(h2);
}

enum err h2pipe_feed(struct h2pipe *h2, struct bytes in)
{
	ssize_t used = nghttp2_session_mem_recv(h2->session, in.len ? in.at : (const uint8_t *)"", in.len);
	if (used < 0 && !h2->broken) {
		h2->broken = true;
		nghttp2_session_terminate_session(h2->session, used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
	}
	if (nghttp2_session_want_write(h2->session))
		note_output(h2);
	if (!nghttp2_session_want_read(h2->session) && !h2->peer_goaway && !h2->draining)
		h2->broken = true;
	if (h2->broken)
		return ERR_MALFORMED;
	return h2->peer_goaway && !h2->open ? ERR_CLOSED : ERR_NONE;
}

static enum err take_carry(struct h2pipe *h2, struct buffer *out)
{
	enum err e = buffer_add(out, buffer_bytes(&h2->carry));
	if (e == ERR_NONE)
		buffer_clear(&h2->carry);
	return e;
}

enum err h2pipe_take(struct h2pipe *h2, size_t want, struct buffer *out)
{
	size_t before = out->len;
	enum err e = take_carry(h2, out);
	while (e == ERR_NONE && out->len - before < want) {
		const uint8_t *frame;
		ssize_t len = nghttp2_session_mem_send(h2->session, &frame);
		if (len < 0)
			return ERR_BUG;
		if (!len)
			break;
		e = buffer_add(out, bytes_of(frame, (size_t)len));
		/* nghttp2 gives a frame once. */
		if (e != ERR_NONE && buffer_add(&h2->carry, bytes_of(frame, (size_t)len)) != ERR_NONE)
			abort();
	}
	return e;
}

void h2pipe_drain(struct h2pipe *h2)
{
	if (h2->draining)
		return;
	h2->draining = true;
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR, NULL, 0);
	note_output(h2);
}

bool h2pipe_idle(const struct h2pipe *h2)
{
	return !h2->open && !h2->carry.len && !nghttp2_session_want_write(h2->session);
}

size_t h2pipe_streams(const struct h2pipe *h2)
{
	return h2->open;
}
