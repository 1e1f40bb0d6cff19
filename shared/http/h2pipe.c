#include "h2pipe.h"

#include <stdlib.h>

#include "h2stream.h"

enum {
	STREAMS_MAX = 100,          /* fewer make clients open further connections; docs/protocol/transport.md */
	OWED_MAX = 2 * STREAMS_MAX, /* with exchanges whose stream was reset while their handler still works */
	HEADER_LIST_MAX = 16 * 1024,
	FRAME_DATA_MAX = 4068,     /* one DATA frame fits one Noise record */
	BODIES_MAX = 8 << 20,      /* request bodies held at once */
	BODY_MS = 30000,           /* a request must be complete by then */
	RESETS_PER_SECOND = 100,   /* rapid reset (CVE-2023-44487); a client resets a handful of streams in its life */
	CONTROLS_PER_SECOND = 1000 /* pings, settings, priorities, empty frames */
};

void h2pipe_note_output(struct h2pipe *h2)
{
	loop_defer(h2->config.loop, &h2->output);
}

static void on_note_output(void *context)
{
	struct h2pipe *h2 = context;
	if (h2->config.on_output && (h2->carry.len || nghttp2_session_want_write(h2->session)))
		h2->config.on_output(h2->config.context);
}

/* ---- requests ---- */

static enum method parse_method(struct bytes text)
{
	static const char *const NAMES[] = {[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
					    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};
	for (unsigned m = METHOD_GET; m < COUNT_OF(NAMES); m++)
		if (bytes_equal_text(text, NAMES[m]))
			return m;
	return METHOD_OTHER;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	struct h2pipe *h2 = context;
	struct h2stream *s = nghttp2_session_get_stream_user_data(session, id);
	(void)code;
	if (!s)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	h2->open--;
	h2stream_closed(s);
	return 0;
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
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h2stream_new(h2, frame->hd.stream_id));
	if (!timer_is_set(&h2->slow))
		timer_set(&h2->slow, BODY_MS);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
		     uint8_t flags, void *context)
{
	struct h2stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	(void)flags, (void)context;
	if (!s || s->begun_handler || s->x.answered)
		return 0;
	/* As SETTINGS_MAX_HEADER_LIST_SIZE counts; trailers count too. */
	s->header_size += name_len + value_len + 32;
	if (s->header_size > HEADER_LIST_MAX) {
		s->header_too_big = true;
		return 0;
	}
	h2stream_add_field(s, bytes_of(name, name_len), bytes_of(value, value_len));
	return 0;
}

static void on_head(struct h2stream *s)
{
	struct exchange *x = &s->x;
	if (s->header_too_big) {
		h2stream_refuse(s, 431, "the request head is too large\n");
		return;
	}
	x->method = parse_method(exchange_header(x, ":method"));
	x->path = bytes_split(exchange_header(x, ":path"), '?', &x->query);
	s->body_max = dispatch_body_max(s->h2->config.table, x->door, x->method, x->path);
	s->body.cap = s->body_max;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
	struct h2pipe *h2 = context;
	struct h2stream *s = nghttp2_session_get_stream_user_data(session, id);
	(void)flags;
	if (!s || s->x.answered || s->begun_handler)
		return 0;
	if (h2->bodies_held + len > BODIES_MAX) {
		s->x.answered = true;
		h2stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		return 0;
	}
	if (buffer_add(&s->body, bytes_of(data, len)) == ERR_NONE)
		h2->bodies_held += len;
	else
		h2stream_refuse(s, 413, "the request body is too large\n");
	return 0;
}

static void on_complete(struct h2stream *s)
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
	struct h2stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
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
	struct h2stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (s && !s->complete)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static ssize_t on_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t session_window, int32_t stream_window, uint32_t frame_max,
			      void *context)
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
	LIST_EACH(&h2->streams, s, struct h2stream, link) {
		if (s->complete || s->closed)
			continue;
		if (s->begun_ms + BODY_MS <= now)
			h2stream_reset(s, NGHTTP2_CANCEL);
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
	if (nghttp2_session_server_new2(&session, callbacks, h2, option) || nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, SETTINGS, COUNT_OF(SETTINGS)))
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
	h2pipe_note_output(h2);
	return h2;
}

void h2pipe_free(struct h2pipe **at)
{
	struct h2pipe *h2 = *at;
	struct h2stream *s;
	*at = NULL;
	if (!h2)
		return;
	timer_cancel(&h2->slow);
	while ((s = LIST_FIRST(&h2->streams, struct h2stream, link)))
		h2stream_cut(s);
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
		h2pipe_note_output(h2);
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
	h2pipe_note_output(h2);
}

bool h2pipe_idle(const struct h2pipe *h2)
{
	return !h2->open && !h2->carry.len && !nghttp2_session_want_write(h2->session);
}

bool h2pipe_over(const struct h2pipe *h2)
{
	return !h2->carry.len && !nghttp2_session_want_write(h2->session) && !nghttp2_session_want_read(h2->session);
}

size_t h2pipe_streams(const struct h2pipe *h2)
{
	return h2->open;
}
