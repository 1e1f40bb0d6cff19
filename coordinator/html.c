#include "html.h"

enum { SECTIONS_MAX = 8 };

static const char *entity_of(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

enum err html_escape(struct bytes value, struct buffer *out)
{
	static const char unknown[] = "\xef\xbf\xbd";
	enum err e = ERR_NONE;

	while (value.len && !e) {
		size_t len = bytes_utf8_len(value);
		const char *entity = entity_of(value.at[0]);
		bool bad = !len || (value.at[0] < 0x20 && value.at[0] != '\n' && value.at[0] != '\t') || value.at[0] == 0x7f;

		if (bad || entity)
			e = buffer_add_text(out, bad ? unknown : entity);
		else
			e = buffer_add(out, bytes_take(value, len));
		value = bytes_skip(value, len ? len : 1);
	}
	return e;
}

static const struct html_value *value_of(const struct html_value *values, struct bytes name)
{
	for (; values->name; values++)
		if (bytes_equal_text(name, values->name))
			return values;
	return NULL;
}

/* How a template is read: `hidden` counts the open sections from the first one that is not shown. */
struct filling {
	const struct html_value *values;
	struct buffer *out;
	struct bytes open[SECTIONS_MAX];
	unsigned depth, hidden;
};

static enum err section_close(struct filling *f, struct bytes name)
{
	if (!f->depth || !bytes_equal(f->open[f->depth - 1], name))
		return ERR_MALFORMED;
	f->depth--;
	f->hidden -= f->hidden > 0;
	return ERR_NONE;
}

/* What stands between the braces. */
static enum err tag_fill(struct filling *f, struct bytes tag)
{
	bool opens = bytes_starts(tag, "#"), closes = bytes_starts(tag, "/");
	struct bytes name = opens || closes ? bytes_skip(tag, 1) : tag;
	const struct html_value *value = value_of(f->values, name);

	if (!value)
		return ERR_MALFORMED;
	if (closes)
		return section_close(f, name);
	if (!opens)
		return f->hidden ? ERR_NONE : html_escape(value->value, f->out);
	if (f->depth == SECTIONS_MAX)
		return ERR_MALFORMED;
	f->open[f->depth++] = name;
	f->hidden += f->hidden || !value->value.len;
	return ERR_NONE;
}

/* Where two braces of that kind stand; the length when they do not. */
static size_t braces(struct bytes text, uint8_t brace)
{
	for (size_t i = 0; i + 1 < text.len; i++)
		if (text.at[i] == brace && text.at[i + 1] == brace)
			return i;
	return text.len;
}

enum err html_fill(struct bytes text, const struct html_value *values, struct buffer *out)
{
	struct filling f = {.values = values, .out = out};
	enum err e = ERR_NONE;

	while (text.len && !e) {
		size_t plain = braces(text, '{');

		if (!f.hidden && (e = buffer_add(out, bytes_take(text, plain))))
			break;
		text = bytes_skip(text, plain);
		if (!text.len)
			break;
		text = bytes_skip(text, 2);
		plain = braces(text, '}');
		e = plain == text.len ? ERR_MALFORMED : tag_fill(&f, bytes_take(text, plain));
		text = bytes_skip(text, plain + 2);
	}
	return e ? e : f.depth ? ERR_MALFORMED : ERR_NONE;
}
