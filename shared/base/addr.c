#include "addr.h"

#include <netinet/in.h>
#include <string.h>

#include "text.h"

/* Decimal without leading zeros at the start of *text, at most `max`; *text moves on. -1 when there is none. */
static int take_decimal(struct bytes *text, unsigned max)
{
	unsigned value = 0;
	size_t digits = 0;
	for (; digits < text->len && text->at[digits] >= '0' && text->at[digits] <= '9'; digits++) {
		if (digits && !value)
			return -1;
		value = value * 10 + text->at[digits] - '0';
		if (value > max)
			return -1;
	}
	*text = bytes_skip(*text, digits);
	return digits ? (int)value : -1;
}

static bool take_byte(struct bytes *text, char c)
{
	if (!text->len || text->at[0] != (uint8_t)c)
		return false;
	*text = bytes_skip(*text, 1);
	return true;
}

static bool parse_v4(struct bytes text, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		if (i && !take_byte(&text, '.'))
			return false;
		int value = take_decimal(&text, 255);
		if (value < 0)
			return false;
		out[i] = (uint8_t)value;
	}
	return !text.len;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t take_group(struct bytes *text, uint16_t *value)
{
	size_t digits = 0;
	unsigned sum = 0;
	for (; digits < text->len && digits < 4 && hex_digit(text->at[digits]) >= 0; digits++)
		sum = sum << 4 | (unsigned)hex_digit(text->at[digits]);
	*value = (uint16_t)sum;
	*text = bytes_skip(*text, digits);
	return digits;
}

static bool parse_v6(struct bytes text, uint8_t out[16])
{
	size_t have = 0, gap = SIZE_MAX;
	memset(out, 0, 16);
	if (bytes_starts(text, "::")) {
		gap = 0;
		text = bytes_skip(text, 2);
	}
	while (text.len) {
		uint16_t group;
		struct bytes before = text;
		if (have == 16 || !take_group(&text, &group))
			return false;
		if (text.len && text.at[0] == '.') {
			if (have > 12 || !parse_v4(before, out + have))
				return false;
			have += 4;
			text = BYTES_NONE;
			break;
		}
		put_be16(out + have, group);
		have += 2;
		if (!text.len)
			break;
		if (!take_byte(&text, ':') || !text.len)
			return false;
		if (text.at[0] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = have;
			text = bytes_skip(text, 1);
		}
	}
	if (gap == SIZE_MAX)
		return have == 16;
	if (have == 16)
		return false;
	memmove(out + 16 - (have - gap), out + gap, have - gap);
	memset(out + gap, 0, 16 - have);
	return true;
}

enum err ip_parse(struct bytes text, struct ip *ip)
{
	struct ip read = {0};
	if (text.len >= IP_TEXT_MAX)
		return ERR_MALFORMED;
	if (parse_v4(text, read.byte)) {
		read.family = IP_V4;
	} else {
		if (!parse_v6(text, read.byte))
			return ERR_MALFORMED;
		read.family = IP_V6;
	}
	*ip = read;
	return ERR_NONE;
}

enum err prefix_parse(struct bytes text, struct prefix *prefix)
{
	struct bytes bits, address = bytes_split(text, '/', &bits);
	struct ip ip;
	if (ip_parse(address, &ip) != ERR_NONE)
		return ERR_MALFORMED;
	int count = (int)ip_bits(ip);
	if (bits.at) {
		count = take_decimal(&bits, ip_bits(ip));
		if (count < 0 || bits.len)
			return ERR_MALFORMED;
	}
	*prefix = (struct prefix){ip, (uint8_t)count};
	return ERR_NONE;
}

enum err endpoint_parse(struct bytes text, struct endpoint *endpoint)
{
	struct bytes port, address;
	enum ip_family family = IP_V4;
	if (take_byte(&text, '[')) {
		family = IP_V6;
		address = bytes_split(text, ']', &port);
		if (!take_byte(&port, ':'))
			return ERR_MALFORMED;
	} else {
		address = bytes_split(text, ':', &port);
	}
	struct ip ip;
	if (ip_parse(address, &ip) != ERR_NONE || ip.family != family)
		return ERR_MALFORMED;
	int number = take_decimal(&port, UINT16_MAX);
	if (number < 0 || port.len)
		return ERR_MALFORMED;
	*endpoint = (struct endpoint){ip, (uint16_t)number};
	return ERR_NONE;
}

/* Digits without a NUL, here and below. */
static char *put_byte(char *p, unsigned value)
{
	if (value >= 100)
		*p++ = (char)('0' + value / 100);
	if (value >= 10)
		*p++ = (char)('0' + value / 10 % 10);
	*p++ = (char)('0' + value % 10);
	return p;
}

static char *put_group(char *p, unsigned value)
{
	unsigned shift = value >= 0x1000 ? 12 : value >= 0x100 ? 8 : value >= 0x10 ? 4 : 0;
	for (;; shift -= 4) {
		*p++ = "0123456789abcdef"[value >> shift & 15];
		if (!shift)
			return p;
	}
}

static char *put_v4(char *p, const uint8_t *b)
{
	p = put_byte(p, b[0]);
	for (int i = 1; i < 4; i++) {
		*p++ = '.';
		p = put_byte(p, b[i]);
	}
	return p;
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952, section 4.2). */
static void longest_run(const uint8_t *b, int *from, int *count)
{
	*from = *count = 0;
	for (int i = 0; i < 8; i++) {
		int run = 0;
		while (i + run < 8 && !get_be16(b + (i + run) * 2))
			run++;
		if (run > 1 && run > *count) {
			*from = i;
			*count = run;
		}
		i += run;
	}
}

