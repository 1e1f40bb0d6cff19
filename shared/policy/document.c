#include "document.h"

#include <stdlib.h>

#include "reading.h"

enum top {
	TOP_GROUPS,
	TOP_HOSTS,
	TOP_IPSETS,
	TOP_OWNERS,
	TOP_POSTURES,
	TOP_APPROVERS,
	TOP_GRANTS,
	TOP_ACLS,
	TOP_SSH,
	TOP_ATTRS,
	TOP_TESTS,
	TOP_SSH_TESTS,
	TOP_DEFAULT_POSTURE,
	TOP_RANDOMIZE,
	TOP_NO_IPV4,
	TOP_ONE_ROUTE,
	TOP_DERP,
	TOP_COUNT
};

/* One rule from everybody to everybody, which no line says. */
static void open_to_all(struct reading *r)
{
	struct port_range *all = ARENA_NEW(r->arena, struct port_range);
	struct pass *any = ARENA_NEW(r->arena, struct pass);
	struct alias *star = ARENA_NEW(r->arena, struct alias);
	struct target *dst = ARENA_NEW(r->arena, struct target);
	*star = (struct alias){.kind = ALIAS_ANY, .text = BYTES("*")};
	*dst = (struct target){*star, all, 1};
	*all = (struct port_range){0, 65535};
	any->proto = PROTO_ABSENT;
	r->doc->open = true;
	r->doc->rules[r->doc->rule_count++] = (struct rule){.src = {star, 1}, .dst = dst, .dst_count = 1, .passes = any, .pass_count = 1};
}

/* Grants stand before acls, whatever the file says. More than the cap: no room, and refused where they are read. */
static void rules_room(struct reading *r, const struct json *grants, const struct json *acls)
{
	r->grant_count = grants && grants->kind == JSON_LIST ? grants->count : 0;
	size_t count = r->grant_count + (acls && acls->kind == JSON_LIST ? acls->count : 0);
	r->doc->rule_count = count;
	if (count <= DOCUMENT_RULES_MAX)
		r->doc->rules = ARENA_ARRAY(r->arena, struct rule, count + 1);
}

/* Postures of rules that name none: shared by all of them. Names that are not known are refused at their place. */
static void default_postures_room(struct reading *r, const struct json *list)
{
	if (!list || list->kind != JSON_LIST)
		return;
	r->default_postures = ARENA_ARRAY(r->arena, uint32_t, list->count);
	for (size_t i = 0; i < list->count; i++) {
		uintptr_t number = (uintptr_t)table_find(r->postures, alias_trim(list->items[i].text));
		if (number)
			r->default_postures[r->default_posture_count++] = (uint32_t)(number - 1);
	}
}

static enum err default_postures_read(struct reading *r, const struct json *list)
{
	uint32_t *postures;
	size_t count;
	return posture_names_read(r, list, "defaultSrcPosture", &postures, &count);
}

static enum err one_route_read(struct reading *r, const struct json *value)
{
	enum err e = read_text(r, value, "OneCGNATRoute", &r->doc->one_cgnat_route);
	struct bytes text = r->doc->one_cgnat_route;
	if (e || !text.len || bytes_equal_text(text, "mac-always") || bytes_equal_text(text, "mac-never"))
		return e;
	return refuse_at(r, value->at, "OneCGNATRoute is \"\", \"mac-always\" or \"mac-never\"");
}

static enum err derp_read(struct reading *r, const struct json *value)
{
	if (value->kind != JSON_OBJECT)
		return refuse_at(r, value->at, "derpMap: an object is wanted");
	r->doc->derp_map = hujson_compact(r->arena, value);
	return ERR_NONE;
}

static enum err randomize_read(struct reading *r, const struct json *value)
{
	return read_bool(r, value, "randomizeClientPort", &r->doc->randomize_client_port);
}

static enum err no_ipv4_read(struct reading *r, const struct json *value)
{
	return read_bool(r, value, "disableIPv4", &r->doc->disable_ipv4);
}

static const struct {
	const char *name;
	enum err (*read)(struct reading *r, const struct json *value);
} tops[TOP_COUNT] = {
	[TOP_GROUPS] = {"groups", groups_read},
	[TOP_HOSTS] = {"hosts", hosts_read},
	[TOP_IPSETS] = {"ipsets", ipsets_read},
	[TOP_OWNERS] = {"tagOwners", owners_read},
	[TOP_POSTURES] = {"postures", postures_read},
	[TOP_APPROVERS] = {"autoApprovers", approvers_read},
	[TOP_GRANTS] = {"grants", grants_read},
	[TOP_ACLS] = {"acls", acls_read},
	[TOP_SSH] = {"ssh", ssh_read},
	[TOP_ATTRS] = {"nodeAttrs", attrs_read},
	[TOP_TESTS] = {"tests", tests_read},
	[TOP_SSH_TESTS] = {"sshTests", ssh_tests_read},
	[TOP_DEFAULT_POSTURE] = {"defaultSrcPosture", default_postures_read},
	[TOP_RANDOMIZE] = {"randomizeClientPort", randomize_read},
	[TOP_NO_IPV4] = {"disableIPv4", no_ipv4_read},
	[TOP_ONE_ROUTE] = {"OneCGNATRoute", one_route_read},
	[TOP_DERP] = {"derpMap", derp_read},
};

