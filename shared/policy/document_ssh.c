/* ssh: who may log in as whom. */
#include "reading.h"

enum { NS_PER_MS = 1000000 };

static const struct {
	const char *name;
	double ns;
} units[] = {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

/* A number with an optional fraction and its unit; false at the end or at a fault. */
static bool take_part(struct bytes *text, double *ns)
{
	double value = 0, scale = 1;
	size_t digits = 0, at = 0, unit = 0;
	bool fraction = false;
	for (; at < text->len && ((text->at[at] >= '0' && text->at[at] <= '9') || (text->at[at] == '.' && !fraction)); at++) {
		if (text->at[at] == '.') {
			fraction = true;
			continue;
		}
		digits++;
		value = value * 10 + (text->at[at] - '0');
		scale *= fraction ? 10 : 1;
	}
	struct bytes rest = bytes_skip(*text, at);
	while (unit < rest.len && rest.at[unit] != '.' && !(rest.at[unit] >= '0' && rest.at[unit] <= '9'))
		unit++;
	for (size_t i = 0; digits && i < sizeof units / sizeof *units; i++)
		if (bytes_equal_text(bytes_take(rest, unit), units[i].name)) {
			*ns += value / scale * units[i].ns;
			*text = bytes_skip(rest, unit);
			return true;
		}
	return false;
}

/* Go's notation. False: not a duration. */
static bool parse_duration(struct bytes text, double *ns)
{
	bool negative = text.len && *text.at == '-';
	*ns = 0;
	if (text.len && (*text.at == '-' || *text.at == '+'))
		text = bytes_skip(text, 1);
	if (bytes_equal_text(text, "0"))
		return true;
	if (!text.len)
		return false;
	while (text.len)
		if (!take_part(&text, ns))
			return false;
	if (*ns > 9.2e18)
		return false;
	if (negative)
		*ns = -*ns;
	return true;
}

/* As Go prints it: 200h0m0s, 1m30s, 1.5s, 10ms. */
static const char *duration_text(struct reading *r, double ns)
{
	const char *sign = ns < 0 ? "-" : "";
	double size = ns < 0 ? -ns : ns;
	if (size < 1)
		return "0s";
	if (size < 1e3)
		return arena_format(r->arena, "%s%.0fns", sign, size);
	if (size < 1e6)
		return arena_format(r->arena, "%s%.6g\xc2\xb5s", sign, size / 1e3);
	if (size < 1e9)
		return arena_format(r->arena, "%s%.9gms", sign, size / 1e6);
	uint64_t whole = (uint64_t)(size / 1e9);
	double seconds = size / 1e9 - (double)(whole / 60 * 60);
	if (whole < 60)
		return arena_format(r->arena, "%s%.12gs", sign, seconds);
	if (whole < 3600)
		return arena_format(r->arena, "%s%um%.12gs", sign, (unsigned)(whole / 60), seconds);
	return arena_format(r->arena, "%s%lluh%um%.12gs", sign, (unsigned long long)(whole / 3600), (unsigned)(whole / 60 % 60), seconds);
}

static enum err period_read(struct reading *r, const struct json *value, struct ssh_rule *rule)
{
	struct bytes text;
	double ns;
	enum err e = read_text(r, value, "checkPeriod", &text);
	rule->check_period_ms = SSH_CHECK_DEFAULT_MS;
	if (e || !value)
		return e;
	if (!rule->check)
		return refuse_at(r, value->at, "checkPeriod is only valid with action \"check\"");
	if (bytes_equal_text(text, "always")) {
		rule->check_period_ms = SSH_CHECK_ALWAYS;
		return ERR_NONE;
	}
	if (!parse_duration(text, &ns))
		return refuse_at(r, value->at, "time: invalid duration %s", quoted(r, text));
	if (ns < 0)
		return refuse_at(r, value->at, "checkPeriod %s must be a positive duration", duration_text(r, ns));
	if (ns > (double)CHECK_PERIOD_MAX_MS * NS_PER_MS)
		return refuse_at(r, value->at, "checkPeriod %s is above the max (168h)", duration_text(r, ns));
	rule->check_period_ms = (int64_t)(ns / NS_PER_MS);
	return ERR_NONE;
}

static enum err user_read(struct reading *r, const struct json *item, struct ssh_user *user)
{
	struct bytes text = alias_trim(item->text);
	*user = (struct ssh_user){SSH_USER_NAME, text};
	if (!text.len || bytes_equal_text(text, "*"))
		return refuse_at(r, item->at, "user %s is not valid", quoted(r, text));
	if (bytes_equal_text(text, "root"))
		user->kind = SSH_USER_ROOT;
	else if (bytes_equal_text(text, "autogroup:nonroot"))
		user->kind = SSH_USER_NONROOT;
	if (!bytes_starts(text, "localpart:*@") || text.len == 12)
		return ERR_NONE;
	*user = (struct ssh_user){SSH_USER_LOCALPART, bytes_skip(text, 12)};
	return domain_check(r, user->text, item->at, "");
}

static enum err users_read(struct reading *r, const struct json *list, struct place at, struct ssh_rule *rule)
{
	enum err e = read_list_of(r, list, "users", JSON_STRING);
	if (e)
		return e;
	if (!list || !list->count)
		return refuse_at(r, at, "users must be specified");
	rule->users = ARENA_ARRAY(r->arena, struct ssh_user, list->count);
	for (size_t i = 0; i < list->count; i++)
		if ((e = user_read(r, &list->items[i], &rule->users[rule->user_count++])))
			return e;
	return ERR_NONE;
}

static enum err env_read(struct reading *r, const struct json *list, struct ssh_rule *rule)
{
	enum err e = read_list_of(r, list, "acceptEnv", JSON_STRING);
	if (e || !list)
		return e;
	rule->accept_env = ARENA_ARRAY(r->arena, struct bytes, list->count);
	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].text.len)
			return refuse_at(r, list->items[i].at, "acceptEnv values cannot be empty");
		rule->accept_env[rule->accept_env_count++] = list->items[i].text;
	}
	return ERR_NONE;
}

