/* The relay fleet's life: a lease in Redis for each relay that announces itself, and the duty that moves the relay map by what leases say.
 * Not what is in the map (rows: store/relays.h) and not the door (relayreg.h).
 * The first worker of each coordinator owns a relayfleet. Source: docs/protocol/derp.md, maps when relays come and go. */
#ifndef RELAYFLEET_H
#define RELAYFLEET_H

#include "coordinator.h"

enum {
	RELAYFLEET_LEASE_SECONDS = 15,
	RELAYFLEET_MAX = 4096 /* relays that are looked at: 16 whole regions; of more nothing is said */
};

struct relayfleet;

struct relayfleet *relayfleet_new(struct coordinator *c);
void relayfleet_free(struct relayfleet **fleet); /* accepts NULL */
/* The relay is alive now, and the home of so many clients. Any worker. */
void relayfleet_heard(struct coordinator *c, uint64_t relay, uint64_t homes);
/* What relays told of themselves last: their leases. Answered once, never before the call returned. ERR_UNAVAILABLE: nobody knows. */
struct relayfleet_lease {
	uint64_t relay, homes;
};
typedef void (*relayfleet_fn)(void *context, enum err e, const struct relayfleet_lease *leases, size_t count);
void relayfleet_leases(struct coordinator *c, relayfleet_fn on_leases, void *context);

#endif
