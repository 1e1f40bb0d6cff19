/* DNS settings of a tailnet: what its clients are told to resolve, and by whom.
 * Not their wire form (mapper/sections.h) and not their rows (store).
 * Texts and lists live in the arena of whoever read them. Source: docs/protocol/dns.md (tailscale tailcfg DNSConfig). */
#ifndef DNS_H
#define DNS_H

#include "arena.h"
#include "err.h"

enum {
	DNS_RESOLVERS_MAX = 16,
	DNS_SPLIT_MAX = 128,
	DNS_SEARCH_MAX = 32,
	DNS_RECORDS_MAX = 1024,
	DNS_FILTERED_MAX = 256,
	DNS_NAME_MAX = 253,
	DNS_URL_MAX = 512
};

struct dns_resolver {
	struct bytes address; /* IP, IP:port, or an https:// URL of DNS over HTTPS (clients ask well-known ones alone) */
	bool with_exit_node;  /* used while an exit node is, too */
};

/* One resolver of a domain; the lines of one domain stand together. */
struct dns_split {
	struct bytes domain;
	struct dns_resolver resolver; /* address empty: the client answers by itself */
};

struct dns_record {
	struct bytes name, type, value; /* type "A" or "AAAA": clients ignore all others */
};

struct dns {
	bool magic;    /* names of nodes resolve */
	bool override; /* resolvers take the place of those that the machine has; else they are only used for split domains and where none are */
	struct dns_resolver *resolvers;
	struct dns_split *split;
	struct bytes *search, *exit_filtered;
	struct dns_record *records;
	size_t resolver_count, split_count, search_count, exit_filtered_count, record_count;
};

/* Every value, every cap, and what contradicts itself: ERR_MALFORMED, and the sentence begins with the place of the first fault ("dns.records[2].value: ...").
 * Names are lower-case, without a dot at the end. */
MUST_USE enum err dns_check(const struct dns *dns, struct diag *why);
/* Labels of letters, digits, inner hyphens and underscores, divided by dots, all lower-case, at most DNS_NAME_MAX bytes. NULL, or what is wrong. */
const char *dns_name_fault(struct bytes name);

/* Their texts in rows (0015_settings.sql). Parsing never fails: what is malformed shows as an empty member and is passed over by readers. */
struct dns_resolver dns_resolver_parse(struct bytes text);
struct dns_split dns_split_parse(struct bytes text);
struct dns_record dns_record_parse(struct bytes text);
struct bytes dns_resolver_format(struct arena *arena, const struct dns_resolver *resolver);
struct bytes dns_split_format(struct arena *arena, const struct dns_split *split);
struct bytes dns_record_format(struct arena *arena, const struct dns_record *record);

#endif
