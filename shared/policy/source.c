#include "source.h"

#include <stdlib.h>

#include "buffer.h"
#include "spanedit.h"

/* Other aliases that come to the same. */
struct other {
	struct known **list;
	size_t count;
	struct other *next;
};

struct made {
	struct source source;
	bool formatted;
	bool of_nodes;              /* spans are those of r->marks of `own`: every one begins at a node's address */
	const struct known *beside; /* the one name beside `*`: its ranges have texts of their own */
	struct known **list;        /* its aliases */
	struct other *others;
	bool any;
	size_t count;
	size_t span_room, text_room; /* once spans and texts are blocks of the heap; 0: in the arena */
};

static int by_number(const void *a, const void *b)
{
	const struct known *x = *(struct known *const *)a, *y = *(struct known *const *)b;
	return (x->number > y->number) - (x->number < y->number);
}

static size_t unique(struct known **list, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(list, count, sizeof *list, by_number);
	for (size_t i = 0; i < count; i++)
		if (!kept || list[kept - 1] != list[i])
			list[kept++] = list[i];
	return kept;
}

static struct bytes span_text(struct resolver *r, struct span span)
{
	char text[SPAN_TEXT_MAX];
	size_t at = ip_equal(span.first, span.last) ? address_from(r, span.first) : r->address_count;
	if (at < r->address_count && ip_equal(r->addresses[at].ip, span.first))
		return r->addresses[at].text;
	size_t len = span_format(text, span);
	return arena_copy(r->arena, bytes_of(text, len));
}

static int by_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Texts are short and come from the tailnet's own nodes and rules. */
static uint64_t sum_of(struct bytes text)
{
	uint64_t sum = text.len, word;
	for (size_t at = 0; at < text.len; at += sizeof word) {
		word = 0;
		memcpy(&word, text.at + at, text.len - at < sizeof word ? text.len - at : sizeof word);
		sum = (sum ^ word) * UINT64_C(0xd6e8feb86659fd93);
		sum = (sum ^ sum >> 32) * UINT64_C(0xd6e8feb86659fd93);
		sum ^= sum >> 29;
	}
	return sum;
}

static void sum_texts(struct source *source)
{
	source->sum = 0;
	for (size_t i = 0; i < source->text_count; i++)
		source->sum += sum_of(source->texts[i]);
}

static size_t sort_texts(struct bytes *texts, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(texts, count, sizeof *texts, by_bytes);
	for (size_t i = 0; i < count; i++)
		if (!kept || !bytes_equal(texts[kept - 1], texts[i]))
			texts[kept++] = texts[i];
	return kept;
}

/* Texts of ranges have the order of the texts of their first addresses: what follows one ('-' or '/') is less than all that may go on in a longer one. */
static void format_nodes(struct resolver *r, struct source *source)
{
	uint32_t *span_at = x_alloc((r->address_count + 1) * sizeof *span_at);
	struct bitset marks = {r->marks, r->mark_words};
	for (size_t i = 0; i < source->spans.count; i++) {
		size_t at = address_from(r, source->spans.list[i].first);
		uint32_t rank = r->addresses[at].text_rank;
		span_at[rank] = (uint32_t)i;
		r->marks[rank / 64] |= UINT64_C(1) << (rank % 64);
	}
	BITSET_EACH(&marks, rank) {
		struct span span = source->spans.list[span_at[rank]];
		bool single = ip_equal(span.first, span.last);
		source->texts[source->text_count++] = single ? r->addresses[r->by_text[rank]].text : span_text(r, span);
	}
	memset(r->marks, 0, r->mark_words * sizeof *r->marks);
	free(span_at);
}

void source_texts(struct resolver *r, const struct source *source)
{
	struct made *made = OWNER_OF(source, struct made, source);
	struct source *own = &made->source;
	if (made->formatted)
		return;
	made->formatted = true;
	own->texts = ARENA_ARRAY(r->arena, struct bytes, own->spans.count);
	if (made->of_nodes && r->ranked && own->spans.count > r->mark_words / 8) {
		format_nodes(r, own);
		sum_texts(own);
		return;
	}
	for (size_t i = 0; i < own->spans.count; i++)
		own->texts[i] = span_text(r, own->spans.list[i]);
	own->text_count = sort_texts(own->texts, own->spans.count);
	sum_texts(own);
}

