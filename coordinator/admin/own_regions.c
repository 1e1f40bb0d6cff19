#include <math.h>

#include "act_relay.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "own_relays.h"
#include "problem.h"
#include "text.h"

enum { OVERLAP_DEFAULT_S = 3600, OVERLAP_MOST_S = 30 * 24 * 3600 };

struct region_task {
	struct exchange *x;
	const char *detail;
	unsigned row, id;
	bool one;
};

static struct region_task *task_new(struct exchange *x, const char *detail)
{
	struct region_task *t = ARENA_NEW(x->arena, struct region_task);

	t->x = x;
	t->detail = detail;
	return t;
}

/* Of the path; false: it was refused. */
static bool take_id(struct region_task *t)
{
	uint64_t id;

	if (!fields_path_id(t->x, 0, &id, t->detail))
		return false;
	t->id = id > RELAY_REGION_ID_MAX ? 0 : (unsigned)id;
	return true;
}

static void region_write(struct jsonw *w, const char *name, const struct region *g)
{
	static const char *const stages[] = {"serving", "scored away", "nobody's home"};

	jsonw_object(w, name);
	jsonw_uint(w, "id", g->map.id);
	jsonw_text(w, "code", g->map.code);
	jsonw_text(w, "name", g->map.name);
	jsonw_double(w, "latitude", g->map.latitude);
	jsonw_double(w, "longitude", g->map.longitude);
	jsonw_double(w, "score", g->map.score);
	jsonw_bool(w, "noMeasureNoHome", g->map.no_measure_no_home);
	jsonw_array(w, "tailnets");
	for (size_t i = 0; i < g->tailnet_count; i++)
		jsonw_text(w, NULL, g->tailnets[i]);
	jsonw_array_end(w);
	jsonw_uint(w, "clientBytesPerSecond", g->client_rate);
	jsonw_uint(w, "clientBurstBytes", g->client_burst);
	jsonw_uint(w, "tailnetBytesPerSecond", g->tailnet_rate);
	jsonw_uint(w, "tailnetBurstBytes", g->tailnet_burst);
	jsonw_uint(w, "relays", g->relay_count);
	jsonw_uint(w, "shown", g->shown_count);
	jsonw_string(w, "state", g->shown_count ? stages[g->stage < COUNT_OF(stages) ? g->stage : 0] : "not in the map");
	jsonw_time_or_null(w, "meshKeyRotatedAt", g->rotated);
	jsonw_object_end(w);
}

static void on_regions(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct region_task *t = context;
	struct region *regions;
	struct answer answer;
	size_t count;

	count = e ? 0 : regions_read(tx, t->row, t->x->arena, &regions);
	if (e || (t->one && !count)) {
		problem_reply_err(t->x, e ? e : ERR_NOT_FOUND, t->detail, why);
		return;
	}
	answer_start(&answer);
	if (!t->one)
		jsonw_array(&answer.w, "regions");
	for (size_t i = 0; i < count; i++)
		region_write(&answer.w, t->one ? "region" : NULL, &regions[i]);
	if (!t->one) {
		jsonw_array_end(&answer.w);
		jsonw_null(&answer.w, "nextCursor");
	}
	answer_send(&answer, t->x, t->detail);
}

void own_regions_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct region_task *t = task_new(x, "listing regions");
	struct tx *tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);

	t->row = regions_list(tx);
	tx_run(tx, on_regions, t);
}

