/* What one probe of one relay found, and how it is said to coordinators.
 * Not the probing (pairprobe.h).
 * Plain values. Source of the members: docs/protocol/derp.md, probes. */
#ifndef FIGURE_H
#define FIGURE_H

#include "clock.h"
#include "jsonw.h"

enum figure_kind {
	FIGURE_NONE, /* not measured */
	FIGURE_OK,
	FIGURE_UNREACHABLE, /* its name, or TCP */
	FIGURE_TLS,
	FIGURE_PROTOCOL, /* HTTP, or what comes before our key is said */
	FIGURE_REFUSED,  /* ended once our key was said: not admitted */
	FIGURE_SILENT,   /* nothing came once our key was said */
	FIGURE_LOST,     /* what was sent did not come back */
	FIGURE_KIND_COUNT
};

extern const char *const figure_kinds[FIGURE_KIND_COUNT + 1];

enum { FIGURE_UNKNOWN = -1 };

/* Times in microseconds; FIGURE_UNKNOWN: not measured. */
struct figure {
	uint64_t to;
	struct mono at;
	enum figure_kind relay, stun, mesh;
	int64_t connect_us; /* TCP, TLS, HTTP and DERP's handshake, or as far as an unwilling relay's /derp/probe */
	int64_t trip_us;    /* of a packet to itself */
	int64_t stun_us, mesh_us;
};

struct figure figure_new(uint64_t to);
bool figure_is_good(const struct figure *figure);
void figure_write(struct jsonw *w, const struct figure *figure, struct mono now);

#endif
