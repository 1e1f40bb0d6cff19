/* Texts that claim to be HuJSON: what is accepted reads back the same from its compact form, and every value knows where it stands. */
#include <stdlib.h>

#include "hujson.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Of the two places the second is not before the first. */
static void must_follow(struct place a, struct place b)
{
	must(a.line && a.column && (b.line > a.line || (b.line == a.line && b.column >= a.column)));
}

static void must_hold(const struct json *value, struct bytes source, unsigned depth)
{
	struct place last = value->at;
	must(depth <= HUJSON_DEPTH_MAX);
	must_follow(value->at, value->end);
	must(value->source.len && value->source.at >= source.at && value->source.at + value->source.len <= source.at + source.len);
	must(value->kind != JSON_STRING || bytes_is_utf8(value->text));
	for (size_t i = 0; i < value->count; i++) {
		const struct json *item = value->kind == JSON_LIST ? &value->items[i] : &value->members[i].value;
		if (value->kind == JSON_OBJECT) {
			must_follow(last, value->members[i].at);
			last = value->members[i].at;
		}
		must_follow(last, item->at);
		must_hold(item, value->source, depth + 1);
		last = item->end;
	}
	must_follow(last, value->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes source = bytes_of(data, size);
	struct arena *arena = arena_new();
	struct json root, again;
	struct diag why = {0};
	enum err e = hujson_parse(arena, source, &root, &why);
	if (e) {
		must(why.text[0] && bytes_is_utf8(bytes_text(why.text)) && (why.line || e == ERR_NOT_FOUND));
	} else {
		must_hold(&root, source, 1);
		struct bytes compact = hujson_compact(arena, &root);
		must(!hujson_parse(arena, compact, &again, &why));
		must(bytes_equal(compact, hujson_compact(arena, &again)));
	}
	arena_free(&arena);
	return 0;
}
