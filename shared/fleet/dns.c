#include "dns.h"

#include <string.h>

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
