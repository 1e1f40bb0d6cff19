/* What server.c and upgrade.c share about an exchange that h2o carries, and the TLS half of a door.
 * Not for other modules, and not for h2pipe.
 * A front_exchange frees itself at the end of the turn in which it was answered. */
#ifndef FRONT_H
#define FRONT_H

#include "loop_h2o.h"
#include "server.h"

/* One accepted connection, until its socket closes: as HTTP, or as a pipe after an upgrade. */
struct front_connection {
	struct list link;
	struct server_door *door; /* NULL when the server is gone */
	h2o_socket_t *sock;
	bool served; /* at least one request came */
	bool upgraded;
	bool told, secure; /* a PROXY header told, and what */
	struct endpoint peer;
};

struct front_exchange {
	struct exchange x;
	h2o_generator_t generator; /* streams */
	h2o_req_t *req;            /* NULL when h2o has disposed of it, or when it was answered */
	struct front_tether *tether;
	struct list link; /* among the server's open exchanges */
	struct defer ending;
	/* Streams: what is being sent, and what is wanted next. */
	const struct exchange_events *events;
	void *context;
	struct body **sending;
	size_t sending_count;
	bool streaming, in_flight, end_wanted, abort_wanted;
	struct defer telling;
	/* Upgrades. */
	size_t in_cap;
	void (*on_pipe)(void *context, struct pipe *pipe);
};

/* It is a pipe from now on. */
void front_hand_over(struct front_connection *connection);
/* Is this exchange h2o's? NULL otherwise. */
struct front_exchange *front_of(struct exchange *x);
/* A request that is complete becomes an exchange, open among `open`. */
struct front_exchange *front_begin(h2o_req_t *req, struct list *open);
/* What the connection's PROXY header, and then the request's X-Forwarded-* headers say of the client. False: those were malformed. */
bool front_believe(struct front_exchange *f, const struct front_connection *c, const struct trusted *proxies);
/* The server goes away: answers what is not answered yet, as if the client had gone. */
void front_cut(struct front_exchange *f);
struct endpoint front_peer(const struct front_connection *c); /* of the socket itself */
void front_add_header(h2o_req_t *req, const char *name, struct bytes value);
/* h2o may dispose of the request from now on without being a loss. */
h2o_req_t *front_untie(struct front_exchange *f);
/* Frees at the end of this turn. */
void front_end(struct front_exchange *f);
const char *front_reason(unsigned status);

/* ---- TLS of a door ---- */
enum { FRONT_RETIRED_MAX = 96, FRONT_PAIRS_MAX = 16 };

struct front_tls {
	char *certificate, *key; /* files, by commas: the first pair for whoever names no other's host */
	struct bytes last;       /* DER, behind each chain; borrowed */
	uint64_t seen;           /* what stat says of all files, mixed */
	bool doubtful;           /* what was seen was no good, at the first look */
	SSL_CTX *context;
	/* h2o keeps a borrowed context for a connection until its ClientHello has come: replaced ones live on for longer than a handshake may take. */
	struct front_retired {
		SSL_CTX *context;
		int64_t since_ms;
	} retired[FRONT_RETIRED_MAX];
	unsigned retired_count;
};

MUST_USE enum err front_tls_open(struct front_tls *tls, const char *certificate, const char *key, struct bytes last, struct diag *why);
/* Looks at the files; a good new pair replaces the old, one that is bad at two looks is logged once. */
void front_tls_refresh(struct front_tls *tls);
void front_tls_close(struct front_tls *tls);

#endif
