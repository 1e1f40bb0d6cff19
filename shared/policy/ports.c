#include "reading.h"

static bool is_all_digits(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return text.len > 0;
}

/* Leading zeros are legal. */
static bool parse_small(struct bytes text, unsigned max, unsigned *value)
{
	unsigned n = 0;
	if (!is_all_digits(text))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((n = n * 10 + (text.at[i] - '0')) > max)
			return false;
	*value = n;
	return true;
}

static const char *parse_range(struct bytes text, struct port_range *range)
{
	unsigned first, last;
	struct bytes rest, more, begin;
	if (bytes_equal_text(text, "*")) {
		*range = (struct port_range){0, 65535};
		return NULL;
	}
	begin = bytes_split(text, '-', &rest);
	if (rest.at && (bytes_split(rest, '-', &more), more.at))
		return "too many dashes(-)";
	if (!parse_small(begin, 65535, &first))
		return "invalid first integer";
	last = first;
	if (rest.at && !parse_small(rest, 65535, &last))
		return "invalid last integer";
	if (!first)
		return "first port must be >0, or use '*' for wildcard";
	if (first > last)
		return "first port must be >= last port";
	*range = (struct port_range){(uint16_t)first, (uint16_t)last};
	return NULL;
}

const char *ports_parse(struct arena *arena, struct bytes text, bool many, struct port_range **ports, size_t *count)
{
	size_t most = 1;
	for (size_t i = 0; many && i < text.len; i++)
		most += text.at[i] == ',';
	*ports = ARENA_ARRAY(arena, struct port_range, most);
	*count = 0;
	if (!text.len)
		return "invalid port list: \"\"";
	for (struct bytes rest = text; rest.at;) {
		struct bytes one = many ? bytes_split(rest, ',', &rest) : rest;
		const char *wrong = one.len ? parse_range(one, &(*ports)[*count]) : "invalid port list: \"\"";
		if (wrong)
			return wrong;
		++*count;
		if (!many)
			break;
	}
	return NULL;
}

bool proto_parse(struct bytes text, int *proto)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"", PROTO_ABSENT}, {"icmp", 1},    {"icmpv4", 1}, {"igmp", 2},   {"ipv4", 4}, {"ip-in-ip", 4}, {"tcp", 6},
		     {"egp", 8},         {"igp", 9},     {"udp", 17},   {"dccp", 33},  {"gre", 47}, {"esp", 50},     {"ah", 51},
		     {"ipv6-icmp", 58},  {"icmpv6", 58}, {"tsmp", 99},  {"sctp", 132}, {"fc", 133}};
	unsigned number;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (bytes_equal_nocase(text, known[i].name))
			return *proto = known[i].number, true;
	if (!parse_small(text, 255, &number))
		return false;
	*proto = (int)number;
	return true;
}

bool proto_has_ports(int proto)
{
	return proto == PROTO_ABSENT || proto == 6 || proto == 17 || proto == 132;
}

bool split_last(struct bytes text, struct bytes *before, struct bytes *after)
{
	for (size_t i = text.len; i-- > 0;)
		if (text.at[i] == ':') {
			*before = bytes_take(text, i);
			*after = bytes_skip(text, i + 1);
			return true;
		}
	return false;
}
