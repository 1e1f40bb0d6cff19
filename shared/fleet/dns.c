#include "dns.h"

#include <string.h>

#include "addr.h"
#include "text.h"

struct dns_resolver dns_resolver_parse(struct bytes text)
{
	struct bytes rest, address = bytes_split(text, ' ', &rest);

	return (struct dns_resolver){address, bytes_equal_text(rest, "exit")};
}

struct dns_split dns_split_parse(struct bytes text)
{
	struct bytes rest, domain = bytes_split(text, ' ', &rest);

	return (struct dns_split){domain, dns_resolver_parse(rest)};
}

struct dns_record dns_record_parse(struct bytes text)
{
	struct bytes rest, value, name = bytes_split(text, ' ', &rest), type = bytes_split(rest, ' ', &value);

	return (struct dns_record){name, type, value};
}

/* The words, one space between them. Words that are empty at the end are left out. */
static struct bytes join(struct arena *arena, const struct bytes *words, size_t count)
{
	size_t len = 0, at = 0;
	uint8_t *text;

	for (size_t i = 0; i < count; i++)
		len += words[i].len + 1;
	text = arena_alloc(arena, len + 1);
	for (size_t i = 0; i < count && (i == 0 || words[i].len); i++) {
		if (i)
			text[at++] = ' ';
		if (words[i].len)
			memcpy(text + at, words[i].at, words[i].len);
		at += words[i].len;
	}
	return bytes_of(text, at);
}

static struct bytes exit_word(const struct dns_resolver *resolver)
{
	return resolver->with_exit_node ? BYTES("exit") : BYTES("");
}

struct bytes dns_resolver_format(struct arena *arena, const struct dns_resolver *resolver)
{
	return join(arena, (struct bytes[]){resolver->address, exit_word(resolver)}, 2);
}

struct bytes dns_split_format(struct arena *arena, const struct dns_split *split)
{
	return join(arena, (struct bytes[]){split->domain, split->resolver.address, exit_word(&split->resolver)}, 3);
}

struct bytes dns_record_format(struct arena *arena, const struct dns_record *record)
{
	return join(arena, (struct bytes[]){record->name, record->type, record->value}, 3);
}

/* --- checks -------------------------------------------------------------------------------------------------------------------------------------------- */

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

const char *dns_name_fault(struct bytes name)
{
	struct bytes rest = name, label;

	if (!name.len || name.len > DNS_NAME_MAX)
		return "a DNS name has 1 to 253 bytes";
	do {
		label = bytes_split(rest, '.', &rest);
		if (!label.len)
			return "a DNS name neither begins nor ends with a dot and holds no two in a row";
		if (label.len > 63)
			return "a label of a DNS name has at most 63 bytes";
		for (size_t i = 0; i < label.len; i++)
			if (!is_plain(label.at[i]) && label.at[i] != '-')
				return "a DNS name holds only lower-case letters, digits, hyphens, underscores and dots";
		if (label.at[0] == '-' || label.at[label.len - 1] == '-')
			return "a label of a DNS name neither begins nor ends with a hyphen";
	} while (rest.at);
	return NULL;
}

/* The client's own resolver: it would ask itself. */
static bool is_own_resolver(struct ip ip)
{
	static const struct ip own4 = {IP_V4, {100, 100, 100, 100}};
	static const struct ip own6 = {IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 0x53}};

	return ip_equal(ip, own4) || ip_equal(ip, own6);
}

static const char *address_fault(struct endpoint at)
{
	static const uint8_t none[16];

	if (!memcmp(at.ip.byte, none, sizeof none) || (at.ip.family == IP_V4 ? at.ip.byte[0] >= 224 : at.ip.byte[0] == 0xff))
		return "no machine has this address";
	if (is_own_resolver(at.ip))
		return "this is the client's own resolver, which would ask itself";
	return at.port ? NULL : "a port is 1 to 65535";
}

