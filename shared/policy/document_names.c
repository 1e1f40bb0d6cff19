/* The names that rules use: groups, tags, hosts, sets. */
#include "reading.h"

/* Numbers the members of one object; its values are read later, when all names are known. */
static enum err index_members(struct reading *r, const struct json *object, const char *name, struct table *table, uint32_t *count)
{
	*count = 0;
	if (!object)
		return ERR_NONE;
	if (object->kind != JSON_OBJECT)
		return refuse_at(r, object->at, "%s: an object is wanted", name);
	for (size_t i = 0; i < object->count; i++) {
		struct bytes key = alias_trim(object->members[i].name);
		if (table_put(table, key, (void *)(uintptr_t)(++*count)))
			return refuse_at(r, object->members[i].at, "duplicate field: \"%.*s\"", BYTES_ARG(bytes_take(key, 200)));
	}
	return read_room(r, object);
}

/* Groups that only sign-in providers know stand behind those of the file. */
static void index_outer(struct reading *r, uint32_t defined)
{
	struct document *doc = r->doc;
	uint32_t count = defined;
	for (size_t i = 0; i < r->around->group_count; i++)
		if (!table_find(r->groups, r->around->groups[i]))
			table_put(r->groups, r->around->groups[i], (void *)(uintptr_t)(++count));
	doc->groups = ARENA_ARRAY(r->arena, struct group, count);
	for (size_t i = 0; i < r->around->group_count; i++) {
		size_t number = (size_t)(uintptr_t)table_find(r->groups, r->around->groups[i]) - 1;
		if (number >= defined)
			doc->groups[number].name = r->around->groups[i];
	}
	doc->group_count = count;
}

enum err names_index(struct reading *r, const struct json *groups, const struct json *owners, const struct json *hosts, const struct json *ipsets,
		     const struct json *postures)
{
	struct document *doc = r->doc;
	uint32_t defined, tags, host, ipset, posture;
	enum err e = index_members(r, groups, "groups", r->groups, &defined);
	if (e || (e = index_members(r, owners, "tagOwners", r->tags, &tags)) || (e = index_members(r, hosts, "hosts", r->hosts, &host)) ||
	    (e = index_members(r, ipsets, "ipsets", r->ipsets, &ipset)) || (e = index_members(r, postures, "postures", r->postures, &posture)))
		return e;
	index_outer(r, defined);
	doc->tags = ARENA_ARRAY(r->arena, struct tag, tags);
	doc->hosts = ARENA_ARRAY(r->arena, struct host, host);
	doc->ipsets = ARENA_ARRAY(r->arena, struct ipset, ipset);
	doc->postures = ARENA_ARRAY(r->arena, struct posture, posture);
	doc->tag_count = tags, doc->host_count = host, doc->ipset_count = ipset, doc->posture_count = posture;
	for (uint32_t i = 0; i < tags; i++)
		doc->tags[i].name = alias_trim(owners->members[i].name);
	return ERR_NONE;
}

static enum err group_read(struct reading *r, const struct json_member *member, struct group *group, const struct json **nested)
{
	group->name = alias_trim(member->name);
	group->at = member->at;
	*nested = NULL;
	if (!bytes_starts(group->name, "group:") || group->name.len == 6)
		return refuse_at(r, member->at, "groups[\"%.*s\"]: group names are written group:NAME", BYTES_ARG(bytes_take(group->name, 200)));
	if (member->value.kind == JSON_NULL)
		return ERR_NONE;
	enum err e = read_list_of(r, &member->value, "groups", JSON_STRING);
	if (e)
		return e;
	group->users.list = ARENA_ARRAY(r->arena, struct alias, member->value.count);
	for (size_t i = 0; i < member->value.count; i++) {
		const struct json *item = &member->value.items[i];
		struct bytes text = alias_trim(item->text);
		if (bytes_starts(text, "group:")) {
			*nested = item;
			return ERR_NONE;
		}
		if (!text.len || !memchr(text.at, '@', text.len) || bytes_starts(text, "user:*@"))
			return refuse_at(r, item->at, "groups[\"%.*s\"]: \"%.*s\": group members must be users", BYTES_ARG(bytes_take(group->name, 200)),
					 BYTES_ARG(bytes_take(text, 200)));
		group->users.list[group->users.count++] = (struct alias){.kind = ALIAS_USER, .text = text, .at = item->at};
	}
	return ERR_NONE;
}

/* Of nested groups the one with the greatest name is told. */
enum err groups_read(struct reading *r, const struct json *value)
{
	const struct group *worst = NULL;
	const struct json *inner = NULL;
	for (size_t i = 0; value && i < value->count; i++) {
		const struct json *nested;
		struct group *group = &r->doc->groups[i];
		enum err e = group_read(r, &value->members[i], group, &nested);
		if (e)
			return e;
		if (nested && (!worst || bytes_compare(group->name, worst->name) > 0))
			worst = group, inner = nested;
	}
	if (worst)
		return refuse_at(r, inner->at, "groups[\"%.*s\"]: \"%.*s\": group members cannot be recursive", BYTES_ARG(bytes_take(worst->name, 200)),
				 BYTES_ARG(bytes_take(alias_trim(inner->text), 200)));
	return ERR_NONE;
}

static bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* NULL: good. */
static const char *tag_fault(struct bytes tag)
{
	if (!bytes_starts(tag, "tag:"))
		return "tags must start with 'tag:'";
	tag = bytes_skip(tag, 4);
	if (!tag.len)
		return "tag names must not be empty";
	if (!is_letter(*tag.at))
		return "tag names must start with a letter, after 'tag:'";
	for (size_t i = 0; i < tag.len; i++)
		if (!is_letter(tag.at[i]) && !(tag.at[i] >= '0' && tag.at[i] <= '9') && tag.at[i] != '-')
			return "tag names can only contain numbers, letters, or dashes";
	return NULL;
}

