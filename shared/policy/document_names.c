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

void name_break(struct table *names, struct bytes name)
{
	table_put(names, name, NAME_BROKEN);
}

void names_break(struct table *names, const struct json *object)
{
	for (size_t i = 0; object->kind == JSON_OBJECT && i < object->count; i++)
		name_break(names, alias_trim(object->members[i].name));
}

bool name_is_broken(const struct table *names, struct bytes name)
{
	return table_find(names, name) == NAME_BROKEN;
}

uint32_t name_find(const struct table *names, struct bytes name)
{
	uintptr_t number = (uintptr_t)table_find(names, name);
	return number && number != UINTPTR_MAX ? (uint32_t)(number - 1) : UINT32_MAX;
}

enum err read_names(struct reading *r, const struct json *object, const char *name, struct table *table)
{
	if (object->kind != JSON_OBJECT)
		return refuse_at(r, object->at, "%s: an object is wanted", name);
	for (size_t i = 0; i < object->count; i++) {
		struct bytes key = alias_trim(object->members[i].name);
		if (name_find(table, key) == i || name_is_broken(table, key))
			continue;
		enum err e = refuse_at(r, object->members[i].at, "duplicate field: %s", quoted(r, key));
		if (!forgiven(r, &e))
			return e;
		name_break(table, key);
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
	doc->groups = ARENA_ARRAY(r->arena, struct group, count + 1); /* one for nobody */
	for (size_t i = 0; i < r->around->group_count; i++) {
		size_t number = name_find(r->groups, r->around->groups[i]);
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

/* Whether the name of that member is worth reading what it stands for. */
static bool stands(const struct table *names, const struct json_member *member)
{
	return !name_is_broken(names, alias_trim(member->name));
}

static enum err refuse_nested(struct reading *r, const struct group *group, const struct json *inner)
{
	return refuse_at(r, inner->at, "groups[%s]: %s: group members cannot be recursive", quoted(r, group->name), quoted(r, alias_trim(inner->text)));
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
		if (!stands(r->groups, &value->members[i]))
			continue;
		e = group_read(r, &value->members[i], group, &nested);
		if (nested && !is_strict(r))
			e = refuse_nested(r, group, nested);
		if (forgiven(r, &e)) {
			name_break(r->groups, group->name);
			group->users = (struct aliases){0};
		} else if (nested && (!worst || bytes_compare(group->name, worst->name) > 0))
			worst = group, inner = nested;
	}
	if (!e && worst)
		return refuse_nested(r, worst, inner);
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

static enum err tag_read(struct reading *r, const struct json_member *member, struct tag *tag)
{
	tag->name = r->owned = alias_trim(member->name);
	tag->at = member->at;
	const char *fault = tag_fault(tag->name);
	if (!fault)
		return ERR_NONE;
	return refuse_at(r, member->at, "tagOwners[%s]: %s", quoted(r, tag->name), fault);
}

enum err owners_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "tagOwners", r->tags);
	for (size_t i = 0; !e && i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		struct tag *tag = &r->doc->tags[i];
		if (!stands(r->tags, member))
			continue;
		e = tag_read(r, member, tag);
		if (forgiven(r, &e))
			name_break(r->tags, tag->name);
		else if (!e && member->value.kind != JSON_NULL)
			e = aliases_read(r, &member->value, "tagOwners", AT_OWNER, &tag->owners);
		if (forgiven(r, &e))
			tag->owners = (struct aliases){0};
	}
	return e;
}

static enum err host_read(struct reading *r, const struct json_member *member, struct host *host)
{
	struct bytes text;
	host->name = alias_trim(member->name);
	host->at = member->at;
	enum err e = read_text(r, &member->value, "hosts", &text);
	if (e)
		return e;
	if (!host->name.len || memchr(host->name.at, '@', host->name.len) || memchr(host->name.at, ':', host->name.len))
		return refuse_at(r, member->at, "hosts[%s]: a host name has no @ and no colon", quoted(r, host->name));
	if (prefix_parse(text, &host->prefix))
		return refuse_at(r, member->value.at, "hosts[%s]: %s: invalid address", quoted(r, host->name), quoted(r, text));
	host->prefix = prefix_masked(host->prefix);
	return ERR_NONE;
}

enum err hosts_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "hosts", r->hosts);
	for (size_t i = 0; !e && i < value->count; i++) {
		if (!stands(r->hosts, &value->members[i]))
			continue;
		e = host_read(r, &value->members[i], &r->doc->hosts[i]);
		if (forgiven(r, &e))
			name_break(r->hosts, r->doc->hosts[i].name);
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

enum { UNSEEN, OPEN, CLOSED, BROKEN };

/* Walks from set `from` along its entries without recursion; a set that is still open and met again closes a circle. Broken are those of circles, those that
 * were, and those that use one; `first`: what closed the first circle. */
struct walk {
	const struct document *doc;
	uint8_t *state;
	uint32_t *stack;
	size_t *next;
	size_t depth;
	const struct ipset *first;
};

static void step(struct walk *w)
{
	uint32_t set = w->stack[w->depth - 1];
	const struct ipset *s = &w->doc->ipsets[set];
	if (w->next[set] == s->entry_count) {
		if (w->state[set] == OPEN)
			w->state[set] = CLOSED;
		w->depth--;
		if (w->state[set] == BROKEN && w->depth)
			w->state[w->stack[w->depth - 1]] = BROKEN;
		return;
	}
	const struct alias *alias = &s->entries[w->next[set]++].alias;
	if (alias->kind != ALIAS_IPSET || w->state[alias->index] == CLOSED)
		return;
	if (w->state[alias->index] == UNSEEN) {
		w->state[alias->index] = OPEN;
		w->stack[w->depth++] = alias->index;
		return;
	}
	if (w->state[alias->index] == OPEN && !w->first)
		w->first = &w->doc->ipsets[alias->index];
	w->state[set] = BROKEN;
}

/* `state`: those that are broken already say so. */
static const struct ipset *find_circle(const struct document *doc, struct arena *arena, uint8_t *state)
{
	struct walk w = {doc, state, ARENA_ARRAY(arena, uint32_t, doc->ipset_count + 1), ARENA_ARRAY(arena, size_t, doc->ipset_count + 1), 0, NULL};
	for (uint32_t from = 0; from < doc->ipset_count; from++) {
		if (state[from] != UNSEEN)
			continue;
		w.stack[w.depth++] = from;
		state[from] = OPEN;
		while (w.depth)
			step(&w);
	}
	return w.first;
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

static enum err circles_check(struct reading *r, uint8_t *state)
{
	struct document *doc = r->doc;
	const struct ipset *circle = find_circle(doc, r->arena, state);
	enum err e = circle ? refuse_at(r, circle->at, "ipsets[%s]: the set contains itself", quoted(r, circle->name)) : ERR_NONE;
	(void)!forgiven(r, &e);
	for (size_t i = 0; !e && i < doc->ipset_count; i++) {
		if (state[i] != BROKEN || !doc->ipsets[i].name.len)
			continue;
		name_break(r->ipsets, doc->ipsets[i].name);
		doc->ipsets[i].entry_count = 0;
	}
	return e;
}

enum err ipsets_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "ipsets", r->ipsets);
	uint8_t *broken = arena_alloc(r->arena, r->doc->ipset_count + 1);
	for (size_t i = 0; !e && i < value->count; i++) {
		struct ipset *set = &r->doc->ipsets[i];
		if (stands(r->ipsets, &value->members[i]))
			e = ipset_read(r, &value->members[i], set);
		else
			broken[i] = BROKEN;
		if (forgiven(r, &e)) {
			broken[i] = BROKEN;
			set->entry_count = 0;
		}
	}
	return e ? e : circles_check(r, broken);
}
