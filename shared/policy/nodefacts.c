#include "nodefacts.h"

#include <stdlib.h>

#include "hujson.h"

enum { BUILT_IN = 4 };

static struct bytes lowered(struct arena *arena, struct bytes text)
{
	uint8_t *out = arena_alloc(arena, text.len + 1);
	for (size_t i = 0; i < text.len; i++)
		out[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (uint8_t)(text.at[i] + 32) : text.at[i];
	return bytes_of(out, text.len);
}

static struct bytes text_of(const struct json *object, const char *name)
{
	const struct json *value = hujson_find(object, name);
	return value && value->kind == JSON_STRING ? value->text : BYTES_NONE;
}

/* Releases have an even second number (tailscale.com: stable and unstable tracks). */
static const char *track_of(struct bytes version)
{
	struct bytes rest, minor;
	bytes_split(version, '.', &rest);
	minor = bytes_split(rest, '.', &rest);
	if (!minor.len)
		return NULL;
	return (minor.at[minor.len - 1] - '0') % 2 ? "unstable" : "stable";
}

static void add(struct roll_fact *list, size_t *count, const char *name, struct bytes value)
{
	if (value.len)
		list[(*count)++] = (struct roll_fact){bytes_text(name), value};
}

size_t nodefacts_of(struct arena *arena, struct bytes hostinfo, const struct roll_fact *attributes, size_t attribute_count, struct roll_fact **out)
{
	struct roll_fact *list = ARENA_ARRAY(arena, struct roll_fact, BUILT_IN + attribute_count);
	struct json root;
	size_t count = 0;

	if (!hujson_parse(arena, hostinfo, &root, NULL) && root.kind == JSON_OBJECT) {
		struct bytes rest, version = bytes_split(text_of(&root, "IPNVersion"), '-', &rest);
		const char *track = track_of(version);
		add(list, &count, "node:os", lowered(arena, text_of(&root, "OS")));
		add(list, &count, "node:osVersion", text_of(&root, "OSVersion"));
		add(list, &count, "node:tsVersion", version);
		add(list, &count, "node:tsReleaseTrack", track ? bytes_text(track) : BYTES_NONE);
	}
	for (size_t i = 0; i < attribute_count; i++)
		if (!bytes_starts(attributes[i].name, "node:"))
			list[count++] = attributes[i];
	*out = list;
	return count;
}
