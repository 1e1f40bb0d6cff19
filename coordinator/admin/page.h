/* Pages of long lists: ?limit=N&cursor=TEXT, and "nextCursor" in the answer. A cursor is opaque and good for its own list alone.
 * Not the query: the handler asks its table for page_want() rows behind `after`, in the order of ids that the list has.
 * Plain values. */
#ifndef PAGE_H
#define PAGE_H

#include "exchange.h"
#include "jsonw.h"

enum { PAGE_LIMIT = 100, PAGE_LIMIT_MAX = 1000 };

struct page {
	unsigned limit;
	uint64_t after; /* the last id of the page before; 0: from the beginning */
};

/* On false 400 was answered. */
bool page_read(struct exchange *x, struct page *page, const char *detail);
/* One row more than is shown tells whether there is a next page. */
static inline unsigned page_want(const struct page *page)
{
	return page->limit + 1;
}
static inline size_t page_shown(const struct page *page, size_t rows)
{
	return rows > page->limit ? page->limit : rows;
}
/* Writes "nextCursor": null on the last page. last: id of the last row shown; rows: how many were found. */
void page_write_next(struct jsonw *w, const struct exchange *x, const struct page *page, size_t rows, uint64_t last);

#endif
