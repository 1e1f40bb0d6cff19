#include "act.h"

#include <stdlib.h>

#include "audits.h"
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
