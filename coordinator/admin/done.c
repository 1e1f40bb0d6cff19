#include "done.h"

#include "problem.h"

struct done {
	struct exchange *x;
	const char *detail;
};

static void on_done(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct done *d = context;

	(void)tx;
	if (e)
		problem_reply_err(d->x, e, d->detail, why);
	else
		admin_reply(d->x, BYTES("{}"));
}

void done_commit(struct exchange *x, struct tx *tx, const char *detail)
{
	struct done *d = ARENA_NEW(x->arena, struct done);

	*d = (struct done){x, detail};
	act_commit(x->program, tx, on_done, d);
}
