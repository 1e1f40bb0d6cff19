#include "reader.h"

#include <zstd.h>

enum { LENGTH_LEN = 4, STEP = 128 << 10 };

void reader_init(struct reader *r)
{
	*r = (struct reader){.zstd = ZSTD_createDCtx()};
	buffer_init(&r->last, READER_MOST);
	buffer_init(&r->text, READER_MOST);
}

void reader_clear(struct reader *r)
{
	ZSTD_freeDCtx(r->zstd);
	buffer_clear(&r->last);
	buffer_clear(&r->text);
	r->zstd = NULL;
}

static enum err unpack(struct reader *r, struct bytes packed)
{
	ZSTD_inBuffer in = {packed.at, packed.len, 0};
	size_t left = 1;

	buffer_reset(&r->text);
	ZSTD_DCtx_reset(r->zstd, ZSTD_reset_session_only);
	while (in.pos < in.size || left) {
		ZSTD_outBuffer out = {buffer_reserve(&r->text, STEP), STEP, 0};
		size_t before = in.pos;

		if (!out.dst)
			return ERR_TOO_BIG;
		left = ZSTD_decompressStream(r->zstd, &out, &in);
		if (ZSTD_isError(left) || (left && in.pos == before && !out.pos))
			return ERR_MALFORMED;
		buffer_filled(&r->text, out.pos);
	}
	return ERR_NONE;
}

static enum err find_tokens(struct reader *r)
{
	size_t at = 0;

	for (r->token_count = 0; r->token_count < READER_TOKENS; r->token_count++)
		if (!token_next(buffer_bytes(&r->text), &at, &r->tokens[r->token_count]))
			return ERR_NONE;
	return ERR_TOO_BIG;
}

enum err reader_read(struct reader *r, struct bytes frame)
{
	enum err e;

	if (r->kept && bytes_equal(frame, buffer_bytes(&r->last))) {
		r->repeated++;
		return ERR_NONE;
	}
	r->kept = false;
	r->decoded++;
	buffer_reset(&r->last);
	if (frame.len <= LENGTH_LEN)
		return ERR_MALFORMED;
	if ((e = unpack(r, bytes_skip(frame, LENGTH_LEN))) || (e = find_tokens(r)) || (e = buffer_add(&r->last, frame)))
		return e;
	r->kept = true;
	return ERR_NONE;
}
