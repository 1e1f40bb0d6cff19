#include "own_attributes.h"

#include "attributes.h"
#include "fields.h"
#include "guard.h"
#include "nodes.h"
#include "problem.h"

struct attributes_task {
	struct exchange *x;
	unsigned node, rows;
};

static const char detail[] = "listing attributes";

static void on_attributes(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct attributes_task *t = context;
	struct answer answer;
	struct attribute *attributes;
	size_t count;

	if (e || !tx_rows(tx, t->node)) {
		problem_reply_err(t->x, e ? e : ERR_NOT_FOUND, detail, why);
		return;
	}
	count = attributes_read(tx, t->rows, t->x->arena, &attributes);
	answer_start(&answer);
	jsonw_array(&answer.w, "attributes");
	for (size_t i = 0; i < count; i++) {
		jsonw_object(&answer.w, NULL);
		jsonw_text(&answer.w, "key", attributes[i].key);
		jsonw_raw(&answer.w, "value", attributes[i].value);
		jsonw_time(&answer.w, "updatedAt", attributes[i].updated);
		jsonw_object_end(&answer.w);
	}
	jsonw_array_end(&answer.w);
	jsonw_null(&answer.w, "nextCursor");
	answer_send(&answer, t->x, detail);
}

void own_attributes_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct attributes_task *t = ARENA_NEW(x->arena, struct attributes_task);
	struct tx *tx;
	uint64_t id;

	if (!fields_path_id(x, 0, &id, detail))
		return;
	t->x = x;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->node = nodes_get(tx, id);
	t->rows = attributes_list(tx, id);
	tx_run(tx, on_attributes, t);
}
