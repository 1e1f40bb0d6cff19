#include "mapframe.h"

#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Level 1: higher levels gain a few percent on keys and addresses, which do not compress, and cost several times the work. */
enum { LEVEL = 1 };

static _Thread_local ZSTD_CCtx *thread_context;
static pthread_key_t thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_thread_end(void *context)
{
	ZSTD_freeCCtx(context);
	thread_context = NULL;
}

static void make_thread_end(void)
{
	if (pthread_key_create(&thread_end, on_thread_end))
		abort();
}

static ZSTD_CCtx *context_get(void)
{
	if (thread_context)
		return thread_context;
	pthread_once(&once, make_thread_end);
	thread_context = ZSTD_createCCtx();
	if (!thread_context || pthread_setspecific(thread_end, thread_context))
		abort();
	ZSTD_CCtx_setParameter(thread_context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(thread_context, ZSTD_c_contentSizeFlag, 1);
	ZSTD_CCtx_setParameter(thread_context, ZSTD_c_checksumFlag, 0);
	return thread_context;
}

enum err mapframe_compress(struct bytes plain, struct buffer *out)
{
	if (plain.len > MAPFRAME_MAX)
		return ERR_TOO_BIG;
	size_t room = ZSTD_compressBound(plain.len);
	/* The bound is for bytes that do not compress; near the cap try with what is left. */
	if (room > out->cap - out->len)
		room = out->cap - out->len;
	uint8_t *at = buffer_reserve(out, room);
	if (!at)
		return ERR_TOO_BIG;
	size_t len = ZSTD_compress2(context_get(), at, room, plain.at, plain.len);
	if (ZSTD_isError(len))
		return ZSTD_getErrorCode(len) == ZSTD_error_dstSize_tooSmall ? ERR_TOO_BIG : ERR_BUG;
	buffer_filled(out, len);
	return ERR_NONE;
}

void mapframe_header(uint8_t out[static MAPFRAME_HEADER_LEN], size_t len)
{
	put_le32(out, (uint32_t)len);
}

enum err mapframe_wrap(struct bytes piece, struct buffer *out)
{
	if (piece.len > MAPFRAME_MAX)
		return ERR_TOO_BIG;
	uint8_t *at = buffer_reserve(out, MAPFRAME_HEADER_LEN + piece.len);
	if (!at)
		return ERR_TOO_BIG;
	mapframe_header(at, piece.len);
	if (piece.len)
		memcpy(at + MAPFRAME_HEADER_LEN, piece.at, piece.len);
	buffer_filled(out, MAPFRAME_HEADER_LEN + piece.len);
	return ERR_NONE;
}

#define KEEPALIVE "{\"KeepAlive\":true}\n"
#define KEEPALIVE_LEN "\x13"

struct bytes mapframe_keepalive(bool zstd)
{
	/* One raw block: magic, descriptor (single segment, 1-byte size), size, block header (last, raw, 19 bytes), text. */
	static const char packed[] = "\x1c\0\0\0"
				     "\x28\xb5\x2f\xfd\x20" KEEPALIVE_LEN "\x99\0\0" KEEPALIVE;
	static const char text[] = KEEPALIVE_LEN "\0\0\0" KEEPALIVE;
	return zstd ? BYTES(packed) : BYTES(text);
}

static enum err decompress_into(ZSTD_DCtx *context, struct bytes frames, size_t cap, struct buffer *out)
{
	uint8_t chunk[16384];
	ZSTD_inBuffer in = {frames.at, frames.len, 0};
	size_t left = 0, total = 0;
	/* Goes on after the input's end as long as whole chunks come out. */
	for (bool more = true; in.pos < in.size || more;) {
		ZSTD_outBuffer piece = {chunk, sizeof chunk, 0};
		size_t before = in.pos;
		left = ZSTD_decompressStream(context, &piece, &in);
		if (ZSTD_isError(left) || (!piece.pos && in.pos == before && in.pos < in.size))
			return ERR_MALFORMED;
		total += piece.pos;
		if (total > cap || buffer_add(out, bytes_of(chunk, piece.pos)))
			return ERR_TOO_BIG;
		more = piece.pos == sizeof chunk && left;
	}
	return left ? ERR_MALFORMED : ERR_NONE;
}

enum err mapframe_decompress(struct bytes frames, size_t cap, struct buffer *out)
{
	if (!frames.len)
		return ERR_MALFORMED;
	ZSTD_DCtx *context = ZSTD_createDCtx();
	if (!context)
		abort();
	size_t before = out->len;
	enum err e = decompress_into(context, frames, cap, out);
	if (e)
		buffer_cut(out, before);
	ZSTD_freeDCtx(context);
	return e;
}
