/* Findings of `fleetscale doctor`: what was looked at, how it is, what to do.
 * Not the looking: database and Redis in ctl_doctor.c, servers and relays in ctl_doctor_server.c. The run owns all. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_FAILED, FINDING_SKIPPED };

struct doctor {
	struct ctl *c;
	json_t *checks; /* [{"check", "status", "finding", "advice"}] */
	enum finding worst;
	const char *login_server; /* NULL: not known */
	int64_t timeout_ms;
};

/* advice "": nothing is to do. */
void doctor_note(struct doctor *d, const char *check, enum finding finding, const char *advice, const char *format, ...) PRINTF(5, 6);
/* A clock that differs from ours; seconds are ahead of ours. */
void doctor_note_clock(struct doctor *d, const char *whose, double ahead_s);

void doctor_see_server(struct doctor *d);  /* the admin door: answers, whoami, clock, proxy headers */
void doctor_see_clients(struct doctor *d); /* the clients door: name, TLS, /health /key /version, upgrade */
void doctor_see_relays(struct doctor *d);

#endif
