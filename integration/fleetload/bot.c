#include "bot.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "secret.h"
#include "text.h"

enum { IN_MAX = 1 << 20, FRAME_MAX = 64 << 20, OUT_MAX = 256 << 10, BODY_MAX = 4096, CONNECT_MS = 20000 };

static void bot_fail(struct bot *b, const char *why)
{
	if (b->state == BOT_FAILED)
		return;
	b->state = BOT_FAILED;
	b->target->events->on_failed(b->target->context, b, why);
}

/* --- requests -------------------------------------------------------------------------------------------------------------------------------- */

static ssize_t on_read_body(nghttp2_session *h2, int32_t stream, uint8_t *out, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct buffer *body = source->ptr;
	size_t len = body->len < room ? body->len : room;

	(void)h2, (void)stream, (void)context;
	memcpy(out, body->at, len);
	buffer_consume(body, len);
	if (!body->len) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		buffer_clear(body);
		free(body);
		source->ptr = NULL;
	}
	return (ssize_t)len;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int32_t bot_post(struct bot *b, const char *path, const char *json)
{
	nghttp2_nv headers[] = {header(":method", "POST"), header(":scheme", "https"), header(":authority", "fleetload"), header(":path", path),
				header("content-type", "application/json")};
	struct buffer *body = x_zalloc(sizeof *body);
	nghttp2_data_provider provider = {.source = {.ptr = body}, .read_callback = on_read_body};
	int32_t stream;

	buffer_init(body, BODY_MAX);
	if (buffer_add_text(body, json))
		abort();
	stream = nghttp2_submit_request(b->h2, NULL, headers, COUNT_OF(headers), &provider, NULL);
	loop_defer(b->target->loop, &b->flush);
	return stream;
}

static void bot_register(struct bot *b)
{
	char node[KEY_TEXT_MAX], json[BODY_MAX];
	struct node_key key;

	memcpy(key.raw, b->node_public.raw, KEY_LEN);
	key_format_node(node, &key);
	snprintf(json, sizeof json,
		 "{\"Version\":%u,\"NodeKey\":\"%s\",\"OldNodeKey\":\"nodekey:%064d\",\"NLKey\":\"nlpub:%064d\",\"Auth\":{\"AuthKey\":\"%s\"},\"Expiry\":"
		 "\"0001-01-01T00:00:00Z\","
		 "\"Followup\":\"\",\"Hostinfo\":{\"OS\":\"linux\",\"Hostname\":\"%s\",\"BackendLogID\":\"%064x\",\"GoArch\":\"amd64\"},"
		 "\"NodeKeySignature\":null}",
		 b->target->capver, node, 0, 0, b->target->auth_keys[b->number % b->target->auth_key_count], b->name, b->number);
	b->state = BOT_REGISTERING;
	b->register_stream = bot_post(b, "/machine/register", json);
}

static int32_t bot_map(struct bot *b, bool stream)
{
	char node[KEY_TEXT_MAX], disco[KEY_TEXT_MAX], endpoint[ENDPOINT_TEXT_MAX], json[BODY_MAX];
	struct node_key key;
	struct disco_key disco_key;

	memcpy(key.raw, b->node_public.raw, KEY_LEN);
	memcpy(disco_key.raw, b->node_public.raw, KEY_LEN);
	disco_key.raw[0] ^= 0xff;
	key_format_node(node, &key);
	key_format_disco(disco, &disco_key);
	endpoint_format(endpoint, b->endpoint);
	snprintf(json, sizeof json,
		 "{\"Version\":%u,\"Compress\":\"zstd\",\"KeepAlive\":true,\"NodeKey\":\"%s\",\"DiscoKey\":\"%s\",\"Stream\":%s,\"OmitPeers\":%s,"
		 "\"Hostinfo\":{\"IPNVersion\":\"1.102.5\",\"OS\":\"linux\",\"Hostname\":\"%s\",\"GoArch\":\"amd64\",\"BackendLogID\":\"%064x\","
		 "\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":40000},{\"Proto\":\"peerapi6\",\"Port\":40000}],\"NetInfo\":{\"PreferredDERP\":900,"
		 "\"WorkingUDP\":true}},"
		 "\"Endpoints\":[\"%s\"],\"EndpointTypes\":[1]}",
		 b->target->capver, node, disco, stream ? "true" : "false", stream ? "false" : "true", b->name, b->number, endpoint);
	return bot_post(b, "/machine/map", json);
}

void bot_report(struct bot *b, struct endpoint endpoint)
{
	b->endpoint = endpoint;
	if (b->report_stream) {
		b->report_waits = true;
		return;
	}
	b->report_stream = bot_map(b, false);
}

/* --- answers --------------------------------------------------------------------------------------------------------------------------------- */

