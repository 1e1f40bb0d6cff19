/* One HTTP request to any door, as the doctor needs it: what came back, and how: status, clock, certificate, our own address.
 * Not the admin API's calls (ctl_call.h): nothing is told, refusals are findings. Texts are the run's. */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include "ctl.h"

struct ctl_probe {
	/* asked */
	const char *url, *method, *socket;
	const char *headers[6]; /* ended by NULL */
	const char *ca_file;
	bool insecure;
	bool only_connect; /* no request */
	int64_t timeout_ms;
	/* found */
	const char *error; /* NULL: an answer came (or the connection stands) */
	bool untrusted;    /* the certificate is why */
	long status;
	const char *body;      /* its first 64 KiB */
	int64_t date_s;        /* the server's clock; 0: it does not say */
	const char *local_ip;  /* ours, of that connection */
	const char *remote_ip; /* theirs */
	int64_t expires_s;     /* when the first certificate of the chain to end does; 0: none was seen */
};

void ctl_probe(struct ctl *c, struct ctl_probe *p);

#endif
