#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "optionfile.h"
#include "text.h"

enum { SECRET_FILE_MAX = 64 * 1024, NAME_MAX_LEN = 96, DISTANCE_MAX = 5 };

static const char PREFIX[] = "FLEETSCALE_";
static const char FILE_SUFFIX[] = "_file";

/* Variables that share our prefix but belong to the command line client, and the one that names the file. */
static const char *const FOREIGN[] = {"FLEETSCALE_CONFIG",       "FLEETSCALE_URL",     "FLEETSCALE_SOCKET", "FLEETSCALE_API_KEY",
				      "FLEETSCALE_API_KEY_FILE", "FLEETSCALE_TAILNET", "FLEETSCALE_CA_FILE"};

#define EACH_OPTION(tables, o) \
	for (const struct option *const *o##_table = (tables); *o##_table; o##_table++) \
		for (const struct option *o = *o##_table; o->name; o++)

/* Where a value came from; a later source overrides an earlier one, the same one may not say it twice. */
enum source { SOURCE_NONE, SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT };

struct reading {
	const struct option *const *tables;
	void *config;
	enum source *from; /* by the option's number */
	struct diag *why;
};

static const char *const BOOLS[] = {"false", "true", "no", "yes", "off", "on", NULL};

/* ---- values ---- */

static enum option_type type_of(const struct option *o)
{
	return o->type & ~(unsigned)OPTION_LIVE;
}

static void *field(const struct option *o, void *config)
{
	return (char *)config + o->offset;
}

static bool is_text(const struct option *o)
{
	return type_of(o) == OPTION_TEXT || type_of(o) == OPTION_SECRET || type_of(o) == OPTION_LISTEN;
}

static void set_text(const struct option *o, void *config, struct bytes text)
{
	char **at = field(o, config);
	free(*at);
	*at = x_alloc(text.len + 1);
	if (text.len)
		memcpy(*at, text.at, text.len);
	(*at)[text.len] = 0;
}

static int choice_find(const char *const *choices, struct bytes text)
{
	for (int i = 0; choices[i]; i++)
		if (bytes_equal_text(text, choices[i]))
			return i;
	return -1;
}

static enum err parse_size(struct bytes text, int64_t *size)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} UNITS[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}, {"", 0}};
	for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
		size_t len = strlen(UNITS[i].unit);
		uint64_t n;
		if (text.len <= len || memcmp(text.at + text.len - len, UNITS[i].unit, len) != 0)
			continue;
		if (text_parse_u64(bytes_take(text, text.len - len), (uint64_t)INT64_MAX >> UNITS[i].shift, &n) != ERR_NONE)
			return ERR_MALFORMED;
		*size = (int64_t)(n << UNITS[i].shift);
		return ERR_NONE;
	}
	return ERR_MALFORMED;
}

static void format_value(const struct option *o, int64_t value, char out[static 32])
{
	if (type_of(o) == OPTION_DURATION)
		duration_format(out, value);
	else if (type_of(o) == OPTION_SIZE && value && !(value & 0xfffff))
		snprintf(out, 32, "%lldMiB", (long long)(value >> 20));
	else if (type_of(o) == OPTION_SIZE && value && !(value & 0x3ff))
		snprintf(out, 32, "%lldKiB", (long long)(value >> 10));
	else
		snprintf(out, 32, "%lld", (long long)value);
}

static enum err out_of_range(const struct option *o, const char *said, struct diag *why)
{
	char least[32], most[32];
	format_value(o, o->least, least);
	format_value(o, o->most, most);
	return diag_set(why, ERR_MALFORMED, "%s must be between %s and %s", said, least, most);
}

static enum err set_number(const struct option *o, void *config, const char *said, struct bytes text, struct diag *why)
{
	static const char *const FORMS[] = {[OPTION_INT] = "a whole number",
					    [OPTION_DURATION] = "a duration such as 10s, 1m30s or 250ms",
					    [OPTION_SIZE] = "a size such as 4096, 64KiB or 1MiB"};
	int64_t value;
	enum err e = type_of(o) == OPTION_INT    ? text_parse_i64(text, &value)
		     : type_of(o) == OPTION_SIZE ? parse_size(text, &value)
						 : duration_parse(text, &value);
	if (e != ERR_NONE)
		return diag_set(why, ERR_MALFORMED, "%s must be %s", said, FORMS[type_of(o)]);
	if ((o->least || o->most) && (value < o->least || value > o->most))
		return out_of_range(o, said, why);
	*(int64_t *)field(o, config) = value;
	return ERR_NONE;
}

