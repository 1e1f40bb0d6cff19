/* What a relay counts.
 * Not the counters themselves (base/metric.h).
 * Static; registered once by the daemon. Byte counters hold packet payloads only, without keys, headers and TLS. */
#ifndef METRICS_RELAY_H
#define METRICS_RELAY_H

#include "metric.h"

enum relay_metric {
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
	RELAY_PACKETS_DROPPED,
	RELAY_BYTES_DROPPED,
	RELAY_PACKETS_CROSSED,
	RELAY_GOT_PING,
	RELAY_SENT_PONG,
	RELAY_PEER_GONE,
	RELAY_HOME_MOVES_IN,
	RELAY_HOME_MOVES_OUT,
	RELAY_WRITE_TIMEOUTS,
	RELAY_UNKNOWN_FRAMES,
	RELAY_RATE_WAITS,
	RELAY_VERDICTS,
	RELAY_ANNOUNCEMENTS,
	RELAY_STUN_REQUESTS,
	RELAY_STUN_FAMILY,
	RELAY_METRIC_COUNT
};

enum relay_kind { RELAY_KIND_OTHER, RELAY_KIND_DISCO };
enum relay_drop { RELAY_DROP_UNKNOWN_DEST, RELAY_DROP_GONE, RELAY_DROP_QUEUE_HEAD, RELAY_DROP_QUEUE_TAIL, RELAY_DROP_CROSSING };
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

static inline void relay_count(enum relay_metric metric, int64_t amount)
{
	metric_add(&relay_metrics[metric], amount);
}
static inline void relay_count_at(enum relay_metric metric, unsigned value, int64_t amount)
{
	metric_add_at(&relay_metrics[metric], value, amount);
}

#endif
