#include "spanedit.h"

#include <stdlib.h>

size_t spans_reaching(struct spans set, struct ip ip)
{
	size_t low = 0, high = set.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(set.list[middle].last, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void make_room(struct spans *set, size_t *room)
{
	if (*room > set->count)
		return;
	size_t wanted = set->count + set->count / 4 + 4;
	if (*room) {
		set->list = x_realloc(set->list, wanted * sizeof *set->list);
	} else {
		struct span *list = x_alloc(wanted * sizeof *list);
		if (set->count)
			memcpy(list, set->list, set->count * sizeof *list);
		set->list = list;
	}
	*room = wanted;
}

/* Ranges from `at` on that are gone give way to those that come. */
static void replace(struct spans *set, size_t *room, size_t at, const struct span_edit *edit)
{
	make_room(set, room);
	memmove(set->list + at + edit->come_count, set->list + at + edit->gone_count, (set->count - at - edit->gone_count) * sizeof *set->list);
	memcpy(set->list + at, edit->come, edit->come_count * sizeof *set->list);
	set->count = set->count - edit->gone_count + edit->come_count;
}

static bool touches(struct ip left, struct ip right)
{
	return left.family == right.family && ip_equal(span_after(left), right);
}

struct span_edit spans_put(struct spans *set, size_t *room, struct ip ip)
{
	struct span_edit edit = {.come = {{ip, ip}}, .come_count = 1};
	size_t at = spans_reaching(*set, ip);
	if (at < set->count && ip_compare(set->list[at].first, ip) <= 0)
		return (struct span_edit){.come_count = 0};
	if (at < set->count && touches(ip, set->list[at].first)) {
		edit.come[0].last = set->list[at].last;
		edit.gone[edit.gone_count++] = set->list[at];
	}
	if (at && touches(set->list[at - 1].last, ip)) {
		at--;
		edit.come[0].first = set->list[at].first;
		edit.gone[edit.gone_count++] = set->list[at];
	}
	replace(set, room, at, &edit);
	return edit;
}

struct span_edit spans_take(struct spans *set, size_t *room, struct ip ip)
{
	struct span_edit edit = {.come_count = 0};
	size_t at = spans_reaching(*set, ip);
	if (at == set->count || ip_compare(set->list[at].first, ip) > 0)
		return edit;
	struct span whole = set->list[at];
	edit.gone[edit.gone_count++] = whole;
	if (!ip_equal(whole.first, ip))
		edit.come[edit.come_count++] = (struct span){whole.first, span_before(ip)};
	if (!ip_equal(whole.last, ip))
		edit.come[edit.come_count++] = (struct span){span_after(ip), whole.last};
	replace(set, room, at, &edit);
	return edit;
}