/* What a body asks for; false: it was refused. */
static bool change_take(struct region_task *t, struct region_change *change, bool creates)
{
	struct field_flag no_measure = {0};
	struct field_count rate = {0}, burst = {0}, tailnet_rate = {0}, tailnet_burst = {0};
	struct field_texts tailnets = {0};
	uint64_t id = 0;
	const struct field fields[] = {{"code", FIELD_TEXT, &change->code},
				       {"name", FIELD_TEXT, &change->name},
				       {"latitude", FIELD_NUMBER, &change->latitude},
				       {"longitude", FIELD_NUMBER, &change->longitude},
				       {"score", FIELD_NUMBER, &change->score},
				       {"noMeasureNoHome", FIELD_FLAG, &no_measure},
				       {"tailnets", FIELD_TEXTS, &tailnets},
				       {"clientBytesPerSecond", FIELD_COUNT, &rate},
				       {"clientBurstBytes", FIELD_COUNT, &burst},
				       {"tailnetBytesPerSecond", FIELD_COUNT, &tailnet_rate},
				       {"tailnetBurstBytes", FIELD_COUNT, &tailnet_burst},
				       {creates ? "id" : NULL, FIELD_ID, &id},
				       {0}};

	*change = (struct region_change){.id = t->id, .latitude = NAN, .longitude = NAN, .score = NAN};
	if (!fields_read(t->x, fields, t->detail))
		return false;
	if (creates)
		change->id = t->id = id > RELAY_REGION_ID_MAX ? 0 : (unsigned)id;
	change->set_no_measure = no_measure.present;
	change->no_measure_no_home = no_measure.value;
	change->set_tailnets = tailnets.present;
	change->tailnets = tailnets.list;
	change->tailnet_count = tailnets.count;
	change->set_rate = rate.present;
	change->client_rate = rate.value;
	change->set_burst = burst.present;
	change->client_burst = burst.value;
	change->set_tailnet_rate = tailnet_rate.present;
	change->tailnet_rate = tailnet_rate.value;
	change->set_tailnet_burst = tailnet_burst.present;
	change->tailnet_burst = tailnet_burst.value;
	return true;
}

static void change(struct region_task *t, bool creates)
{
	struct coordinator *c = t->x->program;
	const struct actor *actor = &asker_of(t->x)->actor;
	struct region_change asked;
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!change_take(t, &asked, creates))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = creates ? act_region_create(tx, actor, &asked, &why) : act_region_update(tx, actor, &asked, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(t->x, e, t->detail, &why);
		return;
	}
	t->one = true;
	t->row = regions_get(tx, t->id);
	act_commit(c, tx, on_regions, t);
}

void own_regions_create(struct exchange *x)
{
	change(task_new(x, "creating region"), true);
}

void own_regions_update(struct exchange *x)
{
	struct region_task *t = task_new(x, "changing region");

	if (take_id(t))
		change(t, false);
}

void own_regions_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct region_task *t = task_new(x, "deleting region");
	struct tx *tx;

	if (!take_id(t))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_region_delete(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}

/* --- mesh keys ------------------------------------------------------------------------------------------------------------------------------------------- */

static void on_keys(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct region_task *t = context;
	struct region_keys keys;
	struct answer answer;

	if (e || !regions_read_keys(tx, t->row, t->x->arena, &keys)) {
		problem_reply_err(t->x, e ? e : ERR_NOT_FOUND, t->detail, why);
		return;
	}
	answer_start(&answer);
	jsonw_text(&answer.w, "meshKey", keys.key);
	jsonw_text(&answer.w, "meshKeyBefore", keys.before);
	answer_send(&answer, t->x, t->detail);
}

void own_mesh_key_get(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct region_task *t = task_new(x, "reading mesh key");
	struct tx *tx;

	if (!take_id(t))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = regions_keys(tx, t->id);
	tx_run(tx, on_keys, t);
}

void own_mesh_key_rotate(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct region_task *t = task_new(x, "rotating mesh key");
	struct field_count overlap = {0};
	struct bytes text = {0};
	uint8_t key[KEY_LEN];
	struct tx *tx;

	if (!take_id(t) || !fields_read(x, (struct field[]){{"overlapSeconds", FIELD_COUNT, &overlap}, {"meshKey", FIELD_TEXT, &text}, {0}}, t->detail))
		return;
	if (overlap.value > OVERLAP_MOST_S) {
		problem_reply(x, 400, t->detail, "overlapSeconds: at most 30 days", "body.overlapSeconds");
		return;
	}
	if (text.at && hex_decode(text, key, sizeof key)) {
		problem_reply(x, 400, t->detail, "meshKey: 64 hex digits are wanted", "body.meshKey");
		return;
	}
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_region_rotate(tx, &asker_of(x)->actor, t->id, text.at ? key : NULL,
			  1000 * (int64_t)(overlap.present ? overlap.value : (uint64_t)OVERLAP_DEFAULT_S));
	t->row = regions_keys(tx, t->id);
	act_commit(c, tx, on_keys, t);
	key_wipe(key, sizeof key);
}
