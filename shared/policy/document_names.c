/* The names that rules use: groups, tags, hosts, sets. */
#include "reading.h"

/* Numbers the members of one object; its values are read later, when all names are known. */
static uint32_t index_members(const struct json *object, struct table *table)
{
	if (!object || object->kind != JSON_OBJECT)
		return 0;
	for (size_t i = 0; i < object->count; i++) {
		struct bytes key = alias_trim(object->members[i].name);
		if (!table_find(table, key))
			table_put(table, key, (void *)(uintptr_t)(i + 1));
	}
	return (uint32_t)object->count;
}

enum err read_names(struct reading *r, const struct json *object, const char *name, const struct table *table)
{
	if (object->kind != JSON_OBJECT)
		return refuse_at(r, object->at, "%s: an object is wanted", name);
	for (size_t i = 0; i < object->count; i++) {
		struct bytes key = alias_trim(object->members[i].name);
		if ((uintptr_t)table_find(table, key) != i + 1)
			return refuse_at(r, object->members[i].at, "duplicate field: %s", quoted(r, key));
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

void names_index(struct reading *r, const struct json *groups, const struct json *owners, const struct json *hosts, const struct json *ipsets,
		 const struct json *postures)
{
	struct document *doc = r->doc;
	index_outer(r, index_members(groups, r->groups));
	doc->tag_count = index_members(owners, r->tags);
	doc->host_count = index_members(hosts, r->hosts);
	doc->ipset_count = index_members(ipsets, r->ipsets);
	doc->posture_count = index_members(postures, r->postures);
	doc->tags = ARENA_ARRAY(r->arena, struct tag, doc->tag_count);
	doc->hosts = ARENA_ARRAY(r->arena, struct host, doc->host_count);
	doc->ipsets = ARENA_ARRAY(r->arena, struct ipset, doc->ipset_count);
	doc->postures = ARENA_ARRAY(r->arena, struct posture, doc->posture_count);
	for (size_t i = 0; i < doc->host_count; i++) /* tests ask how wide a host is, wherever hosts stand */
		(void)!prefix_parse(alias_trim(hosts->members[i].value.text), &doc->hosts[i].prefix);
}

static enum err group_read(struct reading *r, const struct json_member *member, struct group *group, const struct json **nested)
{
	group->name = alias_trim(member->name);
	group->at = member->at;
	*nested = NULL;
	if (!bytes_starts(group->name, "group:") || group->name.len == 6)
		return refuse_at(r, member->at, "groups[%s]: group names are written group:NAME", quoted(r, group->name));
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
			return refuse_at(r, item->at, "groups[%s]: %s: group members must be users", quoted(r, group->name), quoted(r, text));
		group->users.list[group->users.count++] = (struct alias){.kind = ALIAS_USER, .text = text, .at = item->at};
	}
	return ERR_NONE;
}

/* Of nested groups the one with the greatest name is told. */
enum err groups_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "groups", r->groups);
	const struct group *worst = NULL;
	const struct json *inner = NULL;
	for (size_t i = 0; !e && i < value->count; i++) {
		const struct json *nested;
		struct group *group = &r->doc->groups[i];
		e = group_read(r, &value->members[i], group, &nested);
		if (nested && (!worst || bytes_compare(group->name, worst->name) > 0))
			worst = group, inner = nested;
	}
	if (!e && worst)
		return refuse_at(r, inner->at, "groups[%s]: %s: group members cannot be recursive", quoted(r, worst->name), quoted(r, alias_trim(inner->text)));
	return e;
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

enum err owners_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "tagOwners", r->tags);
	for (size_t i = 0; !e && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct tag *tag = &r->doc->tags[i];
		const char *fault;
		tag->name = r->owned = alias_trim(member->name);
		tag->at = member->at;
		if ((fault = tag_fault(tag->name)))
			return refuse_at(r, member->at, "tagOwners[%s]: %s", quoted(r, tag->name), fault);
		if (member->value.kind != JSON_NULL)
			e = aliases_read(r, &member->value, "tagOwners", AT_OWNER, &tag->owners);
	}
	return e;
}

enum err hosts_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "hosts", r->hosts);
	for (size_t i = 0; !e && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct host *host = &r->doc->hosts[i];
		struct bytes text;
		host->name = alias_trim(member->name);
		host->at = member->at;
		if ((e = read_text(r, &member->value, "hosts", &text)))
			return e;
		if (!host->name.len || memchr(host->name.at, '@', host->name.len) || memchr(host->name.at, ':', host->name.len))
			return refuse_at(r, member->at, "hosts[%s]: a host name has no @ and no colon", quoted(r, host->name));
		if (prefix_parse(text, &host->prefix))
			return refuse_at(r, member->value.at, "hosts[%s]: %s: invalid address", quoted(r, host->name), quoted(r, text));
		host->prefix = prefix_masked(host->prefix);
	}
	return e;
}

/* "add X", "remove X", "X"; hosts may be written host:NAME. */
static enum err ipset_entry_read(struct reading *r, const struct json *item, struct ipset_entry *entry)
{
	struct bytes text = alias_trim(item->text);
	entry->remove = bytes_starts(text, "remove ");
	if (entry->remove || bytes_starts(text, "add "))
		text = alias_trim(bytes_skip(text, entry->remove ? 7 : 4));
	bool host = bytes_starts(text, "host:");
	enum err e = alias_read(r, host ? bytes_skip(text, 5) : text, item->at, AT_IPSET, &entry->alias);
	return e || !host || entry->alias.kind == ALIAS_HOST ? e : refuse_at(r, item->at, "%s: no such host", quoted(r, text));
}

enum { UNSEEN, OPEN, CLOSED };

/* Walks from set `from` along its entries without recursion; a set that is still open and met again closes a circle. NULL: there is none. */
static const struct ipset *find_circle(const struct document *doc, struct arena *arena)
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
				return &doc->ipsets[alias->index];
			state[alias->index] = OPEN;
			stack[depth++] = alias->index;
		}
	}
	return NULL;
}

static enum err ipset_read(struct reading *r, const struct json_member *member, struct ipset *set)
{
	set->name = alias_trim(member->name);
	set->at = member->at;
	if (!bytes_starts(set->name, "ipset:") || set->name.len == 6)
		return refuse_at(r, member->at, "ipsets[%s]: names of sets are written ipset:NAME", quoted(r, set->name));
	if (member->value.kind == JSON_NULL)
		return ERR_NONE;
	enum err e = read_list_of(r, &member->value, "ipsets", JSON_STRING);
	if (e)
		return e;
	set->entries = ARENA_ARRAY(r->arena, struct ipset_entry, member->value.count);
	for (size_t i = 0; !e && i < member->value.count; i++)
		e = ipset_entry_read(r, &member->value.items[i], &set->entries[set->entry_count++]);
	return e;
}

enum err ipsets_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "ipsets", r->ipsets);
	for (size_t i = 0; !e && i < value->count; i++)
		e = ipset_read(r, &value->members[i], &r->doc->ipsets[i]);
	if (e)
		return e;
	const struct ipset *circle = find_circle(r->doc, r->arena);
	return circle ? refuse_at(r, circle->at, "ipsets[%s]: the set contains itself", quoted(r, circle->name)) : ERR_NONE;
}
