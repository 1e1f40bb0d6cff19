#include "h2stream.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	REPLIES_MAX = 64 << 20 /* whole answers waiting for the peer's window */
};

static const struct carrier CARRIER;

/* ---- beginning and end ---- */

static void drop_body(struct h2stream *s)
{
	if (s->h2)
		s->h2->bodies_held -= s->body.len;
	buffer_clear(&s->body);
}

static void drop_pieces(struct h2stream *s)
{
	while (s->pieces) {
		struct h2piece *p = s->pieces;
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
	struct h2stream *s = context;
	struct arena *arena = s->x.arena;
	arena_free(&arena);
}

/* The last of it, when the stream is closed and nobody owes or awaits anything. */
static void stream_free(struct h2stream *s)
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

static void tell_gone(struct h2stream *s, enum err why)
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
	struct h2stream *s = context;
	if (s->x.gone) {
		tell_gone(s, ERR_CLOSED);
		stream_free(s);
	} else if (!s->end_wanted && !s->pieces && s->events->on_room) {
		s->events->on_room(s->context);
	}
}

static void on_dispatch(void *context)
{
	struct h2stream *s = context;
	s->begun_handler = true;
	dispatch(s->h2->config.table, &s->x);
}

struct h2stream *h2stream_new(struct h2pipe *h2, int32_t id)
{
	struct arena *arena = arena_new();
	struct h2stream *s = ARENA_NEW(arena, struct h2stream);
	const struct h2pipe_config *c = &h2->config;
	*s = (struct h2stream){.h2 = h2, .id = id, .begun_ms = clock_mono().ms};
	s->x = (struct exchange){
		.carrier = &CARRIER,
		.arena = arena,
		.loop = c->loop,
		.program = c->program,
		.owner = c->owner,
		.door = c->door,
		.peer = c->peer,
		.host = c->host,
		.secure = c->secure,
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

void h2stream_closed(struct h2stream *s)
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

void h2stream_cut(struct h2stream *s)
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
	s->x.host = arena_copy(s->x.arena, s->x.host);
	list_remove(&s->link);
	s->h2->known--;
	s->h2->bodies_held -= s->body.len;
	s->h2 = NULL;
}

/* ---- answers ---- */

static nghttp2_nv nv(struct bytes name, struct bytes value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at, .namelen = name.len, .value = (uint8_t *)(uintptr_t)value.at, .valuelen = value.len};
}

static size_t count_fields(const struct h2field *f)
{
	size_t count = 0;
	for (; f; f = f->next)
		count++;
	return count;
}

static ssize_t read_pieces(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct h2stream *s = source->ptr;
	size_t len = 0;
	(void)session, (void)id, (void)context;
	while (s->pieces && len < room) {
		struct h2piece *p = s->pieces;
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

static void add_piece(struct h2stream *s, struct body *body)
{
	struct h2piece *p = x_alloc(sizeof(*p));
	*p = (struct h2piece){.body = body_take(body)};
	*s->pieces_end = p;
	s->pieces_end = &p->next;
}

void h2stream_reset(struct h2stream *s, uint32_t code)
{
	nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
	h2pipe_note_output(s->h2);
}

static void submit(struct h2stream *s, unsigned status, const char *type, const size_t *content_length)
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
	for (const struct h2field *f = s->reply_fields; f; f = f->next)
		list[count++] = nv(f->name, f->value);
	nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = read_pieces};
	bool body = (s->streaming && s->x.method != METHOD_HEAD) || s->pieces;
	if (nghttp2_submit_response(s->h2->session, s->id, list, count, body ? &provider : NULL))
		h2stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	free(list);
	h2pipe_note_output(s->h2);
}

static void answer_whole(struct h2stream *s, unsigned status, const char *type, struct bytes body)
{
	bool has_body = status != 204 && status != 304;
	s->end_wanted = true;
	if (body.len > REPLIES_MAX - s->h2->replies_held) {
		h2stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
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
	struct h2stream *s = OWNER_OF(x, struct h2stream, x);
	if (s->closed || !s->h2) {
		stream_free(s);
		return;
	}
	answer_whole(s, status, type, body);
	drop_body(s);
}

static void stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context)
{
	struct h2stream *s = OWNER_OF(x, struct h2stream, x);
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
	const struct h2stream *s = OWNER_OF(x, struct h2stream, x);
	return s->streaming && !s->x.gone && !s->closed && !s->end_wanted && !s->pieces;
}

static void resume(struct h2stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		nghttp2_session_resume_data(s->h2->session, s->id);
	}
	h2pipe_note_output(s->h2);
}

static void send_pieces(struct exchange *x, struct body *const *pieces, size_t count)
{
	struct h2stream *s = OWNER_OF(x, struct h2stream, x);
	if (s->x.gone || s->closed)
		return;
	assert(ready(x));
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
	struct h2stream *s = OWNER_OF(x, struct h2stream, x);
	assert(s->streaming && !s->end_wanted);
	s->end_wanted = true;
	if (s->told_gone)
		return; /* inside on_gone: the stream is freed when that returns */
	if (s->closed || !s->h2)
		stream_free(s);
	else if (broken)
		h2stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	else
		resume(s);
}

static struct bytes get_header(const struct exchange *x, const char *name)
{
	const struct h2stream *s = OWNER_OF(x, struct h2stream, x);
	if (!strcmp(name, "host"))
		name = ":authority";
	for (const struct h2field *f = s->fields; f; f = f->next)
		if (bytes_equal_text(f->name, name))
			return f->value;
	return BYTES_NONE;
}

static void append_field(struct h2stream *s, struct h2field ***list_end, struct bytes name, struct bytes value)
{
	struct h2field *f = ARENA_NEW(s->x.arena, struct h2field);
	f->name = arena_copy(s->x.arena, name);
	f->value = arena_copy(s->x.arena, value);
	**list_end = f;
	*list_end = &f->next;
}

static void add_header(struct exchange *x, const char *name, struct bytes value)
{
	struct h2stream *s = OWNER_OF(x, struct h2stream, x);
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

void h2stream_refuse(struct h2stream *s, unsigned status, const char *text)
{
	if (s->x.answered)
		return;
	s->x.answered = true;
	drop_body(s);
	answer_whole(s, status, "text/plain; charset=utf-8", bytes_text(text));
}

void h2stream_add_field(struct h2stream *s, struct bytes name, struct bytes value)
{
	append_field(s, &s->fields_end, name, value);
}
