#include "act_relay.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "own.h"
#include "page.h"
#include "problem.h"

struct relay_task {
	struct exchange *x;
	const char *detail;
	unsigned row, regions;
	struct secret secret;
	struct page page;
	uint64_t id;
};

static struct relay_task *task_new(struct exchange *x, const char *detail)
{
	struct relay_task *t = ARENA_NEW(x->arena, struct relay_task);

	t->x = x;
	t->detail = detail;
	return t;
}

static void relay_write(struct jsonw *w, const char *name, const struct relay *relay, const struct relay_region *regions, size_t region_count)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", relay->id);
	jsonw_text(w, "name", relay->node.name);
	jsonw_uint(w, "regionId", relay->region);
	for (size_t i = 0; i < region_count; i++) {
		if (regions[i].id != relay->region)
			continue;
		jsonw_text(w, "regionCode", regions[i].code);
		jsonw_text(w, "regionName", regions[i].name);
	}
	jsonw_text(w, "hostName", relay->node.host_name);
	jsonw_text(w, "ipv4", relay->node.ipv4);
	jsonw_text(w, "ipv6", relay->node.ipv6);
	jsonw_uint(w, "derpPort", relay->node.relay_port);
	jsonw_int(w, "stunPort", relay->node.stun_port);
	jsonw_text(w, "version", relay->version);
	jsonw_time_or_null(w, "lastSeen", relay->last_seen);
	jsonw_time(w, "createdAt", relay->created);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct answer answer;
	struct relay_region *regions;
	struct relay *relays;
	size_t count, region_count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = relays_read(tx, t->row, t->x->arena, &relays);
	region_count = regions_read(tx, t->regions, t->x->arena, &regions);
	answer_start(&answer);
	jsonw_array(&answer.w, "relays");
	for (size_t i = 0; i < page_shown(&t->page, count); i++)
		relay_write(&answer.w, NULL, &relays[i], regions, region_count);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, count, count ? relays[page_shown(&t->page, count) - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_relays_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "listing relays");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = relays_page(tx, t->page.after, page_want(&t->page));
	t->regions = regions_list(tx);
	tx_run(tx, on_listed, t);
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct answer answer;
	struct relay_region *regions;
	struct relay *relays;
	size_t region_count;

	if (e || !relays_read(tx, t->row, t->x->arena, &relays)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		region_count = regions_read(tx, t->regions, t->x->arena, &regions);
		answer_start(&answer);
		relay_write(&answer.w, "relay", &relays[0], regions, region_count);
		jsonw_string(&answer.w, "token", t->secret.text);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

void own_relays_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "creating relay");
	struct relay_region region = {0};
	struct bytes name = {0};
	uint64_t region_id = 0;
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_read(x,
			 (struct field[]){{"name", FIELD_TEXT, &name},
					  {"regionId", FIELD_ID, &region_id},
					  {"regionCode", FIELD_TEXT, &region.code},
					  {"regionName", FIELD_TEXT, &region.name},
					  {"latitude", FIELD_NUMBER, &region.latitude},
					  {"longitude", FIELD_NUMBER, &region.longitude},
					  {0}},
			 t->detail))
		return;
	region.id = region_id > REGION_ID_MAX ? 0 : (unsigned)region_id;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = act_relay_create(tx, &asker_of(x)->actor, &region, name, &t->secret, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	t->regions = regions_list(tx);
	act_commit(c, tx, on_created, t);
}

void own_relays_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "deleting relay");
	struct tx *tx;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_relay_delete(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}
