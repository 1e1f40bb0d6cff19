#include "dnsjson.h"

static void write_resolver(struct jsonw *w, const struct dns_resolver *resolver, bool with_exit_node)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "Addr", resolver->address);
	if (resolver->with_exit_node && with_exit_node)
		jsonw_bool(w, "UseWithExitNode", true);
	jsonw_object_end(w);
}

/* With override they take the place of what the machine has; without, they only stand in where an exit node cannot resolve. */
static void write_resolvers(struct jsonw *w, const struct dns *dns, bool with_exit_node)
{
	if (!dns->resolver_count)
		return;
	jsonw_array(w, dns->override ? "Resolvers" : "FallbackResolvers");
	for (size_t i = 0; i < dns->resolver_count; i++)
		if (dns->resolvers[i].address.len)
			write_resolver(w, &dns->resolvers[i], with_exit_node);
	jsonw_array_end(w);
}

static bool named_before(const struct dns *dns, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (bytes_equal(dns->split[i].domain, dns->split[at].domain))
			return true;
	return false;
}

/* Lines of one domain become one list; a line without a resolver is the empty list: the client answers by itself. */
static void write_routes(struct jsonw *w, const struct dns *dns, bool with_exit_node)
{
	if (!dns->split_count)
		return;
	jsonw_object(w, "Routes");
	for (size_t i = 0; i < dns->split_count; i++) {
		if (!dns->split[i].domain.len || named_before(dns, i))
			continue;
		jsonw_key(w, dns->split[i].domain);
		jsonw_array(w, NULL);
		for (size_t j = i; j < dns->split_count; j++)
			if (bytes_equal(dns->split[j].domain, dns->split[i].domain) && dns->split[j].resolver.address.len)
				write_resolver(w, &dns->split[j].resolver, with_exit_node);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

static void write_records(struct jsonw *w, const struct dns *dns)
{
	if (!dns->record_count)
		return;
	jsonw_array(w, "ExtraRecords");
	for (size_t i = 0; i < dns->record_count; i++) {
		const struct dns_record *record = &dns->records[i];
		jsonw_object(w, NULL);
		jsonw_text(w, "Name", record->name);
		jsonw_text(w, "Type", record->type);
		jsonw_text(w, "Value", record->value);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void write_texts(struct jsonw *w, const struct bytes *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].len)
			jsonw_text(w, NULL, list[i]);
	jsonw_array_end(w);
}

void dnsjson_write(struct jsonw *w, const char *name, const struct dns *dns, struct bytes domain, bool with_exit_node)
{
	jsonw_object(w, name);
	write_resolvers(w, dns, with_exit_node);
	write_routes(w, dns, with_exit_node);
	jsonw_array(w, "Domains");
	jsonw_text(w, NULL, domain);
	write_texts(w, dns->search, dns->search_count);
	if (dns->magic)
		jsonw_bool(w, "Proxied", true);
	write_records(w, dns);
	if (dns->exit_filtered_count) {
		jsonw_array(w, "ExitNodeFilteredSet");
		write_texts(w, dns->exit_filtered, dns->exit_filtered_count);
	}
	jsonw_object_end(w);
}
