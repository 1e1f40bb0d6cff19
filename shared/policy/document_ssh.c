/* ssh: who may log in as whom. */
#include "reading.h"

#include <inttypes.h>

enum { NS_PER_MS = 1000000 };
#define NS_PER_S (1000 * (uint64_t)NS_PER_MS)
#define NS_MAX ((uint64_t)1 << 63)

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {{"ns", 1},         {"us", 1000},    {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000},
	     {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A number with an optional fraction and its unit, added to *ns; false at a fault. Digits of a fraction past the eighteenth are dropped. */
static bool take_part(struct bytes *text, uint64_t *ns)
{
	uint64_t whole = 0, fraction = 0;
	double scale = 1;
	size_t digits = 0, at = 0, unit = 0;
	for (; at < text->len && is_digit(text->at[at]); at++, digits++)
		if (whole > NS_MAX / 10 || (whole = whole * 10 + (text->at[at] - '0')) > NS_MAX)
			return false;
	if (at < text->len && text->at[at] == '.')
		for (at++; at < text->len && is_digit(text->at[at]); at++, digits++)
			if (scale < 1e18)
				fraction = fraction * 10 + (text->at[at] - '0'), scale *= 10;
	struct bytes rest = bytes_skip(*text, at);
	while (unit < rest.len && rest.at[unit] != '.' && !is_digit(rest.at[unit]))
		unit++;
	for (size_t i = 0; digits && i < COUNT_OF(units); i++)
		if (bytes_equal_text(bytes_take(rest, unit), units[i].name)) {
			if (whole > NS_MAX / units[i].ns)
				return false;
			whole = whole * units[i].ns + (uint64_t)((double)fraction * ((double)units[i].ns / scale));
			*ns += whole;
			*text = bytes_skip(rest, unit);
			return whole <= NS_MAX && *ns <= NS_MAX;
		}
	return false;
}

/* Go's notation. False: not a duration. */
static bool parse_duration(struct bytes text, uint64_t *ns, bool *negative)
{
	*negative = bytes_starts(text, "-");
	*ns = 0;
	if (*negative || bytes_starts(text, "+"))
		text = bytes_skip(text, 1);
	if (bytes_equal_text(text, "0"))
		return true;
	if (!text.len)
		return false;
	while (text.len)
		if (!take_part(&text, ns))
			return false;
	return *ns < NS_MAX || *negative;
}

/* "1.5" of 1500 in units of 1000. */
static const char *decimal(struct reading *r, uint64_t value, uint64_t unit)
{
	char *text = arena_format(r->arena, "%" PRIu64 ".%09" PRIu64, value / unit, value % unit * (NS_PER_S / unit));
	size_t len = strlen(text);
	while (text[len - 1] == '0')
		len--;
	text[text[len - 1] == '.' ? len - 1 : len] = 0;
	return text;
}

/* As Go prints it: 200h0m0s, 1m30s, 1.5s, 10ms. */
static const char *duration_text(struct reading *r, uint64_t ns, bool negative)
{
	const char *sign = negative ? "-" : "";
	uint64_t minutes = ns / (60 * NS_PER_S);
	if (ns < 1000)
		return arena_format(r->arena, "%s%u%s", sign, (unsigned)ns, ns ? "ns" : "s");
	if (ns < NS_PER_MS)
		return arena_format(r->arena, "%s%s\xc2\xb5s", sign, decimal(r, ns, 1000));
	if (ns < NS_PER_S)
		return arena_format(r->arena, "%s%sms", sign, decimal(r, ns, NS_PER_MS));
	const char *seconds = decimal(r, ns % (60 * NS_PER_S), NS_PER_S);
	if (!minutes)
		return arena_format(r->arena, "%s%ss", sign, seconds);
	if (minutes < 60)
		return arena_format(r->arena, "%s%um%ss", sign, (unsigned)minutes, seconds);
	return arena_format(r->arena, "%s%uh%um%ss", sign, (unsigned)(minutes / 60), (unsigned)(minutes % 60), seconds);
}

static enum err period_read(struct reading *r, const struct json *value, struct ssh_rule *rule)
{
	struct bytes text;
	uint64_t ns;
	bool negative;
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
	if (!parse_duration(text, &ns, &negative))
		return refuse_at(r, value->at, "time: invalid duration %s", quoted(r, text));
	if (negative && ns)
		return refuse_at(r, value->at, "checkPeriod %s must be a positive duration", duration_text(r, ns, true));
	if (ns > (uint64_t)CHECK_PERIOD_MAX_MS * NS_PER_MS)
		return refuse_at(r, value->at, "checkPeriod %s is above the max (168h)", duration_text(r, ns, false));
	rule->check_period_ms = (int64_t)((ns + NS_PER_MS - 1) / NS_PER_MS);
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
