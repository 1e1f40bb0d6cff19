/* Frames of map streams made readable: several zstd frames back to back into one text, at most READER_MOST bytes; and the tokens in it.
 * Not a parser. Frames that repeat the one before byte for byte (a body shared by many streams) are decoded once.
 * reader_init/clear; the text is borrowed until the next call. */
#ifndef READER_H
#define READER_H

#include "buffer.h"
#include "token.h"

enum { READER_MOST = 64 << 20, READER_TOKENS = 4096 };

struct reader {
	void *zstd;               /* a decoder of libzstd */
	struct buffer last, text; /* the frame before, and what it means */
	bool kept;
	struct token tokens[READER_TOKENS];
	size_t token_count;
	uint64_t decoded, repeated;
};

void reader_init(struct reader *r);
void reader_clear(struct reader *r);
/* `frame` with its length in front. ERR_MALFORMED: not zstd or cut short; ERR_TOO_BIG: past READER_MOST or READER_TOKENS. */
MUST_USE enum err reader_read(struct reader *r, struct bytes frame);

#endif