static enum err refuse_choice(const struct option *o, const char *said, struct diag *why)
{
	char list[256] = "";
	for (int i = 0; o->choices[i]; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", o->choices[i]);
	return diag_set(why, ERR_MALFORMED, "%s must be one of: %s", said, list);
}

/* `said` is how the user named the option, for messages. Values never stand in messages: they may be secret. */
static enum err set_value(const struct option *o, void *config, const char *said, struct bytes text, struct diag *why)
{
	struct endpoint endpoint;
	int i;
	if (text.len && memchr(text.at, 0, text.len))
		return diag_set(why, ERR_MALFORMED, "%s contains a NUL byte", said);
	switch (type_of(o)) {
	case OPTION_LISTEN:
		if (text.len && endpoint_parse(text, &endpoint) != ERR_NONE)
			return diag_set(why, ERR_MALFORMED, "%s must be address:port, such as 127.0.0.1:8080 or [::]:443, or empty for off", said);
		/* fall through */
	case OPTION_TEXT:
	case OPTION_SECRET:
		set_text(o, config, text);
		return ERR_NONE;
	case OPTION_BOOL:
		if ((i = choice_find(BOOLS, text)) < 0)
			return diag_set(why, ERR_MALFORMED, "%s must be true or false", said);
		*(bool *)field(o, config) = i & 1;
		return ERR_NONE;
	case OPTION_CHOICE:
		if ((i = choice_find(o->choices, text)) < 0)
			return refuse_choice(o, said, why);
		*(int64_t *)field(o, config) = i;
		return ERR_NONE;
	default:
		return set_number(o, config, said, text, why);
	}
}

static enum err set_from_file(const struct option *o, void *config, const char *said, struct bytes path, struct diag *why)
{
	char *name = x_alloc(path.len + 1), *content = x_alloc(SECRET_FILE_MAX + 1);
	memcpy(name, path.at, path.len);
	name[path.len] = 0;
	enum err e = ERR_NONE;
	size_t len = 0;
	ssize_t got = 0;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len <= SECRET_FILE_MAX && (got = read(fd, content + len, SECRET_FILE_MAX + 1 - len)) > 0)
		len += (size_t)got;
	if (fd < 0 || got < 0)
		e = diag_set(why, ERR_MALFORMED, "%s: cannot read %s: %s", said, name, strerror(errno));
	else if (len > SECRET_FILE_MAX)
		e = diag_set(why, ERR_MALFORMED, "%s: %s is larger than %d bytes", said, name, SECRET_FILE_MAX);
	if (fd >= 0)
		close(fd);
	if (len && content[len - 1] == '\n')
		len--;
	if (len && content[len - 1] == '\r')
		len--;
	if (e == ERR_NONE)
		e = set_value(o, config, said, bytes_of(content, len), why);
	explicit_bzero(content, SECRET_FILE_MAX + 1);
	free(content);
	free(name);
	return e;
}

/* ---- names ---- */

