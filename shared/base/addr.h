/* IP addresses, prefixes and address:port pairs as values, with their text forms as the control protocol writes them.
 * Not a resolver and not a socket address (addr_to_sockaddr converts).
 * Plain values; nothing is owned. */
#ifndef ADDR_H
#define ADDR_H

#include <sys/socket.h>

#include "bytes.h"
#include "err.h"

enum ip_family { IP_NONE, IP_V4 = 4, IP_V6 = 6 };

struct ip {
	uint8_t family;   /* enum ip_family */
	uint8_t byte[16]; /* network order; v4 uses the first four, the rest is zero */
};

struct prefix {
	struct ip ip;
	uint8_t bits;
};

struct endpoint {
	struct ip ip;
	uint16_t port;
};

enum { IP_TEXT_MAX = 46, PREFIX_TEXT_MAX = 50, ENDPOINT_TEXT_MAX = 56 }; /* with the NUL */

/* Strict: no zone, no leading zeros, no spaces; v4-in-v6 stays v6. */
MUST_USE enum err ip_parse(struct bytes text, struct ip *ip);
MUST_USE enum err prefix_parse(struct bytes text, struct prefix *prefix);       /* "10.0.0.0/8"; a bare address gets its full length */
MUST_USE enum err endpoint_parse(struct bytes text, struct endpoint *endpoint); /* "1.2.3.4:5", "[::1]:5" */
/* RFC 5952 text; returns its length without the NUL. IP_NONE gives the empty string. */
size_t ip_format(char out[static IP_TEXT_MAX], struct ip ip);
size_t prefix_format(char out[static PREFIX_TEXT_MAX], struct prefix prefix);
size_t endpoint_format(char out[static ENDPOINT_TEXT_MAX], struct endpoint endpoint);

unsigned ip_bits(struct ip ip);        /* 32 or 128 */
struct prefix ip_prefix(struct ip ip); /* /32 or /128 */
int ip_compare(struct ip a, struct ip b);
int prefix_compare(struct prefix a, struct prefix b);
bool ip_equal(struct ip a, struct ip b);
bool endpoint_equal(struct endpoint a, struct endpoint b);
bool prefix_has(struct prefix prefix, struct ip ip);
bool prefix_overlaps(struct prefix a, struct prefix b);
struct prefix prefix_masked(struct prefix prefix); /* host bits zeroed */
struct ip ip_add(struct ip ip, uint64_t offset);   /* wraps inside the family */
struct ip ip_unmapped(struct ip ip);               /* ::ffff:1.2.3.4 is 1.2.3.4, all else itself */
bool ip_is_link_local(struct ip ip);

/* `storage` is filled; its length is returned. */
socklen_t endpoint_to_sockaddr(struct endpoint endpoint, struct sockaddr_storage *storage);
/* What a socket of both families calls ::ffff:1.2.3.4 is 1.2.3.4 here. IP_NONE for other families. */
struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa);

#endif