static const char *authority_fault(struct bytes authority)
{
	struct bytes port, host;
	struct endpoint at;
	uint64_t number;

	if (bytes_starts(authority, "["))
		return endpoint_parse(authority, &at) == ERR_NONE ||
				       (authority.at[authority.len - 1] == ']' && !ip_parse(bytes_of(authority.at + 1, authority.len - 2), &at.ip))
			       ? NULL
			       : "the host of this URL is no IPv6 address";
	host = bytes_split(authority, ':', &port);
	if (port.at && (text_parse_u64(port, UINT16_MAX, &number) || !number))
		return "the port of this URL is not 1 to 65535";
	return dns_name_fault(host) ? "the host of this URL is no lower-case DNS name" : NULL;
}

static const char *url_fault(struct bytes url)
{
	struct bytes path;

	if (url.len > DNS_URL_MAX)
		return "a URL has at most 512 bytes";
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= ' ' || url.at[i] >= 0x7f || strchr("\"<>\\^`{|}#@", url.at[i]))
			return "a URL here holds neither spaces nor a user, a fragment or what must be escaped";
	return authority_fault(bytes_split(bytes_skip(url, strlen("https://")), '/', &path));
}

/* NULL, or what is wrong with the address of a resolver. */
static const char *resolver_fault(struct bytes address)
{
	struct endpoint at = {.port = 53};

	if (bytes_starts(address, "https://"))
		return url_fault(address);
	if (ip_parse(address, &at.ip) == ERR_NONE || endpoint_parse(address, &at) == ERR_NONE)
		return address_fault(at);
	return "a resolver is an IP address, IP:port, or an https:// URL";
}

static enum err fault(struct diag *why, const char *place, size_t index, const char *member, struct bytes value, const char *sentence)
{
	return diag_set(why, ERR_MALFORMED, "dns.%s[%zu]%s: %s (\"%.*s\")", place, index, member, sentence, BYTES_ARG(bytes_take(value, 100)));
}

static enum err check_count(size_t count, size_t most, const char *place, struct diag *why)
{
	return count > most ? diag_set(why, ERR_MALFORMED, "dns.%s: at most %zu lines, not %zu", place, most, count) : ERR_NONE;
}

static enum err check_resolvers(const struct dns *dns, struct diag *why)
{
	enum err e = check_count(dns->resolver_count, DNS_RESOLVERS_MAX, "resolvers", why);

	for (size_t i = 0; !e && i < dns->resolver_count; i++) {
		struct bytes address = dns->resolvers[i].address;
		const char *sentence = resolver_fault(address);

		for (size_t j = 0; !sentence && j < i; j++)
			if (bytes_equal(address, dns->resolvers[j].address))
				sentence = "this resolver is named twice";
		if (sentence)
			e = fault(why, "resolvers", i, ".address", address, sentence);
	}
	if (!e && dns->override && !dns->resolver_count)
		e = diag_set(why, ERR_MALFORMED,
			     "dns.overrideLocalDns: there is no resolver that could take the place of the machine's own: give dns.resolvers");
	return e;
}

static enum err split_fault(struct diag *why, size_t domain, size_t resolver, struct bytes address, const char *sentence)
{
	return diag_set(why, ERR_MALFORMED, "dns.split[%zu].resolvers[%zu].address: %s (\"%.*s\")", domain, resolver, sentence,
			BYTES_ARG(bytes_take(address, 100)));
}

/* The resolver of line `at`; its domain's lines begin with line `first`. */
static enum err check_split_resolver(const struct dns *dns, size_t domain, size_t first, size_t at, struct diag *why)
{
	const struct dns_split *line = &dns->split[at];
	struct bytes address = line->resolver.address;
	const char *sentence;

