#include "ctl_flags.h"

#include <assert.h>

#include "text.h"

void ctl_flags_know(struct ctl_flags *f, const struct ctl_flag *table)
{
	assert(f->table_count < CTL_TABLES_MAX);
	if (table)
		f->tables[f->table_count++] = table;
}

bool ctl_flags_is_flag(const char *word)
{
	return word[0] == '-' && word[1];
}

static const struct ctl_flag *find_name(const struct ctl_flags *f, struct bytes name)
{
	for (unsigned i = 0; i < f->table_count; i++)
		for (const struct ctl_flag *flag = f->tables[i]; flag->name; flag++)
			if (bytes_equal_text(name, flag->name))
				return flag;
	return NULL;
}

static const struct ctl_flag *find_letter(const struct ctl_flags *f, char letter)
{
	for (unsigned i = 0; i < f->table_count; i++)
		for (const struct ctl_flag *flag = f->tables[i]; flag->name; flag++)
			if (flag->letter && flag->letter == letter)
				return flag;
	return NULL;
}

static enum err unknown_name(const struct ctl_flags *f, struct bytes name, struct diag *why)
{
	unsigned least = 4;
	const char *nearest = NULL;

	for (unsigned i = 0; i < f->table_count; i++) {
		for (const struct ctl_flag *flag = f->tables[i]; flag->name; flag++) {
			unsigned distance = text_distance(name, bytes_text(flag->name), least);

			if (distance < least) {
				least = distance;
				nearest = flag->name;
			}
		}
	}
	if (nearest)
		return diag_set(why, ERR_MALFORMED, "unknown flag --%.*s; did you mean --%s?", BYTES_ARG(bytes_take(name, 60)), nearest);
	return diag_set(why, ERR_MALFORMED, "unknown flag --%.*s", BYTES_ARG(bytes_take(name, 60)));
}

static enum err check_value(const struct ctl_flag *flag, const char *text, struct diag *why)
{
	struct bytes b = bytes_text(text);
	struct wall wall;
	uint64_t number;
	int64_t ms;

	if (flag->type == CTL_NUMBER && text_parse_u64(b, INT64_MAX, &number))
		return diag_set(why, ERR_MALFORMED, "--%s wants a decimal number, not \"%.60s\"", flag->name, text);
	if (flag->type == CTL_WHEN && duration_parse(b, &ms) && time_parse(b, &wall))
		return diag_set(why, ERR_MALFORMED, "--%s wants a duration (90d, 12h, 30m) or a time (2030-01-31T12:00:00Z), not \"%.60s\"", flag->name, text);
	if (flag->type == CTL_SPAN && duration_parse(b, &ms))
		return diag_set(why, ERR_MALFORMED, "--%s wants a duration (90d, 12h, 30m), not \"%.60s\"", flag->name, text);
	if (flag->type == CTL_SWITCH && !bytes_equal_text(b, "true") && !bytes_equal_text(b, "false"))
		return diag_set(why, ERR_MALFORMED, "--%s is a switch: true or false, not \"%.60s\"", flag->name, text);
	if (!bytes_is_utf8(b))
		return diag_set(why, ERR_MALFORMED, "--%s is not UTF-8", flag->name);
	return ERR_NONE;
}

static struct ctl_value *value_of(struct ctl_flags *f, const struct ctl_flag *flag)
{
	for (unsigned i = 0; i < f->value_count; i++)
		if (f->values[i].flag == flag)
			return &f->values[i];
	assert(f->value_count < CTL_FLAGS_MAX);
	f->values[f->value_count].flag = flag;
	return &f->values[f->value_count++];
}

static enum err keep_value(struct ctl_flags *f, const struct ctl_flag *flag, const char *text, struct diag *why)
{
	enum err e = check_value(flag, text, why);
	struct ctl_value *value;

	if (e)
		return e;
	value = value_of(f, flag);
	if (flag->type != CTL_LIST && flag->type != CTL_TEXTS)
		value->count = 0;
	if (value->count == CTL_REPEATS_MAX)
		return diag_set(why, ERR_MALFORMED, "--%s is given more than %d times", flag->name, CTL_REPEATS_MAX);
	value->texts[value->count++] = text;
	return ERR_NONE;
}

