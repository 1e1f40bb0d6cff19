#include "relaystream.h"

#include "text.h"

enum { MAGIC_LEN = 8, GREETING_MAX = 1024 };

static const uint8_t magic[MAGIC_LEN] = {'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91};

static struct relaystream_event bad(unsigned status)
{
	return (struct relaystream_event){.kind = RELAYSTREAM_BAD, .status = status};
}

static struct relaystream_event more(void)
{
	return (struct relaystream_event){.kind = RELAYSTREAM_MORE};
}

/* The answer's head is skipped; only its status matters. */
static struct relaystream_event upgrade(struct relaystream *s, struct buffer *in)
{
	static const char wanted[] = "HTTP/1.1 ";
	const uint8_t *end = memmem(in->at ? in->at : (const uint8_t *)"", in->len, "\r\n\r\n", 4);
	uint64_t status;
	if (!end)
		return in->len > RELAYSTREAM_HEAD_MAX ? bad(1) : more();
	struct bytes head = bytes_of(in->at, (size_t)(end - in->at));
	if (!bytes_starts(head, wanted) || text_parse_u64(bytes_take(bytes_skip(head, sizeof wanted - 1), 3), 999, &status))
		return bad(1);
	if (status != 101)
		return bad((unsigned)status);
	buffer_consume(in, head.len + 4);
	s->upgraded = true;
	return (struct relaystream_event){.kind = RELAYSTREAM_OTHER};
}

static struct relaystream_event greet(struct relaystream *s, struct buffer *in, struct derpframe_header h)
{
	struct relaystream_event event = {.kind = RELAYSTREAM_KEY};
	if (h.type != DERPFRAME_SERVER_KEY || h.len < MAGIC_LEN + KEY_LEN || h.len > GREETING_MAX)
		return bad(0);
	if (in->len < DERPFRAME_HEADER_LEN + h.len)
		return more();
	if (memcmp(in->at + DERPFRAME_HEADER_LEN, magic, MAGIC_LEN) != 0)
		return bad(0);
	memcpy(event.key.raw, in->at + DERPFRAME_HEADER_LEN + MAGIC_LEN, KEY_LEN);
	buffer_consume(in, DERPFRAME_HEADER_LEN + h.len);
	s->greeted = true;
	return key_is_zero(event.key.raw) ? bad(0) : event;
}

static struct relaystream_event give(struct relaystream *s, const struct buffer *in, struct derpframe_header h)
{
	if (in->len < DERPFRAME_HEADER_LEN + h.len)
		return more();
	s->skip = DERPFRAME_HEADER_LEN + (uint64_t)h.len;
	return (struct relaystream_event){.kind = RELAYSTREAM_FRAME, .type = h.type, .payload = bytes_of(in->at + DERPFRAME_HEADER_LEN, h.len)};
}

struct relaystream_event relaystream_next(struct relaystream *s, struct buffer *in)
{
	struct derpframe_header h;
	if (!s->upgraded)
		return upgrade(s, in);
	if (s->skip) {
		size_t count = s->skip < in->len ? (size_t)s->skip : in->len;
		buffer_consume(in, count);
		s->skip -= count;
		if (s->skip)
			return more();
	}
	if (derpframe_decode(buffer_bytes(in), &h))
		return more();
	if (!s->greeted)
		return greet(s, in, h);
	if (h.len > RELAYSTREAM_FRAME_MAX)
		return bad(0);
	if (h.len <= RELAYSTREAM_GIVEN_MAX)
		return give(s, in, h);
	s->skip = h.len;
	buffer_consume(in, DERPFRAME_HEADER_LEN);
	return (struct relaystream_event){.kind = RELAYSTREAM_OTHER};
}
