#include "act_tailnet.h"

#include <stdlib.h>

#include "hostname.h"
#include "notice.h"

/* Labels separated by dots. */
static enum err check_domain(struct bytes domain, struct diag *why)
{
	struct bytes rest = domain, label;
	enum err e;

	if (domain.len > TAILNET_DOMAIN_MAX)
		return diag_set(why, ERR_MALFORMED, "a domain has at most %d bytes", TAILNET_DOMAIN_MAX);
	do {
		label = bytes_split(rest, '.', &rest);
		if ((e = hostname_check(label, why)))
			return e;
	} while (rest.at);
	return ERR_NONE;
}

static enum err check_ranges(const struct tailnet *t, struct diag *why)
{
	struct prefix range4 = t->range4, range6 = t->range6;

	if (range4.ip.family == IP_NONE && prefix_parse(BYTES("100.64.0.0/10"), &range4))
		return ERR_BUG;
	if (range6.ip.family == IP_NONE && prefix_parse(BYTES("fd7a:115c:a1e0::/48"), &range6))
		return ERR_BUG;
	return tailnet_check_ranges(range4, range6, why);
}

static enum err check_tailnet(const struct tailnet *tailnet, struct diag *why)
{
	enum err e = tailnet_check_name(tailnet->name, why);

	if (!e)
		e = act_check_text(tailnet->display_name, "displayName", TAILNET_DISPLAY_NAME_MAX, why);
	return e ? e : tailnet_check_admission(tailnet, why);
}

enum err act_tailnet_create(struct tx *tx, const struct actor *actor, const struct tailnet *tailnet, unsigned *row, struct diag *why)
{
	enum err e = check_tailnet(tailnet, why);

	if (!e && tailnet->domain.len)
		e = check_domain(tailnet->domain, why);
	if (!e)
		e = check_ranges(tailnet, why);
	if (e)
		return e;
	act_audit_named(tx, actor, "tailnet.create", tailnet->name);
	*row = tailnets_insert(tx, tailnet);
	return ERR_NONE;
}

enum err act_tailnet_update(struct tx *tx, const struct actor *actor, const char *action, const struct tailnets_whole *whole, unsigned *row, struct diag *why)
{
	enum err e = check_tailnet(&whole->tailnet, why);

	if (!e)
		e = settings_check(&whole->settings, why);
	if (e)
		return e;
	act_audit(tx, actor, action, whole->tailnet.id, NULL);
	*row = tailnets_update(tx, whole);
	return ERR_NONE;
}

/* --- deleting -------------------------------------------------------------------------------------------------------------------------------------------- */

struct deletion {
	struct coordinator *c;
	struct arena *arena;
	struct actor actor;
	uint64_t tailnet;
	bool forced;
	unsigned bell; /* statement */
	act_tailnet_fn on_done;
	void *context;
};

static void deletion_end(struct deletion *d, enum err e, const struct diag *why)
{
	struct arena *arena = d->arena;

	d->on_done(d->context, e, why);
	arena_free(&arena);
}

static void on_deleted(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct deletion *d = context;

	/* Who follows it reads, and finds it gone. */
	if (!e)
		notice_ring(d->c->bus, d->tailnet, tailnets_read_bell(tx, d->bell));
	deletion_end(d, e, why);
}

static void delete_row(struct deletion *d)
{
	struct tx *tx = tx_begin(d->c->pg, TAILNET_INSTALLATION, TX_WRITE);

	act_audit(tx, &d->actor, "tailnet.delete", d->tailnet, NULL);
	d->bell = tailnets_delete(tx, d->tailnet, d->forced);
	act_commit(d->c, tx, on_deleted, d);
}

static void on_cleared(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct deletion *d = context;

	(void)tx;
	if (e)
		deletion_end(d, e, why);
	else
		delete_row(d);
}

void act_tailnet_delete(struct coordinator *c, const struct actor *actor, const struct tailnet *tailnet, bool forced, act_tailnet_fn on_done, void *context)
{
	struct arena *arena = arena_new();
	struct deletion *d = ARENA_NEW(arena, struct deletion);
	struct tx *tx;

	*d = (struct deletion){.c = c, .arena = arena, .actor = *actor, .tailnet = tailnet->id, .forced = forced, .on_done = on_done, .context = context};
	d->actor.name = arena_text(arena, bytes_text(actor->name));
	d->actor.credential = actor->credential ? arena_text(arena, bytes_text(actor->credential)) : NULL;
	d->actor.credential = actor->credential ? arena_text(arena, bytes_text(actor->credential)) : NULL;
	if (!forced) {
		delete_row(d);
		return;
	}
	tx = tx_begin(c->pg, tailnet->id, TX_WRITE);
	act_audit(tx, &d->actor, "tailnet.clear", tailnet->id, NULL);
	tailnets_clear(tx);
	act_commit(c, tx, on_cleared, d);
}
