#include <stdlib.h>
#include <string.h>

#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_table.h"
#include "text.h"

static const char *text_ms(struct arena *arena, const json_t *value)
{
	return json_is_number(value) ? arena_format(arena, "%.2f", json_number_value(value)) : "-";
}

static const char *text_from(struct arena *arena, const json_t *probe)
{
	const char *name = json_string_value(json_object_get(probe, "fromName")), *state = json_string_value(json_object_get(probe, "fromState"));

	return state && strcmp(state, "serving") != 0 ? arena_format(arena, "%s (%s)", name ? name : "", state) : name ? name : "";
}

static const char *text_age(struct arena *arena, const json_t *value)
{
	struct wall at;

	if (!json_is_string(value) || time_parse(bytes_of(json_string_value(value), json_string_length(value)), &at))
		return "-";
	return arena_format(arena, "%llds", (long long)((clock_wall().ns - at.ns) / 1000000000));
}

static const char *text_result(struct arena *arena, const json_t *value)
{
	(void)arena;
	return json_is_string(value) ? json_string_value(value) : "ok";
}

static const struct ctl_column matrix_columns[] = {
	{"From", NULL, text_from, 8, 0},        {"To", "toName", NULL, 8, 0},
	{"Region", "toRegionId", NULL, 0, 1},   {"Connect ms", "connectMs", text_ms, 0, 0},
	{"Packet ms", "tripMs", text_ms, 0, 0}, {"STUN ms", "stunMs", text_ms, 0, 0},
	{"Mesh ms", "meshMs", text_ms, 0, 0},   {"Result", "error", text_result, 12, 0},
	{"Age", "at", text_age, 0, 0},          {0},
};

/* Who is in it, by name; at most one more than fit. */
static unsigned take_names(const json_t *probes, const char *names[static CTL_COLUMNS_MAX])
{
	static const char *const members[] = {"fromName", "toName"};
	unsigned count = 0;
	const json_t *probe;
	size_t i;

	for (unsigned m = 0; m < 2; m++) {
		json_array_foreach(probes, i, probe)
		{
			const char *name = json_string_value(json_object_get(probe, members[m]));
			unsigned at = 0;

			while (name && at < count && strcmp(names[at], name) != 0)
				at++;
			if (name && at == count && count < CTL_COLUMNS_MAX)
				names[count++] = name;
		}
	}
	return count;
}

static const char *cell(struct arena *arena, const json_t *probe)
{
	static const char *const parts[] = {"relay", "stun", "mesh"};
	const char *state = json_string_value(json_object_get(probe, "fromState")), *text = NULL;

	for (unsigned i = 0; i < 3 && !text; i++) {
		const char *kind = json_string_value(json_object_get(probe, parts[i]));

		if (kind && strcmp(kind, "ok") != 0)
			text = i ? arena_format(arena, "%s %s", parts[i], kind) : kind;
	}
	if (!text)
		text = text_ms(arena, json_object_get(probe, "tripMs"));
	return state && strcmp(state, "serving") != 0 ? arena_format(arena, "(%s)", text) : text;
}

static unsigned place_of(const char *const *names, unsigned count, const char *name)
{
	unsigned at = 0;

	while (at < count && name && strcmp(names[at], name) != 0)
		at++;
	return name ? at : count;
}

/* From each, downwards, to each: the packet's milliseconds or what failed. */
static void print_grid(struct ctl *c, const json_t *probes)
{
	const char *names[CTL_COLUMNS_MAX], *cells[CTL_COLUMNS_MAX * CTL_COLUMNS_MAX];
	struct ctl_heading headings[CTL_COLUMNS_MAX] = {{.title = "From \\ to"}};
	unsigned count = take_names(probes, names);
	const json_t *probe;
	size_t i;

	if (count == CTL_COLUMNS_MAX)
		return;
	for (unsigned row = 0; row < count; row++) {
		headings[row + 1].title = names[row];
		for (unsigned column = 0; column <= count; column++)
			cells[row * (count + 1) + column] = column ? "-" : names[row];
	}
	json_array_foreach(probes, i, probe)
	{
		unsigned row = place_of(names, count, json_string_value(json_object_get(probe, "fromName"))),
			 column = place_of(names, count, json_string_value(json_object_get(probe, "toName")));

		if (row < count && column < count)
			cells[row * (count + 1) + column + 1] = cell(c->arena, probe);
	}
	ctl_table_print(c->out, c->width, headings, count + 1, cells, count);
	fputc('\n', c->out);
}

void ctl_relays_matrix(struct ctl *c)
{
	const json_t *probes = ctl_call_list(c, "/api/fleetscale/v1/relay-probes", "probes", 0);

	if (!probes)
		return;
	if (c->form == CTL_TABLE && json_array_size(probes))
		print_grid(c, probes);
	ctl_show_list(c, probes, matrix_columns);
}
