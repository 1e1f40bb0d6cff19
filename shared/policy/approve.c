#include "approve.h"

#include <stdlib.h>

#include "aliasnode.h"
#include "route.h"

static bool names_any(const struct document *document, const struct roll *roll, const struct aliases *aliases, const struct node *node)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (alias_names(document, roll, &aliases->list[i], node))
			return true;
	return false;
}

bool approve_route(const struct document *document, const struct roll *roll, const struct node *node, struct prefix route)
{
	route = prefix_masked(route);
	if (route_is_exit(route))
		return names_any(document, roll, &document->exit_approvers, node);
	for (size_t i = 0; i < document->route_approver_count; i++) {
		const struct auto_approver *approver = &document->route_approvers[i];
		bool covers = approver->prefix.bits <= route.bits && prefix_has(approver->prefix, route.ip);
		if (covers && names_any(document, roll, &approver->who, node))
			return true;
	}
	return false;
}

static bool carries(const struct node *node, struct bytes tag)
{
	for (size_t i = 0; node && i < node->tag_count; i++)
		if (bytes_equal(node->tags[i], tag))
			return true;
	return false;
}

/* The tags that own the first one, each once, whatever circles they make. */
struct owning {
	uint32_t *tags;
	size_t count;
	bool *seen;
};

static void add_owning(struct owning *owning, uint32_t tag)
{
	if (owning->seen[tag])
		return;
	owning->seen[tag] = true;
	owning->tags[owning->count++] = tag;
}

/* Whether one of the owners of `tag` is the person, or a tag that the node carries; owners that are tags join the walk. */
static bool is_owner(const struct document *document, const struct roll *roll, const struct tag *tag, const struct node *person, const struct node *carried,
		     struct owning *owning)
{
	for (size_t i = 0; i < tag->owners.count; i++) {
		const struct alias *owner = &tag->owners.list[i];
		if (owner->kind == ALIAS_TAG) {
			if (carries(carried, document->tags[owner->index].name))
				return true;
			add_owning(owning, owner->index);
		} else if (person->user && alias_names(document, roll, owner, person)) {
			return true;
		}
	}
	return false;
}

enum err approve_tag(const struct document *document, const struct roll *roll, const struct roll_user *user, const struct node *carried, struct bytes tag,
		     struct diag *why)
{
	uint32_t first = document_find_tag(document, tag);
	struct node person = {.user = user ? user->user->id : 0};
	bool allowed = false;
	if (first == UINT32_MAX)
		return diag_set(why, ERR_NOT_FOUND, "tag not found: \"%.*s\"", BYTES_ARG(bytes_take(tag, 200)));
	struct owning owning = {x_alloc(document->tag_count * sizeof *owning.tags), 0, x_zalloc(document->tag_count)};
	add_owning(&owning, first);
	for (size_t i = 0; !allowed && i < owning.count; i++)
		allowed = is_owner(document, roll, &document->tags[owning.tags[i]], &person, carried, &owning);
	free(owning.tags);
	free(owning.seen);
	return allowed ? ERR_NONE : diag_set(why, ERR_DENIED, "tag \"%.*s\" is not permitted", BYTES_ARG(bytes_take(tag, 200)));
}
