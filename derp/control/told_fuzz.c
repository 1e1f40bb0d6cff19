/* Answers of coordinators: whatever they hold, what is kept is within its caps, can go into requests and logs, and is the same when it is read again. */
#include <stdlib.h>

#include "jsonr.h"
#include "told.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t most)
{
	if (strlen(text) > most)
		abort();
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f)
			abort();
}

static void check_sibling(const struct derpnode *s)
{
	check_text(s->name, DERPNODE_NAME_MAX);
	check_text(s->host, DERPNODE_HOST_MAX);
	check_text(s->cert_name, DERPNODE_HOST_MAX);
	if (!*s->name || !*s->host || !s->port || (s->ip4.family != IP_NONE && s->ip4.family != IP_V4) || (s->ip6.family != IP_NONE && s->ip6.family != IP_V6))
		abort();
}

static void check(const struct told *t, const json_t *answer)
{
	static const uint8_t zero[KEY_LEN];
	if (t->sibling_count > TOLD_SIBLINGS_MAX || t->recheck_count > TOLD_RECHECKS_MAX || t->mesh_key_count > 2 || told_is_mesh_key(t, zero))
		abort();
	for (size_t i = 0; i < t->sibling_count; i++)
		check_sibling(&t->siblings[i]);
	for (unsigned i = 0; i < t->mesh_key_count; i++)
		if (!told_is_mesh_key(t, t->mesh_key[i]))
			abort();
	/* No key that was named is forgotten. */
	if (json_array_size(json_object_get(answer, "Rechecks")) > TOLD_RECHECKS_MAX && !t->recheck_all)
		abort();
	if (t->drain && !json_is_true(json_object_get(answer, "Drain")))
		abort();
}

static bool same(const struct told *a, const struct told *b)
{
	return a->sibling_count == b->sibling_count && a->recheck_count == b->recheck_count && a->drain == b->drain && a->leave == b->leave &&
	       !memcmp(a->siblings, b->siblings, a->sibling_count * sizeof *a->siblings) &&
	       !memcmp(a->rechecks, b->rechecks, a->recheck_count * sizeof *a->rechecks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *answer = NULL;
	if (!jsonr_parse(bytes_of(data, size), 1 << 18, &answer, NULL) && json_is_object(answer)) {
		struct told *one = told_new(answer), *two = told_new(answer), *three = told_take(one);
		check(one, answer);
		if (!same(one, two))
			abort();
		told_drop(&one);
		told_drop(&two);
		check(three, answer);
		told_drop(&three);
	}
	json_decref(answer);
	return 0;
}
