/* Route table -> guard -> handler. A program has one table, ended by a member without path.
 * Not the handlers. Static data; nothing is owned. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "exchange.h"

struct route {
	enum method method;
	const char *path; /* "/api/v1/node/{id}/rename/{name}"; a last "{*}" takes the rest */
	unsigned doors;   /* enum door, ored */
	/* NULL: open. Answers a refusal itself, or calls dispatch_pass(x), at once or later. */
	void (*guard)(struct exchange *x);
	void (*handler)(struct exchange *x);
	size_t body_max; /* 0: the default of 1 MiB */
};

/* Finds the route, the first in the table that fits, and runs it; replies 404 or 405 (with Allow) by itself. HEAD falls to GET. */
void dispatch(const struct route *table, struct exchange *x);
void dispatch_pass(struct exchange *x);
/* The body cap that applies to a request head, before its body is read. */
size_t dispatch_body_max(const struct route *table, enum door door, enum method method, struct bytes path);

#endif