static enum err check_owner_tags(struct reading *r, const struct tag *tag, const struct json *list)
{
	for (size_t i = 0; list->kind == JSON_LIST && i < list->count; i++) {
		struct bytes text = list->items[i].kind == JSON_STRING ? alias_trim(list->items[i].text) : BYTES_NONE;
		if (bytes_starts(text, "tag:") && !table_find(r->tags, text))
			return refuse_at(r, list->items[i].at, "tag \"%.*s\" references undefined tag \"%.*s\"", BYTES_ARG(bytes_take(tag->name, 200)),
					 BYTES_ARG(bytes_take(text, 200)));
	}
	return ERR_NONE;
}

enum err owners_read(struct reading *r, const struct json *value)
{
	for (size_t i = 0; value && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct tag *tag = &r->doc->tags[i];
		const char *fault = tag_fault(tag->name);
		enum err e;
		tag->at = member->at;
		if (fault)
			return refuse_at(r, member->at, "tagOwners[\"%.*s\"]: %s", BYTES_ARG(bytes_take(tag->name, 200)), fault);
		if (member->value.kind != JSON_NULL &&
		    ((e = check_owner_tags(r, tag, &member->value)) || (e = aliases_read(r, &member->value, "tagOwners", AT_OWNER, &tag->owners))))
			return e;
	}
	return ERR_NONE;
}

enum err hosts_read(struct reading *r, const struct json *value)
{
	for (size_t i = 0; value && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct host *host = &r->doc->hosts[i];
		struct bytes text;
		enum err e = read_text(r, &member->value, "hosts", &text);
		host->name = alias_trim(member->name);
		host->at = member->at;
		if (e)
			return e;
		if (!host->name.len || memchr(host->name.at, '@', host->name.len) || memchr(host->name.at, ':', host->name.len))
			return refuse_at(r, member->at, "hosts[\"%.*s\"]: a host name has no @ and no colon", BYTES_ARG(bytes_take(host->name, 200)));
		if (prefix_parse(text, &host->prefix))
			return refuse_at(r, member->value.at, "hosts[\"%.*s\"]: \"%.*s\": invalid address", BYTES_ARG(bytes_take(host->name, 200)),
					 BYTES_ARG(bytes_take(text, 200)));
		host->prefix = prefix_masked(host->prefix);
	}
	return ERR_NONE;
}

/* "add X", "remove X", "X"; hosts may be written host:NAME. */
static enum err ipset_entry_read(struct reading *r, const struct json *item, struct ipset_entry *entry)
{
	struct bytes text = alias_trim(item->text);
	entry->remove = bytes_starts(text, "remove ");
	if (entry->remove || bytes_starts(text, "add "))
		text = alias_trim(bytes_skip(text, entry->remove ? 7 : 4));
	if (bytes_starts(text, "host:"))
		text = bytes_skip(text, 5);
	return alias_read(r, text, item->at, AT_IPSET, &entry->alias);
}

enum { UNSEEN, OPEN, CLOSED };

/* Walks from set `from` along its entries without recursion; a set that is still open and met again closes a circle. */
static bool has_circle(const struct document *doc, struct arena *arena)
{
	uint8_t *state = arena_alloc(arena, doc->ipset_count + 1);
	uint32_t *stack = ARENA_ARRAY(arena, uint32_t, doc->ipset_count + 1);
	size_t *next = ARENA_ARRAY(arena, size_t, doc->ipset_count + 1);
	for (uint32_t from = 0; from < doc->ipset_count; from++) {
		size_t depth = 0;
		if (state[from] != UNSEEN)
			continue;
		stack[depth++] = from;
		state[from] = OPEN;
		while (depth) {
			uint32_t set = stack[depth - 1];
			const struct ipset *s = &doc->ipsets[set];
			if (next[set] == s->entry_count) {
				state[set] = CLOSED;
				depth--;
				continue;
			}
			const struct alias *alias = &s->entries[next[set]++].alias;
			if (alias->kind != ALIAS_IPSET || state[alias->index] == CLOSED)
				continue;
			if (state[alias->index] == OPEN)
				return true;
			state[alias->index] = OPEN;
			stack[depth++] = alias->index;
		}
	}
	return false;
}

enum err ipsets_read(struct reading *r, const struct json *value)
{
	for (size_t i = 0; value && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct ipset *set = &r->doc->ipsets[i];
		set->name = alias_trim(member->name);
		set->at = member->at;
		if (!bytes_starts(set->name, "ipset:") || set->name.len == 6)
			return refuse_at(r, member->at, "ipsets[\"%.*s\"]: names of sets are written ipset:NAME", BYTES_ARG(bytes_take(set->name, 200)));
		if (member->value.kind == JSON_NULL)
			continue;
		enum err e = read_list_of(r, &member->value, "ipsets", JSON_STRING);
		if (e)
			return e;
		set->entries = ARENA_ARRAY(r->arena, struct ipset_entry, member->value.count);
		for (size_t k = 0; k < member->value.count; k++)
			if ((e = ipset_entry_read(r, &member->value.items[k], &set->entries[set->entry_count++])))
				return e;
	}
	if (value && has_circle(r->doc, r->arena))
		return refuse_at(r, value->at, "ipsets contain each other in a circle");
	return ERR_NONE;
}
