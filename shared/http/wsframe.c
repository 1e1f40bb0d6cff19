#include "wsframe.h"

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LEN = 0x7f, LEN_16 = 126, LEN_64 = 127, MASK_LEN = 4 };

/* The head of a frame as it stands in the bytes. */
struct head {
	enum opcode opcode;
	bool last;
	uint64_t len;
	const uint8_t *mask;
	size_t size;
};

static enum err fail(struct wsframe *w, enum err e, enum wsframe_close code)
{
	w->close = code;
	return e;
}

static enum err check_kind(struct wsframe *w, const uint8_t *at)
{
	unsigned opcode = at[0] & OPCODE;
	bool is_control = opcode >= CLOSE;
	if (at[0] & RESERVED || !(at[1] & MASKED))
		return fail(w, ERR_MALFORMED, WSFRAME_BREACH);
	if (opcode > PONG || (opcode > BINARY && !is_control))
		return fail(w, ERR_MALFORMED, WSFRAME_BREACH);
	if (is_control)
		return at[0] & FIN && (at[1] & LEN) <= WSFRAME_CONTROL_MAX ? ERR_NONE : fail(w, ERR_MALFORMED, WSFRAME_BREACH);
	if (w->in_message != (opcode == CONTINUATION))
		return fail(w, ERR_MALFORMED, WSFRAME_BREACH);
	return opcode == TEXT ? fail(w, ERR_UNSUPPORTED, WSFRAME_NO_TEXT) : ERR_NONE;
}

static uint64_t number(const uint8_t *at, size_t len)
{
	uint64_t n = 0;
	for (size_t i = 0; i < len; i++)
		n = n << 8 | at[i];
	return n;
}

/* ERR_AGAIN until the whole head is there; what is wrong with it is told as early as it is seen. */
static enum err read_head(struct wsframe *w, struct bytes in, struct head *head)
{
	if (in.len < 2)
		return ERR_AGAIN;
	enum err e = check_kind(w, in.at);
	if (e)
		return e;
	unsigned short_len = in.at[1] & LEN;
	size_t extra = short_len == LEN_64 ? 8 : short_len == LEN_16 ? 2 : 0;
	*head = (struct head){.opcode = in.at[0] & OPCODE, .last = in.at[0] & FIN, .len = short_len, .size = 2 + extra + MASK_LEN};
	if (in.len < 2 + extra)
		return ERR_AGAIN;
	if (extra)
		head->len = number(in.at + 2, extra);
	if ((extra == 2 && head->len < LEN_16) || (extra == 8 && head->len <= UINT16_MAX))
		return fail(w, ERR_MALFORMED, WSFRAME_BREACH);
	if (head->len > WSFRAME_IN_MAX)
		return fail(w, ERR_TOO_BIG, WSFRAME_TOO_BIG);
	head->mask = in.at + 2 + extra;
	return in.len < head->size ? ERR_AGAIN : ERR_NONE;
}

/* Control frames are small: they are taken whole. */
static enum err read_control(struct wsframe *w, const struct head *head, struct buffer *in)
{
	uint8_t payload[WSFRAME_CONTROL_MAX];
	if (in->len < head->size + head->len)
		return ERR_AGAIN;
	for (size_t i = 0; i < head->len; i++)
		payload[i] = in->at[head->size + i] ^ head->mask[i % MASK_LEN];
	buffer_consume(in, head->size + (size_t)head->len);
	if (head->opcode == CLOSE)
		return fail(w, ERR_CLOSED, head->len == 1 ? WSFRAME_BREACH : WSFRAME_NORMAL);
	if (head->opcode == PING) {
		w->pinged = true;
		w->ping_len = (uint8_t)head->len;
		memcpy(w->ping, payload, (size_t)head->len);
	}
	return ERR_NONE;
}

static enum err begin_data(struct wsframe *w, const struct head *head, struct buffer *in)
{
	if (!w->in_message)
		w->message = 0;
	w->message += (size_t)head->len;
	if (w->message > WSFRAME_MESSAGE_MAX)
		return fail(w, ERR_TOO_BIG, WSFRAME_TOO_BIG);
	memcpy(w->mask, head->mask, MASK_LEN);
	w->mask_at = 0;
	w->left = head->len;
	w->in_frame = true;
	w->in_message = !head->last;
	buffer_consume(in, head->size);
	return ERR_NONE;
}

static enum err read_data(struct wsframe *w, struct buffer *in, struct buffer *data)
{
	size_t count = in->len < w->left ? in->len : (size_t)w->left;
	size_t room = data->cap - data->len;
	if (count > room)
		count = room;
	uint8_t *to = count ? buffer_reserve(data, count) : NULL;
	for (size_t i = 0; i < count; i++)
		to[i] = in->at[i] ^ w->mask[(w->mask_at + i) % MASK_LEN];
	if (count)
		buffer_filled(data, count);
	buffer_consume(in, count);
	w->mask_at = (unsigned)((w->mask_at + count) % MASK_LEN);
	w->left -= count;
	w->in_frame = w->left > 0;
	return w->in_frame && in->len ? ERR_EXHAUSTED : ERR_NONE;
}

enum err wsframe_read(struct wsframe *w, struct buffer *in, struct buffer *data)
{
	enum err e = ERR_NONE;
	while (!e && in->len) {
		struct head head;
		if (w->in_frame) {
			e = read_data(w, in, data);
			continue;
		}
		e = read_head(w, buffer_bytes(in), &head);
		if (!e)
			e = head.opcode >= CLOSE ? read_control(w, &head, in) : begin_data(w, &head, in);
		/* An empty frame has no bytes to wait for. */
		if (!e && w->in_frame && !w->left)
			w->in_frame = false;
	}
	return e == ERR_AGAIN ? ERR_NONE : e;
}

/* ---- writing ---- */

static enum err write_frame(enum opcode opcode, struct bytes payload, struct buffer *out)
{
	uint8_t head[4] = {(uint8_t)(FIN | opcode), (uint8_t)payload.len};
	size_t size = 2;
	if (payload.len >= LEN_16) {
		head[1] = LEN_16;
		head[2] = (uint8_t)(payload.len >> 8);
		head[3] = (uint8_t)payload.len;
		size = 4;
	}
	enum err e = buffer_add(out, bytes_of(head, size));
	return e ? e : buffer_add(out, payload);
}

enum err wsframe_write(struct bytes data, struct buffer *out)
{
	enum err e = ERR_NONE;
	while (!e && data.len) {
		struct bytes part = bytes_take(data, WSFRAME_OUT_MAX);
		e = write_frame(BINARY, part, out);
		data = bytes_skip(data, part.len);
	}
	return e;
}

enum err wsframe_write_pong(const struct wsframe *w, struct buffer *out)
{
	return write_frame(PONG, bytes_of(w->ping, w->ping_len), out);
}

enum err wsframe_write_close(unsigned code, struct buffer *out)
{
	uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
	return write_frame(CLOSE, bytes_of(payload, sizeof(payload)), out);
}
