/* What a relay counts.
 * Not the counters themselves (base/metric.h).
 * Static; registered once by the daemon. Byte counters hold packet payloads only, without keys, headers and TLS. */
#ifndef METRICS_RELAY_H
#define METRICS_RELAY_H

#include "metric.h"

enum relay_metric {
	RELAY_INFO,
	RELAY_ACCEPTS,
	RELAY_WEBSOCKETS,
	RELAY_HANDSHAKE_FAILURES,
	RELAY_CONNECTIONS,
	RELAY_HOME_CONNECTIONS,
	RELAY_NOT_IDEAL,
	RELAY_KEYS,
	RELAY_DUP_KEYS,
	RELAY_DUP_CONNECTIONS,
	RELAY_DUP_TOTAL,
	RELAY_PACKETS_RECEIVED,
	RELAY_BYTES_RECEIVED,
	RELAY_PACKETS_SENT,
	RELAY_BYTES_SENT,
	RELAY_DISCONNECTS,
	RELAY_PACKETS_DROPPED,
	RELAY_BYTES_DROPPED,
	RELAY_CONTROL_DROPPED,
	RELAY_PACKETS_CROSSED,
	RELAY_GOT_PING,
	RELAY_SENT_PONG,
	RELAY_PEER_GONE,
	RELAY_HOME_MOVES_IN,
	RELAY_HOME_MOVES_OUT,
	RELAY_WRITE_TIMEOUTS,
	RELAY_UNKNOWN_FRAMES,
	RELAY_BAD_FRAMES,
	RELAY_RATE_WAITS,
	RELAY_TAILNET_WAITS,
	RELAY_REFUSED,
	RELAY_VERDICTS,
	RELAY_ANNOUNCEMENTS,
	RELAY_ANSWERS_UNSIGNED,
	RELAY_STUN_REQUESTS,
	RELAY_STUN_FAMILY,
	RELAY_SIBLINGS,
	RELAY_WATCHERS,
	RELAY_REMOTE_KEYS,
	RELAY_FORWARDED_IN,
	RELAY_FORWARDED_OUT,
	RELAY_PROBES, /* by enum figure_kind; one more: a part of it */
	RELAY_PROBE_SECONDS,
	RELAY_PROBE_GOOD,
	RELAY_LINK_ENDS,
	RELAY_MULTI_CREATED,
	RELAY_MULTI_DELETED,
	RELAY_ROUTE_STRANGE,
	RELAY_ROUTES_LEFT_OUT,
	RELAY_MESH_BATCH,
	RELAY_MESH_LOOPS,
	RELAY_WRITE_FRAMES,
	RELAY_TCP_RTT,
	RELAY_TLS_ACTIVE,
	RELAY_TLS_REQUESTS,
	RELAY_DOOR_ACCEPTED,
	RELAY_DOOR_REJECTED,
	RELAY_BOOTSTRAP_REQUESTS,
	RELAY_BOOTSTRAP_ANSWERS,
	RELAY_BOOTSTRAP_NAMES,
	RELAY_METRIC_COUNT
};

