#include "act_relay.h"
#include "fields.h"
#include "guard.h"
#include "own.h"
#include "tailnet_change.h"
#include "text.h"

/* What a body asks for: absent is unchanged, lists replace. */
struct asked_resolver {
	struct bytes address;
	bool with_exit_node;
};

struct asked_split {
	struct bytes domain;
	struct field_objects resolvers;
};

struct asked_record {
	struct bytes name, type, value;
};

struct asked_settings {
	struct field_flag device_approval, file_sharing, ssh, auto_update, random_client_port, client_logs, magic, override;
	struct field_count lifetime;
	struct bytes notice;
	struct field_objects resolvers, split, records;
	struct field_texts search, exit_filtered, domains;
	struct field_texts fence, omit, no_home;
	struct field_flag omit_shared;
};

static void resolver_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	struct asked_resolver *r = item;

	fields[0] = (struct field){"address", FIELD_TEXT, &r->address};
	fields[1] = (struct field){"useWithExitNode", FIELD_BOOL, &r->with_exit_node};
}

static void split_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	struct asked_split *s = item;

	s->resolvers = (struct field_objects){.size = sizeof(struct asked_resolver), .table = resolver_table};
	fields[0] = (struct field){"domain", FIELD_TEXT, &s->domain};
	fields[1] = (struct field){"resolvers", FIELD_OBJECTS, &s->resolvers};
}

static void record_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	struct asked_record *r = item;

	fields[0] = (struct field){"name", FIELD_TEXT, &r->name};
	fields[1] = (struct field){"type", FIELD_TEXT, &r->type};
	fields[2] = (struct field){"value", FIELD_TEXT, &r->value};
}

static bool settings_ask(struct exchange *x, struct asked_settings *a, const char *detail)
{
	struct field dns[] = {{"magicDns", FIELD_FLAG, &a->magic},
			      {"overrideLocalDns", FIELD_FLAG, &a->override},
			      {"resolvers", FIELD_OBJECTS, &a->resolvers},
			      {"split", FIELD_OBJECTS, &a->split},
			      {"searchDomains", FIELD_TEXTS, &a->search},
			      {"records", FIELD_OBJECTS, &a->records},
			      {"exitNodeFiltered", FIELD_TEXTS, &a->exit_filtered},
			      {0}};
	struct field relays[] = {{"fence", FIELD_TEXTS, &a->fence},
				 {"omit", FIELD_TEXTS, &a->omit},
				 {"noHome", FIELD_TEXTS, &a->no_home},
				 {"omitShared", FIELD_FLAG, &a->omit_shared},
				 {0}};
	struct field fields[] = {{"deviceApproval", FIELD_FLAG, &a->device_approval},
				 {"keyLifetimeSeconds", FIELD_COUNT, &a->lifetime},
				 {"fileSharing", FIELD_FLAG, &a->file_sharing},
				 {"ssh", FIELD_FLAG, &a->ssh},
				 {"autoUpdate", FIELD_FLAG, &a->auto_update},
				 {"randomClientPort", FIELD_FLAG, &a->random_client_port},
				 {"clientLogs", FIELD_FLAG, &a->client_logs},
				 {"notice", FIELD_TEXT, &a->notice},
				 {"domains", FIELD_TEXTS, &a->domains},
				 {"relays", FIELD_OBJECT, relays},
				 {"dns", FIELD_OBJECT, dns},
				 {0}};

	a->resolvers = (struct field_objects){.size = sizeof(struct asked_resolver), .table = resolver_table};
	a->split = (struct field_objects){.size = sizeof(struct asked_split), .table = split_table};
	a->records = (struct field_objects){.size = sizeof(struct asked_record), .table = record_table};
	return fields_read(x, fields, detail);
}

static void set_flag(bool *out, const struct field_flag *asked)
{
	if (asked->present)
		*out = asked->value;
}

/* One line for each resolver, one for a domain without any. */
static enum err set_split(struct arena *arena, struct dns *dns, const struct field_objects *asked, struct diag *why)
{
	const struct asked_split *domains = asked->list;
	size_t count = 0;

