#include "seatfacts.h"

#include "nodefacts.h"
#include "noderow.h"
#include "secret.h"

static uint64_t hash_of(struct arena *arena, uint64_t hostinfo_hash, const struct attribute_fact *attributes, size_t count)
{
	size_t size = sizeof hostinfo_hash;
	uint8_t hash[32];
	for (size_t i = 0; i < count; i++)
		size += 2 * sizeof size + attributes[i].key.len + attributes[i].value.len;
	uint8_t *text = arena_alloc(arena, size), *at = text;
	noderow_text(&at, bytes_of(&hostinfo_hash, sizeof hostinfo_hash));
	for (size_t i = 0; i < count; i++) {
		noderow_text(&at, bytes_of(&attributes[i].key.len, sizeof size));
		noderow_text(&at, attributes[i].key);
		noderow_text(&at, bytes_of(&attributes[i].value.len, sizeof size));
		noderow_text(&at, attributes[i].value);
	}
	hash_bytes(bytes_of(text, size), hash);
	return get_be64(hash);
}

static struct seatfacts *pack(const struct roll_fact *facts, size_t count, uint64_t of)
{
	size_t size = sizeof(struct seatfacts) + count * sizeof *facts;
	for (size_t i = 0; i < count; i++)
		size += facts[i].name.len + facts[i].value.len;
	struct seatfacts *packed = x_alloc(size);
	uint8_t *at = (uint8_t *)(packed->list + count);
	packed->of = of;
	packed->count = count;
	for (size_t i = 0; i < count; i++) {
		packed->list[i].name = noderow_text(&at, facts[i].name);
		packed->list[i].value = noderow_text(&at, facts[i].value);
	}
	return packed;
}

static bool same(const struct seatfacts *a, const struct roll_fact *facts, size_t count)
{
	if (a->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!bytes_equal(a->list[i].name, facts[i].name) || !bytes_equal(a->list[i].value, facts[i].value))
			return false;
	return true;
}

struct seatfacts *seatfacts_read(struct seatfacts *old, struct bytes hostinfo, uint64_t hostinfo_hash, const struct attribute_fact *attributes, size_t count)
{
	struct arena *arena = arena_new();
	uint64_t of = hash_of(arena, hostinfo_hash, attributes, count);
	struct seatfacts *now = old;
	if (!old || old->of != of) {
		struct roll_fact *own = ARENA_ARRAY(arena, struct roll_fact, count + 1), *all = NULL;
		for (size_t i = 0; i < count; i++)
			own[i] = (struct roll_fact){attributes[i].key, attributes[i].value};
		size_t all_count = nodefacts_of(arena, hostinfo, own, count, &all);
		if (old && same(old, all, all_count))
			old->of = of;
		else
			now = pack(all, all_count, of);
	}
	arena_free(&arena);
	return now;
}

size_t seatfacts_find(const struct attribute_fact *all, size_t count, uint64_t node, const struct attribute_fact **first)
{
	size_t low = 0, high = count, end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (all[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < count && all[end].node == node;)
		end++;
	*first = all ? all + low : NULL;
	return end - low;
}
