#include "proxyline.h"

#include "text.h"

enum {
	V1_MAX = 107,
	V2_HEAD = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V4_LEN = 12,
	V6_LEN = 36,
	TYPE_SSL = 0x20,
	CLIENT_SSL = 0x01
};

static const uint8_t SIGNATURE[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static bool begins(struct bytes in, const void *with, size_t len)
{
	return memcmp(in.at, with, in.len < len ? in.len : len) == 0;
}

static unsigned number16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* ---- version 1: "PROXY TCP4 1.2.3.4 5.6.7.8 1000 443\r\n" ---- */

static enum err parse_port(struct bytes text, uint16_t *port)
{
	uint64_t number;
	if (text_parse_u64(text, UINT16_MAX, &number))
		return ERR_MALFORMED;
	*port = (uint16_t)number;
	return ERR_NONE;
}

static enum err parse_line(struct bytes text, struct proxyline *line)
{
	struct bytes rest, family = bytes_split(text, ' ', &rest);
	if (bytes_equal_text(family, "UNKNOWN"))
		return ERR_NONE;
	unsigned wanted = bytes_equal_text(family, "TCP4") ? IP_V4 : bytes_equal_text(family, "TCP6") ? IP_V6 : IP_NONE;
	struct bytes source = bytes_split(rest, ' ', &rest), target = bytes_split(rest, ' ', &rest), source_port = bytes_split(rest, ' ', &rest);
	if (!rest.at || ip_parse(source, &line->source.ip) || ip_parse(target, &line->target.ip) || parse_port(source_port, &line->source.port) ||
	    parse_port(rest, &line->target.port))
		return ERR_MALFORMED;
	if (line->source.ip.family != wanted || line->target.ip.family != wanted)
		return ERR_MALFORMED;
	line->source.ip = ip_unmapped(line->source.ip);
	line->target.ip = ip_unmapped(line->target.ip);
	line->known = true;
	return ERR_NONE;
}

static enum err decode_text(struct bytes in, struct proxyline *line, size_t *used)
{
	static const char WORD[] = "PROXY ";
	const size_t word = sizeof(WORD) - 1;
	size_t most = in.len < V1_MAX ? in.len : V1_MAX, end = 0;
	if (!begins(in, WORD, word))
		return ERR_MALFORMED;
	while (end < most && in.at[end] != '\n')
		end++;
	if (end == most)
		return most == V1_MAX ? ERR_MALFORMED : ERR_AGAIN;
	if (end < word + 1 || in.at[end - 1] != '\r')
		return ERR_MALFORMED;
	*used = end + 1;
	return parse_line(bytes_of(in.at + word, end - 1 - word), line);
}

/* ---- version 2 ---- */

static struct endpoint read_endpoint(unsigned family, const uint8_t *address, const uint8_t *port)
{
	struct endpoint endpoint = {.ip = {.family = (uint8_t)family}, .port = (uint16_t)number16(port)};
	memcpy(endpoint.ip.byte, address, family == IP_V4 ? 4 : 16);
	endpoint.ip = ip_unmapped(endpoint.ip);
	return endpoint;
}

/* Type, length, value, to the end of the header. */
static enum err read_extras(struct bytes extras, struct proxyline *line)
{
	while (extras.len) {
		if (extras.len < 3 || number16(extras.at + 1) > extras.len - 3)
			return ERR_MALFORMED;
		size_t len = number16(extras.at + 1);
		if (extras.at[0] == TYPE_SSL && len >= 5)
			line->secure = extras.at[3] & CLIENT_SSL;
		extras = bytes_of(extras.at + 3 + len, extras.len - 3 - len);
	}
	return ERR_NONE;
}

static enum err read_body(unsigned command, unsigned family, struct bytes body, struct proxyline *line)
{
	if (command == V2_LOCAL)
		return ERR_NONE;
	/* Datagrams and unix sockets come before no TCP door of ours. */
	if (family != V2_TCP4 && family != V2_TCP6)
		return family ? ERR_MALFORMED : ERR_NONE;
	bool is_v4 = family == V2_TCP4;
	size_t address = is_v4 ? 4 : 16, len = is_v4 ? V4_LEN : V6_LEN;
	if (body.len < len)
		return ERR_MALFORMED;
	line->source = read_endpoint(is_v4 ? IP_V4 : IP_V6, body.at, body.at + 2 * address);
	line->target = read_endpoint(is_v4 ? IP_V4 : IP_V6, body.at + address, body.at + 2 * address + 2);
	line->known = true;
	return read_extras(bytes_of(body.at + len, body.len - len), line);
}

static enum err decode_binary(struct bytes in, struct proxyline *line, size_t *used)
{
	if (!begins(in, SIGNATURE, sizeof(SIGNATURE)))
		return ERR_MALFORMED;
	if (in.len > 12 && in.at[12] != V2_LOCAL && in.at[12] != V2_PROXY)
		return ERR_MALFORMED;
	if (in.len < V2_HEAD)
		return ERR_AGAIN;
	size_t len = number16(in.at + 14);
	if (V2_HEAD + len > PROXYLINE_MAX)
		return ERR_TOO_BIG;
	if (in.len < V2_HEAD + len)
		return ERR_AGAIN;
	*used = V2_HEAD + len;
	return read_body(in.at[12], in.at[13], bytes_of(in.at + V2_HEAD, len), line);
}

enum err proxyline_decode(struct bytes in, struct proxyline *line, size_t *used)
{
	*line = (struct proxyline){0};
	*used = 0;
	if (!in.len)
		return ERR_AGAIN;
	return in.at[0] == SIGNATURE[0] ? decode_binary(in, line, used) : decode_text(in, line, used);
}