	for (size_t i = 0; i < asked->count; i++) {
		for (size_t j = 0; j < i; j++)
			if (bytes_equal(domains[i].domain, domains[j].domain))
				return diag_set(why, ERR_MALFORMED, "dns.split[%zu].domain: this domain is named twice (\"%.*s\")", i,
						BYTES_ARG(bytes_take(domains[i].domain, 100)));
		count += domains[i].resolvers.count ? domains[i].resolvers.count : 1;
		if (count > DNS_SPLIT_MAX)
			return diag_set(why, ERR_MALFORMED, "dns.split: at most %d resolvers of domains together", DNS_SPLIT_MAX);
	}
	dns->split = ARENA_ARRAY(arena, struct dns_split, count + 1);
	dns->split_count = 0;
	for (size_t i = 0; i < asked->count; i++) {
		const struct asked_resolver *resolvers = domains[i].resolvers.list;

		if (!domains[i].resolvers.count)
			dns->split[dns->split_count++] = (struct dns_split){domains[i].domain, {BYTES_NONE, false}};
		for (size_t j = 0; j < domains[i].resolvers.count; j++) {
			if (!resolvers[j].address.len)
				return diag_set(why, ERR_MALFORMED, "dns.split[%zu].resolvers[%zu].address: missing", i, j);
			dns->split[dns->split_count++] = (struct dns_split){domains[i].domain, {resolvers[j].address, resolvers[j].with_exit_node}};
		}
	}
	return ERR_NONE;
}

static void set_resolvers(struct arena *arena, struct dns *dns, const struct field_objects *asked)
{
	const struct asked_resolver *resolvers = asked->list;

	dns->resolvers = ARENA_ARRAY(arena, struct dns_resolver, asked->count + 1);
	for (size_t i = 0; i < asked->count; i++)
		dns->resolvers[i] = (struct dns_resolver){resolvers[i].address, resolvers[i].with_exit_node};
	dns->resolver_count = asked->count;
}

static void set_records(struct arena *arena, struct dns *dns, const struct field_objects *asked)
{
	const struct asked_record *records = asked->list;

	dns->records = ARENA_ARRAY(arena, struct dns_record, asked->count + 1);
	for (size_t i = 0; i < asked->count; i++)
		dns->records[i] = (struct dns_record){records[i].name, records[i].type, records[i].value};
	dns->record_count = asked->count;
}

static enum err set_dns(struct arena *arena, struct dns *dns, const struct asked_settings *a, struct diag *why)
{
	set_flag(&dns->magic, &a->magic);
	set_flag(&dns->override, &a->override);
	if (a->resolvers.present)
		set_resolvers(arena, dns, &a->resolvers);
	if (a->records.present)
		set_records(arena, dns, &a->records);
	if (a->search.present)
		dns->search = a->search.list, dns->search_count = a->search.count;
	if (a->exit_filtered.present)
		dns->exit_filtered = a->exit_filtered.list, dns->exit_filtered_count = a->exit_filtered.count;
	return a->split.present ? set_split(arena, dns, &a->split, why) : ERR_NONE;
}

static enum err set_regions(struct arena *arena, const struct field_texts *asked, const char *name, uint64_t **list, size_t *count, struct diag *why)
{
	if (!asked->present)
		return ERR_NONE;
	if (asked->count > SETTINGS_REGIONS_MAX)
		return diag_set(why, ERR_MALFORMED, "relays.%s: at most %d regions", name, SETTINGS_REGIONS_MAX);
	*list = ARENA_ARRAY(arena, uint64_t, asked->count + 1);
	*count = 0;
	for (size_t i = 0; i < asked->count; i++)
		if (text_parse_u64(asked->list[i], RELAY_REGION_ID_MAX, &(*list)[(*count)++]) || !(*list)[*count - 1])
			return diag_set(why, ERR_MALFORMED, "relays.%s[%zu]: the number of a region is wanted, 1 to %d", name, i, RELAY_REGION_ID_MAX);
	return ERR_NONE;
}

static enum err set_relays(struct arena *arena, struct settings_relays *r, const struct asked_settings *a, struct diag *why)
{
	enum err e;

	set_flag(&r->omit_shared, &a->omit_shared);
	if ((e = set_regions(arena, &a->fence, "fence", &r->fence, &r->fence_count, why)) ||
	    (e = set_regions(arena, &a->omit, "omit", &r->omit, &r->omit_count, why)))
		return e;
	return set_regions(arena, &a->no_home, "noHome", &r->no_home, &r->no_home_count, why);
}

static enum err settings_apply(const struct tailnet_change *change, struct tailnets_whole *whole, struct diag *why)
{
	const struct asked_settings *a = change->asked;
	struct tailnet *t = &whole->tailnet;
	struct settings *s = &whole->settings;

	set_flag(&t->device_approval, &a->device_approval);
	if (a->lifetime.present)
		t->key_lifetime_ms = a->lifetime.value > INT64_MAX / 1000 ? INT64_MAX : (int64_t)a->lifetime.value * 1000;
	set_flag(&s->file_sharing, &a->file_sharing);
	set_flag(&s->ssh, &a->ssh);
	set_flag(&s->auto_update, &a->auto_update);
	set_flag(&s->random_client_port, &a->random_client_port);
	set_flag(&s->client_logs, &a->client_logs);
	if (a->notice.at)
		s->notice = a->notice;
	if (a->domains.present)
		t->domains = a->domains.list, t->domain_count = a->domains.count;
	if (set_relays(change->x->arena, &s->relays, a, why))
		return ERR_MALFORMED;
	return set_dns(change->x->arena, &s->dns, a, why);
}

