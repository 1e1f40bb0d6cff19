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

/* Finds the route, one that spells the path out before one with {names}, and runs it. HEAD falls to GET. None: 404, 405 (with Allow), 400 (the path is not well encoded)
 * by the handler of the table's last member, which reads x->refusal; without one as plain text. */
void dispatch(const struct route *table, struct exchange *x);
/* Refuses in the same way what never came to a route: 413. */
void dispatch_refuse(const struct route *table, struct exchange *x, unsigned status);
void dispatch_pass(struct exchange *x);
/* The body cap that applies to a request head, before its body is read. */
size_t dispatch_body_max(const struct route *table, enum door door, enum method method, struct bytes path);

#endif
