/* One request and its reply, whatever carried it: h2o on a door, or HTTP/2 inside Noise.
 * Not routing (dispatch.h). A handler replies exactly once, also when the client has gone meanwhile (then it just ends the exchange).
 * The carrier owns the exchange; its memory and arena stay until the end of the turn of the reply, and, for streams, of on_gone or exchange_end. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "addr.h"
#include "arena.h"
#include "body.h"
#include "key.h"
#include "loop.h"

enum method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE };
enum door { DOOR_CLIENTS = 1, DOOR_NOISE = 2, DOOR_ADMIN = 4, DOOR_SOCKET = 8, DOOR_OPERATIONS = 16, DOOR_RELAY = 32 };
enum { EXCHANGE_PARAMS_MAX = 4, EXCHANGE_HOST_MAX = 255 + 6 };

struct route;
struct carrier;

struct exchange {
	const struct carrier *carrier;
	struct arena *arena;
	struct loop *loop;
	void *program; /* the worker's program state */
	void *owner;   /* the carrier's own (session, h2o request) */
	enum door door;
	enum method method;
	struct bytes path, query, body;           /* path raw, without query */
	struct bytes params[EXCHANGE_PARAMS_MAX]; /* of the route's {names}, percent-decoded */
	struct endpoint peer;              /* who is at the other end, behind proxies that are trusted; inside Noise: of the connection that carries it */
	struct bytes host;                 /* host[:port] that the client dialled, as it says; likewise. Empty when it says nothing that could be one */
	bool secure;                       /* it dialled https; likewise */
	const char *tls;                   /* of the connection itself: "TLSv1.3"; NULL: none */
	const struct machine_key *machine; /* proven by Noise; NULL elsewhere */
	uint16_t capver;                   /* of the Noise initiation */
	const struct route *route;
	unsigned refusal; /* NULL route: why the table found none (dispatch.h) */
	void *guard;      /* what the guard found (who is asking); in the arena */
	bool gone;        /* the client is not there any more */
	bool answered;
	uint64_t id; /* for logs and audits; random */
};

/* A request header by lower-case name; BYTES_NONE when absent. */
struct bytes exchange_header(const struct exchange *x, const char *name);
/* A query parameter, percent-decoded into the arena; at == NULL when absent. */
struct bytes exchange_query(struct exchange *x, const char *name);

/* Adds a reply header; before exchange_reply or exchange_stream. Texts are copied. */
void exchange_add_header(struct exchange *x, const char *name, struct bytes value);
/* The whole answer, copied. `type` NULL: no content type. */
void exchange_reply(struct exchange *x, unsigned status, const char *type, struct bytes body);
void exchange_reply_json(struct exchange *x, unsigned status, struct bytes json);
void exchange_reply_text(struct exchange *x, unsigned status, const char *text);
void exchange_reply_error(struct exchange *x, enum err e, const struct diag *why); /* plain text, status by the code */
unsigned exchange_status_of(enum err e);

/* A reply without a known end. Events come on the loop; none before exchange_stream returned. */
struct exchange_events {
	void (*on_room)(void *context);               /* all pieces were taken (sealed and given to the connection): the next may come */
	void (*on_gone)(void *context, enum err why); /* reset or lost: the exchange ends after this returns; never after exchange_end */
};
/* Status and headers go out at once. */
void exchange_stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context);
/* May pieces be given now? */
bool exchange_ready(const struct exchange *x);
/* One frame of several pieces, references taken; only when exchange_ready. */
void exchange_send(struct exchange *x, struct body *const *pieces, size_t count);
/* Ends the stream (END_STREAM) after what was sent; the exchange is gone afterwards. */
void exchange_end(struct exchange *x);
/* Ends it as broken (RST_STREAM INTERNAL_ERROR). */
void exchange_abort(struct exchange *x);

/* May this be x->host? A name, an IPv4 or a bracketed IPv6 address, with or without a port; nothing that could end a URL or a header. */
bool exchange_host_ok(struct bytes host);

/* What a carrier implements. Private to http. */
struct carrier {
	struct bytes (*header)(const struct exchange *x, const char *name);
	void (*add_header)(struct exchange *x, const char *name, struct bytes value);
	void (*reply)(struct exchange *x, unsigned status, const char *type, struct bytes body);
	void (*stream)(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context);
	bool (*ready)(const struct exchange *x);
	void (*send)(struct exchange *x, struct body *const *pieces, size_t count);
	void (*end)(struct exchange *x, bool broken);
};

#endif
