#include "etag.h"

#include "guard.h"
#include "secret.h"
#include "text.h"

enum { TAG_BYTES = 16, TAG_TEXT_MAX = 2 * TAG_BYTES + 3 };

static void tag_make(struct bytes json, char tag[static TAG_TEXT_MAX])
{
	uint8_t hash[32];

	hash_bytes(json, hash);
	tag[0] = '"';
	hex_encode(tag + 1, bytes_of(hash, TAG_BYTES));
	memcpy(tag + 1 + 2 * TAG_BYTES, "\"", 2);
}

/* Is the tag in the header's list? `*` is any. A weak mark makes a tag unfit for If-Match, and is passed over in If-None-Match (RFC 9110). */
static bool list_has(struct bytes list, const char *tag, bool weak_too)
{
	while (list.at) {
		struct bytes item = bytes_split(list, ',', &list);

		while (item.len && (item.at[0] == ' ' || item.at[0] == '\t'))
			item = bytes_skip(item, 1);
		while (item.len && (item.at[item.len - 1] == ' ' || item.at[item.len - 1] == '\t'))
			item = bytes_take(item, item.len - 1);
		if (weak_too && bytes_starts(item, "W/"))
			item = bytes_skip(item, 2);
		if (bytes_equal_text(item, tag) || bytes_equal_text(item, "*"))
			return true;
	}
	return false;
}

static bool answer_finish(struct answer *a, struct exchange *x, const char *detail)
{
	enum err e;

	jsonw_object_end(&a->w);
	e = jsonw_end(&a->w);
	if (!e)
		return true;
	problem_reply_err(x, e, detail, NULL);
	buffer_clear(&a->out);
	return false;
}

void etag_send(struct answer *a, struct exchange *x, const char *detail)
{
	char tag[TAG_TEXT_MAX];

	if (!answer_finish(a, x, detail))
		return;
	tag_make(buffer_bytes(&a->out), tag);
	exchange_add_header(x, "ETag", bytes_text(tag));
	if (list_has(asker_of(x)->if_none_match, tag, true))
		admin_reply_empty(x, 304);
	else
		admin_reply(x, buffer_bytes(&a->out));
	buffer_clear(&a->out);
}

bool etag_wanted(const struct exchange *x)
{
	return asker_of(x)->if_match.len != 0;
}

bool etag_holds(struct answer *a, struct exchange *x, const char *detail)
{
	char tag[TAG_TEXT_MAX];
	bool holds;

	if (!answer_finish(a, x, detail))
		return false;
	tag_make(buffer_bytes(&a->out), tag);
	holds = !etag_wanted(x) || list_has(asker_of(x)->if_match, tag, false);
	buffer_clear(&a->out);
	if (!holds)
		problem_reply(x, 412, detail, "it was changed since: read it again", "header.If-Match");
	return holds;
}
