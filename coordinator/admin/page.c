#include "page.h"

#include <inttypes.h>
#include <stdio.h>

#include "dispatch.h"
#include "problem.h"
#include "secret.h"
#include "text.h"

/* The id, and what ties it to its list: digits of both. No secret: whoever makes up a cursor sees what he may see. */
enum { TIE_LEN = 4, CURSOR_LEN = 8 + TIE_LEN };

static void cursor_make(const struct exchange *x, uint64_t id, uint8_t cursor[static CURSOR_LEN])
{
	char text[200];
	uint8_t hash[32];

	snprintf(text, sizeof text, "%s %" PRIu64, x->route->path, id);
	hash_bytes(bytes_text(text), hash);
	for (unsigned i = 0; i < 8; i++)
		cursor[i] = (uint8_t)(id >> (56 - 8 * i));
	memcpy(cursor + 8, hash, TIE_LEN);
}

static bool cursor_take(const struct exchange *x, struct bytes text, uint64_t *id)
{
	uint8_t cursor[CURSOR_LEN], expected[CURSOR_LEN];

	if (hex_decode(text, cursor, sizeof cursor))
		return false;
	*id = 0;
	for (unsigned i = 0; i < 8; i++)
		*id = *id << 8 | cursor[i];
	cursor_make(x, *id, expected);
	return *id && *id <= INT64_MAX && memcmp(cursor, expected, sizeof cursor) == 0;
}

bool page_read(struct exchange *x, struct page *page, const char *detail)
{
	struct bytes limit = exchange_query(x, "limit"), cursor = exchange_query(x, "cursor");
	uint64_t number = PAGE_LIMIT;

	*page = (struct page){0};
	if (limit.at && (text_parse_u64(limit, PAGE_LIMIT_MAX, &number) || !number)) {
		problem_reply(x, 400, detail, "limit is a number from 1 to 1000", "query.limit");
		return false;
	}
	if (cursor.at && !cursor_take(x, cursor, &page->after)) {
		problem_reply(x, 400, detail, "the cursor is not one of this list", "query.cursor");
		return false;
	}
	page->limit = (unsigned)number;
	return true;
}

void page_write_next(struct jsonw *w, const struct exchange *x, const struct page *page, size_t rows, uint64_t last)
{
	uint8_t cursor[CURSOR_LEN];
	char text[2 * CURSOR_LEN + 1];

	if (rows <= page->limit) {
		jsonw_null(w, "nextCursor");
		return;
	}
	cursor_make(x, last, cursor);
	hex_encode(text, bytes_of(cursor, sizeof cursor));
	jsonw_string(w, "nextCursor", text);
}
