#include "done.h"
#include "guard.h"
#include "own_relays.h"
#include "page.h"
#include "probereport.h"
#include "problem.h"
#include "relaystate.h"

struct probes_task {
	struct exchange *x;
	unsigned relays, probes;
	struct page page;
};

static const char detail[] = "listing relay probes";

static void write_kind(struct jsonw *w, const char *name, struct bytes kind)
{
	if (kind.len)
		jsonw_text(w, name, kind);
	else
		jsonw_null(w, name);
}

static void write_ms(struct jsonw *w, const char *name, uint64_t us)
{
	if (us)
		jsonw_double(w, name, (double)us / 1000);
	else
		jsonw_null(w, name);
}

static bool failed(struct bytes kind)
{
	return kind.len && !bytes_equal_text(kind, "ok");
}

static struct bytes part_sentence(struct arena *arena, const char *part, struct bytes kind)
{
	struct bytes said = probereport_sentence(kind);

	return bytes_text(arena_format(arena, "%s: %.*s", part, BYTES_ARG(said)));
}

/* What failed first, from the ground up. */
static void write_error(struct jsonw *w, struct arena *arena, const struct relayprobe *p)
{
	if (failed(p->relay))
		jsonw_text(w, "error", probereport_sentence(p->relay));
	else if (failed(p->stun))
		jsonw_text(w, "error", part_sentence(arena, "STUN", p->stun));
	else if (failed(p->mesh))
		jsonw_text(w, "error", part_sentence(arena, "mesh", p->mesh));
	else
		jsonw_null(w, "error");
}

static void probe_write(struct jsonw *w, struct arena *arena, const struct relay *from, const struct relayprobe *p)
{
	jsonw_object(w, NULL);
	jsonw_uint_text(w, "fromId", from->id);
	jsonw_text(w, "fromName", from->node.name);
	jsonw_uint(w, "fromRegionId", from->region);
	jsonw_string(w, "fromState", relaystate_text(relaystate_of(from)));
	jsonw_uint_text(w, "toId", p->to);
	jsonw_text(w, "toName", p->to_name);
	jsonw_uint(w, "toRegionId", p->to_region);
	jsonw_time(w, "at", p->at);
	write_kind(w, "relay", p->relay);
	write_ms(w, "connectMs", p->connect_us);
	write_ms(w, "tripMs", p->trip_us);
	write_kind(w, "stun", p->stun);
	write_ms(w, "stunMs", p->stun_us);
	write_kind(w, "mesh", p->mesh);
	write_ms(w, "meshMs", p->mesh_us);
	write_error(w, arena, p);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	static const struct relayprobe none;
	struct probes_task *t = context;
	const struct relayprobe *last;
	struct answer answer;
	struct relay *relays;
	struct relayprobe *probes;
	size_t relay_count, count, from = 0;

	if (e) {
		problem_reply_err(t->x, e, detail, why);
		return;
	}
	relay_count = relays_read(tx, t->relays, t->x->arena, &relays);
	count = relayprobes_read(tx, t->probes, t->x->arena, &probes);
	answer_start(&answer);
	jsonw_array(&answer.w, "probes");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++) {
		while (from < relay_count && relays[from].id != probes[i].from)
			from++;
		if (from < relay_count)
			probe_write(&answer.w, t->x->arena, &relays[from], &probes[i]);
	}
	jsonw_array_end(&answer.w);
	last = t->page.shown ? &probes[t->page.shown - 1] : &none;
	page_write_next_pair(&answer.w, t->x, &t->page, last->from, last->to);
	answer_send(&answer, t->x, detail);
}

void own_relay_probes_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct probes_task *t = ARENA_NEW(x->arena, struct probes_task);
	struct tx *tx;

	t->x = x;
	if (!page_read_pairs(x, &t->page, detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->relays = relays_of_probes(tx, t->page.after, t->page.within, page_want(&t->page));
	t->probes = relayprobes_page(tx, t->page.after, t->page.within, page_want(&t->page));
	tx_run(tx, on_listed, t);
}
