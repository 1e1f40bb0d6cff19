#include "act.h"

#include <inttypes.h>
#include <stdlib.h>

#include "audits.h"
#include "jsonw.h"
#include "log.h"
#include "notice.h"

struct act {
	struct coordinator *c;
	tx_fn on_done;
	void *context;
};

static void on_committed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct act *a = context;

	if (!e && tx_generation(tx))
		notice_ring(a->c->bus, tx_tailnet(tx), tx_generation(tx));
	a->on_done(a->context, e, tx, why);
	free(a);
}

void act_commit(struct coordinator *c, struct tx *tx, tx_fn on_done, void *context)
{
	struct act *a = x_alloc(sizeof *a);

	*a = (struct act){c, on_done, context};
	tx_run(tx, on_committed, a);
}

enum { DETAIL_MAX = 1 << 20 };

const char *act_detail(struct tx *tx, const char *member, struct bytes value)
{
	const char *text = NULL;
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, DETAIL_MAX);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, member, value);
	jsonw_object_end(&w);
	if (!jsonw_end(&w))
		text = arena_text(tx_arena(tx), buffer_bytes(&out));
	buffer_clear(&out);
	return text;
}

enum err act_check_text(struct bytes text, const char *name, size_t max, struct diag *why)
{
	if (text.len > max)
		return diag_set(why, ERR_MALFORMED, "%s has more than %zu bytes", name, max);
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < 0x20 || text.at[i] == 0x7f)
			return diag_set(why, ERR_MALFORMED, "%s holds control characters", name);
	return ERR_NONE;
}

static struct audit line_of(struct tx *tx, const struct actor *actor, const char *action)
{
	return (struct audit){
		.actor = bytes_text(actor->name),
		.credential = bytes_text(actor->credential),
		.request = bytes_text(arena_format(tx_arena(tx), "%" PRIu64, actor->request)),
		.action = bytes_text(action),
	};
}

void act_audit(struct tx *tx, const struct actor *actor, const char *action, uint64_t subject, const char *detail)
{
	struct audit line;

	if (!actor)
		return;
	line = line_of(tx, actor, action);
	line.subject = subject;
	line.detail = bytes_text(detail);
	audits_open(tx, &line);
}

void act_audit_named(struct tx *tx, const struct actor *actor, const char *action, struct bytes name)
{
	struct audit line;

	if (!actor)
		return;
	line = line_of(tx, actor, action);
	line.name = name;
	audits_open(tx, &line);
}

enum { REFUSALS_OPEN_MAX = 32 };

static void on_refusal_told(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct coordinator *c = context;

	(void)tx;
	c->refusals_open--;
	if (e)
		log_warning(SUBJECT("admin"), "a refusal is not in the audits", F_TEXT("why", why->text));
}

void act_audit_refusal(struct coordinator *c, const struct actor *actor, const char *action, const char *detail)
{
	struct audit line;
	struct tx *tx;

	if (c->refusals_open >= REFUSALS_OPEN_MAX) {
		log_warning(SUBJECT("admin"), "a refusal is not in the audits", F_TEXT("why", "too many at once"), F_UINT("id", actor->request));
		return;
	}
	c->refusals_open++;
	tx = tx_begin(c->pg, actor->tailnet, TX_WRITE);
	line = line_of(tx, actor, action);
	line.detail = bytes_text(detail);
	audits_refuse(tx, &line);
	act_commit(c, tx, on_refusal_told, c);
}
