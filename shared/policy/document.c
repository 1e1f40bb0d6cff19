#include "document.h"

#include <stdlib.h>

#include "reading.h"

enum top {
	/* Those that others name come first. */
	TOP_GROUPS,
	TOP_HOSTS,
	TOP_OWNERS,
	TOP_IPSETS,
	TOP_POSTURES,
	TOP_DEFAULT_POSTURE,
	TOP_APPROVERS,
	TOP_GRANTS,
	TOP_ACLS,
	TOP_SSH,
	TOP_ATTRS,
	TOP_TESTS,
	TOP_SSH_TESTS,
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
		uint32_t number = name_find(r->postures, alias_trim(list->items[i].text));
		if (number != UINT32_MAX)
			r->default_postures[r->default_posture_count++] = number;
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

/* What a member leaves behind that could not be read to its end. */
static void top_drop(struct reading *r, unsigned top, const struct json *value)
{
	struct document *doc = r->doc;
	struct table *names[] = {
		[TOP_GROUPS] = r->groups, [TOP_HOSTS] = r->hosts, [TOP_OWNERS] = r->tags, [TOP_IPSETS] = r->ipsets, [TOP_POSTURES] = r->postures};
	r->groups_unsure |= top == TOP_GROUPS;
	if (top <= TOP_POSTURES)
		names_break(names[top], value);
	else if (top == TOP_DEFAULT_POSTURE)
		r->default_broken = true;
	else if (top == TOP_SSH)
		doc->ssh_count = 0;
	else if (top == TOP_TESTS)
		doc->test_count = 0;
	else if (top == TOP_SSH_TESTS)
		doc->ssh_test_count = 0;
	else if (top == TOP_ONE_ROUTE)
		doc->one_cgnat_route = BYTES_NONE;
}

/* The lenient reading: names before those that use them. */
static enum err parts_forgive(struct reading *r, const struct json *root, const struct json *const *in)
{
	unsigned seen[TOP_COUNT + 1] = {0};
	for (size_t m = 0; m < root->count; m++) {
		const struct json_member *member = &root->members[m];
		unsigned top = top_of(member->name);
		enum err e = ERR_NONE;
		if (top == TOP_COUNT)
			e = refuse_at(r, member->at, "unknown field: %s", quoted(r, member->name));
		else if (seen[top]++)
			e = refuse_at(r, member->at, "duplicate field: %s", quoted(r, member->name));
		if (!forgiven(r, &e))
			continue;
		r->groups_unsure |= top == TOP_COUNT || top == TOP_GROUPS;
		if (top <= TOP_DEFAULT_POSTURE)
			top_drop(r, top, &member->value);
	}
	for (unsigned top = 0; top < TOP_COUNT; top++) {
		enum err e = in[top] ? tops[top].read(r, in[top]) : ERR_NONE;
		if (forgiven(r, &e))
			top_drop(r, top, in[top]);
	}
	if (!r->doc->rules)
		r->doc->rule_count = 0;
	return ERR_NONE;
}

static bool names_unknown(const struct json *root)
{
	for (size_t m = 0; m < root->count; m++)
		if (top_of(root->members[m].name) == TOP_COUNT)
			return true;
	return false;
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
	if (!in[TOP_GRANTS] && !in[TOP_ACLS] && (is_strict(r) || !names_unknown(root)))
		open_to_all(r);
	return is_strict(r) ? parts_read(r, root, in) : parts_forgive(r, root, in);
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

static int by_approver_prefix(const void *a, const void *b, void *document)
{
	const struct auto_approver *approvers = ((const struct document *)document)->route_approvers;
	return prefix_compare(approvers[*(const uint32_t *)a].prefix, approvers[*(const uint32_t *)b].prefix);
}

static uint32_t *sorted(struct reading *r, size_t count, int (*compare)(const void *, const void *, void *))
{
	uint32_t *order = ARENA_ARRAY(r->arena, uint32_t, count + 1);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof *order, compare, r->doc);
	return order;
}

static enum err read_all(struct reading *r, struct bytes source, struct document **document)
{
	struct table **tables[] = {&r->groups, &r->tags, &r->hosts, &r->ipsets, &r->postures, &r->domains};
	struct json root;
	*document = NULL;
	if (source.len > DOCUMENT_MAX)
		return diag_set(r->why, ERR_TOO_BIG, "a policy has at most %d bytes", DOCUMENT_MAX);
	enum err e = hujson_parse(r->arena, source, &root, r->why);
	if (e)
		return e == ERR_NOT_FOUND ? ERR_MALFORMED : e;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		*tables[i] = table_new();
	r->doc = ARENA_NEW(r->arena, struct document);
	r->doc->source = source;
	e = root_read(r, &root);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		table_free(tables[i]);
	if (e)
		return e;
	r->doc->tag_order = sorted(r, r->doc->tag_count, by_tag_name);
	r->doc->group_order = sorted(r, r->doc->group_count, by_group_name);
	r->doc->approver_order = sorted(r, r->doc->route_approver_count, by_approver_prefix);
	*document = r->doc;
	return ERR_NONE;
}

static const struct surroundings nothing;

enum err document_read(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document, struct diag *why)
{
	struct reading r = {.arena = arena, .around = around ? around : &nothing, .why = why};
	return read_all(&r, source, document);
}

enum err document_read_stored(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document, struct lapses *lapses,
			      struct diag *why)
{
	struct diag told = {0};
	struct reading r = {.arena = arena, .around = around ? around : &nothing, .why = &told, .lapses = lapses};
	*lapses = (struct lapses){0};
	enum err e = read_all(&r, source, document);
	if (e && why)
		*why = told;
	return e;
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
