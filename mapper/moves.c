#include "moves.h"

#include <stdlib.h>
#include <string.h>

void moves_clear(struct moves *m)
{
	free(m->list);
	*m = (struct moves){0};
}

/* Half goes at a time; a version goes wholly or stays wholly. */
static void forget_half(struct moves *m)
{
	size_t half = m->count / 2;
	m->oldest = m->list[half - 1].version;
	while (half < m->count && m->list[half].version == m->oldest)
		half++;
	memmove(m->list, m->list + half, (m->count - half) * sizeof *m->list);
	m->count -= half;
}

void moves_push(struct moves *m, size_t most, uint64_t version, uint32_t slot)
{
	if (m->count >= most && m->count > 1)
		forget_half(m);
	if (m->count == m->room) {
		m->room = m->room ? m->room * 2 : 4;
		m->list = x_realloc(m->list, m->room * sizeof *m->list);
	}
	m->list[m->count++] = (struct move){version, slot};
}

bool moves_since(const struct moves *m, uint64_t version, struct bitset *slots)
{
	if (version < m->oldest)
		return false;
	for (size_t i = m->count; i && m->list[i - 1].version > version; i--)
		bitset_add(slots, m->list[i - 1].slot);
	return true;
}
