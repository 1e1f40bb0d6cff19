/* Bodies of the admin doors: they fill the fields, or are refused with one answer. */
#include "fields.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answers, status;

static struct bytes play_header(const struct exchange *x, const char *name)
{
	(void)x, (void)name;
	return BYTES("application/json");
}

static void play_add_header(struct exchange *x, const char *name, struct bytes value)
{
	(void)x, (void)name, (void)value;
}

static void play_reply(struct exchange *x, unsigned code, const char *type, struct bytes body)
{
	(void)x, (void)type, (void)body;
	status = code;
	answers++;
}

static const struct carrier PLAYED = {.header = play_header, .add_header = play_add_header, .reply = play_reply};

static void item_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	fields[0] = (struct field){"text", FIELD_TEXT, item};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange x = {.carrier = &PLAYED, .arena = arena_new(), .body = bytes_of(data, size)};
	struct bytes text = BYTES_NONE;
	bool flag = false;
	uint64_t id = 0;
	struct wall at = WALL_ZERO;
	struct field_texts texts = {0};
	struct field_objects items = {.size = sizeof(struct bytes), .table = item_table};
	double number = 0;
	const struct field fields[] = {{"text", FIELD_TEXT, &text},
				       {"flag", FIELD_BOOL, &flag},
				       {"id", FIELD_ID, &id},
				       {"at", FIELD_TIME, &at},
				       {"texts", FIELD_TEXTS, &texts},
				       {"number", FIELD_NUMBER, &number},
				       {"object", FIELD_OBJECT, (struct field[]){{"items", FIELD_OBJECTS, &items}, {0}}},
				       {0}};

	answers = status = 0;
	if (fields_read(&x, fields, "testing") ? answers != 0 : answers != 1 || status < 400 || status > 499)
		abort();
	if (texts.count > FIELD_TEXTS_MAX || !bytes_is_utf8(text))
		abort();
	for (size_t i = 0; i < texts.count; i++)
		if (!bytes_is_utf8(texts.list[i]))
			abort();
	for (size_t i = 0; i < items.count; i++)
		if (!bytes_is_utf8(((struct bytes *)items.list)[i]))
			abort();
	arena_free(&x.arena);
	return 0;
}
