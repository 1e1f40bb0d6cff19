#include "early.h"

#include "jsonw.h"

enum err early_encode(const struct public_key *challenge, struct buffer *out)
{
	char text[KEY_TEXT_MAX];
	size_t before = out->len;
	uint8_t header[EARLY_HEADER_LEN] = {0xff, 0xff, 0xff, 'T', 'S'};
	struct jsonw w;
	enum err e = buffer_add(out, bytes_of(header, sizeof header));
	if (e)
		return e;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "nodeKeyChallenge", bytes_of(text, key_format_challenge(text, challenge)));
	jsonw_object_end(&w);
	e = jsonw_end(&w);
	if (e)
		buffer_cut(out, before);
	else
		put_be32(out->at + before + 5, (uint32_t)(out->len - before - sizeof header));
	return e;
}
