#include "node.h"

static void *copy_array(struct arena *arena, const void *from, size_t count, size_t size)
{
	if (!count)
		return NULL;
	void *to = arena_alloc(arena, count * size);
	memcpy(to, from, count * size);
	return to;
}

void node_copy(struct arena *arena, const struct node *from, struct node *to)
{
	*to = *from;
	to->label = arena_copy(arena, from->label);
	to->hostinfo = arena_copy(arena, from->hostinfo);
	to->endpoints = copy_array(arena, from->endpoints, from->endpoint_count, sizeof *from->endpoints);
	to->routes_advertised = copy_array(arena, from->routes_advertised, from->advertised_count, sizeof *from->routes_advertised);
	to->routes_approved = copy_array(arena, from->routes_approved, from->approved_count, sizeof *from->routes_approved);
	to->routes_primary = copy_array(arena, from->routes_primary, from->primary_count, sizeof *from->routes_primary);
	to->tags = copy_array(arena, from->tags, from->tag_count, sizeof *from->tags);
	for (size_t i = 0; i < from->tag_count; i++)
		to->tags[i] = arena_copy(arena, from->tags[i]);
}