enum relay_kind { RELAY_KIND_OTHER, RELAY_KIND_DISCO };
/* Why a packet was dropped. The first seven are those of the stock relay. */
enum relay_drop {
	RELAY_DROP_UNKNOWN_DEST,        /* nobody has that key */
	RELAY_DROP_UNKNOWN_DEST_ON_FWD, /* likewise, and a sibling thought that we had */
	RELAY_DROP_GONE,                /* it waited for a connection that ended */
	RELAY_DROP_QUEUE_HEAD,          /* a newer one took its place */
	RELAY_DROP_QUEUE_TAIL,          /* there was no room for it */
	RELAY_DROP_WRITE_ERROR,         /* given to a connection that broke before it took it */
	RELAY_DROP_DUP_CLIENT,          /* never here: the last one of a key's connections that spoke is the active one */
	RELAY_DROP_CROSSING,            /* another thread is too far behind */
	RELAY_DROP_MEMORY,              /* limits.memory */
	RELAY_DROP_COUNT
};
/* Why a connection ended that never proved a key. */
enum relay_fail {
	RELAY_FAIL_NO_UPGRADE,
	RELAY_FAIL_NOT_WEBSOCKET,
	RELAY_FAIL_STARTING,
	RELAY_FAIL_DRAIN,
	RELAY_FAIL_LIMIT_HANDSHAKES,
	RELAY_FAIL_LIMIT_MEMORY,
	RELAY_FAIL_TIMEOUT,
	RELAY_FAIL_FRAME,
	RELAY_FAIL_BOX,
	RELAY_FAIL_CLOSED,
	RELAY_FAIL_BROKEN,
	RELAY_FAIL_NONE /* it did not fail */
};
/* Why a connection ended that had proven its key. */
enum relay_end {
	RELAY_END_CLOSED,        /* by the client */
	RELAY_END_BROKEN,        /* reset, or not TLS any more */
	RELAY_END_SILENT,        /* what was sent is not acknowledged */
	RELAY_END_WRITE_TIMEOUT, /* it takes nothing */
	RELAY_END_BAD_FRAME,
	RELAY_END_NOT_ADMITTED,
	RELAY_END_REVOKED, /* admitted once, and not any more */
	RELAY_END_LIMIT_CONNECTIONS,
	RELAY_END_DUPLICATES,  /* of its key: too many */
	RELAY_END_MISSED_NEWS, /* a sibling that could not hear all of them */
	RELAY_END_CLOSE_PEER,  /* a sibling wants it */
	RELAY_END_DRAIN,
	RELAY_END_SHUTDOWN,
	RELAY_END_INTERNAL
};
/* Why a connection was closed as soon as it was accepted. */
enum relay_refused { RELAY_REFUSED_RATE, RELAY_REFUSED_MEMORY };
enum relay_link { RELAY_LINK_DIALING, RELAY_LINK_GREETING, RELAY_LINK_PROVING, RELAY_LINK_UP };
enum relay_announcement { RELAY_ANNOUNCEMENT_FAILED, RELAY_ANNOUNCEMENT_TAKEN, RELAY_ANNOUNCEMENT_REFUSED };
enum relay_tls { RELAY_TLS_12, RELAY_TLS_13, RELAY_TLS_NONE };
enum relay_bootstrap { RELAY_BOOTSTRAP_PUBLISHED_HIT, RELAY_BOOTSTRAP_PUBLISHED_MISS, RELAY_BOOTSTRAP_HIDDEN_HIT, RELAY_BOOTSTRAP_HIDDEN_MISS };
enum relay_bad { RELAY_BAD_LENGTH, RELAY_BAD_FORBIDDEN };
enum relay_gone { RELAY_GONE_DISCONNECTED, RELAY_GONE_NOT_HERE };
enum relay_verdict {
	RELAY_VERDICT_ALLOWED,
	RELAY_VERDICT_REFUSED,
	RELAY_VERDICT_GRACE,
	RELAY_VERDICT_FAIL_OPEN,
	RELAY_VERDICT_NO_ANSWER,
	RELAY_VERDICT_OVERLOAD
};
enum relay_stun { RELAY_STUN_SUCCESS, RELAY_STUN_NOT_STUN, RELAY_STUN_READ_ERROR, RELAY_STUN_WRITE_ERROR, RELAY_STUN_LIMITED };

extern struct metric relay_metrics[RELAY_METRIC_COUNT + 1];

const char *relay_fail_text(enum relay_fail why);
const char *relay_end_text(enum relay_end why);
void relay_count_drop(enum relay_drop reason, bool disco, int64_t packets, int64_t bytes);
/* Of a text as OpenSSL gives it; NULL: none. */
enum relay_tls relay_tls_version(const char *text);
/* A value of one of the histograms of numbers: RELAY_MESH_BATCH, RELAY_MESH_LOOPS, RELAY_WRITE_FRAMES; microseconds for RELAY_TCP_RTT. */
void relay_observe(enum relay_metric metric, unsigned value);
static inline void relay_count(enum relay_metric metric, int64_t amount)
{
	metric_add(&relay_metrics[metric], amount);
}
static inline void relay_count_at(enum relay_metric metric, unsigned value, int64_t amount)
{
	metric_add_at(&relay_metrics[metric], value, amount);
}

#endif
