#include "c2n.h"

#include "text.h"

static bool is_line(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return true;
}

enum err c2n_encode(const char *method, struct bytes path, struct bytes body, int64_t timeout_ms, struct buffer *out)
{
	enum err e;

	if (!path.len || path.at[0] != '/' || path.len > C2N_PATH_MAX || !is_line(path) || body.len > C2N_BODY_MAX)
		return ERR_MALFORMED;
	e = buffer_format(out, "%s %.*s HTTP/1.1\r\nHost: control\r\nC2n-Handler-Timeout: %llds\r\nContent-Length: %zu\r\n\r\n", method, BYTES_ARG(path),
			  (long long)(timeout_ms + 999) / 1000, body.len);
	return e ? e : buffer_add(out, body);
}

/* Up to the next line end, which is taken off `rest`; at NULL when there is none. */
static struct bytes line_of(struct bytes *rest)
{
	struct bytes tail, line = bytes_split(*rest, '\n', &tail);

	if (!tail.at)
		return BYTES_NONE;
	*rest = tail;
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static enum err decode_status(struct bytes line, unsigned *status)
{
	struct bytes rest, version = bytes_split(line, ' ', &rest), code = bytes_split(rest, ' ', &rest);
	uint64_t value;

	if (!bytes_starts(version, "HTTP/1.") || code.len != 3 || text_parse_u64(code, 599, &value) || value < 100)
		return ERR_MALFORMED;
	*status = (unsigned)value;
	return ERR_NONE;
}

struct head {
	bool chunked, has_length;
	uint64_t length;
};

static enum err decode_header(struct bytes line, struct arena *arena, struct head *head, struct c2n_answer *answer)
{
	struct bytes value, name = bytes_split(line, ':', &value);

	if (!value.at || !name.len)
		return ERR_MALFORMED;
	value = bytes_trim(value);
	if (bytes_equal_nocase(name, "content-type"))
		answer->type = arena_copy(arena, value);
	else if (bytes_equal_nocase(name, "transfer-encoding"))
		head->chunked = bytes_equal_nocase(value, "chunked");
	else if (bytes_equal_nocase(name, "content-length")) {
		if (text_parse_u64(value, C2N_ANSWER_MAX, &head->length))
			return ERR_MALFORMED;
		head->has_length = true;
	}
	return ERR_NONE;
}

static enum err parse_size(struct bytes text, size_t *size)
{
	*size = 0;
	text = bytes_split(text, ';', &(struct bytes){0});
	if (!text.len || text.len > 6)
		return ERR_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i] | 0x20;

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return ERR_MALFORMED;
		*size = *size * 16 + (c >= 'a' ? c - 'a' + 10u : c - '0' + 0u);
	}
	return ERR_NONE;
}

static enum err decode_chunks(struct bytes rest, struct arena *arena, struct bytes *body)
{
	uint8_t *out = arena_alloc(arena, rest.len + 1);
	size_t len = 0, size;

	for (;;) {
		struct bytes line = line_of(&rest);

		if (!line.at || parse_size(line, &size) || size > rest.len)
			return ERR_MALFORMED;
		if (!size)
			break;
		memcpy(out + len, rest.at, size);
		len += size;
		rest = bytes_skip(rest, size);
		line = line_of(&rest);
		if (!line.at || line.len)
			return ERR_MALFORMED;
	}
	*body = bytes_of(out, len);
	return ERR_NONE;
}

enum err c2n_decode(struct bytes text, struct arena *arena, struct c2n_answer *answer)
{
	struct head head = {0};
	struct bytes rest = text, line = line_of(&rest);
	enum err e = line.at ? decode_status(line, &answer->status) : ERR_MALFORMED;

	answer->type = answer->body = BYTES_NONE;
	for (;;) {
		if (e)
			return e;
		line = line_of(&rest);
		if (!line.at)
			return ERR_MALFORMED;
		if (!line.len)
			break;
		e = decode_header(line, arena, &head, answer);
	}
	if (head.chunked)
		return decode_chunks(rest, arena, &answer->body);
	if (head.has_length && rest.len < head.length)
		return ERR_MALFORMED;
	answer->body = arena_copy(arena, head.has_length ? bytes_take(rest, (size_t)head.length) : rest);
	return ERR_NONE;
}
