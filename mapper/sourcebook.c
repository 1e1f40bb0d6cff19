#include "sourcebook.h"

#include <stdlib.h>

#include "secret.h"

static void page_free(struct sourcebook *b, struct sourcebook_page *page)
{
	if (!page)
		return;
	b->texts -= page->base_count + page->late_count;
	body_drop(&page->text);
	free(page->list);
	free(page);
}

static void drop_old(struct sourcebook *b)
{
	struct bytes key;
	struct sourcebook_page *page;
	if (b->old)
		TABLE_EACH(b->old, key, page)
			page_free(b, page);
	table_free(&b->old);
}

void sourcebook_init(struct sourcebook *b)
{
	*b = (struct sourcebook){.least = SOURCEBOOK_LEAST, .most = SOURCEBOOK_MOST};
}

void sourcebook_clear(struct sourcebook *b)
{
	drop_old(b);
	for (size_t i = 0; i < b->count; i++)
		page_free(b, b->pages[i]);
	free(b->pages);
	*b = (struct sourcebook){0};
}

void sourcebook_turn(struct sourcebook *b, size_t sources)
{
	drop_old(b);
	for (size_t i = 0; i < b->count; i++) {
		if (!b->pages[i])
			continue;
		if (!b->old)
			b->old = table_new();
		page_free(b, table_put_number(b->old, b->pages[i]->sum, b->pages[i]));
	}
	free(b->pages);
	b->pages = x_zalloc((sources + 1) * sizeof(struct sourcebook_page *));
	b->count = sources;
}

/* ---- a page ---- */

static uint64_t hash_of(const struct bytes *texts, size_t count, size_t size)
{
	uint8_t hash[32], *all = x_alloc(size + count + 1), *at = all;
	for (size_t i = 0; i < count; i++) {
		memcpy(at, texts[i].at, texts[i].len);
		at += texts[i].len;
		*at++ = ',';
	}
	hash_bytes(bytes_of(all, (size_t)(at - all)), hash);
	free(all);
	return get_be64(hash);
}

static size_t size_of(const struct bytes *texts, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += texts[i].len;
	return size;
}

static void fill(struct sourcebook_page *page, const struct source *source, const struct bytes *base, size_t base_count, const struct bytes *late,
		 size_t late_count)
{
	size_t count = base_count + late_count, size = size_of(base, base_count) + size_of(late, late_count);
	uint8_t *all = x_alloc(size + 1), *at = all;
	struct bytes *list = x_alloc((count + 1) * sizeof *list);
	for (size_t i = 0; i < count; i++) {
		struct bytes text = i < base_count ? base[i] : late[i - base_count];
		memcpy(at, text.at, text.len);
		list[i] = bytes_of(at, text.len);
		at += text.len;
	}
	struct body *body = body_new(bytes_of(all, size));
	struct bytes kept = body_bytes(body);
	for (size_t i = 0; i < count; i++)
		list[i].at = kept.at + (list[i].at - all);
	free(all);
	bool whole = base == source->texts;
	uint64_t hash = whole ? hash_of(base, base_count, size) : page->base_hash;
	body_drop(&page->text);
	free(page->list);
	*page = (struct sourcebook_page){source->sum, source->text_count, body, list, base_count, late_count, hash};
}

/* ---- what of it still holds ---- */

static bool is_covered(struct bytes text, struct spans spans)
{
	struct bytes last, first = bytes_split(text, '-', &last);
	struct prefix prefix;
	struct span span;
	if (last.at) {
		if (ip_parse(first, &span.first) || ip_parse(last, &span.last))
			return false;
	} else {
		if (prefix_parse(text, &prefix))
			return false;
		span = span_of(prefix);
	}
	return spans_covers(spans, span);
}

/* Texts of the source that are not in the first part; false: something of that must go. Both are sorted. */
static bool compare(const struct sourcebook_page *page, const struct source *source, struct bytes *late, size_t *late_count, size_t most)
{
	size_t i = 0, j = 0;
	*late_count = 0;
	while (i < page->base_count || j < source->text_count) {
		int side = i == page->base_count ? 1 : j == source->text_count ? -1 : bytes_compare(page->list[i], source->texts[j]);
		if (side < 0 && !is_covered(page->list[i], source->spans))
			return false;
		if (side > 0 && *late_count == most)
			return false;
		if (side > 0)
			late[(*late_count)++] = source->texts[j];
		i += side <= 0;
		j += side >= 0;
	}
	return true;
}

static size_t root(size_t square)
{
	size_t root = 1;
	while ((root + 1) * (root + 1) <= square)
		root++;
	return root;
}

static void follow(struct sourcebook_page *page, const struct source *source)
{
	size_t most = root(2 * page->base_count), late_count;
	struct bytes *late = x_alloc((most + 1) * sizeof *late);
	if (compare(page, source, late, &late_count, most))
		fill(page, source, page->list, page->base_count, late, late_count);
	else
		fill(page, source, source->texts, source->text_count, NULL, 0);
	free(late);
}

static bool is_same(const struct sourcebook_page *page, const struct source *source)
{
	return page->sum == source->sum && page->text_count == source->text_count;
}

static struct sourcebook_page *take_old(struct sourcebook *b, const struct source *source)
{
	struct sourcebook_page *page = b->old ? table_find_number(b->old, source->sum) : NULL;
	if (!page || !is_same(page, source))
		return NULL;
	return table_remove_number(b->old, source->sum);
}

struct split sourcebook_split(struct sourcebook *b, const struct source *source)
{
	struct split whole = {.base = source->texts, .base_count = source->text_count};
	struct sourcebook_page **page = source->number < b->count ? &b->pages[source->number] : NULL;
	if (!page || source->everything || (!*page && source->text_count < b->least))
		return whole;
	if (!*page)
		*page = take_old(b, source);
	if (!*page && b->texts + source->text_count > b->most)
		return whole;
	if (!*page)
		*page = x_zalloc(sizeof **page);
	struct sourcebook_page *p = *page;
	b->texts -= p->base_count + p->late_count;
	if (!p->text)
		fill(p, source, source->texts, source->text_count, NULL, 0);
	else if (!is_same(p, source))
		follow(p, source);
	b->texts += p->base_count + p->late_count;
	return (struct split){p->list, p->base_count, p->base_hash, p->list + p->base_count, p->late_count};
}
