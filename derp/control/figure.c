#include "figure.h"

const char *const figure_kinds[FIGURE_KIND_COUNT + 1] = {
	[FIGURE_NONE] = "",
	[FIGURE_OK] = "ok",
	[FIGURE_UNREACHABLE] = "unreachable",
	[FIGURE_TLS] = "tls",
	[FIGURE_PROTOCOL] = "protocol",
	[FIGURE_REFUSED] = "refused",
	[FIGURE_SILENT] = "silent",
	[FIGURE_LOST] = "lost",
};

struct figure figure_new(uint64_t to)
{
	return (struct figure){.to = to, .connect_us = FIGURE_UNKNOWN, .trip_us = FIGURE_UNKNOWN, .stun_us = FIGURE_UNKNOWN, .mesh_us = FIGURE_UNKNOWN};
}

bool figure_is_good(const struct figure *f)
{
	return f->relay == FIGURE_OK && f->stun <= FIGURE_OK && f->mesh <= FIGURE_OK;
}

static void write_kind(struct jsonw *w, const char *name, enum figure_kind kind)
{
	if (kind)
		jsonw_string(w, name, figure_kinds[kind]);
}

static void write_ms(struct jsonw *w, const char *name, int64_t us)
{
	if (us != FIGURE_UNKNOWN)
		jsonw_double(w, name, (double)us / 1000);
}

void figure_write(struct jsonw *w, const struct figure *f, struct mono now)
{
	jsonw_object(w, NULL);
	jsonw_uint(w, "To", f->to);
	jsonw_int(w, "AgeMs", now.ms - f->at.ms);
	write_kind(w, "Relay", f->relay);
	write_ms(w, "ConnectMs", f->connect_us);
	write_ms(w, "TripMs", f->trip_us);
	write_kind(w, "STUN", f->stun);
	write_ms(w, "STUNMs", f->stun_us);
	write_kind(w, "Mesh", f->mesh);
	write_ms(w, "MeshMs", f->mesh_us);
	jsonw_object_end(w);
}
