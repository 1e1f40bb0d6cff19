/* Whatever a client asks, what is taken is well formed: ids that the database holds, a login that is text, an id of our own form. */
#include "sshquestion.h"

#include <stdlib.h>

#include "percent.h"
#include "sshcheck.h"

/* The next part of a query, decoded as the door does; at NULL: broken. */
static struct bytes part(struct arena *arena, struct bytes *input)
{
	struct bytes decoded = BYTES_NONE, text = bytes_split(*input, '&', input);

	return percent_decode(arena, text, true, &decoded) ? BYTES_NONE : decoded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct bytes input = bytes_of(data, size);
	struct bytes source = part(arena, &input), destination = part(arena, &input), login = part(arena, &input), id = part(arena, &input);
	struct sshquestion q;
	struct diag why = {0};

	if (sshquestion_read(source, destination, login, id, &q, &why)) {
		if (!*why.text)
			abort();
	} else {
		if (!q.source || q.source > INT64_MAX || !q.destination || q.destination > INT64_MAX)
			abort();
		if (!q.local_user.len || q.local_user.len > SSHCHECK_LOGIN_MAX || !bytes_is_utf8(q.local_user) || memchr(q.local_user.at, 0, q.local_user.len))
			abort();
		if (q.follows && (strlen(q.id.text) != LOGIN_ID_LEN || !bytes_equal_text(id, q.id.text)))
			abort();
	}
	arena_free(&arena);
	return 0;
}
