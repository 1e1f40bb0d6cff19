#include "ctl_show.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "ctl_table.h"
#include "text.h"

static const json_t *find_member(const json_t *object, const char *member)
{
	struct bytes rest = bytes_text(member);

	while (member && rest.at) {
		struct bytes name = bytes_split(rest, '.', &rest);

		object = json_object_getn(object, (const char *)name.at, name.len);
	}
	return object;
}

static const char *plain(struct arena *arena, const json_t *value)
{
	if (json_is_string(value))
		return arena_text(arena, bytes_of(json_string_value(value), json_string_length(value)));
	if (json_is_integer(value))
		return arena_format(arena, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return "";
}

const char *ctl_text_yes(struct arena *arena, const json_t *value)
{
	(void)arena;
	return json_is_true(value) ? "yes" : "no";
}

const char *ctl_text_list(struct arena *arena, const json_t *value)
{
	const char *text = "";
	const json_t *item;
	size_t i;

	json_array_foreach(value, i, item) text = arena_format(arena, "%s%s%s", text, i ? ", " : "", plain(arena, item));
	return text;
}

const char *ctl_text_json(struct arena *arena, const json_t *value)
{
	char *dumped;
	const char *text;

	if (!value || json_is_null(value) || json_is_string(value))
		return plain(arena, value);
	dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	text = arena_text(arena, bytes_text(dumped ? dumped : ""));
	free(dumped);
	return text;
}

static bool take_time(const json_t *value, struct wall *wall)
{
	return json_is_string(value) && !time_parse(bytes_of(json_string_value(value), json_string_length(value)), wall) && !wall_is_zero(*wall);
}

const char *ctl_text_time(struct arena *arena, const json_t *value)
{
	char text[TIME_TEXT_MAX];
	struct wall wall;

	if (!take_time(value, &wall))
		return "-";
	time_format(text, wall);
	return arena_format(arena, "%.10s %.8s", text, text + 11);
}

bool ctl_time_passed(const json_t *value)
{
	struct wall wall;

	return take_time(value, &wall) && wall_passed(wall, clock_wall());
}

static unsigned take_headings(const struct ctl_column *columns, struct ctl_heading *headings)
{
	unsigned count = 0;

	for (; columns[count].title; count++) {
		assert(count < CTL_COLUMNS_MAX);
		headings[count] = (struct ctl_heading){columns[count].title, columns[count].least, columns[count].rank};
	}
	return count;
}

static void take_cells(struct ctl *c, const json_t *object, const struct ctl_column *columns, const char **cells)
{
	for (unsigned i = 0; columns[i].title; i++) {
		const json_t *value = find_member(object, columns[i].member);

		cells[i] = columns[i].text ? columns[i].text(c->arena, value) : plain(c->arena, value);
	}
}

void ctl_show_list(struct ctl *c, const json_t *list, const struct ctl_column *columns)
{
	struct ctl_heading headings[CTL_COLUMNS_MAX];
	unsigned count = take_headings(columns, headings);
	const char **cells;
	const json_t *item;
	size_t i;

	if (!list)
		return;
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, list);
		return;
	}
	cells = x_alloc(json_array_size(list) * count * sizeof *cells + 1);
	json_array_foreach(list, i, item) take_cells(c, item, columns, cells + i * count);
	ctl_table_print(c->out, c->width, headings, count, cells, json_array_size(list));
	free(cells);
}

void ctl_show_one(struct ctl *c, const json_t *object, const struct ctl_column *columns)
{
	struct ctl_heading headings[CTL_COLUMNS_MAX];
	const char *cells[CTL_COLUMNS_MAX];
	unsigned count = take_headings(columns, headings);

	if (!object)
		return;
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, object);
		return;
	}
	take_cells(c, object, columns, cells);
	ctl_table_print_one(c->out, headings, count, cells);
}

void ctl_show_any(struct ctl *c, const json_t *object)
{
	struct ctl_heading headings[CTL_COLUMNS_MAX];
	const char *cells[CTL_COLUMNS_MAX], *name;
	unsigned count = 0;
	json_t *value;

	if (!object)
		return;
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, object);
		return;
	}
	json_object_foreach((json_t *)object, name, value)
	{
		if (count == CTL_COLUMNS_MAX)
			break;
		headings[count] = (struct ctl_heading){name, 0, 0};
		cells[count++] = ctl_text_json(c->arena, value);
	}
	ctl_table_print_one(c->out, headings, count, cells);
}

void ctl_show_text(struct ctl *c, const json_t *text, const json_t *answer)
{
	if (!answer)
		return;
	if (c->form != CTL_TABLE)
		ctl_print(c, c->out, answer);
	else
		fprintf(c->out, "%s\n", plain(c->arena, text));
}

void ctl_show_done(struct ctl *c, const json_t *answer, const char *sentence, ...)
{
	va_list args;

	if (!answer)
		return;
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, answer);
		return;
	}
	va_start(args, sentence);
	vfprintf(c->out, sentence, args);
	va_end(args);
	putc('\n', c->out);
}
