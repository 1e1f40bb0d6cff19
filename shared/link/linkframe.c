#include "linkframe.h"

enum { SUBSCRIBE_LEN = 31, FLAG_ZSTD = 1, FLAG_ONCE = 2, FLAG_OMIT_PEERS = 4, FLAGS_ALL = 7, PIECE_BYTES = 0, PIECE_CHUNK = 1 };

/* Numbers taken from the front of a frame's body; the caller has checked that they are there. */
static uint8_t take_u8(struct bytes *rest)
{
	uint8_t v = rest->at[0];
	*rest = bytes_skip(*rest, 1);
	return v;
}

static uint16_t take_u16(struct bytes *rest)
{
	uint16_t v = get_be16(rest->at);
	*rest = bytes_skip(*rest, 2);
	return v;
}

static uint32_t take_u32(struct bytes *rest)
{
	uint32_t v = get_be32(rest->at);
	*rest = bytes_skip(*rest, 4);
	return v;
}

static uint64_t take_u64(struct bytes *rest)
{
	uint64_t v = get_be64(rest->at);
	*rest = bytes_skip(*rest, 8);
	return v;
}

static void take_name(struct bytes *rest, uint8_t name[static LINK_CHUNK_NAME_LEN])
{
	memcpy(name, rest->at, LINK_CHUNK_NAME_LEN);
	*rest = bytes_skip(*rest, LINK_CHUNK_NAME_LEN);
}

static enum err decode_subscribe(struct bytes body, struct link_subscribe *s)
{
	s->stream = take_u32(&body);
	s->tailnet = take_u64(&body);
	s->node = take_u64(&body);
	s->session = take_u64(&body);
	s->capver = take_u16(&body);
	uint8_t flags = take_u8(&body);
	s->zstd = flags & FLAG_ZSTD;
	s->once = flags & FLAG_ONCE;
	s->omit_peers = flags & FLAG_OMIT_PEERS;
	return flags & ~FLAGS_ALL ? ERR_MALFORMED : ERR_NONE;
}

static enum err decode_body(struct bytes body, struct linkframe *frame)
{
	frame->version = take_u64(&body);
	uint32_t count = take_u32(&body);
	if (!count || count > body.len / 4)
		return ERR_MALFORMED;
	frame->streams = bytes_take(body, (size_t)count * 4);
	frame->bytes = bytes_skip(body, (size_t)count * 4);
	return ERR_NONE;
}

/* One piece from the front; false when it is not whole. */
static bool take_piece(struct bytes *rest, struct link_piece *piece)
{
	*piece = (struct link_piece){0};
	if (!rest->len)
		return false;
	uint8_t kind = take_u8(rest);
	if (kind == PIECE_CHUNK) {
		if (rest->len < LINK_CHUNK_NAME_LEN)
			return false;
		piece->is_chunk = true;
		take_name(rest, piece->name);
		return true;
	}
	if (kind != PIECE_BYTES || rest->len < 4)
		return false;
	uint32_t len = take_u32(rest);
	if (len > rest->len)
		return false;
	piece->bytes = bytes_take(*rest, len);
	*rest = bytes_skip(*rest, len);
	return true;
}

static enum err decode_full(struct bytes body, struct linkframe *frame)
{
	frame->stream = take_u32(&body);
	frame->version = take_u64(&body);
	frame->pieces = body;
	struct link_piece piece;
	for (size_t count = 0; body.len; count++) {
		if (count == LINK_PIECES_MAX || !take_piece(&body, &piece))
			return ERR_MALFORMED;
	}
	return ERR_NONE;
}

/* Least and, where `exact`, only length of each type's body. */
static const struct shape {
	uint8_t known, exact;
	uint16_t least;
} shapes[] = {
	[LINK_SUBSCRIBE] = {1, 1, SUBSCRIBE_LEN},
	[LINK_UNSUBSCRIBE] = {1, 1, 4},
	[LINK_CREDIT] = {1, 1, 5},
	[LINK_STANDS] = {1, 1, 12},
	[LINK_WANT] = {1, 1, 4 + LINK_CHUNK_NAME_LEN},
	[LINK_PING] = {1, 1, 0},
	[LINK_BODY] = {1, 0, 12},
	[LINK_FULL] = {1, 0, 12},
	[LINK_CHUNK] = {1, 0, LINK_CHUNK_NAME_LEN},
	[LINK_FORGET] = {1, 1, LINK_CHUNK_NAME_LEN},
	[LINK_END] = {1, 1, 6},
	[LINK_PONG] = {1, 1, 0},
};

static enum err decode_content(struct bytes body, struct linkframe *frame)
{
	uint8_t flag;
	switch (frame->type) {
	case LINK_SUBSCRIBE:
		return decode_subscribe(body, &frame->subscribe);
	case LINK_UNSUBSCRIBE:
		frame->stream = take_u32(&body);
		return ERR_NONE;
	case LINK_CREDIT:
		frame->stream = take_u32(&body);
		flag = take_u8(&body);
		frame->free = flag;
		return flag > 1 ? ERR_MALFORMED : ERR_NONE;
	case LINK_STANDS:
		frame->stream = take_u32(&body);
		frame->version = take_u64(&body);
		return ERR_NONE;
	case LINK_WANT:
		frame->stream = take_u32(&body);
		take_name(&body, frame->chunk);
		return ERR_NONE;
	case LINK_BODY:
		return decode_body(body, frame);
	case LINK_FULL:
		return decode_full(body, frame);
	case LINK_CHUNK:
	case LINK_FORGET:
		take_name(&body, frame->chunk);
		frame->bytes = body;
		return ERR_NONE;
	case LINK_END:
		frame->stream = take_u32(&body);
		frame->reason = take_u16(&body);
		return frame->reason > LINK_END_OVERLOADED ? ERR_MALFORMED : ERR_NONE;
	case LINK_PING:
	case LINK_PONG:
		return ERR_NONE;
	}
	return ERR_MALFORMED;
}

