#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "text.h"

#define PATH "/api/fleetscale/v1/settings"

static const char *text_lifetime(struct arena *arena, const json_t *seconds)
{
	char text[32];

	return arena_text(arena, bytes_of(text, duration_format(text, (int64_t)json_integer_value(seconds) * 1000)));
}

static const char *text_resolvers(struct arena *arena, const json_t *resolvers)
{
	const char *text = "";
	const json_t *one;
	size_t i;

	json_array_foreach(resolvers, i, one)
	{
		const char *address = json_string_value(json_object_get(one, "address"));

		text = arena_format(arena, "%s%s%s%s", text, i ? ", " : "", address ? address : "",
				    json_is_true(json_object_get(one, "useWithExitNode")) ? "+exit" : "");
	}
	return text;
}

static const char *text_split(struct arena *arena, const json_t *split)
{
	const char *text = "";
	const json_t *one;
	size_t i;

	json_array_foreach(split, i, one)
	{
		const char *domain = json_string_value(json_object_get(one, "domain"));

		text = arena_format(arena, "%s%s%s=%s", text, i ? "; " : "", domain ? domain : "", text_resolvers(arena, json_object_get(one, "resolvers")));
	}
	return text;
}

static const char *text_records(struct arena *arena, const json_t *records)
{
	const char *text = "";
	const json_t *one;
	size_t i;

	json_array_foreach(records, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name")), *type = json_string_value(json_object_get(one, "type"));
		const char *value = json_string_value(json_object_get(one, "value"));

		text = arena_format(arena, "%s%s%s %s %s", text, i ? "; " : "", name ? name : "", type ? type : "", value ? value : "");
	}
	return text;
}

static const struct ctl_column columns[] = {
	{"Device approval", "deviceApproval", ctl_text_yes, 0, 0},
	{"Key lifetime", "keyLifetimeSeconds", text_lifetime, 0, 0},
	{"File sharing", "fileSharing", ctl_text_yes, 0, 0},
	{"SSH", "ssh", ctl_text_yes, 0, 0},
	{"Auto update", "autoUpdate", ctl_text_yes, 0, 0},
	{"Random client port", "randomClientPort", ctl_text_yes, 0, 0},
	{"Client logs", "clientLogs", ctl_text_yes, 0, 0},
	{"Notice", "notice", NULL, 0, 0},
	{"E-mail domains", "domains", ctl_text_list, 0, 0},
	{"MagicDNS", "dns.magicDns", ctl_text_yes, 0, 0},
	{"Override local DNS", "dns.overrideLocalDns", ctl_text_yes, 0, 0},
	{"Resolvers", "dns.resolvers", text_resolvers, 0, 0},
	{"Split DNS", "dns.split", text_split, 0, 0},
	{"Search domains", "dns.searchDomains", ctl_text_list, 0, 0},
	{"Records", "dns.records", text_records, 0, 0},
	{"Relay fence", "relays.fence", ctl_text_list, 0, 0},
	{"Relays omitted", "relays.omit", ctl_text_list, 0, 0},
	{"Relays no home", "relays.noHome", ctl_text_list, 0, 0},
	{"Own relays only", "relays.omitShared", ctl_text_yes, 0, 0},
	{"Exit node filters", "dns.exitNodeFiltered", ctl_text_list, 0, 0},
	{0},
};

static void settings_show(struct ctl *c)
{
	ctl_show_one(c, json_object_get(ctl_call(c, "GET", PATH, NULL), "settings"), columns);
}