static void bot_serve(struct bot *b)
{
	b->state = BOT_SERVED;
	b->served_us = clock_mono_us();
	b->target->events->on_served(b->target->context, b);
}

static void bot_on_frames(struct bot *b)
{
	while (b->frame.len >= 4) {
		size_t len = 4 + (size_t)get_le32(b->frame.at);
		bool first = !b->told;

		if (b->frame.len < len)
			return;
		b->told = true;
		if (first)
			bot_serve(b);
		b->target->events->on_frame(b->target->context, b, bytes_of(b->frame.at, len), first);
		buffer_consume(&b->frame, len);
	}
	if (!b->frame.len)
		buffer_clear(&b->frame);
}

static int on_data_chunk(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *at, size_t len, void *context)
{
	struct bot *b = context;
	struct buffer *to = stream == b->map_stream ? &b->frame : &b->answer;

	(void)h2, (void)flags;
	if (buffer_add(to, bytes_of(at, len)))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (stream == b->map_stream)
		bot_on_frames(b);
	return 0;
}

static bool answer_has(const struct bot *b, const char *text)
{
	return memmem(b->answer.at, b->answer.len, text, strlen(text)) != NULL;
}

static void bot_poll(struct bot *b)
{
	b->state = BOT_POLLING;
	b->map_stream = bot_map(b, true);
	bot_report(b, b->endpoint);
}

static void bot_on_registered(struct bot *b)
{
	b->register_stream = 0;
	if (!answer_has(b, "\"MachineAuthorized\":true")) {
		bot_fail(b, "registration refused");
		return;
	}
	b->registered = true;
	if (b->target->goal == BOT_REGISTER)
		bot_serve(b);
	else
		bot_poll(b);
}

static void bot_on_reported(struct bot *b)
{
	b->report_stream = 0;
	b->target->events->on_reported(b->target->context, b);
	if (b->report_waits) {
		b->report_waits = false;
		bot_report(b, b->endpoint);
	}
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *context)
{
	struct bot *b = context;

	(void)h2;
	if (stream == b->map_stream)
		bot_fail(b, "map stream ended");
	else if (code)
		bot_fail(b, "request reset");
	else if (stream == b->register_stream)
		bot_on_registered(b);
	else if (stream == b->report_stream)
		bot_on_reported(b);
	buffer_reset(&b->answer);
	return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
		     uint8_t flags, void *context)
{
	struct bot *b = context;

	(void)h2, (void)frame, (void)flags;
	if (bytes_equal_text(bytes_of(name, name_len), ":status") && !bytes_equal_text(bytes_of(value, value_len), "200"))
		bot_fail(b, "a request was answered with another status than 200");
	return 0;
}

static void bot_make_h2(struct bot *b)
{
	static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 << 20}};
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks))
		abort();
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	if (nghttp2_session_client_new(&b->h2, callbacks, b))
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(b->h2, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings));
	nghttp2_session_set_local_window_size(b->h2, NGHTTP2_FLAG_NONE, 0, 1 << 30);
}

/* --- the connection -------------------------------------------------------------------------------------------------------------------------- */

static void on_flush(void *context)
{
	struct bot *b = context;
	struct buffer sealed;
	const uint8_t *at;
	ssize_t len;

	if (!b->h2 || b->state == BOT_FAILED)
		return;
	buffer_init(&sealed, OUT_MAX);
	while ((len = nghttp2_session_mem_send(b->h2, &at)) > 0)
		if (noise_seal(&b->noise.tx, bytes_of(at, (size_t)len), &sealed))
			break;
	if (sealed.len && pipe_write(b->pipe, &sealed))
		bot_fail(b, "cannot write");
	buffer_clear(&sealed);
}

static bool bot_upgrade(struct bot *b, struct buffer *in)
{
	const uint8_t *end = memmem(in->at, in->len, "\r\n\r\n", 4);
	size_t head;

	if (!end)
		return false;
	head = (size_t)(end - in->at) + 4;
	if (in->len < head + NOISE_RESPONSE_LEN)
		return false;
	if (!bytes_starts(buffer_bytes(in), "HTTP/1.1 101")) {
		bot_fail(b, "no 101");
		return false;
	}
	if (noise_dial_finish(&b->dial, bytes_of(in->at + head, NOISE_RESPONSE_LEN), &b->noise)) {
		bot_fail(b, "handshake failed");
		return false;
	}
	buffer_consume(in, head + NOISE_RESPONSE_LEN);
	b->upgraded = true;
	bot_make_h2(b);
	if (b->target->goal == BOT_HANDSHAKE)
		bot_serve(b);
	else if (b->registered)
		bot_poll(b);
	else
		bot_register(b);
	return true;
}

