/* Names that live while they are renewed: a set of names, and a key per name that expires and holds a value.
 * Not what the names mean (presence.h, roster.h).
 * Each call is one atomic script in Redis. */
#ifndef LEASE_H
#define LEASE_H

#include "bus.h"

struct lease_kind {
	const char *set;     /* key of the set of names */
	const char *prefix;  /* of the key of a name */
	const char *channel; /* where a change is said */
	int64_t lease_ms;
};

enum { LEASE_NAME_MAX = 64, LEASE_VALUE_MAX = 64 };

/* Letters, digits, "-_.:", 1 to LEASE_NAME_MAX of them. */
bool lease_name_is_good(struct bytes name);
/* Takes or renews; says `message` when the value was not that before. */
void lease_take(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes value, struct bytes message, bus_reply_fn on_reply,
		void *context);
/* Renews only what is there: the reply is the number 1, else 0. */
void lease_renew(struct bus *bus, const struct lease_kind *kind, struct bytes name, bus_reply_fn on_reply, void *context);
/* Ends it at once and says `message`. */
void lease_drop(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes message);
/* All that live: lease_count and lease_at read the reply. Names whose key expired leave the set. */
void lease_list(struct bus *bus, const struct lease_kind *kind, bus_reply_fn on_reply, void *context);
size_t lease_count(const struct redisReply *reply);
/* False where it is not well-formed. */
bool lease_at(const struct redisReply *reply, size_t i, struct bytes *name, struct bytes *value);

#endif