static struct made *made_new(struct resolver *r)
{
	struct made *made = ARENA_NEW(r->arena, struct made);
	made->source.number = (uint32_t)r->policy->source_count;
	if ((r->policy->source_count & (r->policy->source_count - 1)) == 0)
		r->policy->sources = x_realloc(r->policy->sources, (r->policy->source_count * 2 + 1) * sizeof *r->policy->sources);
	r->policy->sources[r->policy->source_count++] = &made->source;
	return made;
}

static struct source *everything(struct resolver *r)
{
	if (r->everything)
		return r->everything;
	struct made *made = made_new(r);
	struct source *source = r->everything = &made->source;
	source->everything = made->formatted = true;
	source->texts = ARENA_NEW(r->arena, struct bytes);
	source->texts[0] = BYTES("*");
	source->text_count = 1;
	sum_texts(source);
	source->own = source->nodes = r->all;
	return source;
}

/* The address part of a list, joined. */
static struct spans address_spans(struct resolver *r, struct known *const *list, size_t count)
{
	size_t total = 0, at = 0, parts = 0;
	struct spans only = {0};
	for (size_t i = 0; i < count; i++) {
		if (list[i]->identity)
			continue;
		total += list[i]->meaning.spans.count;
		only = list[i]->meaning.spans;
		parts++;
	}
	if (parts < 2)
		return only;
	struct span *all = ARENA_ARRAY(r->arena, struct span, total);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; !list[i]->identity && k < list[i]->meaning.spans.count; k++)
			all[at++] = list[i]->meaning.spans.list[k];
	return spans_of(all, at);
}

/* Whether each range is made of addresses of nodes alone, without a gap; marks them. */
static bool is_of_nodes(struct resolver *r, struct spans spans)
{
	for (size_t i = 0; i < spans.count; i++) {
		size_t at = address_from(r, spans.list[i].first);
		if (at == r->address_count || !ip_equal(r->addresses[at].ip, spans.list[i].first))
			return false;
		r->marks[at / 64] |= UINT64_C(1) << (at % 64);
		while (at + 1 < r->address_count && ip_compare(r->addresses[at + 1].ip, spans.list[i].last) <= 0 && bitset_has(&r->follows, at + 1)) {
			at++;
			r->marks[at / 64] |= UINT64_C(1) << (at % 64);
		}
		if (!ip_equal(r->addresses[at].ip, spans.list[i].last))
			return false;
	}
	return true;
}

/* What makes sources equal: the addresses of nodes marked, or the ranges, or (with approved routes among them) the texts. */
static void put_marks(struct resolver *r, struct buffer *key)
{
	size_t words = r->mark_words;
	while (words && !r->marks[words - 1])
		words--;
	(void)!buffer_add(key, BYTES("N"));
	(void)!buffer_add(key, bytes_of(r->marks, words * sizeof *r->marks));
}

static void put_spans(struct buffer *key, struct spans spans)
{
	(void)!buffer_add(key, BYTES("S"));
	(void)!buffer_add(key, bytes_of(spans.list, spans.count * sizeof *spans.list));
}

static void put_texts(struct buffer *key, const struct source *source)
{
	(void)!buffer_add(key, BYTES("T"));
	for (size_t i = 0; i < source->text_count; i++) {
		(void)!buffer_add(key, source->texts[i]);
		(void)!buffer_add(key, BYTES(" "));
	}
}

/* Whether the texts are those that the ranges would have. */
static bool texts_are_spans(struct resolver *r, const struct source *source)
{
	if (source->text_count != source->spans.count)
		return false;
	for (size_t i = 0; i < source->spans.count; i++) {
		struct bytes text = span_text(r, source->spans.list[i]);
		if (!bsearch(&text, source->texts, source->text_count, sizeof text, by_bytes))
			return false;
	}
	return true;
}

