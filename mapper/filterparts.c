#include "filterparts.h"

#include "filterjson.h"

const char *filterpart_name(enum filter_part part)
{
	static const char *const names[PART_COUNT] = {"base", "caps", "late"}; /* in this order */
	return names[part];
}

/* What of a rule belongs to the part; false: nothing. */
static bool takes(struct sourcebook *book, const struct filter_rule *rule, enum filter_part part, struct split *split)
{
	if ((rule->grant_count > 0) != (part == PART_CAPS))
		return false;
	*split = part == PART_CAPS ? (struct split){.base = rule->source->texts, .base_count = rule->source->text_count} : sourcebook_split(book, rule->source);
	return part != PART_LATE || split->late_count;
}

void filterpart_digest(struct jsonw *w, struct sourcebook *book, const struct filter *filter, enum filter_part part)
{
	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_rule *rule = &filter->rules[i];
		struct split split;
		if (!takes(book, rule, part, &split))
			continue;
		/* Long lists are few: their sums stand for them. */
		for (size_t k = 0; part == PART_LATE && k < split.late_count; k++)
			jsonw_text(w, NULL, split.late[k]);
		if (part != PART_LATE) {
			jsonw_uint(w, NULL, split.base_hash ? split.base_hash : rule->source->sum);
			jsonw_uint(w, NULL, split.base_count);
		}
		filterjson_rest(w, rule);
	}
}

void filterpart_write(struct jsonw *w, struct sourcebook *book, const struct filter *filter, enum filter_part part)
{
	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_rule *rule = &filter->rules[i];
		struct split split;
		if (!takes(book, rule, part, &split))
			continue;
		if (part == PART_LATE)
			filterjson_rule(w, split.late, split.late_count, rule);
		else
			filterjson_rule(w, split.base, split.base_count, rule);
	}
}

bool filterpart_any(struct sourcebook *book, const struct filter *filter, enum filter_part part)
{
	struct split split;
	for (size_t i = 0; i < filter->count; i++)
		if (takes(book, &filter->rules[i], part, &split))
			return true;
	return false;
}
