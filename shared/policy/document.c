#include "document.h"

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

static const char *const tops[TOP_COUNT] = {"groups",      "hosts",         "ipsets",    "tagOwners", "postures", "autoApprovers",     "grants",
					    "acls",        "ssh",           "nodeAttrs", "tests",     "sshTests", "defaultSrcPosture", "randomizeClientPort",
					    "disableIPv4", "OneCGNATRoute", "derpMap"};

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

static enum err rules_room(struct reading *r, const struct json *grants, const struct json *acls)
{
	enum err e = read_list_of(r, grants, "grants", JSON_OBJECT);
	if (e || (e = read_list_of(r, acls, "acls", JSON_OBJECT)))
		return e;
	size_t count = (grants ? grants->count : 0) + (acls ? acls->count : 0);
	if (count > DOCUMENT_RULES_MAX) {
		(void)refuse_at(r, (grants ? grants : acls)->at, "more than %d rules", DOCUMENT_RULES_MAX);
		return ERR_TOO_BIG;
	}
	r->doc->rules = ARENA_ARRAY(r->arena, struct rule, count + 1);
	r->doc->rule_count = count;
	return ERR_NONE;
}

static enum err check_counts(struct reading *r, const struct json *const *in)
{
	static const enum top lists[] = {TOP_SSH, TOP_ATTRS, TOP_TESTS, TOP_SSH_TESTS};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (in[lists[i]] && in[lists[i]]->count > DOCUMENT_RULES_MAX) {
			(void)refuse_at(r, in[lists[i]]->at, "%s: more than %d entries", tops[lists[i]], DOCUMENT_RULES_MAX);
			return ERR_TOO_BIG;
		}
	return ERR_NONE;
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

static enum err part_read(struct reading *r, enum top top, const struct json *value, const struct json *const *in)
{
	size_t grants = in[TOP_GRANTS] ? in[TOP_GRANTS]->count : 0;
	switch (top) {
	case TOP_GROUPS:
		return groups_read(r, value);
	case TOP_HOSTS:
		return hosts_read(r, value);
	case TOP_IPSETS:
		return ipsets_read(r, value);
	case TOP_OWNERS:
		return owners_read(r, value);
	case TOP_POSTURES:
		return postures_read(r, value);
	case TOP_APPROVERS:
		return approvers_read(r, value);
	case TOP_GRANTS:
		return grants_read(r, value, r->doc->rules);
	case TOP_ACLS:
		return acls_read(r, value, r->doc->rules + grants);
	case TOP_SSH:
		return ssh_read(r, value);
	case TOP_ATTRS:
		return attrs_read(r, value);
	case TOP_TESTS:
		return tests_read(r, value);
	case TOP_SSH_TESTS:
		return ssh_tests_read(r, value);
	case TOP_RANDOMIZE:
		return read_bool(r, value, "randomizeClientPort", &r->doc->randomize_client_port);
	case TOP_NO_IPV4:
		return read_bool(r, value, "disableIPv4", &r->doc->disable_ipv4);
	case TOP_ONE_ROUTE:
		return one_route_read(r, value);
	case TOP_DERP:
		return derp_read(r, value);
	case TOP_DEFAULT_POSTURE:
	case TOP_COUNT:
		break;
	}
	return ERR_NONE;
}

/* Hosts first, for tests ask how wide they are; tests of SSH after its rules; all else in file order. */
static enum err parts_read(struct reading *r, const struct json *root, const struct json *const *in)
{
	enum err e = in[TOP_HOSTS] ? hosts_read(r, in[TOP_HOSTS]) : ERR_NONE;
	for (size_t m = 0; !e && m < root->count; m++)
		for (unsigned top = 0; !e && top < TOP_COUNT; top++)
			if (in[top] == &root->members[m].value && top != TOP_HOSTS && top != TOP_SSH_TESTS)
				e = part_read(r, (enum top)top, in[top], in);
	return e || !in[TOP_SSH_TESTS] ? e : ssh_tests_read(r, in[TOP_SSH_TESTS]);
}

static enum err root_read(struct reading *r, const struct json *root)
{
	const struct json *in[TOP_COUNT];
	uint32_t *postures;
	size_t posture_count;
	enum err e = read_fields(r, root, tops, TOP_COUNT, false, in);
	if (e || (e = check_counts(r, in)) || (e = rules_room(r, in[TOP_GRANTS], in[TOP_ACLS])) ||
	    (e = names_index(r, in[TOP_GROUPS], in[TOP_OWNERS], in[TOP_HOSTS], in[TOP_IPSETS], in[TOP_POSTURES])) ||
	    (e = posture_names_read(r, in[TOP_DEFAULT_POSTURE], &postures, &posture_count)))
		return e;
	r->default_postures = in[TOP_DEFAULT_POSTURE];
	if (!in[TOP_GRANTS] && !in[TOP_ACLS])
		open_to_all(r);
	return parts_read(r, root, in);
}

enum err document_read(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document, struct diag *why)
{
	struct reading r = {.arena = arena, .around = around, .doc = ARENA_NEW(arena, struct document), .why = why};
	struct json root;
	if (source.len > DOCUMENT_MAX)
		return diag_set(why, ERR_TOO_BIG, "a policy has at most %d bytes", DOCUMENT_MAX);
	enum err e = hujson_parse(arena, source, &root, why);
	if (e)
		return e == ERR_NOT_FOUND ? ERR_MALFORMED : e;
	struct table **tables[] = {&r.groups, &r.tags, &r.hosts, &r.ipsets, &r.postures};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		*tables[i] = table_new();
	r.doc->source = source;
	e = root_read(&r, &root);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		table_free(tables[i]);
	*document = e ? NULL : r.doc;
	return e;
}

uint32_t document_find_tag(const struct document *document, struct bytes name)
{
	for (size_t i = 0; i < document->tag_count; i++)
		if (bytes_equal(document->tags[i].name, name))
			return (uint32_t)i;
	return UINT32_MAX;
}

uint32_t document_find_group(const struct document *document, struct bytes name)
{
	for (size_t i = 0; i < document->group_count; i++)
		if (bytes_equal(document->groups[i].name, name))
			return (uint32_t)i;
	return UINT32_MAX;
}