	if (!address.len && line->resolver.with_exit_node)
		return split_fault(why, domain, at - first, address, "a resolver has an address");
	if (at > first && !address.len != !dns->split[first].resolver.address.len)
		return fault(why, "split", domain, "", line->domain, "a domain that clients answer by themselves has no resolvers");
	if (at > first && !address.len)
		return fault(why, "split", domain, "", line->domain, "this domain is named twice");
	sentence = address.len ? resolver_fault(address) : NULL;
	for (size_t i = first; !sentence && i < at; i++)
		if (bytes_equal(address, dns->split[i].resolver.address))
			sentence = "this resolver is named twice";
	return sentence ? split_fault(why, domain, at - first, address, sentence) : ERR_NONE;
}

/* Lines of one domain stand together: places are told as the admin API writes them, domains with their resolvers. */
static enum err check_split(const struct dns *dns, struct diag *why)
{
	enum err e = check_count(dns->split_count, DNS_SPLIT_MAX, "split", why);
	size_t domain = 0, first = 0;

	for (size_t i = 0; !e && i < dns->split_count; i++) {
		const char *sentence = NULL;

		if (i && !bytes_equal(dns->split[i].domain, dns->split[i - 1].domain))
			domain++, first = i;
		if (i == first)
			sentence = dns_name_fault(dns->split[i].domain);
		for (size_t j = 0; !sentence && i == first && j < i; j++)
			if (bytes_equal(dns->split[i].domain, dns->split[j].domain))
				sentence = "this domain is named twice";
		e = sentence ? fault(why, "split", domain, ".domain", dns->split[i].domain, sentence) : check_split_resolver(dns, domain, first, i, why);
	}
	return e;
}

/* suffixes: a name may begin with a dot. */
static enum err check_names(const struct bytes *names, size_t count, size_t most, bool suffixes, const char *place, struct diag *why)
{
	enum err e = check_count(count, most, place, why);

	for (size_t i = 0; !e && i < count; i++) {
		const char *sentence = dns_name_fault(suffixes && bytes_starts(names[i], ".") ? bytes_skip(names[i], 1) : names[i]);

		for (size_t j = 0; !sentence && j < i; j++)
			if (bytes_equal(names[i], names[j]))
				sentence = "this name is given twice";
		if (sentence)
			e = fault(why, place, i, "", names[i], sentence);
	}
	return e;
}

static enum err check_record(const struct dns_record *record, size_t i, struct diag *why)
{
	const char *sentence = dns_name_fault(record->name);
	int family = bytes_equal_text(record->type, "A") ? IP_V4 : IP_V6;
	struct ip ip;

	if (sentence)
		return fault(why, "records", i, ".name", record->name, sentence);
	if (family == IP_V6 && !bytes_equal_text(record->type, "AAAA"))
		return fault(why, "records", i, ".type", record->type, "clients answer records of type A and AAAA and ignore all others");
	if (ip_parse(record->value, &ip) || ip.family != family)
		return fault(why, "records", i, ".value", record->value,
			     family == IP_V4 ? "the value of an A record is an IPv4 address" : "the value of an AAAA record is an IPv6 address");
	return ERR_NONE;
}

static enum err check_records(const struct dns *dns, struct diag *why)
{
	enum err e = check_count(dns->record_count, DNS_RECORDS_MAX, "records", why);

	for (size_t i = 0; !e && i < dns->record_count; i++) {
		const struct dns_record *record = &dns->records[i];

		e = check_record(record, i, why);
		for (size_t j = 0; !e && j < i; j++)
			if (bytes_equal(record->name, dns->records[j].name) && bytes_equal(record->value, dns->records[j].value))
				e = fault(why, "records", i, "", record->name, "this record is given twice");
	}
	return e;
}

enum err dns_check(const struct dns *dns, struct diag *why)
{
	enum err e = check_resolvers(dns, why);

	if (!e)
		e = check_split(dns, why);
	if (!e)
		e = check_names(dns->search, dns->search_count, DNS_SEARCH_MAX, false, "searchDomains", why);
	if (!e)
		e = check_records(dns, why);
	return e ? e : check_names(dns->exit_filtered, dns->exit_filtered_count, DNS_FILTERED_MAX, true, "exitNodeFiltered", why);
}
