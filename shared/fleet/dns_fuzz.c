/* DNS settings from texts of any kind: what passes the check has rows that read back the same, and values that clients can read. */
#include <stdlib.h>

#include "addr.h"
#include "dns.h"

enum { LINES_MAX = 64 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_read_back(struct arena *arena, const struct dns *dns)
{
	for (size_t i = 0; i < dns->resolver_count; i++) {
		struct dns_resolver back = dns_resolver_parse(dns_resolver_format(arena, &dns->resolvers[i]));

		must(bytes_equal(back.address, dns->resolvers[i].address) && back.with_exit_node == dns->resolvers[i].with_exit_node);
	}
	for (size_t i = 0; i < dns->split_count; i++) {
		struct dns_split back = dns_split_parse(dns_split_format(arena, &dns->split[i]));

		must(bytes_equal(back.domain, dns->split[i].domain) && bytes_equal(back.resolver.address, dns->split[i].resolver.address));
		must(back.resolver.with_exit_node == dns->split[i].resolver.with_exit_node);
	}
	for (size_t i = 0; i < dns->record_count; i++) {
		struct dns_record back = dns_record_parse(dns_record_format(arena, &dns->records[i]));
		struct ip ip;

		must(bytes_equal(back.name, dns->records[i].name) && bytes_equal(back.type, dns->records[i].type));
		must(bytes_equal(back.value, dns->records[i].value) && !ip_parse(back.value, &ip));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line each: its first byte says what it is, words are divided by commas (so that a word may hold a space). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size), line, words, first, second, third, name;
	struct dns_resolver resolvers[LINES_MAX];
	struct dns_split split[LINES_MAX];
	struct dns_record records[LINES_MAX];
	struct bytes search[LINES_MAX], filtered[LINES_MAX];
	struct dns dns = {.resolvers = resolvers, .split = split, .records = records, .search = search, .exit_filtered = filtered};
	struct arena *arena = arena_new();
	struct diag why = {0};

	for (size_t i = 0; i < LINES_MAX && rest.at; i++) {
		line = bytes_split(rest, '\n', &rest);
		words = bytes_skip(line, 1);
		first = bytes_split(words, ',', &words);
		second = bytes_split(words, ',', &words);
		third = bytes_split(words, ',', &words);
		name = first;
		switch (line.len ? line.at[0] : 0) {
		case 'o':
			dns.override = true;
			break;
		case 'r':
			resolvers[dns.resolver_count++] = (struct dns_resolver){first, second.len > 0};
			break;
		case 's':
			split[dns.split_count++] = (struct dns_split){first, {second, third.len > 0}};
			break;
		case 'd':
			search[dns.search_count++] = name;
			break;
		case 'f':
			filtered[dns.exit_filtered_count++] = name;
			break;
		default:
			records[dns.record_count++] = (struct dns_record){first, second, third};
		}
	}
	if (dns_check(&dns, &why) == ERR_NONE)
		must_read_back(arena, &dns);
	else
		must(why.text[0]);
	arena_free(&arena);
	return 0;
}