static unsigned top_of(struct bytes name)
{
	unsigned top = 0;
	while (top < TOP_COUNT && !bytes_equal_nocase(name, tops[top].name))
		top++;
	return top;
}

/* In file order, but that tests of SSH come last: faults of the ssh section are told before theirs. */
static enum err parts_read(struct reading *r, const struct json *root, const struct json *const *in)
{
	bool seen[TOP_COUNT] = {false};
	for (size_t m = 0; m < root->count; m++) {
		const struct json_member *member = &root->members[m];
		unsigned top = top_of(member->name);
		enum err e;
		if (top == TOP_COUNT)
			return refuse_at(r, member->at, "unknown field: %s", quoted(r, member->name));
		if (seen[top])
			return refuse_at(r, member->at, "duplicate field: %s", quoted(r, member->name));
		seen[top] = true;
		if (in[top] == &member->value && top != TOP_SSH_TESTS && (e = tops[top].read(r, in[top])))
			return e;
	}
	return in[TOP_SSH_TESTS] ? ssh_tests_read(r, in[TOP_SSH_TESTS]) : ERR_NONE;
}

static enum err root_read(struct reading *r, const struct json *root)
{
	const struct json *in[TOP_COUNT + 1] = {NULL};
	if (root->kind != JSON_OBJECT)
		return refuse_at(r, root->at, "a policy is an object");
	for (size_t m = root->count; m-- > 0;)
		if (root->members[m].value.kind != JSON_NULL)
			in[top_of(root->members[m].name)] = &root->members[m].value;
	for (size_t i = 0; i < r->around->domain_count; i++)
		table_put(r->domains, r->around->domains[i], r);
	names_index(r, in[TOP_GROUPS], in[TOP_OWNERS], in[TOP_HOSTS], in[TOP_IPSETS], in[TOP_POSTURES]);
	default_postures_room(r, in[TOP_DEFAULT_POSTURE]);
	rules_room(r, in[TOP_GRANTS], in[TOP_ACLS]);
	if (!in[TOP_GRANTS] && !in[TOP_ACLS])
		open_to_all(r);
	return parts_read(r, root, in);
}

static int by_tag_name(const void *a, const void *b, void *document)
{
	const struct tag *tags = ((const struct document *)document)->tags;
	return bytes_compare(tags[*(const uint32_t *)a].name, tags[*(const uint32_t *)b].name);
}

static int by_group_name(const void *a, const void *b, void *document)
{
	const struct group *groups = ((const struct document *)document)->groups;
	return bytes_compare(groups[*(const uint32_t *)a].name, groups[*(const uint32_t *)b].name);
}

static uint32_t *sorted(struct reading *r, size_t count, int (*compare)(const void *, const void *, void *))
{
	uint32_t *order = ARENA_ARRAY(r->arena, uint32_t, count + 1);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof *order, compare, r->doc);
	return order;
}

enum err document_read(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document, struct diag *why)
{
	static const struct surroundings nothing;
	struct reading r = {.arena = arena, .around = around ? around : &nothing, .doc = ARENA_NEW(arena, struct document), .why = why};
	struct json root;
	*document = NULL;
	if (source.len > DOCUMENT_MAX)
		return diag_set(why, ERR_TOO_BIG, "a policy has at most %d bytes", DOCUMENT_MAX);
	enum err e = hujson_parse(arena, source, &root, why);
	if (e)
		return e == ERR_NOT_FOUND ? ERR_MALFORMED : e;
	struct table **tables[] = {&r.groups, &r.tags, &r.hosts, &r.ipsets, &r.postures, &r.domains};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		*tables[i] = table_new();
	r.doc->source = source;
	e = root_read(&r, &root);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		table_free(tables[i]);
	if (e)
		return e;
	r.doc->tag_order = sorted(&r, r.doc->tag_count, by_tag_name);
	r.doc->group_order = sorted(&r, r.doc->group_count, by_group_name);
	*document = r.doc;
	return ERR_NONE;
}

uint32_t document_find_tag(const struct document *document, struct bytes name)
{
	for (size_t low = 0, high = document->tag_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		uint32_t tag = document->tag_order[middle];
		int side = bytes_compare(name, document->tags[tag].name);
		if (!side)
			return tag;
		if (side < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return UINT32_MAX;
}

uint32_t document_find_group(const struct document *document, struct bytes name)
{
	for (size_t low = 0, high = document->group_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		uint32_t group = document->group_order[middle];
		int side = bytes_compare(name, document->groups[group].name);
		if (!side)
			return group;
		if (side < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return UINT32_MAX;
}
