/* Announcements: whatever they say of probes, what is kept is within its caps and can become rows. */
#include <stdlib.h>

#include "jsonr.h"
#include "probereport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct relayprobe *p)
{
	const uint64_t us[] = {p->connect_us, p->trip_us, p->stun_us, p->mesh_us};

	if (!p->to || p->to > INT64_MAX || p->age_ms > 24 * 3600 * 1000 || !p->relay.len || !p->stun.at || !p->mesh.at)
		abort();
	for (unsigned i = 0; i < 4; i++)
		if (us[i] > 1000 * 1000 * 1000)
			abort();
	if (!probereport_sentence(p->relay).len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body = NULL;
	struct arena *arena = arena_new();

	if (!jsonr_parse(bytes_of(data, size), 1 << 16, &body, NULL) && json_is_object(body)) {
		struct probereport report;
		struct diag why = {0};

		probereport_decode(body, arena, &report, &why);
		if (report.count > RELAYPROBES_MAX || (!report.probing && (report.count || report.wants_peers)))
			abort();
		for (size_t i = 0; i < report.count; i++)
			check(&report.probes[i]);
	}
	json_decref(body);
	arena_free(&arena);
	return 0;
}
