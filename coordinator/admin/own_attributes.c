#include "own_attributes.h"

#include "act_attribute.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "nodefacts.h"
#include "nodes.h"
#include "problem.h"

struct attributes_task {
	struct exchange *x;
	const char *detail;
	struct bytes key;    /* the one that was set */
	unsigned node, rows; /* statements */
};

static struct attributes_task *task_new(struct exchange *x, const char *detail)
{
	struct attributes_task *t = ARENA_NEW(x->arena, struct attributes_task);

	t->x = x;
	t->detail = detail;
	return t;
}

/* A time or null. */
static void write_time(struct jsonw *w, const char *name, struct wall time)
{
	if (wall_is_zero(time))
		jsonw_null(w, name);
	else
		jsonw_time(w, name, time);
}

static void attribute_write(struct jsonw *w, const char *name, const struct attribute *a)
{
	jsonw_object(w, name);
	jsonw_text(w, "key", a->key);
	jsonw_raw(w, "value", a->value);
	jsonw_string(w, "source", a->given ? "admin" : "node");
	jsonw_time(w, "updatedAt", a->updated);
	write_time(w, "expiry", a->expiry);
	jsonw_text(w, "comment", a->note);
	jsonw_object_end(w);
}

/* What the client reports, as rules see it. */
static void write_reported(struct jsonw *w, struct arena *arena, const struct node *node)
{
	struct roll_fact *facts;
	size_t count = nodefacts_of(arena, node->hostinfo, NULL, 0, &facts);

	for (size_t i = 0; i < count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "key", facts[i].name);
		jsonw_text(w, "value", facts[i].value);
		jsonw_string(w, "source", "client");
		jsonw_null(w, "updatedAt");
		jsonw_null(w, "expiry");
		jsonw_string(w, "comment", "");
		jsonw_object_end(w);
	}
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct attributes_task *t = context;
	struct arena *arena = t->x->arena;
	struct answer answer;
	struct attribute *attributes;
	struct node *nodes;
	size_t count;

	if (e || !nodes_read(tx, t->node, arena, &nodes)) {
		problem_reply_err(t->x, e ? e : ERR_NOT_FOUND, t->detail, why);
		return;
	}
	count = attributes_read(tx, t->rows, arena, &attributes);
	answer_start(&answer);
	jsonw_array(&answer.w, "attributes");
	write_reported(&answer.w, arena, &nodes[0]);
	for (size_t i = 0; i < count; i++)
		attribute_write(&answer.w, NULL, &attributes[i]);
	jsonw_array_end(&answer.w);
	jsonw_null(&answer.w, "nextCursor");
	answer_send(&answer, t->x, t->detail);
}

void own_attributes_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct attributes_task *t = task_new(x, "listing attributes");
	struct tx *tx;
	uint64_t id;

	if (!fields_path_id(x, 0, &id, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->node = nodes_get(tx, id);
	t->rows = attributes_list(tx, id);
	tx_run(tx, on_listed, t);
}

static void on_set(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct attributes_task *t = context;
	struct attribute *attributes;
	struct answer answer;
	size_t count = e ? 0 : attributes_read(tx, t->rows, t->x->arena, &attributes), at = 0;

	while (at < count && !bytes_equal(attributes[at].key, t->key))
		at++;
	/* One that ends within the moment is not there any more. */
	if (!e && at == count)
		e = ERR_NOT_FOUND;
	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	answer_start(&answer);
	attribute_write(&answer.w, "attribute", &attributes[at]);
	answer_send(&answer, t->x, t->detail);
}

void own_attributes_set(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct attributes_task *t = task_new(x, "setting an attribute");
	struct attribute a = {.key = x->params[1], .updated = WALL_ZERO, .expiry = WALL_ZERO};
	struct diag why = {0};
	struct tx *tx;
	uint64_t id;
	enum err e;

	if (!fields_path_id(x, 0, &id, t->detail) ||
	    !fields_read(x, (struct field[]){{"value", FIELD_SCALAR, &a.value}, {"expiry", FIELD_TIME, &a.expiry}, {"comment", FIELD_TEXT, &a.note}, {0}},
			 t->detail))
		return;
	t->key = a.key;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	e = act_attribute_give(tx, &asker_of(x)->actor, id, &a, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	t->rows = attributes_list(tx, id);
	act_commit(c, tx, on_set, t);
}

void own_attributes_delete(struct exchange *x)
{
	static const char detail[] = "deleting an attribute";
	struct coordinator *c = x->program;
	struct diag why = {0};
	struct tx *tx;
	uint64_t id;

	if (!fields_path_id(x, 0, &id, detail))
		return;
	if (attribute_check_key(x->params[1], &why)) {
		problem_reply_err(x, ERR_MALFORMED, detail, &why);
		return;
	}
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	act_attribute_drop(tx, &asker_of(x)->actor, id, x->params[1]);
	done_commit(x, tx, detail);
}