/* Beside *: its ranges, every approved subnet route, and the other aliases each by itself. */
static void format_any(struct resolver *r, struct source *source, struct known *const *list, size_t count)
{
	const struct policy *policy = r->policy;
	size_t total = policy->route_count, at = 0;
	for (size_t i = 0; i < count; i++)
		total += list[i]->meaning.spans.count;
	struct span *spans = ARENA_ARRAY(r->arena, struct span, total);
	source->texts = ARENA_ARRAY(r->arena, struct bytes, total);
	for (size_t i = 0; i < policy->route_count; i++)
		spans[at++] = span_of(policy->routes[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < list[i]->meaning.spans.count; k++)
			spans[at++] = list[i]->meaning.spans.list[k];
	for (size_t i = 0; i < total; i++)
		source->texts[i] = span_text(r, spans[i]);
	source->text_count = sort_texts(source->texts, total);
	sum_texts(source);
	source->spans = spans_of(spans, total);
}

static void add_nodes(struct resolver *r, struct source *source, struct known *const *list, size_t count, bool any)
{
	if (count == 1 && !any && !list[0]->routers.count) {
		source->own = source->nodes = list[0]->own;
		return;
	}
	source->own = set_new(r);
	source->nodes = set_new(r);
	for (size_t i = 0; i < count; i++)
		bitset_or(&source->own, &list[i]->own);
	bitset_or(&source->nodes, &source->own);
	for (size_t i = 0; i < count; i++)
		bitset_or(&source->nodes, &list[i]->routers);
	if (any)
		bitset_or(&source->nodes, &r->routing);
}

/* The ranges of a list without *, and its key. */
static void join(struct resolver *r, struct made *made, struct known *const *list, size_t count, struct buffer *key)
{
	struct spans addresses = address_spans(r, list, count);
	for (size_t i = 0; i < count; i++)
		if (list[i]->identity)
			mark_nodes(r, &list[i]->meaning.nodes);
	made->of_nodes = !addresses.count;
	made->source.spans = count == 1 ? list[0]->meaning.spans : spans_of_marks(r);
	if (addresses.count && count > 1)
		made->source.spans = spans_union(r->arena, made->source.spans, addresses);
	if (addresses.count) {
		memset(r->marks, 0, r->mark_words * sizeof *r->marks);
		made->of_nodes = is_of_nodes(r, made->source.spans);
	}
	if (made->of_nodes)
		put_marks(r, key);
	else
		put_spans(key, made->source.spans);
	memset(r->marks, 0, r->mark_words * sizeof *r->marks);
}

/* More than one name, or ranges too, beside `*`: which texts they come to together is not followed. */
static const struct known *only_name(struct resolver *r, struct known *const *list, size_t count)
{
	const struct known *name = NULL;
	for (size_t i = 0; i < count; i++)
		if (list[i]->identity)
			name = list[i];
	r->fixed = r->fixed || (name && count > 2);
	return name;
}

static struct known **copy_list(struct resolver *r, struct known *const *list, size_t count)
{
	struct known **copy = ARENA_ARRAY(r->arena, struct known *, count);
	if (count)
		memcpy(copy, list, count * sizeof(struct known *));
	return copy;
}

static struct source *make(struct resolver *r, struct known *const *list, size_t count, bool any)
{
	struct made draft = {0};
	struct buffer key;
	buffer_init(&key, SIZE_MAX / 4);
	if (any) {
		draft.any = true;
		draft.beside = only_name(r, list, count);
		format_any(r, &draft.source, list, count);
		draft.formatted = true;
		if (texts_are_spans(r, &draft.source))
			put_spans(&key, draft.source.spans);
		else
			put_texts(&key, &draft.source);
	} else {
		join(r, &draft, list, count, &key);
	}
	struct source *source = table_find(r->source_sets, buffer_bytes(&key));
	if (!source) {
		struct made *made = made_new(r);
		draft.source.number = made->source.number;
		*made = draft;
		made->list = copy_list(r, list, count);
		made->count = count;
		source = &made->source;
		add_nodes(r, source, list, count, any);
		table_put(r->source_sets, buffer_bytes(&key), source);
	} else {
		struct made *made = OWNER_OF(source, struct made, source);
		struct other *other = ARENA_NEW(r->arena, struct other);
		*other = (struct other){copy_list(r, list, count), count, made->others};
		made->others = other;
	}
	buffer_clear(&key);
	return source;
}

static struct bytes numbers_of(struct known *const *list, size_t count, uint32_t *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = list[i]->number;
	return bytes_of(out, count * sizeof *out);
}

struct source *source_make(struct resolver *r, struct known **list, size_t count)
{
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		if (list[i]->everything)
			return everything(r);
		any = any || list[i]->meaning.any;
	}
	count = unique(list, count);
	if (count == 1 && list[0]->source)
		return list[0]->source;
	uint32_t *numbers = x_alloc((count + 1) * sizeof *numbers);
	struct bytes key = numbers_of(list, count, numbers);
	struct source *source = count > 1 ? table_find(r->source_lists, key) : NULL;
	if (!source) {
		source = make(r, list, count, any);
		if (count > 1)
			table_put(r->source_lists, key, source);
		else if (count)
			list[0]->source = source;
	}
	free(numbers);
	return source;
}