/* --- the answer ------------------------------------------------------------------------------------------------------------------------------------------ */

static void resolver_write(struct jsonw *w, const struct dns_resolver *resolver)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "address", resolver->address);
	jsonw_bool(w, "useWithExitNode", resolver->with_exit_node);
	jsonw_object_end(w);
}

static void split_write(struct jsonw *w, const struct dns *dns)
{
	jsonw_array(w, "split");
	for (size_t i = 0; i < dns->split_count;) {
		struct bytes domain = dns->split[i].domain;

		jsonw_object(w, NULL);
		jsonw_text(w, "domain", domain);
		jsonw_array(w, "resolvers");
		for (; i < dns->split_count && bytes_equal(dns->split[i].domain, domain); i++)
			if (dns->split[i].resolver.address.len)
				resolver_write(w, &dns->split[i].resolver);
		jsonw_array_end(w);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void texts_write(struct jsonw *w, const char *name, const struct bytes *texts, size_t count)
{
	jsonw_array(w, name);
	for (size_t i = 0; i < count; i++)
		jsonw_text(w, NULL, texts[i]);
	jsonw_array_end(w);
}

static void dns_write(struct jsonw *w, const struct dns *dns)
{
	jsonw_object(w, "dns");
	jsonw_bool(w, "magicDns", dns->magic);
	jsonw_bool(w, "overrideLocalDns", dns->override);
	jsonw_array(w, "resolvers");
	for (size_t i = 0; i < dns->resolver_count; i++)
		resolver_write(w, &dns->resolvers[i]);
	jsonw_array_end(w);
	split_write(w, dns);
	texts_write(w, "searchDomains", dns->search, dns->search_count);
	jsonw_array(w, "records");
	for (size_t i = 0; i < dns->record_count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", dns->records[i].name);
		jsonw_text(w, "type", dns->records[i].type);
		jsonw_text(w, "value", dns->records[i].value);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	texts_write(w, "exitNodeFiltered", dns->exit_filtered, dns->exit_filtered_count);
	jsonw_object_end(w);
}

static void regions_write(struct jsonw *w, const char *name, const uint64_t *list, size_t count)
{
	jsonw_array(w, name);
	for (size_t i = 0; i < count; i++)
		jsonw_uint_text(w, NULL, list[i]);
	jsonw_array_end(w);
}

static void settings_show(struct jsonw *w, const struct tailnets_whole *whole)
{
	const struct settings *s = &whole->settings;

	jsonw_object(w, "settings");
	jsonw_bool(w, "deviceApproval", whole->tailnet.device_approval);
	jsonw_int(w, "keyLifetimeSeconds", whole->tailnet.key_lifetime_ms / 1000);
	jsonw_bool(w, "fileSharing", s->file_sharing);
	jsonw_bool(w, "ssh", s->ssh);
	jsonw_bool(w, "autoUpdate", s->auto_update);
	jsonw_bool(w, "randomClientPort", s->random_client_port);
	jsonw_bool(w, "clientLogs", s->client_logs);
	jsonw_text(w, "notice", s->notice);
	texts_write(w, "domains", whole->tailnet.domains, whole->tailnet.domain_count);
	jsonw_object(w, "relays");
	regions_write(w, "fence", s->relays.fence, s->relays.fence_count);
	regions_write(w, "omit", s->relays.omit, s->relays.omit_count);
	regions_write(w, "noHome", s->relays.no_home, s->relays.no_home_count);
	jsonw_bool(w, "omitShared", s->relays.omit_shared);
	jsonw_object_end(w);
	dns_write(w, &s->dns);
	jsonw_object_end(w);
}

static struct tailnet_change *change_new(struct exchange *x, const char *detail)
{
	struct tailnet_change *t = ARENA_NEW(x->arena, struct tailnet_change);

	*t = (struct tailnet_change){.x = x, .detail = detail, .action = "settings.update", .tailnet = asker_of(x)->tailnet.id, .show = settings_show};
	return t;
}

void own_settings_get(struct exchange *x)
{
	tailnet_change_run(change_new(x, "reading settings"));
}

void own_settings_update(struct exchange *x)
{
	struct tailnet_change *t = change_new(x, "changing settings");
	struct asked_settings *asked = ARENA_NEW(x->arena, struct asked_settings);

	if (!settings_ask(x, asked, t->detail))
		return;
	t->asked = asked;
	t->apply = settings_apply;
	tailnet_change_run(t);
}
