#include "page.h"

#include <inttypes.h>
#include <stdio.h>

#include "dispatch.h"
#include "problem.h"
#include "secret.h"
#include "text.h"

/* The ids, and what ties them to their list: digits of all. No secret: whoever makes up a cursor sees what he may see. */
enum { ID_LEN = 8, TIE_LEN = 4, IDS_MAX = 2, CURSOR_MAX = IDS_MAX * ID_LEN + TIE_LEN };

static size_t cursor_len(unsigned ids)
{
	return ids * ID_LEN + TIE_LEN;
}

static void cursor_make(const struct exchange *x, const uint64_t *id, unsigned ids, uint8_t cursor[static CURSOR_MAX])
{
	char text[200];
	uint8_t hash[32];
	int len = snprintf(text, sizeof text, "%.120s", x->route->path);

	for (unsigned i = 0; i < ids; i++) {
		len += snprintf(text + len, sizeof text - (size_t)len, " %" PRIu64, id[i]);
		for (unsigned b = 0; b < ID_LEN; b++)
			*cursor++ = (uint8_t)(id[i] >> (56 - 8 * b));
	}
	hash_bytes(bytes_text(text), hash);
	memcpy(cursor, hash, TIE_LEN);
}

static bool cursor_take(const struct exchange *x, struct bytes text, uint64_t *id, unsigned ids)
{
	uint8_t cursor[CURSOR_MAX], expected[CURSOR_MAX];
	bool is_id = true;

	if (hex_decode(text, cursor, cursor_len(ids)))
		return false;
	for (unsigned i = 0; i < ids; i++) {
		id[i] = 0;
		for (unsigned b = 0; b < ID_LEN; b++)
			id[i] = id[i] << 8 | cursor[i * ID_LEN + b];
		is_id &= id[i] && id[i] <= INT64_MAX;
	}
	cursor_make(x, id, ids, expected);
	return is_id && memcmp(cursor, expected, cursor_len(ids)) == 0;
}

static bool read_page(struct exchange *x, struct page *page, unsigned ids, const char *detail)
{
	uint64_t id[IDS_MAX] = {0};
	struct bytes limit = exchange_query(x, "limit"), cursor = exchange_query(x, "cursor");
	uint64_t number = PAGE_LIMIT;

	*page = (struct page){0};
	if (limit.at && (text_parse_u64(limit, PAGE_LIMIT_MAX, &number) || !number)) {
		problem_reply(x, 400, detail, "limit is a number from 1 to 1000", "query.limit");
		return false;
	}
	if (cursor.at && !cursor_take(x, cursor, id, ids)) {
		problem_reply(x, 400, detail, "the cursor is not one of this list", "query.cursor");
		return false;
	}
	page->limit = (unsigned)number;
	page->after = id[0];
	page->within = id[1];
	return true;
}

bool page_read(struct exchange *x, struct page *page, const char *detail)
{
	return read_page(x, page, 1, detail);
}

bool page_read_pairs(struct exchange *x, struct page *page, const char *detail)
{
	return read_page(x, page, 2, detail);
}

bool page_shows(struct page *page, const struct jsonw *w, size_t row, size_t rows)
{
	bool full = row && w->out->len >= PAGE_BYTES;

	page->shown = row;
	/* Tables that know the size of their rows find no more than such a page holds: what is behind it was not asked for. */
	page->more = row < rows || full;
	return row < rows && row < page->limit && !full;
}

static void write_next(struct jsonw *w, const struct exchange *x, const struct page *page, const uint64_t *id, unsigned ids)
{
	uint8_t cursor[CURSOR_MAX];
	char text[2 * CURSOR_MAX + 1];

	if (!page->more) {
		jsonw_null(w, "nextCursor");
		return;
	}
	cursor_make(x, id, ids, cursor);
	hex_encode(text, bytes_of(cursor, cursor_len(ids)));
	jsonw_string(w, "nextCursor", text);
}

void page_write_next(struct jsonw *w, const struct exchange *x, const struct page *page, uint64_t last)
{
	write_next(w, x, page, &last, 1);
}

void page_write_next_pair(struct jsonw *w, const struct exchange *x, const struct page *page, uint64_t last, uint64_t within)
{
	write_next(w, x, page, (uint64_t[]){last, within}, 2);
}
