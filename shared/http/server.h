/* The h2o front of one loop: doors (listeners) with their route table; HTTP/1.1 only, plain, TLS (reloaded on change) or unix socket.
 * Not HTTP/2: that is h2pipe, inside Noise. Caps: head 400 KiB (h2o), body by route, connections per door, request time.
 * The worker owns it; server_free after drain. */
#ifndef SERVER_H
#define SERVER_H

#include "dispatch.h"
#include "forwarded.h"
#include "metric.h"

struct server;

struct server_limits {
	size_t connections; /* per door and loop; more are closed at once */
	/* NULL: all. Asked with the program about each connection that is accepted at a door that is no socket file; false: it is closed at once. */
	bool (*may_come)(void *program, enum door door);
	int64_t request_ms;     /* slow heads, slow bodies, idle keep-alive */
	struct trusted proxies; /* whose X-Forwarded-* and PROXY headers are believed */
	enum door counted;      /* at which these count connections, when they are given: */
	const struct metric *accepted, *rejected;
};

struct server *server_new(struct loop *loop, const struct route *table, const struct server_limits *limits, void *program);
/* TLS when certificate and key (PEM files, or as many of both by commas: a client gets the pair for the host that it names) are given; looked at again every few seconds, a bad new pair keeps the old and logs. */
MUST_USE enum err server_listen(struct server *server, enum door door, struct endpoint at, const char *certificate, const char *key, struct diag *why);
/* A further certificate (DER), shown last with each chain of the doors that are opened afterwards; borrowed until server_free. */
void server_show_certificate(struct server *server, struct bytes der);
/* From now on connections that a trusted proxy opens at the doors of this address must begin with a PROXY header (proxyline.h); others stand for themselves. */
void server_expect_proxyline(struct server *server, struct endpoint at);
MUST_USE enum err server_listen_unix(struct server *server, enum door door, const char *path, unsigned mode, struct diag *why);
/* The port actually bound (for port 0); first listener of that door; IP_NONE when there is none. */
struct endpoint server_endpoint(const struct server *server, enum door door);
size_t server_connections(const struct server *server);                 /* that are not handed over, at all doors */
void server_set_connections(struct server *server, size_t connections); /* the limit; those beyond it stay */
/* Drain: accepts what waits, then closes the listeners; requests finish, idle connections end, and a door goes with the last of its own. Doors may be opened again. */
void server_stop_listening(struct server *server);
/* Breaks what is open: streams hear on_gone, an answer that is still owed is then given to nobody. Handed-over pipes live on.
 * Runs the loop's I/O for a moment, hence not from within a handler. */
void server_free(struct server **server);

#endif