static bool is_mapped(const uint8_t *b)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return !memcmp(b, mapped, sizeof(mapped));
}

static char *put_v6(char *p, const uint8_t *b)
{
	if (is_mapped(b))
		return put_v4(stpcpy(p, "::ffff:"), b + 12);
	int from, count;
	longest_run(b, &from, &count);
	for (int i = 0; i < 8; i++) {
		if (count && i == from) {
			*p++ = ':';
			*p++ = ':';
			i += count - 1;
			continue;
		}
		if (i && i != from + count)
			*p++ = ':';
		p = put_group(p, get_be16(b + i * 2));
	}
	return p;
}

static char *put_ip(char *p, struct ip ip)
{
	if (ip.family == IP_V4)
		return put_v4(p, ip.byte);
	return ip.family == IP_V6 ? put_v6(p, ip.byte) : p;
}

static size_t finish(char *out, char *end)
{
	*end = 0;
	return (size_t)(end - out);
}

size_t ip_format(char out[static IP_TEXT_MAX], struct ip ip)
{
	return finish(out, put_ip(out, ip));
}

size_t prefix_format(char out[static PREFIX_TEXT_MAX], struct prefix prefix)
{
	char *p = put_ip(out, prefix.ip);
	if (p == out)
		return finish(out, p);
	*p++ = '/';
	return finish(out, put_byte(p, prefix.bits));
}

size_t endpoint_format(char out[static ENDPOINT_TEXT_MAX], struct endpoint endpoint)
{
	bool v6 = endpoint.ip.family == IP_V6;
	char *p = out;
	if (v6)
		*p++ = '[';
	p = put_ip(p, endpoint.ip);
	if (p == out)
		return finish(out, p);
	if (v6)
		*p++ = ']';
	*p++ = ':';
	char digits[U64_DIGITS_MAX];
	size_t len = text_put_u64(digits, endpoint.port);
	memcpy(p, digits, len);
	return finish(out, p + len);
}

unsigned ip_bits(struct ip ip)
{
	return ip.family == IP_V4 ? 32 : ip.family == IP_V6 ? 128 : 0;
}

struct prefix ip_prefix(struct ip ip)
{
	return (struct prefix){ip, (uint8_t)ip_bits(ip)};
}

int ip_compare(struct ip a, struct ip b)
{
	if (a.family != b.family)
		return a.family < b.family ? -1 : 1;
	return memcmp(a.byte, b.byte, sizeof(a.byte));
}

int prefix_compare(struct prefix a, struct prefix b)
{
	int order = ip_compare(a.ip, b.ip);
	return order ? order : (a.bits > b.bits) - (a.bits < b.bits);
}

bool ip_equal(struct ip a, struct ip b)
{
	return !ip_compare(a, b);
}

bool endpoint_equal(struct endpoint a, struct endpoint b)
{
	return a.port == b.port && ip_equal(a.ip, b.ip);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

bool prefix_has(struct prefix prefix, struct ip ip)
{
	return ip.family != IP_NONE && prefix.ip.family == ip.family && same_bits(prefix.ip.byte, ip.byte, prefix.bits);
}

bool prefix_overlaps(struct prefix a, struct prefix b)
{
	return a.bits <= b.bits ? prefix_has(a, b.ip) : prefix_has(b, a.ip);
}

struct prefix prefix_masked(struct prefix prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = prefix.bits > i * 8 ? prefix.bits - i * 8 : 0;
		if (keep < 8)
			prefix.ip.byte[i] &= (uint8_t)(0xff00 >> keep);
	}
	return prefix;
}

struct ip ip_add(struct ip ip, uint64_t offset)
{
	unsigned carry = 0;
	for (unsigned i = ip_bits(ip) / 8; i-- && (offset || carry);) {
		unsigned sum = ip.byte[i] + (unsigned)(offset & 0xff) + carry;
		ip.byte[i] = (uint8_t)sum;
		carry = sum >> 8;
		offset >>= 8;
	}
	return ip;
}

bool ip_is_link_local(struct ip ip)
{
	if (ip.family == IP_V4)
		return ip.byte[0] == 169 && ip.byte[1] == 254;
	return ip.family == IP_V6 && ip.byte[0] == 0xfe && (ip.byte[1] & 0xc0) == 0x80;
}

socklen_t endpoint_to_sockaddr(struct endpoint endpoint, struct sockaddr_storage *storage)
{
	memset(storage, 0, sizeof(*storage));
	if (endpoint.ip.family == IP_V4) {
		struct sockaddr_in *in = (struct sockaddr_in *)storage;
		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint.port);
		memcpy(&in->sin_addr, endpoint.ip.byte, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(endpoint.port);
	memcpy(&in6->sin6_addr, endpoint.ip.byte, 16);
	return sizeof(*in6);
}

struct ip ip_unmapped(struct ip ip)
{
	struct ip v4 = {.family = IP_V4};
	if (ip.family != IP_V6 || !is_mapped(ip.byte))
		return ip;
	memcpy(v4.byte, ip.byte + 12, 4);
	return v4;
}

struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa)
{
	struct endpoint endpoint = {0};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		endpoint.ip.family = IP_V4;
		memcpy(endpoint.ip.byte, &in->sin_addr, 4);
		endpoint.port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		endpoint.ip.family = IP_V6;
		memcpy(endpoint.ip.byte, in6->sin6_addr.s6_addr, 16);
		endpoint.ip = ip_unmapped(endpoint.ip);
		endpoint.port = ntohs(in6->sin6_port);
	}
	return endpoint;
}
