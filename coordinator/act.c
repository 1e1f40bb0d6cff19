#include "act.h"

#include <stdlib.h>

#include "audits.h"
#include "jsonw.h"
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

const char *act_detail_texts(struct tx *tx, const char *member, const struct bytes *values, size_t count)
{
	const char *text = NULL;
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, DETAIL_MAX);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_array(&w, member);
	for (size_t i = 0; i < count; i++)
		jsonw_text(&w, NULL, values[i]);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	if (!jsonw_end(&w))
		text = arena_text(tx_arena(tx), buffer_bytes(&out));
	buffer_clear(&out);
	return text;
}

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

void act_audit(struct tx *tx, const struct actor *actor, const char *action, uint64_t subject, const char *detail)
{
	if (!actor)
		return;
	audits_append(tx, &(struct audit){
				  .actor = bytes_text(actor->name),
				  .action = bytes_text(action),
				  .subject = subject,
				  .detail = bytes_text(detail),
			  });
}