/* ff ff ff "TS", a big-endian length and JSON may come before HTTP/2 (docs/protocol/transport.md). False: more must come first. */
static bool bot_skip_early(struct bot *b)
{
	static const uint8_t magic[] = {0xff, 0xff, 0xff, 'T', 'S'};

	if (b->heard)
		return true;
	if (b->plain.len < 9)
		return false;
	b->heard = true;
	if (memcmp(b->plain.at, magic, sizeof magic) != 0)
		return true;
	if (b->plain.len < 9 + (size_t)get_be32(b->plain.at + 5)) {
		b->heard = false;
		return false;
	}
	buffer_consume(&b->plain, 9 + get_be32(b->plain.at + 5));
	return true;
}

static void on_pipe_data(void *context, struct buffer *in)
{
	struct bot *b = context;
	size_t used;
	enum err e;

	if (!b->upgraded && !bot_upgrade(b, in))
		return;
	while (b->state != BOT_FAILED && in->len) {
		e = noise_open(&b->noise.rx, buffer_bytes(in), &b->plain, &used);
		if (e == ERR_AGAIN)
			break;
		if (e) {
			bot_fail(b, "bad record");
			return;
		}
		buffer_consume(in, used);
		b->wire_bytes += used;
	}
	if (!bot_skip_early(b))
		return;
	if (b->plain.len && nghttp2_session_mem_recv(b->h2, b->plain.at, b->plain.len) < 0)
		bot_fail(b, "bad HTTP/2");
	buffer_clear(&b->plain);
	loop_defer(b->target->loop, &b->flush);
}

static void on_pipe_written(void *context)
{
	(void)context;
}

static void on_pipe_end(void *context, enum err why)
{
	bot_fail(context, err_text(why));
}

static const struct pipe_events pipe_events = {on_pipe_data, on_pipe_written, on_pipe_end};

/* Seed and number make the keys: the same run again has the same identities. */
static void derive(uint64_t seed, unsigned number, const char *what, struct private_key *key)
{
	char text[80];
	int len = snprintf(text, sizeof text, "fleetload %s %llu %u", what, (unsigned long long)seed, number);

	hash_bytes(bytes_of(text, (size_t)len), key->raw);
	key->raw[0] &= 248;
	key->raw[31] = (uint8_t)((key->raw[31] & 127) | 64);
}

void bot_init(struct bot *b, const struct bot_target *target, unsigned number)
{
	*b = (struct bot){.target = target, .number = number};
	derive(target->seed, number, "machine", &b->machine);
	derive(target->seed, number, "node", &b->node);
	key_public(&b->node, &b->node_public);
	snprintf(b->name, sizeof b->name, "bot-%u", number);
	b->endpoint = (struct endpoint){.ip = {.family = IP_V4, .byte = {192, 168, (uint8_t)(number >> 8), (uint8_t)number}}, .port = 41641};
	buffer_init(&b->plain, 4 * IN_MAX);
	buffer_init(&b->frame, FRAME_MAX);
	buffer_init(&b->answer, IN_MAX);
	defer_init(&b->flush, on_flush, b);
}

void bot_start(struct bot *b)
{
	uint8_t initiation[NOISE_INITIATION_LEN];
	struct private_key ephemeral;
	struct public_key unused;
	struct buffer head, text;

	key_mint(&ephemeral, &unused);
	noise_dial_start(&b->dial, &b->machine, &ephemeral, &b->target->server_key, b->target->capver, initiation);
	buffer_init(&head, BODY_MAX);
	buffer_init(&text, BODY_MAX);
	if (base64_encode(bytes_of(initiation, sizeof initiation), &text) ||
	    buffer_format(&head,
			  "POST /ts2021 HTTP/1.1\r\nHost: fleetload\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\nX-Tailscale-Handshake: "
			  "%.*s\r\nContent-Length: 0\r\n\r\n",
			  BYTES_ARG(buffer_bytes(&text))))
		abort();
	b->state = BOT_CONNECTING;
	b->started_us = clock_mono_us();
	b->pipe = pipe_connect(b->target->loop, b->target->servers[b->number % b->target->server_count], CONNECT_MS, IN_MAX, &pipe_events, b);
	if (!b->pipe || pipe_write(b->pipe, &head))
		bot_fail(b, "cannot connect");
	buffer_clear(&text);
	buffer_clear(&head);
}

void bot_stop(struct bot *b)
{
	defer_cancel(&b->flush);
	pipe_close(&b->pipe);
	if (b->h2)
		nghttp2_session_del(b->h2);
	b->h2 = NULL;
	buffer_clear(&b->plain);
	buffer_clear(&b->frame);
	buffer_clear(&b->answer);
	b->upgraded = b->heard = b->told = b->report_waits = false;
	b->register_stream = b->map_stream = b->report_stream = 0;
	b->state = BOT_IDLE;
}
