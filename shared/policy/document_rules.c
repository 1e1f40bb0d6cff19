/* acls and grants. */
#include "reading.h"

static bool any_kind(const struct aliases *aliases, enum alias_kind kind)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (aliases->list[i].kind == kind)
			return true;
	return false;
}

/* autogroup:self wants people as sources; acls take * too. */
static enum err check_self(struct reading *r, const struct rule *rule)
{
	const struct alias *self = NULL;
	for (size_t i = 0; i < rule->dst_count; i++)
		if (rule->dst[i].alias.kind == ALIAS_SELF)
			self = &rule->dst[i].alias;
	for (size_t i = 0; self && i < rule->src.count; i++) {
		enum alias_kind kind = rule->src.list[i].kind;
		bool is_people = kind == ALIAS_USER || kind == ALIAS_DOMAIN || kind == ALIAS_GROUP || kind == ALIAS_MEMBER || kind == ALIAS_ROLE;
		if (!is_people && !(kind == ALIAS_ANY && !rule->is_grant))
			return refuse_at(r, self->at, "autogroup:self can only be used with users, groups, or supported autogroups");
	}
	return ERR_NONE;
}

static struct bytes without_brackets(struct reading *r, struct bytes text)
{
	struct bytes rest, inside;
	if (!bytes_starts(text, "["))
		return text;
	inside = bytes_split(bytes_skip(text, 1), ']', &rest);
	if (!rest.at)
		return text;
	if (!rest.len)
		return inside;
	return bytes_text(arena_format(r->arena, "%.*s%.*s", BYTES_ARG(inside), BYTES_ARG(rest)));
}

static enum err refuse_dst(struct reading *r, const struct json *item, struct bytes ports, const char *fault)
{
	if (bytes_starts(bytes_text(fault), "invalid port list"))
		return refuse_at(r, item->at, "dst=%s: %s", quoted(r, item->text), fault);
	return refuse_at(r, item->at, "dst=%s: port range %s: %s", quoted(r, item->text), quoted(r, ports), fault);
}

static enum err acl_dst_read(struct reading *r, const struct json *item, const struct rule *rule, struct bytes proto, struct target *target)
{
	struct bytes text = alias_trim(item->text), name, ports;
	if (!split_last(text, &name, &ports))
		return refuse_at(r, item->at, "dst=%s: hostport must contain a colon (\":\")", quoted(r, item->text));
	ports = alias_trim(ports);
	const char *fault = ports_parse(r->arena, ports, true, &target->ports, &target->port_count);
	if (fault)
		return refuse_dst(r, item, ports, fault);
	if (!proto_has_ports(rule->passes[0].proto) && !bytes_equal_text(ports, "*"))
		return refuse_at(r, item->at, "protocol does not support specific ports: %s, only \"*\" is allowed", quoted(r, proto));
	return alias_read(r, without_brackets(r, alias_trim(name)), item->at, AT_ACL_DST, &target->alias);
}

static unsigned rank(const struct alias *alias)
{
	switch (alias->kind) {
	case ALIAS_ANY:
		return 0;
	case ALIAS_USER:
	case ALIAS_DOMAIN:
		return 1;
	case ALIAS_GROUP:
		return 2;
	case ALIAS_SELF:
		return 4;
	default:
		return 3;
	}
}

/* Stable; autogroups among themselves keep their order. */
static void order(struct reading *r, struct rule *rule)
{
	bool all = true;
	size_t at = 0;
	for (size_t i = 0; i < rule->dst_count; i++)
		all &= alias_is_autogroup(&rule->dst[i].alias);
	if (all)
		return;
	struct target *sorted = ARENA_ARRAY(r->arena, struct target, rule->dst_count);
	for (unsigned of = 0; of < 5; of++)
		for (size_t i = 0; i < rule->dst_count; i++)
			if (rank(&rule->dst[i].alias) == of)
				sorted[at++] = rule->dst[i];
	rule->dst = sorted;
}

/* Ports of one alias that was written several times, in file order. */
static void join(struct reading *r, struct rule *rule, const struct target *all, const size_t *number, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rule->dst[number[i]].port_count += all[i].port_count;
	for (size_t i = 0; i < rule->dst_count; i++) {
		struct target *target = &rule->dst[i];
		target->ports = ARENA_ARRAY(r->arena, struct port_range, target->port_count);
		target->port_count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct target *target = &rule->dst[number[i]];
		memcpy(target->ports + target->port_count, all[i].ports, all[i].port_count * sizeof *all[i].ports);
		target->port_count += all[i].port_count;
	}
}

