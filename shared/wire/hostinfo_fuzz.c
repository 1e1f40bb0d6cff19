#include "hostinfo.h"

#include <stdlib.h>

#include "jsonr.h"
#include "node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_object(struct buffer *text)
{
	json_t *value;
	if (jsonr_parse(buffer_bytes(text), SIZE_MAX, &value, NULL) || !json_is_object(value))
		abort();
	json_decref(value);
}

/* What was accepted is stored, read again, told to peers and merged: each of these must work, and the text must be a fixed point. */
static void live_on(const struct hostinfo *h, struct arena *arena)
{
	struct buffer out;
	struct hostinfo again;
	json_t *value;
	buffer_init(&out, 8 * HOSTINFO_MAX);
	if (h->json.len > HOSTINFO_MAX || hostinfo_for_peers(h->json, &out))
		abort();
	must_be_object(&out);
	buffer_reset(&out);
	if (hostinfo_merge(h->json, h->json, &out) || !bytes_equal(buffer_bytes(&out), h->json))
		abort();
	buffer_clear(&out);
	if (jsonr_parse(h->json, HOSTINFO_MAX, &value, NULL) || hostinfo_decode(value, arena, &again, NULL) || !bytes_equal(again.json, h->json))
		abort();
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct hostinfo h;
	struct diag why = {0};
	struct buffer out;
	json_t *value;
	if (!jsonr_parse(bytes_of(data, size), 1 << 20, &value, &why)) {
		enum err e = hostinfo_decode(value, arena, &h, &why);
		json_decref(value);
		if (e && !*why.text)
			abort();
		if (!e && h.present)
			live_on(&h, arena);
	}
	/* A row may hold anything. */
	buffer_init(&out, 8 * HOSTINFO_MAX);
	if (!hostinfo_for_peers(bytes_of(data, size), &out))
		must_be_object(&out);
	buffer_clear(&out);
	arena_free(&arena);
	return 0;
}