/* Lists replace what was there: "" alone empties one. */
static const struct ctl_flag set_flags[] = {
	{"device-approval", 0, false, CTL_SWITCH, NULL, NULL, "new nodes wait for `nodes approve` (--device-approval=false: they do not)"},
	{"key-lifetime", 0, false, CTL_SPAN, "DURATION", NULL, "so long a user's node stays logged in"},
	{"file-sharing", 0, false, CTL_SWITCH, NULL, NULL, "Taildrop"},
	{"ssh", 0, false, CTL_SWITCH, NULL, NULL, "Tailscale SSH may be switched on"},
	{"auto-update", 0, false, CTL_SWITCH, NULL, NULL, "clients update themselves, unless their people say otherwise"},
	{"random-client-port", 0, false, CTL_SWITCH, NULL, NULL, "clients take a random UDP port"},
	{"client-logs", 0, false, CTL_SWITCH, NULL, NULL, "clients may send their logs to their maker"},
	{"notice", 0, false, CTL_TEXT, "TEXT", NULL, "a notice that clients show; \"\" for none"},
	{"domains", 0, false, CTL_LIST, "DOMAINS", NULL, "e-mail domains whose users the policy may name as a whole; \"\": none"},
	{"magic-dns", 0, false, CTL_SWITCH, NULL, NULL, "nodes are found by name"},
	{"override-local-dns", 0, false, CTL_SWITCH, NULL, NULL, "the resolvers answer for all names"},
	{"resolvers", 0, false, CTL_LIST, "ADDRESSES", NULL, "1.1.1.1,https://dns.example/dns-query; +exit behind one: also with an exit node; \"\": none"},
	{"split", 0, false, CTL_TEXTS, "DOMAIN=ADDRESSES", NULL, "resolvers of a domain, given once for each domain; \"\": none"},
	{"search", 0, false, CTL_LIST, "DOMAINS", NULL, "search domains; \"\": none"},
	{"record", 0, false, CTL_TEXTS, "\"NAME TYPE VALUE\"", NULL, "an extra record, given once for each (printer.example A 10.0.0.9); \"\": none"},
	{"exit-filter", 0, false, CTL_LIST, "DOMAINS", NULL, "names that exit nodes do not answer; .example: with all below; \"\": none"},
	{"relay-fence", 0, false, CTL_LIST, "REGIONS", NULL, "relays of these regions alone, by number; \"\": no fence"},
	{"relay-omit", 0, false, CTL_LIST, "REGIONS", NULL, "relay regions that are not shown; \"\": none"},
	{"relay-no-home", 0, false, CTL_LIST, "REGIONS", NULL, "relay regions that are nobody's home; \"\": none"},
	{"relay-own-only", 0, false, CTL_SWITCH, NULL, NULL, "only relay regions that are this tailnet's own"},
	{"file", 'f', false, CTL_TEXT, "FILE", NULL, "settings as JSON, as `settings show -o json` prints them; flags win"},
	{0},
};

static json_t *resolvers_of(struct bytes list)
{
	static const char with_exit[] = "+exit";
	json_t *resolvers = json_array();
	struct bytes rest = list;

	do {
		struct bytes one = bytes_trim(bytes_split(rest, ',', &rest));
		bool exit = one.len > sizeof with_exit - 1 && bytes_equal_text(bytes_skip(one, one.len - (sizeof with_exit - 1)), with_exit);

		if (exit)
			one = bytes_take(one, one.len - (sizeof with_exit - 1));
		if (one.len)
			json_array_append_new(resolvers, json_pack("{s:s%, s:b}", "address", one.at, one.len, "useWithExitNode", exit));
	} while (rest.at);
	return resolvers;
}

static json_t *join_list(json_t *texts)
{
	json_t *all = json_array(), *one;
	size_t i;

	json_array_foreach(texts, i, one)
	{
		json_t *some = resolvers_of(bytes_text(json_string_value(one)));

		json_array_extend(all, some);
		json_decref(some);
	}
	json_decref(texts);
	return all;
}

static json_t *splits_of(struct ctl *c, json_t *texts)
{
	json_t *all = json_array(), *one;
	size_t i;

	json_array_foreach(texts, i, one)
	{
		struct bytes rest, domain = bytes_trim(bytes_split(bytes_text(json_string_value(one)), '=', &rest));

		if (!domain.len && !rest.at)
			continue;
		if (!rest.at)
			ctl_misuse(c, "--split wants DOMAIN=ADDRESSES, not \"%.60s\"", json_string_value(one));
		json_array_append_new(all, json_pack("{s:s%, s:o}", "domain", domain.at, domain.len, "resolvers", resolvers_of(rest)));
	}
	json_decref(texts);
	return all;
}

static json_t *records_of(struct ctl *c, json_t *texts)
{
	json_t *all = json_array(), *one;
	size_t i;

	json_array_foreach(texts, i, one)
	{
		struct bytes rest, name = bytes_split(bytes_trim(bytes_text(json_string_value(one))), ' ', &rest), type;

		if (!name.len)
			continue;
		rest = bytes_trim(rest);
		type = bytes_split(rest, ' ', &rest);
		rest = bytes_trim(rest);
		if (!type.len || !rest.len)
			ctl_misuse(c, "--record wants \"NAME TYPE VALUE\", not \"%.60s\"", json_string_value(one));
		else
			json_array_append_new(
				all, json_pack("{s:s%, s:s%, s:s%}", "name", name.at, name.len, "type", type.at, type.len, "value", rest.at, rest.len));
	}
	json_decref(texts);
	return all;
}