static enum err acl_dsts_read(struct reading *r, const struct json *list, struct rule *rule, struct bytes proto)
{
	enum err e = read_list_of(r, list, "dst", JSON_STRING);
	if (e || !list)
		return e;
	struct target *all = ARENA_ARRAY(r->arena, struct target, list->count);
	size_t *number = ARENA_ARRAY(r->arena, size_t, list->count);
	struct table *seen = table_new();
	size_t kept = 0;
	rule->dst = ARENA_ARRAY(r->arena, struct target, list->count);
	for (size_t i = 0; !e && i < list->count; i++) {
		e = acl_dst_read(r, &list->items[i], rule, proto, &all[kept]);
		if (forgiven(r, &e))
			continue;
		if (e)
			break;
		struct bytes name, ports;
		split_last(alias_trim(list->items[i].text), &name, &ports);
		uintptr_t known = (uintptr_t)table_find(seen, alias_trim(name));
		number[kept++] = known ? known - 1 : rule->dst_count;
		if (known)
			continue;
		rule->dst[rule->dst_count++].alias = all[kept - 1].alias;
		table_put(seen, alias_trim(name), (void *)(uintptr_t)rule->dst_count);
	}
	table_free(&seen);
	if (e)
		return e;
	join(r, rule, all, number, kept);
	order(r, rule);
	return ERR_NONE;
}

static enum err postures_of(struct reading *r, const struct json *list, struct rule *rule)
{
	if (list)
		return posture_names_read(r, list, "srcPosture", &rule->postures, &rule->posture_count);
	if (r->default_broken)
		return refuse_at(r, rule->at, "defaultSrcPosture is not understood");
	rule->postures = r->default_postures;
	rule->posture_count = r->default_posture_count;
	return ERR_NONE;
}

static enum err acl_read(struct reading *r, const struct json *value, struct rule *rule)
{
	static const char *const names[] = {"action", "src", "dst", "proto", "srcPosture", "users", "ports"};
	const struct json *in[7];
	struct bytes action, proto;
	enum err e = read_fields(r, value, names, 7, true, in);
	*rule = (struct rule){.at = value->at, .end = value->end, .pass_count = 1, .passes = ARENA_NEW(r->arena, struct pass)};
	if (e || (e = read_text(r, in[0], "action", &action)) || (e = read_text(r, in[3], "proto", &proto)))
		return e;
	if (!bytes_equal_text(action, "accept"))
		return refuse_at(r, in[0] ? in[0]->at : value->at, "action=%s is not supported", quoted(r, action));
	if (!proto_parse(proto, &rule->passes[0].proto))
		return refuse_at(r, in[3]->at, "proto name %s not known; use protocol number 0-255", quoted(r, proto));
	if ((in[1] && in[5]) || (in[2] && in[6]))
		return refuse_at(r, value->at, "src and users, or dst and ports, say the same: one of them");
	if ((e = aliases_read(r, in[1] ? in[1] : in[5], "src", AT_ACL_SRC, &rule->src)) || (e = acl_dsts_read(r, in[2] ? in[2] : in[6], rule, proto)) ||
	    (e = postures_of(r, in[4], rule)))
		return e;
	return check_self(r, rule);
}

static enum err check_count(struct reading *r, const struct json *list)
{
	if (r->doc->rule_count <= DOCUMENT_RULES_MAX)
		return ERR_NONE;
	(void)refuse_at(r, list->at, "more than %d rules", DOCUMENT_RULES_MAX);
	return ERR_TOO_BIG;
}

enum err acls_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "acls");
	if (!e)
		e = check_count(r, value);
	for (size_t i = 0; !e && i < value->count; i++) {
		struct rule *rule = &r->doc->rules[r->grant_count + i];
		e = acl_read(r, &value->items[i], rule);
		if (forgiven(r, &e))
			*rule = (struct rule){.at = rule->at, .end = rule->end};
	}
	return e;
}

static enum err check_capability(struct reading *r, const struct json_member *member, bool granted)
{
	static const char *const ours[] = {"drive", "relay", "webui", "kubernetes", "tsidp", "secrets"};
	struct bytes path, domain = bytes_split(member->name, '/', &path);
	if (!domain.len || !path.at || !path.len || memchr(domain.at, ':', domain.len))
		return refuse_at(r, member->at, "capability name must have the form {domain}/{path}");
	if (!granted || !bytes_equal_text(domain, "tailscale.com"))
		return ERR_NONE;
	for (size_t i = 0; bytes_starts(path, "cap/") && i < sizeof ours / sizeof *ours; i++)
		if (bytes_equal_text(bytes_skip(path, 4), ours[i]))
			return ERR_NONE;
	return refuse_at(r, member->at, "capability name must not be in the tailscale.com domain");
}

enum err app_read(struct reading *r, const struct json *value, bool granted, struct capability **app, size_t *count)
{
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_OBJECT)
		return refuse_at(r, value->at, "app: an object is wanted");
	*app = ARENA_ARRAY(r->arena, struct capability, value->count);
	for (size_t i = 0; i < value->count; i++) {
		const struct json_member *member = &value->members[i];
		enum err e = check_capability(r, member, granted);
		if (e)
			return e;
		if (member->value.kind != JSON_LIST && member->value.kind != JSON_NULL)
			return refuse_at(r, member->value.at, "app: the value of a capability is a list");
		(*app)[(*count)++] = (struct capability){member->name, hujson_compact(r->arena, &member->value)};
	}
	return read_room(r, value);
}

struct ip_entry {
	int proto;
	struct port_range range;
};

