/* The indexes of a resolver over a roll: addresses, routes, users, tags.
 * Not what an alias means (resolve.c). Private to the module.
 * Everything lives in the resolver's arena but the tables, which resolver_clear ends. */
#ifndef ROLLCALL_H
#define ROLLCALL_H

#include "resolve.h"

/* Users under one name, chained. */
struct named {
	uint32_t user;
	struct named *next;
};

void rollcall_addresses(struct resolver *r);
void rollcall_routes(struct resolver *r); /* after addresses */
void rollcall_users(struct resolver *r);
void rollcall_tags(struct resolver *r);
void rollcall_again(struct resolver *r); /* users and tags */
/* Whether an approved subnet route holds the address. */
bool rollcall_is_behind(const struct resolver *r, struct ip ip);
struct bytes rollcall_text(struct resolver *r, struct ip ip);

#endif