static void environment_name(const char *name, char out[static NAME_MAX_LEN])
{
	size_t len = (size_t)snprintf(out, NAME_MAX_LEN, "%s%s", PREFIX, name);
	for (size_t i = sizeof(PREFIX) - 1; i < len && i < NAME_MAX_LEN; i++)
		out[i] = out[i] == '.' || out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* The name of an option in one of the two manners, with or without the suffix for a file. */
static void spell(const struct option *o, bool environment, bool file, char out[static NAME_MAX_LEN])
{
	char name[NAME_MAX_LEN];
	snprintf(name, sizeof(name), "%s%s", o->name, file ? FILE_SUFFIX : "");
	if (environment)
		environment_name(name, out);
	else
		memcpy(out, name, sizeof(name));
}

static const struct option *find(const struct reading *r, struct bytes name, bool environment, bool *file, size_t *number)
{
	size_t i = 0;
	EACH_OPTION(r->tables, o)
	{
		char spelled[NAME_MAX_LEN];
		for (int as_file = 0; as_file <= (type_of(o) == OPTION_SECRET); as_file++) {
			spell(o, environment, as_file, spelled);
			if (!bytes_equal_text(name, spelled))
				continue;
			*file = as_file;
			*number = i;
			return o;
		}
		i++;
	}
	return NULL;
}

static enum err unknown(const struct reading *r, struct bytes name, bool environment)
{
	char spelled[NAME_MAX_LEN], nearest[NAME_MAX_LEN] = "";
	unsigned best = DISTANCE_MAX + 1;
	EACH_OPTION(r->tables, o)
	{
		for (int as_file = 0; as_file <= (type_of(o) == OPTION_SECRET); as_file++) {
			spell(o, environment, as_file, spelled);
			unsigned distance = text_distance(name, bytes_text(spelled), DISTANCE_MAX + 1);
			if (distance < best) {
				best = distance;
				memcpy(nearest, spelled, sizeof(nearest));
			}
		}
	}
	const char *what = environment ? "variable" : "option";
	if (!*nearest)
		return diag_set(r->why, ERR_MALFORMED, "unknown %s %.*s", what, BYTES_ARG(bytes_take(name, NAME_MAX_LEN)));
	return diag_set(r->why, ERR_MALFORMED, "unknown %s %.*s, did you mean %s?", what, BYTES_ARG(bytes_take(name, NAME_MAX_LEN)), nearest);
}

static enum err give(struct reading *r, struct bytes name, struct bytes value, enum source source)
{
	bool file, environment = source == SOURCE_ENVIRONMENT;
	size_t number;
	char said[NAME_MAX_LEN];
	const struct option *o = find(r, name, environment, &file, &number);
	if (!o)
		return unknown(r, name, environment);
	spell(o, environment, file, said);
	if (r->from[number] == source)
		return diag_set(r->why, ERR_MALFORMED, "%s is given twice", said);
	r->from[number] = source;
	return (file ? set_from_file : set_value)(o, r->config, said, value, r->why);
}

/* ---- sources ---- */

static enum err read_defaults(struct reading *r)
{
	size_t i = 0;
	EACH_OPTION(r->tables, o)
	{
		if (o->fallback) {
			r->from[i] = SOURCE_DEFAULT;
			enum err e = set_value(o, r->config, o->name, bytes_text(o->fallback), r->why);
			if (e != ERR_NONE)
				return e;
		}
		i++;
	}
	return ERR_NONE;
}

static enum err on_pair(void *context, struct bytes name, struct bytes value)
{
	return give(context, name, value, SOURCE_FILE);
}

static bool is_foreign(struct bytes name)
{
	for (size_t i = 0; i < COUNT_OF(FOREIGN); i++)
		if (bytes_equal_text(name, FOREIGN[i]))
			return true;
	return false;
}

static enum err read_environment(struct reading *r, char *const *environment)
{
	for (; environment && *environment; environment++) {
		struct bytes value, name = bytes_split(bytes_text(*environment), '=', &value);
		if (!bytes_starts(name, PREFIX) || is_foreign(name))
			continue;
		enum err e = give(r, name, value, SOURCE_ENVIRONMENT);
		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}

static enum err check_required(const struct reading *r)
{
	size_t i = 0;
	EACH_OPTION(r->tables, o)
	{
		char variable[NAME_MAX_LEN];
		environment_name(o->name, variable);
		if (!r->from[i++])
			return diag_set(r->why, ERR_MALFORMED, "%s is required (in the file, or as %s)", o->name, variable);
	}
	return ERR_NONE;
}

static const char *file_of_environment(char *const *environment)
{
	for (; environment && *environment; environment++)
		if (bytes_starts(bytes_text(*environment), "FLEETSCALE_CONFIG=") && (*environment)[18])
			return *environment + 18;
	return NULL;
}

enum err options_read(const struct option *const *tables, void *config, const char *file, char *const *environment, struct diag *why)
{
	struct reading r = {.tables = tables, .config = config, .why = why};
	size_t count = 0;
	if (why)
		*why = (struct diag){0};
	EACH_OPTION(tables, o)
	count++;
	r.from = x_zalloc(sizeof(*r.from) * (count + 1));
	enum err e = read_defaults(&r);
	if (!file)
		file = file_of_environment(environment);
	if (e == ERR_NONE && file)
		e = optionfile_read(file, on_pair, &r, why);
	if (e == ERR_NONE)
		e = read_environment(&r, environment);
	if (e == ERR_NONE)
		e = check_required(&r);
	free(r.from);
	return e;
}

static bool is_same(const struct option *o, const void *now, const void *next)
{
	const char *a = (const char *)now + o->offset, *b = (const char *)next + o->offset;
	if (is_text(o))
		return !strcmp(*(char *const *)a, *(char *const *)b);
	return type_of(o) == OPTION_BOOL ? *(const bool *)a == *(const bool *)b : *(const int64_t *)a == *(const int64_t *)b;
}

static void copy_value(const struct option *o, const void *now, void *next)
{
	const void *from = (const char *)now + o->offset;
	if (is_text(o))
		set_text(o, next, bytes_text(*(char *const *)from));
	else
		memcpy(field(o, next), from, type_of(o) == OPTION_BOOL ? sizeof(bool) : sizeof(int64_t));
}

void options_adopt(const struct option *const *tables, const void *now, void *next, void (*changed)(void *context, const char *name), void *context)
{
	EACH_OPTION(tables, o)
	{
		if (o->type & OPTION_LIVE || is_same(o, now, next))
			continue;
		copy_value(o, now, next);
		changed(context, o->name);
	}
}

void options_clear(const struct option *const *tables, void *config)
{
	EACH_OPTION(tables, o)
	{
		if (!is_text(o))
			continue;
		char **at = field(o, config);
		if (*at && type_of(o) == OPTION_SECRET)
			explicit_bzero(*at, strlen(*at));
		free(*at);
		*at = NULL;
	}
}

/* ---- for people ---- */

static const char *const TYPE_TEXT[] = {
	[OPTION_TEXT] = "text",         [OPTION_SECRET] = "secret", [OPTION_BOOL] = "true or false",  [OPTION_INT] = "number",
	[OPTION_DURATION] = "duration", [OPTION_SIZE] = "size",     [OPTION_LISTEN] = "address:port", [OPTION_CHOICE] = "choice"};

static enum err write_type(const struct option *o, struct buffer *out)
{
	enum err e = buffer_add_text(out, type_of(o) == OPTION_CHOICE ? "" : TYPE_TEXT[type_of(o)]);
	for (int i = 0; type_of(o) == OPTION_CHOICE && e == ERR_NONE && o->choices[i]; i++)
		e = buffer_format(out, "%s%s", i ? ", " : "", o->choices[i]);
	if (e != ERR_NONE || (!o->least && !o->most) || is_text(o) || type_of(o) == OPTION_BOOL || type_of(o) == OPTION_CHOICE)
		return e;
	char least[32], most[32];
	format_value(o, o->least, least);
	format_value(o, o->most, most);
	return buffer_format(out, ", %s to %s", least, most);
}

static enum err write_row(const struct option *o, struct buffer *out)
{
	char variable[NAME_MAX_LEN];
	environment_name(o->name, variable);
	enum err e = buffer_format(out, "| `%s` | `%s%s` | ", o->name, variable, type_of(o) == OPTION_SECRET ? "`, `..._FILE" : "");
	if (e == ERR_NONE)
		e = write_type(o, out);
	const char *live = o->type & OPTION_LIVE ? " Read anew at SIGHUP." : "";
	if (e == ERR_NONE && o->fallback && *o->fallback)
		e = buffer_format(out, " | `%s` | %s%s |\n", o->fallback, o->help, live);
	else if (e == ERR_NONE)
		e = buffer_format(out, " | %s | %s%s |\n", o->fallback ? "(empty)" : "required", o->help, live);
	return e;
}

enum err options_write_docs(const struct option *const *tables, const char *program, struct buffer *out)
{
	enum err e = buffer_format(out, "## %s\n\n| option | environment | value | default | meaning |\n| --- | --- | --- | --- | --- |\n", program);
	EACH_OPTION(tables, o)
	if (e == ERR_NONE)
		e = write_row(o, out);
	return e;
}

enum err options_write_help(const struct option *const *tables, const char *program, struct buffer *out)
{
	enum err e = buffer_format(out,
				   "Usage: %s [--config FILE] [--check]\n       %s --help | --version | --docs options | --docs metrics\n\n"
				   "Options stand in the YAML file (dots nest) or in the environment (`log.level` is FLEETSCALE_LOG_LEVEL).\n\n",
				   program, program);
	EACH_OPTION(tables, o)
	{
		if (e == ERR_NONE)
			e = buffer_format(out, "  %s: ", o->name);
		if (e == ERR_NONE)
			e = write_type(o, out);
		const char *live = o->type & OPTION_LIVE ? " Read anew at SIGHUP." : "";
		if (e == ERR_NONE && o->fallback)
			e = buffer_format(out, " (default \"%s\")\n      %s%s\n", o->fallback, o->help, live);
		else if (e == ERR_NONE)
			e = buffer_format(out, " (required)\n      %s%s\n", o->help, live);
	}
	return e;
}