static enum err ip_entry_read(struct reading *r, const struct json *item, struct ip_entry *entry)
{
	struct bytes text = alias_trim(item->text), name, ports = text;
	struct port_range *range;
	size_t count;
	entry->proto = PROTO_ABSENT;
	if (!text.len)
		return refuse_at(r, item->at, "empty string");
	if (split_last(text, &name, &ports)) {
		if (!name.len)
			return refuse_at(r, item->at, "empty protocol");
		if (!bytes_equal_text(name, "*") && !proto_parse(name, &entry->proto))
			return refuse_at(r, item->at, "proto name %s not known; use protocol number 0-255", quoted(r, name));
	}
	const char *fault = ports_parse(r->arena, ports, false, &range, &count);
	if (fault)
		return refuse_at(r, item->at, "port range %s: %s", quoted(r, ports), fault);
	entry->range = *range;
	return ERR_NONE;
}

/* Entries of one protocol are joined, protocols in the order of their first entry. */
static void passes_fill(struct reading *r, struct rule *rule, const struct ip_entry *entries, size_t count)
{
	enum { PROTOS = 257 };
	size_t of[PROTOS] = {0};
	struct pass *pass[PROTOS] = {NULL};
	size_t protos = 0;
	for (size_t i = 0; i < count; i++)
		protos += !of[entries[i].proto + 1]++;
	rule->passes = ARENA_ARRAY(r->arena, struct pass, protos);
	for (size_t i = 0; i < count; i++) {
		struct pass **p = &pass[entries[i].proto + 1];
		if (!*p) {
			*p = &rule->passes[rule->pass_count++];
			**p = (struct pass){entries[i].proto, ARENA_ARRAY(r->arena, struct port_range, of[entries[i].proto + 1]), 0};
		}
		(*p)->ports[(*p)->port_count++] = entries[i].range;
	}
}

static enum err ips_read(struct reading *r, const struct json *list, struct rule *rule)
{
	enum err e = read_list_of(r, list, "ip", JSON_STRING);
	if (e || !list)
		return e;
	struct ip_entry *entries = ARENA_ARRAY(r->arena, struct ip_entry, list->count);
	for (size_t i = 0; i < list->count; i++)
		if ((e = ip_entry_read(r, &list->items[i], &entries[i])))
			return e;
	passes_fill(r, rule, entries, list->count);
	return ERR_NONE;
}

static enum err vias_read(struct reading *r, const struct json *list, struct rule *rule)
{
	enum err e = read_list_of(r, list, "via", JSON_STRING);
	if (e || !list)
		return e;
	rule->via = ARENA_ARRAY(r->arena, uint32_t, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct bytes text = alias_trim(list->items[i].text);
		uint32_t number = name_find(r->tags, text);
		if (!bytes_starts(text, "tag:"))
			return refuse_at(r, list->items[i].at, "via can only be a tag");
		if (number == UINT32_MAX)
			return refuse_at(r, list->items[i].at, "tag %s not found", quoted(r, text));
		rule->via[rule->via_count++] = number;
	}
	return ERR_NONE;
}

static enum err grant_dsts_read(struct reading *r, const struct json *list, struct rule *rule)
{
	struct aliases dst;
	enum err e = aliases_read(r, list, "dst", AT_GRANT_DST, &dst);
	if (e)
		return e;
	if (rule->app_count && any_kind(&dst, ALIAS_INTERNET))
		return refuse_at(r, list->at, "cannot use app grants with autogroup:internet");
	rule->dst = ARENA_ARRAY(r->arena, struct target, dst.count);
	for (size_t i = 0; i < dst.count; i++)
		rule->dst[rule->dst_count++].alias = dst.list[i];
	return ERR_NONE;
}

static enum err grant_read(struct reading *r, const struct json *value, struct rule *rule)
{
	static const char *const names[] = {"src", "dst", "ip", "app", "via", "srcPosture"};
	const struct json *in[6];
	enum err e = read_fields(r, value, names, 6, false, in);
	*rule = (struct rule){.is_grant = true, .at = value->at, .end = value->end};
	if (e)
		return e;
	if (!(in[2] && in[2]->count) && !(in[3] && in[3]->count))
		return refuse_at(r, value->at, "ip and app can not both be empty");
	if ((e = ips_read(r, in[2], rule)) || (e = app_read(r, in[3], true, &rule->app, &rule->app_count)) ||
	    (e = aliases_read(r, in[0], "src", AT_GRANT_SRC, &rule->src)) || (e = grant_dsts_read(r, in[1], rule)) || (e = check_self(r, rule)) ||
	    (e = vias_read(r, in[4], rule)))
		return e;
	return postures_of(r, in[5], rule);
}

enum err grants_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "grants");
	if (!e)
		e = check_count(r, value);
	for (size_t i = 0; !e && i < value->count; i++) {
		struct rule *rule = &r->doc->rules[i];
		e = grant_read(r, &value->items[i], rule);
		if (forgiven(r, &e))
			*rule = (struct rule){.is_grant = true, .at = rule->at, .end = rule->end};
	}
	return e;
}
