/* Pages of long lists: ?limit=N&cursor=TEXT, and "nextCursor" in the answer. A cursor is opaque and good for its own list alone.
 * Not the query: the handler asks its table for page_want() rows behind `after`, in the order of ids that the list has.
 * Plain values. */
#ifndef PAGE_H
#define PAGE_H

#include "exchange.h"
#include "jsonw.h"

/* A row that passes PAGE_BYTES is its page's last one, however few they are. */
enum { PAGE_LIMIT = 100, PAGE_LIMIT_MAX = 1000, PAGE_BYTES = 16 << 20 };

struct page {
	unsigned limit;
	uint64_t after, within; /* the last id of the page before, and in lists of pairs the second one; 0: from the beginning */
	size_t shown;           /* rows of this page, when page_shows() has said no */
	bool more;              /* there may be a next page */
};

/* On false 400 was answered. */
bool page_read(struct exchange *x, struct page *page, const char *detail);
bool page_read_pairs(struct exchange *x, struct page *page, const char *detail); /* of a list whose rows have two ids */
/* One row more than is shown tells whether there is a next page. */
static inline unsigned page_want(const struct page *page)
{
	return page->limit + 1;
}
/* Whether the row of this number, of so many that were found, belongs to the page: for (i = 0; page_shows(page, w, i, rows); i++). */
bool page_shows(struct page *page, const struct jsonw *w, size_t row, size_t rows);
/* Writes "nextCursor": null on the last page. last: id of the last row shown. */
void page_write_next(struct jsonw *w, const struct exchange *x, const struct page *page, uint64_t last);
void page_write_next_pair(struct jsonw *w, const struct exchange *x, const struct page *page, uint64_t last, uint64_t within);

#endif
