/* What rules refer to besides names: postures, approvers, attributes. */
#include "reading.h"

static const struct {
	const char *text;
	enum posture_op op;
	bool list, alone;
} operators[] = {
	{"IS SET", POSTURE_IS_SET, false, true}, {"NOT SET", POSTURE_NOT_SET, false, true}, {"NOT IN", POSTURE_NOT_IN, true, false},
	{"IN", POSTURE_IN, true, false},         {"==", POSTURE_EQUAL, false, false},       {"!=", POSTURE_NOT_EQUAL, false, false},
	{"<=", POSTURE_AT_MOST, false, false},   {">=", POSTURE_AT_LEAST, false, false},    {"<", POSTURE_LESS, false, false},
	{">", POSTURE_GREATER, false, false},
};

/* One value, bare or in quotes of either kind, which may hold commas and the other kind; in a list up to a comma. *rest is what follows, at == NULL at the end. */
static bool take_value(struct bytes *rest, bool list, struct bytes *value)
{
	struct bytes text = alias_trim(*rest);
	const uint8_t *end;
	if (text.len && (*text.at == '\'' || *text.at == '"')) {
		end = memchr(text.at + 1, *text.at, text.len - 1);
		if (!end)
			return false;
		*value = bytes_of(text.at + 1, (size_t)(end - text.at) - 1);
		text = alias_trim(bytes_skip(text, value->len + 2));
	} else {
		end = list && text.len ? memchr(text.at, ',', text.len) : NULL;
		size_t len = end ? (size_t)(end - text.at) : text.len;
		*value = alias_trim(bytes_take(text, len));
		text = bytes_skip(text, len);
		if (!value->len)
			return false;
	}
	if (text.len && (!list || *text.at != ','))
		return false;
	*rest = text.len ? bytes_skip(text, 1) : BYTES_NONE;
	return true;
}

static bool read_values(struct reading *r, struct bytes text, bool list, struct posture_claim *claim)
{
	size_t most = 1;
	text = alias_trim(text);
	if (list) {
		if (text.len < 2 || *text.at != '[' || text.at[text.len - 1] != ']')
			return false;
		text = bytes_of(text.at + 1, text.len - 2);
	}
	for (size_t i = 0; list && i < text.len; i++)
		most += text.at[i] == ',';
	claim->values = ARENA_ARRAY(r->arena, struct bytes, most);
	for (struct bytes rest = text; rest.at;)
		if (!take_value(&rest, list, &claim->values[claim->value_count++]))
			return false;
	return true;
}

static bool claim_parse(struct reading *r, struct bytes text, struct posture_claim *claim)
{
	text = alias_trim(text);
	size_t end = 0;
	while (end < text.len && text.at[end] != ' ' && text.at[end] != '\t' && !strchr("=!<>", text.at[end]))
		end++;
	claim->attribute = bytes_take(text, end);
	text = alias_trim(bytes_skip(text, end));
	if (!claim->attribute.len || !memchr(claim->attribute.at, ':', end))
		return false;
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (!bytes_starts(text, operators[i].text))
			continue;
		struct bytes rest = bytes_skip(text, strlen(operators[i].text));
		claim->op = operators[i].op;
		return operators[i].alone ? !rest.len : read_values(r, rest, operators[i].list, claim);
	}
	return false;
}

static enum err posture_read(struct reading *r, const struct json_member *member, struct posture *posture)
{
	posture->name = alias_trim(member->name);
	posture->at = member->at;
	enum err e = read_list_of(r, &member->value, "postures", JSON_STRING);
	if (e)
		return e;
	if (!bytes_starts(posture->name, "posture:") || posture->name.len == 8)
		return refuse_at(r, member->at, "postures[%s]: names of postures are written posture:NAME", quoted(r, posture->name));
	posture->claims = ARENA_ARRAY(r->arena, struct posture_claim, member->value.count);
	for (size_t i = 0; i < member->value.count; i++) {
		const struct json *item = &member->value.items[i];
		if (!claim_parse(r, item->text, &posture->claims[posture->claim_count++]))
			return refuse_at(r, item->at,
					 "postures[%s]: %s is not a condition: ATTRIBUTE, then ==, !=, <, <=, >, >=, IN, NOT IN, IS SET or NOT SET",
					 quoted(r, posture->name), quoted(r, item->text));
	}
	return ERR_NONE;
}

enum err postures_read(struct reading *r, const struct json *value)
{
	enum err e = read_names(r, value, "postures", r->postures);
	for (size_t i = 0; !e && i < value->count; i++) {
		if (name_is_broken(r->postures, alias_trim(value->members[i].name)))
			continue;
		e = posture_read(r, &value->members[i], &r->doc->postures[i]);
		if (forgiven(r, &e))
			name_break(r->postures, r->doc->postures[i].name);
	}
	return e;
}

enum err posture_names_read(struct reading *r, const struct json *list, const char *name, uint32_t **out, size_t *count)
{
	enum err e = read_list_of(r, list, name, JSON_STRING);
	*out = NULL;
	*count = 0;
	if (e || !list)
		return e;
	*out = ARENA_ARRAY(r->arena, uint32_t, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct bytes text = alias_trim(list->items[i].text);
		uint32_t number = name_find(r->postures, text);
		if (number == UINT32_MAX)
			return refuse_at(r, list->items[i].at, "posture not found: %s", quoted(r, text));
		(*out)[(*count)++] = number;
	}
	return ERR_NONE;
}

