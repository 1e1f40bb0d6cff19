/* What this process uses of the machine, as the kernel tells: descriptors, memory, time.
 * Not counted here (base/metric.h), and not of other processes.
 * Nothing is owned. Source of the names: Prometheus, "Writing client libraries", process metrics. */
#ifndef SELFSTAT_H
#define SELFSTAT_H

#include "buffer.h"

struct selfstat {
	int64_t open_fds, max_fds;      /* max -1: no limit */
	int64_t resident, virtual_size; /* bytes */
	int64_t virtual_max;            /* -1: no limit */
	double cpu_s, started_unix_s, boot_unix_s;
};

/* Now; what cannot be read is 0. Descriptors are counted anew every 10 s at most where that costs a walk. From any thread. */
struct selfstat selfstat_read(void);
/* As Prometheus text, with the customary names (process_open_fds and so on). */
MUST_USE enum err selfstat_write(struct buffer *out);

#endif