enum err linkframe_decode(struct bytes in, struct linkframe *frame, size_t *used)
{
	*used = 0;
	if (!in.len)
		return ERR_AGAIN;
	uint8_t type = in.at[0];
	if (type >= COUNT_OF(shapes) || !shapes[type].known)
		return ERR_MALFORMED;
	if (in.len < LINKFRAME_HEADER_LEN)
		return ERR_AGAIN;
	uint32_t len = get_be32(in.at + 1);
	if (len > LINKFRAME_MAX)
		return ERR_TOO_BIG;
	if (len < shapes[type].least || (shapes[type].exact && len != shapes[type].least))
		return ERR_MALFORMED;
	if (in.len - LINKFRAME_HEADER_LEN < len)
		return ERR_AGAIN;
	*frame = (struct linkframe){.type = type};
	enum err e = decode_content(bytes_of(in.at + LINKFRAME_HEADER_LEN, len), frame);
	if (!e)
		*used = LINKFRAME_HEADER_LEN + len;
	return e;
}

bool linkframe_piece(struct bytes *rest, struct link_piece *piece)
{
	return take_piece(rest, piece);
}

/* The header and `len` reserved bytes behind it; NULL past a cap. */
static uint8_t *begin(struct buffer *out, enum linkframe_type type, size_t len)
{
	uint8_t *at = len > LINKFRAME_MAX ? NULL : buffer_reserve(out, LINKFRAME_HEADER_LEN + len);
	if (!at)
		return NULL;
	at[0] = (uint8_t)type;
	put_be32(at + 1, (uint32_t)len);
	buffer_filled(out, LINKFRAME_HEADER_LEN + len);
	return at + LINKFRAME_HEADER_LEN;
}

static uint8_t *put_bytes(uint8_t *at, struct bytes b)
{
	if (b.len)
		memcpy(at, b.at, b.len);
	return at + b.len;
}

static void put_subscribe(uint8_t *at, const struct link_subscribe *s)
{
	put_be32(at, s->stream);
	put_be64(at + 4, s->tailnet);
	put_be64(at + 12, s->node);
	put_be64(at + 20, s->session);
	put_be16(at + 28, s->capver);
	at[30] = (uint8_t)((s->zstd ? FLAG_ZSTD : 0) | (s->once ? FLAG_ONCE : 0) | (s->omit_peers ? FLAG_OMIT_PEERS : 0));
}

static size_t content_len(const struct linkframe *frame)
{
	size_t len = shapes[frame->type].least;
	if (frame->type == LINK_BODY)
		len += frame->streams.len + frame->bytes.len;
	else if (frame->type == LINK_CHUNK)
		len += frame->bytes.len;
	return len;
}

enum err linkframe_encode(const struct linkframe *frame, struct buffer *out)
{
	uint8_t *at = begin(out, frame->type, content_len(frame));
	if (!at)
		return ERR_TOO_BIG;
	switch (frame->type) {
	case LINK_SUBSCRIBE:
		put_subscribe(at, &frame->subscribe);
		break;
	case LINK_UNSUBSCRIBE:
		put_be32(at, frame->stream);
		break;
	case LINK_CREDIT:
		put_be32(at, frame->stream);
		at[4] = frame->free;
		break;
	case LINK_STANDS:
		put_be32(at, frame->stream);
		put_be64(at + 4, frame->version);
		break;
	case LINK_WANT:
		put_be32(at, frame->stream);
		memcpy(at + 4, frame->chunk, LINK_CHUNK_NAME_LEN);
		break;
	case LINK_BODY:
		put_be64(at, frame->version);
		put_be32(at + 8, (uint32_t)(frame->streams.len / 4));
		put_bytes(put_bytes(at + 12, frame->streams), frame->bytes);
		break;
	case LINK_CHUNK:
	case LINK_FORGET:
		memcpy(at, frame->chunk, LINK_CHUNK_NAME_LEN);
		if (frame->type == LINK_CHUNK)
			put_bytes(at + LINK_CHUNK_NAME_LEN, frame->bytes);
		break;
	case LINK_END:
		put_be32(at, frame->stream);
		put_be16(at + 4, frame->reason);
		break;
	case LINK_FULL:
	case LINK_PING:
	case LINK_PONG:
		break;
	}
	return ERR_NONE;
}

static size_t piece_len(const struct link_piece *piece)
{
	return 1 + (piece->is_chunk ? (size_t)LINK_CHUNK_NAME_LEN : 4 + piece->bytes.len);
}

enum err linkframe_encode_full(uint32_t stream, uint64_t version, const struct link_piece *pieces, size_t count, struct buffer *out)
{
	size_t len = shapes[LINK_FULL].least;
	for (size_t i = 0; i < count && len <= LINKFRAME_MAX; i++)
		len += piece_len(&pieces[i]);
	uint8_t *at = count > LINK_PIECES_MAX ? NULL : begin(out, LINK_FULL, len);
	if (!at)
		return ERR_TOO_BIG;
	put_be32(at, stream);
	put_be64(at + 4, version);
	at += 12;
	for (size_t i = 0; i < count; i++) {
		*at++ = pieces[i].is_chunk ? PIECE_CHUNK : PIECE_BYTES;
		if (pieces[i].is_chunk) {
			at = put_bytes(at, bytes_of(pieces[i].name, LINK_CHUNK_NAME_LEN));
		} else {
			put_be32(at, (uint32_t)pieces[i].bytes.len);
			at = put_bytes(at + 4, pieces[i].bytes);
		}
	}
	return ERR_NONE;
}
