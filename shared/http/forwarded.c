#include "forwarded.h"

#include <ctype.h>

#include "exchange.h"

/* ---- the list ---- */

static bool is_gap(uint8_t c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

static struct bytes next_word(struct bytes *rest)
{
	size_t at = 0, end;
	while (at < rest->len && is_gap(rest->at[at]))
		at++;
	for (end = at; end < rest->len && !is_gap(rest->at[end]);)
		end++;
	struct bytes word = bytes_of(rest->at + at, end - at);
	*rest = bytes_of(rest->at + end, rest->len - end);
	return word;
}

enum err trusted_parse(struct bytes text, struct trusted *trusted, struct diag *why)
{
	struct bytes word;
	*trusted = (struct trusted){0};
	while (text.len && (word = next_word(&text)).len) {
		struct prefix *p = &trusted->list[trusted->count];
		if (trusted->count == TRUSTED_MAX)
			return diag_set(why, ERR_TOO_BIG, "at most %d prefixes of proxies can be trusted", TRUSTED_MAX);
		if (prefix_parse(word, p))
			return diag_set(why, ERR_MALFORMED, "\"%.*s\" is no address or prefix", BYTES_ARG(word));
		if (!p->bits)
			return diag_set(why, ERR_MALFORMED, "%.*s would trust everybody: name the addresses of your proxies", BYTES_ARG(word));
		*p = prefix_masked(*p);
		trusted->count++;
	}
	return ERR_NONE;
}

bool trusted_has(const struct trusted *trusted, struct ip ip)
{
	for (size_t i = 0; i < trusted->count; i++)
		if (prefix_has(trusted->list[i], ip))
			return true;
	return false;
}

/* ---- the headers ---- */

static struct bytes trim(struct bytes b)
{
	while (b.len && (b.at[0] == ' ' || b.at[0] == '\t'))
		b = bytes_of(b.at + 1, b.len - 1);
	while (b.len && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
		b.len--;
	return b;
}

/* Takes the last value off a list. */
static struct bytes take_last(struct bytes *list)
{
	size_t at = list->len;
	while (at && list->at[at - 1] != ',')
		at--;
	struct bytes last = trim(bytes_of(list->at + at, list->len - at));
	list->len = at ? at - 1 : 0;
	return last;
}

/* "1.2.3.4", "1.2.3.4:5", "::1", "[::1]", "[::1]:5". */
static enum err parse_hop(struct bytes text, struct endpoint *hop)
{
	*hop = (struct endpoint){0};
	enum err e = ip_parse(text, &hop->ip);
	if (e && text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		e = ip_parse(bytes_of(text.at + 1, text.len - 2), &hop->ip);
	if (e)
		e = endpoint_parse(text, hop);
	hop->ip = ip_unmapped(hop->ip);
	return e;
}

static bool walk(const struct trusted *trusted, struct bytes addresses, struct endpoint *peer)
{
	struct endpoint hop;
	for (unsigned i = 0; addresses.len && trusted_has(trusted, peer->ip); i++) {
		if (i == FORWARDED_HOPS_MAX || parse_hop(take_last(&addresses), &hop))
			return false;
		*peer = hop;
	}
	return true;
}

static bool equals_ignoring_case(struct bytes a, const char *lower)
{
	if (a.len != strlen(lower))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (tolower(a.at[i]) != lower[i])
			return false;
	return true;
}

static bool read_proto(struct bytes list, bool *secure)
{
	if (!list.len)
		return true;
	struct bytes proto = take_last(&list);
	bool is_https = equals_ignoring_case(proto, "https") || equals_ignoring_case(proto, "wss");
	if (!is_https && !equals_ignoring_case(proto, "http") && !equals_ignoring_case(proto, "ws"))
		return false;
	*secure = is_https;
	return true;
}

static bool read_host(struct bytes list, struct bytes *host)
{
	if (!list.len)
		return true;
	struct bytes last = take_last(&list);
	if (!exchange_host_ok(last))
		return false;
	*host = last;
	return true;
}

bool forwarded_apply(const struct trusted *trusted, const struct forwarded *said, struct origin *origin)
{
	if (!trusted_has(trusted, origin->peer.ip))
		return true;
	bool proto_ok = read_proto(said->proto, &origin->secure);
	bool host_ok = read_host(said->host, &origin->host);
	return walk(trusted, said->addresses, &origin->peer) && proto_ok && host_ok;
}