static enum err approver_read(struct reading *r, const struct json_member *member, bool services, struct auto_approver *approver)
{
	struct bytes key = alias_trim(member->name);
	approver->at = member->at;
	if (services) {
		approver->service = key;
		if (!bytes_starts(key, "svc:") || key.len == 4)
			return refuse_at(r, member->at, "autoApprovers: services are written svc:NAME");
	} else if (prefix_parse(key, &approver->prefix)) {
		return refuse_at(r, member->at, "%s: invalid prefix", quoted(r, key));
	}
	approver->prefix = prefix_masked(approver->prefix);
	return member->value.kind == JSON_NULL ? ERR_NONE : aliases_read(r, &member->value, "autoApprovers", AT_APPROVER, &approver->who);
}

static enum err approvers_of(struct reading *r, const struct json *object, bool services, struct auto_approver **list, size_t *count)
{
	enum err e = ERR_NONE;
	if (!object)
		return ERR_NONE;
	if (object->kind != JSON_OBJECT)
		return refuse_at(r, object->at, "autoApprovers: %s: an object is wanted", services ? "services" : "routes");
	*list = ARENA_ARRAY(r->arena, struct auto_approver, object->count);
	for (size_t i = 0; !e && i < object->count; i++) {
		struct auto_approver *approver = &(*list)[(*count)++];
		e = approver_read(r, &object->members[i], services, approver);
		if (forgiven(r, &e)) {
			*approver = (struct auto_approver){0};
			(*count)--;
		}
	}
	return e ? e : read_room(r, object);
}

enum err approvers_read(struct reading *r, const struct json *value)
{
	static const char *const names[] = {"routes", "exitNode", "services"};
	const struct json *in[3];
	struct document *doc = r->doc;
	enum err e;
	if ((e = read_fields(r, value, names, 3, false, in)) || (e = approvers_of(r, in[0], false, &doc->route_approvers, &doc->route_approver_count)) ||
	    (e = aliases_read(r, in[1], "exitNode", AT_APPROVER, &doc->exit_approvers)))
		return e;
	return approvers_of(r, in[2], true, &doc->service_approvers, &doc->service_approver_count);
}

static enum err pools_read(struct reading *r, const struct json *list, struct node_attr *attr)
{
	static const struct prefix tailnets = {{IP_V4, {100, 64}}, 10};
	static const struct prefix reserved[] = {{{IP_V4, {100, 100, 0, 0}}, 24}, {{IP_V4, {100, 100, 100, 0}}, 24}, {{IP_V4, {100, 115, 92, 0}}, 23}};
	enum err e = read_list_of(r, list, "ipPool", JSON_STRING);
	if (e || !list)
		return e;
	attr->pools = ARENA_ARRAY(r->arena, struct prefix, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct bytes text = alias_trim(list->items[i].text);
		struct prefix *pool = &attr->pools[attr->pool_count++];
		if (prefix_parse(text, pool))
			return refuse_at(r, list->items[i].at, "IPPool(%.*s): invalid prefix", BYTES_ARG(quote_cut(text, QUOTE_MAX)));
		*pool = prefix_masked(*pool);
		for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++)
			if (prefix_overlaps(*pool, reserved[k]))
				return refuse_at(r, list->items[i].at, "IPPool(%.*s): network within reserved range", BYTES_ARG(quote_cut(text, QUOTE_MAX)));
		if (pool->bits < tailnets.bits || !prefix_has(tailnets, pool->ip))
			return refuse_at(r, list->items[i].at, "IPPool(%.*s): network is not inside 100.64.0.0/10", BYTES_ARG(quote_cut(text, QUOTE_MAX)));
	}
	return ERR_NONE;
}

static enum err attr_read(struct reading *r, const struct json *value, struct node_attr *attr)
{
	static const char *const names[] = {"target", "attr", "ipPool", "app"};
	const struct json *in[4];
	enum err e = read_fields(r, value, names, 4, false, in);
	attr->at = value->at;
	if (e || (e = aliases_read(r, in[0], "target", AT_TARGET, &attr->targets)) || (e = read_list_of(r, in[1], "attr", JSON_STRING)) ||
	    (e = pools_read(r, in[2], attr)))
		return e;
	if (in[1]) {
		attr->attrs = ARENA_ARRAY(r->arena, struct bytes, in[1]->count);
		for (size_t i = 0; i < in[1]->count; i++)
			attr->attrs[attr->attr_count++] = in[1]->items[i].text;
	}
	return app_read(r, in[3], false, &attr->app, &attr->app_count);
}

enum err attrs_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "nodeAttrs");
	if (e || !value)
		return e;
	r->doc->node_attrs = ARENA_ARRAY(r->arena, struct node_attr, value->count);
	for (size_t i = 0; !e && i < value->count; i++) {
		struct node_attr *attr = &r->doc->node_attrs[r->doc->node_attr_count++];
		e = attr_read(r, &value->items[i], attr);
		if (forgiven(r, &e)) {
			*attr = (struct node_attr){0};
			r->doc->node_attr_count--;
		}
	}
	return e;
}