/* A user as destination wants that user alone as source; tagged sources do not reach people. */
static enum err check_pairs(struct reading *r, const struct ssh_rule *rule)
{
	const struct alias *tagged = NULL, *other = NULL;
	for (size_t i = 0; i < rule->src.count; i++) {
		const struct alias *src = &rule->src.list[i];
		if (src->kind == ALIAS_TAG || src->kind == ALIAS_TAGGED)
			tagged = src;
		if (src->kind != ALIAS_USER || !bytes_equal(src->text, rule->src.list[0].text))
			other = src;
	}
	for (size_t i = 0; i < rule->dst.count; i++) {
		const struct alias *dst = &rule->dst.list[i];
		bool people = dst->kind == ALIAS_USER || dst->kind == ALIAS_MEMBER || dst->kind == ALIAS_SELF;
		if (tagged && people)
			return refuse_at(r, dst->at, "tagged sources cannot be used with dst %s", quoted(r, dst->text));
		if (dst->kind == ALIAS_USER && rule->src.count && (other || !bytes_equal(rule->src.list[0].text, dst->text)))
			return refuse_at(r, dst->at, "dst %s: a user can only be reached by the same user", quoted(r, dst->text));
	}
	return ERR_NONE;
}

static enum err action_read(struct reading *r, const struct json *value, struct place at, struct ssh_rule *rule)
{
	struct bytes action;
	enum err e = read_text(r, value, "action", &action);
	if (e)
		return e;
	if (!action.len)
		return refuse_at(r, value ? value->at : at, "action must be specified");
	rule->check = bytes_equal_text(action, "check");
	if (!rule->check && !bytes_equal_text(action, "accept"))
		return refuse_at(r, value->at, "%s is not a valid action", quoted(r, action));
	return ERR_NONE;
}

static enum err rule_read(struct reading *r, const struct json *value, struct ssh_rule *rule)
{
	static const char *const names[] = {"action", "src", "dst", "users", "checkPeriod", "acceptEnv", "recorder", "enforceRecorder"};
	const struct json *in[8];
	enum err e = read_fields(r, value, names, 8, false, in);
	*rule = (struct ssh_rule){.at = value->at, .end = value->end};
	if (e || (e = action_read(r, in[0], value->at, rule)) || (e = aliases_read(r, in[1], "src", AT_SSH_SRC, &rule->src)) ||
	    (e = aliases_read(r, in[2], "dst", AT_SSH_DST, &rule->dst)) || (e = users_read(r, in[3], value->at, rule)) || (e = period_read(r, in[4], rule)) ||
	    (e = env_read(r, in[5], rule)) || (e = aliases_read(r, in[6], "recorder", AT_RECORDER, &rule->recorders)) ||
	    (e = read_bool(r, in[7], "enforceRecorder", &rule->enforce_recorder)))
		return e;
	return check_pairs(r, rule);
}

enum err ssh_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "ssh");
	if (e || !value)
		return e;
	r->doc->ssh = ARENA_ARRAY(r->arena, struct ssh_rule, value->count);
	for (size_t i = 0; i < value->count; i++)
		if ((e = rule_read(r, &value->items[i], &r->doc->ssh[r->doc->ssh_count++])))
			return e;
	return ERR_NONE;
}