static void put_switches(struct ctl *c, json_t *body, json_t *dns)
{
	static const struct {
		const char *flag, *member;
		bool of_dns;
	} switches[] = {{"device-approval", "deviceApproval", false},
			{"file-sharing", "fileSharing", false},
			{"ssh", "ssh", false},
			{"auto-update", "autoUpdate", false},
			{"random-client-port", "randomClientPort", false},
			{"client-logs", "clientLogs", false},
			{"magic-dns", "magicDns", true},
			{"override-local-dns", "overrideLocalDns", true}};

	for (size_t i = 0; i < COUNT_OF(switches); i++)
		if (ctl_flags_given(&c->flags, switches[i].flag))
			json_object_set_new(switches[i].of_dns ? dns : body, switches[i].member, json_boolean(ctl_flags_on(&c->flags, switches[i].flag)));
}

static void put_dns(struct ctl *c, json_t *dns)
{
	const struct ctl_flags *f = &c->flags;

	if (ctl_flags_given(f, "resolvers"))
		json_object_set_new(dns, "resolvers", join_list(ctl_flags_list(f, "resolvers")));
	if (ctl_flags_given(f, "split"))
		json_object_set_new(dns, "split", splits_of(c, ctl_flags_list(f, "split")));
	if (ctl_flags_given(f, "search"))
		json_object_set_new(dns, "searchDomains", ctl_flags_list(f, "search"));
	if (ctl_flags_given(f, "record"))
		json_object_set_new(dns, "records", records_of(c, ctl_flags_list(f, "record")));
	if (ctl_flags_given(f, "exit-filter"))
		json_object_set_new(dns, "exitNodeFiltered", ctl_flags_list(f, "exit-filter"));
}

static void put_relays(struct ctl *c, json_t *body)
{
	static const struct {
		const char *flag, *member;
	} lists[] = {{"relay-fence", "fence"}, {"relay-omit", "omit"}, {"relay-no-home", "noHome"}};
	const struct ctl_flags *f = &c->flags;
	json_t *relays = json_object();

	for (size_t i = 0; i < COUNT_OF(lists); i++)
		if (ctl_flags_given(f, lists[i].flag))
			json_object_set_new(relays, lists[i].member, ctl_flags_list(f, lists[i].flag));
	if (ctl_flags_given(f, "relay-own-only"))
		json_object_set_new(relays, "omitShared", json_boolean(ctl_flags_on(f, "relay-own-only")));
	if (json_object_size(relays))
		json_object_set(body, "relays", relays);
	json_decref(relays);
}

/* NULL: told. */
static json_t *read_file(struct ctl *c, const char *path)
{
	json_error_t error;
	json_t *object = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &error) : json_object();

	if (json_is_object(object))
		return object;
	ctl_misuse(c, "%s: %s", path, object ? "not an object" : error.text);
	json_decref(object);
	return NULL;
}

static void settings_set(struct ctl *c)
{
	json_t *body = read_file(c, ctl_flags_text(&c->flags, "file")), *dns;
	int64_t lifetime = ctl_flags_span(&c->flags, "key-lifetime");

	if (!body)
		return;
	dns = json_is_object(json_object_get(body, "dns")) ? json_incref(json_object_get(body, "dns")) : json_object();
	put_switches(c, body, dns);
	put_dns(c, dns);
	put_relays(c, body);
	if (lifetime >= 0)
		json_object_set_new(body, "keyLifetimeSeconds", json_integer(lifetime / 1000));
	if (ctl_flags_given(&c->flags, "domains"))
		json_object_set_new(body, "domains", ctl_flags_list(&c->flags, "domains"));
	if (ctl_flags_given(&c->flags, "notice"))
		json_object_set_new(body, "notice", json_string(ctl_flags_text(&c->flags, "notice")));
	if (json_object_size(dns))
		json_object_set(body, "dns", dns);
	json_decref(dns);
	if (!c->status && !json_object_size(body))
		ctl_misuse(c, "what shall change? See `fleetscale settings set --help`");
	if (c->status)
		json_decref(body);
	else
		ctl_show_one(c, json_object_get(ctl_call(c, "PATCH", PATH, body), "settings"), columns);
}

static const struct ctl_verb verbs[] = {
	{"show", "get list ls", NULL, 0, 0, "Show a tailnet's settings", NULL, settings_show},
	{"set", "update", NULL, 0, 0, "Change some of a tailnet's settings; lists replace what was there", set_flags, settings_set},
	{0},
};

const struct ctl_noun ctl_noun_settings = {"settings", "setting", "What a tailnet's clients are told: approval, lifetimes, features, DNS", verbs};