/* ---- one address more or less ---- */

bool source_has_node(const struct source *source, uint32_t slot)
{
	const struct made *made = OWNER_OF(source, struct made, source);
	for (size_t i = 0; bitset_has(&source->own, slot) && i < made->count; i++)
		if (made->list[i]->identity && bitset_has(&made->list[i]->own, slot))
			return true;
	return false;
}

static size_t text_at(const struct source *source, struct bytes text)
{
	size_t low = 0, high = source->text_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bytes_compare(source->texts[middle], text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void take_text(struct source *source, struct span span)
{
	char text[SPAN_TEXT_MAX];
	size_t at = text_at(source, bytes_of(text, span_format(text, span)));
	source->sum -= sum_of(source->texts[at]);
	memmove(source->texts + at, source->texts + at + 1, (source->text_count - at - 1) * sizeof *source->texts);
	source->text_count--;
}

static void put_text(struct resolver *r, struct made *made, struct span span)
{
	struct source *source = &made->source;
	struct bytes text = span_text(r, span);
	size_t at = text_at(source, text);
	if (source->text_count >= made->text_room) {
		struct bytes *texts = x_alloc((source->text_count + source->text_count / 4 + 8) * sizeof *texts);
		if (source->text_count)
			memcpy(texts, source->texts, source->text_count * sizeof *texts);
		if (made->text_room)
			free(source->texts);
		made->text_room = source->text_count + source->text_count / 4 + 8;
		source->texts = texts;
	}
	memmove(source->texts + at + 1, source->texts + at, (source->text_count - at) * sizeof *source->texts);
	source->texts[at] = text;
	source->sum += sum_of(text);
	source->text_count++;
}

static bool edit(struct resolver *r, struct made *made, const struct span_edit *edit)
{
	for (size_t i = 0; made->formatted && i < edit->gone_count; i++)
		take_text(&made->source, edit->gone[i]);
	for (size_t i = 0; made->formatted && i < edit->come_count; i++)
		put_text(r, made, edit->come[i]);
	return edit->gone_count + edit->come_count > 0;
}

/* What the edit of its name's ranges was, for it has been made already. */
static struct span_edit edit_beside(struct spans set, struct ip ip, bool put)
{
	struct span whole = {ip, ip}, pieces[2];
	size_t count = 0, at = spans_reaching(set, ip);
	if (put && at < set.count)
		whole = set.list[at];
	else if (at < set.count && ip_equal(span_after(ip), set.list[at].first))
		whole.last = set.list[at].last;
	if (!put && at && ip_equal(span_after(set.list[at - 1].last), ip))
		whole.first = set.list[at - 1].first;
	if (!ip_equal(whole.first, ip))
		pieces[count++] = (struct span){whole.first, span_before(ip)};
	if (!ip_equal(whole.last, ip))
		pieces[count++] = (struct span){span_after(ip), whole.last};
	struct span_edit edit = {.gone_count = put ? count : 1, .come_count = put ? 1 : count};
	memcpy(put ? edit.gone : edit.come, pieces, count * sizeof *pieces);
	*(put ? edit.come : edit.gone) = whole;
	return edit;
}

/* A route may have the same text. */
static bool is_route(const struct policy *policy, struct span span)
{
	for (size_t i = 0; i < policy->route_count; i++) {
		struct span route = span_of(policy->routes[i]);
		if (ip_equal(route.first, span.first) && ip_equal(route.last, span.last))
			return true;
	}
	return false;
}

static void edit_texts_beside(struct resolver *r, struct made *made, struct ip ip, bool put)
{
	struct span_edit edit = edit_beside(made->beside->meaning.spans, ip, put);
	for (size_t i = 0; i < edit.gone_count; i++)
		if (!is_route(r->policy, edit.gone[i]))
			take_text(&made->source, edit.gone[i]);
	for (size_t i = 0; i < edit.come_count; i++)
		if (!is_route(r->policy, edit.come[i]))
			put_text(r, made, edit.come[i]);
}

bool source_put(struct resolver *r, struct source *source, struct ip ip)
{
	struct made *made = OWNER_OF(source, struct made, source);
	if (ip.family == IP_NONE)
		return false;
	struct span_edit done = spans_put(&source->spans, &made->span_room, ip);
	if (!made->beside)
		return edit(r, made, &done);
	edit_texts_beside(r, made, ip, true);
	return true;
}

/* An address alias may have it beside the node. */
bool source_take(struct resolver *r, struct source *source, struct ip ip)
{
	struct made *made = OWNER_OF(source, struct made, source);
	bool stays = ip.family == IP_NONE;
	for (size_t i = 0; i < made->count; i++)
		stays = stays || (!made->list[i]->identity && spans_has(made->list[i]->meaning.spans, ip));
	struct span_edit done = stays ? (struct span_edit){.come_count = 0} : spans_take(&source->spans, &made->span_room, ip);
	if (!made->beside || ip.family == IP_NONE)
		return edit(r, made, &done);
	edit_texts_beside(r, made, ip, false);
	return true;
}

static bool is_named(struct known *const *list, size_t count, const struct bitset *names)
{
	for (size_t i = 0; i < count; i++)
		if (list[i]->identity && bitset_has(names, list[i]->number))
			return true;
	return false;
}

static bool is_placed(struct known *const *list, size_t count, struct ip ip)
{
	for (size_t i = 0; i < count; i++)
		if (!list[i]->identity && ip.family != IP_NONE && spans_has(list[i]->meaning.spans, ip))
			return true;
	return false;
}

bool source_parts(const struct source *source, const struct bitset *names, const struct ip ip[static 2])
{
	const struct made *made = OWNER_OF(source, struct made, source);
	bool named = is_named(made->list, made->count, names);
	for (const struct other *other = made->others; other; other = other->next) {
		bool other_named = is_named(other->list, other->count, names);
		for (size_t k = 0; k < 2; k++)
			if ((named || is_placed(made->list, made->count, ip[k])) != (other_named || is_placed(other->list, other->count, ip[k])))
				return true;
		/* Beside `*` a name has texts of its own, wherever it lies. */
		if (made->any && named != other_named)
			return true;
	}
	return false;
}

bool source_names(const struct source *source, const struct bitset *names)
{
	const struct made *made = OWNER_OF(source, struct made, source);
	return is_named(made->list, made->count, names);
}

bool source_holds(const struct source *source, uint32_t slot)
{
	const struct made *made = OWNER_OF(source, struct made, source);
	for (size_t i = 0; i < made->count; i++)
		if (bitset_has(&made->list[i]->own, slot))
			return true;
	return false;
}

bool source_equal(const struct source *a, const struct source *b)
{
	const struct made *x = OWNER_OF(a, struct made, source), *y = OWNER_OF(b, struct made, source);
	if (a->everything || b->everything)
		return a == b;
	if (x->any && y->any) {
		bool same = a->text_count == b->text_count && a->sum == b->sum;
		for (size_t i = 0; same && i < a->text_count; i++)
			same = bytes_equal(a->texts[i], b->texts[i]);
		return same;
	}
	return a->spans.count == b->spans.count && (!a->spans.count || !memcmp(a->spans.list, b->spans.list, a->spans.count * sizeof *a->spans.list));
}

void sources_clear(struct policy *policy)
{
	for (size_t i = 0; i < policy->source_count; i++) {
		struct made *made = OWNER_OF(policy->sources[i], struct made, source);
		if (made->span_room)
			free(made->source.spans.list);
		if (made->text_room)
			free(made->source.texts);
	}
}
