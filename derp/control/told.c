#include "told.h"

#include <stdlib.h>

#include "jsonr.h"
#include "mem.h"
#include "text.h"

static void read_siblings(struct told *t, const json_t *list)
{
	size_t count = json_array_size(list);
	if (count > TOLD_SIBLINGS_MAX)
		count = TOLD_SIBLINGS_MAX;
	t->siblings = x_zalloc((count + 1) * sizeof *t->siblings);
	for (size_t i = 0; i < count; i++)
		if (derpnode_read(json_array_get(list, i), &t->siblings[t->sibling_count]))
			t->sibling_count++;
}

static void read_key(struct told *t, const json_t *answer, const char *name)
{
	uint8_t *key = t->mesh_key[t->mesh_key_count];
	if (!hex_decode(jsonr_text(answer, name), key, KEY_LEN) && !key_is_zero(key))
		t->mesh_key_count++;
}

static void read_rechecks(struct told *t, const json_t *list)
{
	size_t count = json_array_size(list);
	if (count > TOLD_RECHECKS_MAX)
		count = 0, t->recheck_all = true;
	t->rechecks = x_zalloc((count + 1) * sizeof *t->rechecks);
	for (size_t i = 0; i < count; i++) {
		const json_t *text = json_array_get(list, i);
		if (!hex_decode(bytes_of(json_string_value(text), json_string_length(text)), t->rechecks[t->recheck_count].raw, KEY_LEN))
			t->recheck_count++;
	}
}

struct told *told_new(const json_t *answer)
{
	struct told *t = x_zalloc(sizeof *t);
	atomic_store(&t->references, 1);
	read_key(t, answer, "MeshKey");
	read_key(t, answer, "MeshKeyBefore");
	read_siblings(t, json_object_get(answer, "Siblings"));
	read_rechecks(t, json_object_get(answer, "Rechecks"));
	t->recheck_all |= json_is_true(json_object_get(answer, "RecheckAll"));
	t->rechecks_from = jsonr_count(answer, "RechecksFrom");
	t->drain = json_is_true(json_object_get(answer, "Drain"));
	t->held_back = json_is_true(json_object_get(answer, "HeldBack"));
	/* Beside siblings its clients go on at once; alone in its region it waits until nobody shall be at home there any more. The last one of all has nobody to
	 * wait for. */
	t->leave = json_is_true(json_object_get(answer, "SiblingsServe")) || !json_is_true(json_object_get(answer, "Shown")) ||
		   jsonr_count(answer, "Stage") > 1 || !json_is_true(json_object_get(answer, "OthersServe"));
	/* A wish is no hurry: the last one of all serves on. */
	if (!json_is_true(json_object_get(answer, "SiblingsServe")) && !json_is_true(json_object_get(answer, "OthersServe")))
		t->drain = false;
	t->client = (struct rate){jsonr_count(answer, "ClientBytesPerSecond"), jsonr_count(answer, "ClientBurstBytes")};
	t->tailnet = (struct rate){jsonr_count(answer, "TailnetBytesPerSecond"), jsonr_count(answer, "TailnetBurstBytes")};
	return t;
}

struct told *told_take(struct told *t)
{
	atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
	return t;
}

void told_drop(struct told **told)
{
	struct told *t = *told;
	*told = NULL;
	if (!t || atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) > 1)
		return;
	key_wipe(t->mesh_key, sizeof t->mesh_key);
	free(t->siblings);
	free(t->rechecks);
	free(t);
}

bool told_is_mesh_key(const struct told *t, const uint8_t key[static KEY_LEN])
{
	bool is = false;
	if (key_is_zero(key))
		return false;
	for (unsigned i = 0; t && i < t->mesh_key_count; i++)
		is |= key_equal(t->mesh_key[i], key);
	return is;
}
