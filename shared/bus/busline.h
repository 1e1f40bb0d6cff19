/* One connection to Redis: where to, connecting, AUTH and SELECT, then replies in order.
 * Not reconnecting and not knowing who asked (bus.c): a line that went down stays so.
 * Its user owns it; busline_close ends it without a further callback, legal inside callbacks; frees at the end of the turn. */
#ifndef BUSLINE_H
#define BUSLINE_H

#include "addr.h"
#include "loop.h"

struct redisReply;

enum { BUS_NAME_MAX = 256 };

struct bus_target {
	char path[108];          /* of a unix socket; empty: TCP */
	char host[BUS_NAME_MAX]; /* a name to resolve; empty: `at` */
	struct endpoint at;      /* with a host: only the port */
	char password[BUS_NAME_MAX];
	unsigned database;
};

MUST_USE enum err bus_target_parse(struct bytes url, struct bus_target *target, struct diag *why);

struct busline;

struct busline_events {
	void (*on_up)(void *context);                                    /* greeted; never before busline_open returned */
	void (*on_reply)(void *context, const struct redisReply *reply); /* borrowed */
	void (*on_down)(void *context, enum err why);                    /* once; still to be closed */
};

struct busline *busline_open(struct loop *loop, const struct bus_target *target, const struct busline_events *events, void *context);
void busline_close(struct busline **line);
/* Gathered until the end of the turn. */
void busline_command(struct busline *line, size_t argc, const struct bytes *argv);
struct mono busline_heard(const struct busline *line);

#endif