/* Finds the flag of a word and the value in the same word, if there is one. */
static const struct ctl_flag *split_word(const struct ctl_flags *f, const char *word, const char **value, struct diag *why)
{
	const struct ctl_flag *flag;

	*value = NULL;
	if (word[1] == '-') {
		struct bytes rest, name = bytes_split(bytes_text(word + 2), '=', &rest);

		flag = find_name(f, name);
		*value = (const char *)rest.at;
		return flag || unknown_name(f, name, why) ? flag : NULL;
	}
	flag = find_letter(f, word[1]);
	if (word[2])
		*value = word + 2 + (word[2] == '=');
	if (!flag)
		diag_set(why, ERR_MALFORMED, "unknown flag -%.*s", (int)bytes_utf8_len(bytes_text(word + 1)), word + 1);
	return flag;
}

enum err ctl_flags_take(struct ctl_flags *f, int argc, char **argv, int *at, struct diag *why)
{
	const char *value;
	const struct ctl_flag *flag = split_word(f, argv[(*at)++], &value, why);

	if (!flag)
		return ERR_MALFORMED;
	if (!value && flag->type == CTL_SWITCH)
		value = "true";
	if (!value && *at < argc)
		value = argv[(*at)++];
	if (!value)
		return diag_set(why, ERR_MALFORMED, "--%s wants a value: %s", flag->name, flag->value);
	return keep_value(f, flag, value, why);
}

enum err ctl_flags_finish(const struct ctl_flags *f, struct diag *why)
{
	for (unsigned i = 0; i < f->table_count; i++)
		for (const struct ctl_flag *flag = f->tables[i]; flag->name; flag++)
			if (flag->required && !ctl_flags_given(f, flag->name))
				return diag_set(why, ERR_MALFORMED, "--%s %s is missing", flag->name, flag->value);
	return ERR_NONE;
}

static const struct ctl_value *find_value(const struct ctl_flags *f, const char *name, const struct ctl_flag **flag)
{
	*flag = find_name(f, bytes_text(name));
	assert(*flag);
	for (unsigned i = 0; i < f->value_count; i++)
		if (f->values[i].flag == *flag)
			return &f->values[i];
	return NULL;
}

bool ctl_flags_given(const struct ctl_flags *f, const char *name)
{
	const struct ctl_flag *flag;

	return find_value(f, name, &flag) != NULL;
}

const char *ctl_flags_text(const struct ctl_flags *f, const char *name)
{
	const struct ctl_flag *flag;
	const struct ctl_value *value = find_value(f, name, &flag);

	return value ? value->texts[value->count - 1] : flag->fallback;
}

bool ctl_flags_on(const struct ctl_flags *f, const char *name)
{
	const char *text = ctl_flags_text(f, name);

	return text && strcmp(text, "true") == 0;
}

int64_t ctl_flags_span(const struct ctl_flags *f, const char *name)
{
	const char *text = ctl_flags_text(f, name);
	int64_t ms;

	return text && !duration_parse(bytes_text(text), &ms) ? ms : -1;
}

static void add_items(json_t *list, const char *text)
{
	struct bytes rest = bytes_text(text);

	do {
		struct bytes item = bytes_trim(bytes_split(rest, ',', &rest));

		if (item.len)
			json_array_append_new(list, json_stringn((const char *)item.at, item.len));
	} while (rest.at);
}

json_t *ctl_flags_list(const struct ctl_flags *f, const char *name)
{
	const struct ctl_flag *flag;
	const struct ctl_value *value = find_value(f, name, &flag);
	json_t *list = json_array();

	for (unsigned i = 0; value && i < value->count; i++) {
		if (flag->type == CTL_LIST)
			add_items(list, value->texts[i]);
		else
			json_array_append_new(list, json_string(value->texts[i]));
	}
	return list;
}

const char *ctl_flags_when(const struct ctl_flags *f, const char *name, struct arena *arena)
{
	const char *text = ctl_flags_text(f, name);
	char out[TIME_TEXT_MAX];
	struct wall wall;
	int64_t ms;

	if (!text)
		return NULL;
	if (!duration_parse(bytes_text(text), &ms)) {
		struct wall now = clock_wall();
		int64_t most = (INT64_MAX - now.ns) / 1000000;

		wall = wall_add_ms(now, ms < most ? ms : most);
	} else if (time_parse(bytes_text(text), &wall)) {
		return NULL;
	}
	return arena_text(arena, bytes_of(out, time_format(out, wall)));
}

const char *ctl_flag_usage(const struct ctl_flag *flag, struct arena *arena)
{
	const char *dashes = flag->letter ? arena_format(arena, "-%c, ", flag->letter) : "    ";

	return arena_format(arena, "%s--%s%s%s", dashes, flag->name, flag->type == CTL_SWITCH ? "" : " ", flag->type == CTL_SWITCH ? "" : flag->value);
}
