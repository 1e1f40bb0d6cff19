#include "own_policy.h"

#include <stdio.h>

#include "act_policy.h"
#include "fields.h"
#include "guard.h"
#include "page.h"
#include "policy_text.h"
#include "secret.h"
#include "text.h"

struct policy_task {
	struct exchange *x;
	const char *detail;
	struct page page;
	unsigned row;
};

static struct policy_task *task_new(struct exchange *x, const char *detail)
{
	struct policy_task *t = ARENA_NEW(x->arena, struct policy_task);

	*t = (struct policy_task){.x = x, .detail = detail};
	return t;
}

/* --- the text -------------------------------------------------------------------------------------------------------------------------------------------- */

enum { ETAG_HASH = 8, ETAG_MAX = 64 };

/* "VERSION-HASH"; "0" while there is none. After a restore a version can come again with another text. */
static void tag_of(const struct policy_row *row, char out[static ETAG_MAX])
{
	char hex[2 * ETAG_HASH + 1];
	uint8_t hash[32];

	if (!row) {
		snprintf(out, ETAG_MAX, "\"0\"");
		return;
	}
	hash_bytes(row->text, hash);
	hex_encode(hex, bytes_of(hash, ETAG_HASH));
	hex[2 * ETAG_HASH] = 0;
	snprintf(out, ETAG_MAX, "\"%llu-%s\"", (unsigned long long)row->version, hex);
}

/* One tag of the header's list, or any. */
static bool names_tag(struct bytes list, const char *tag)
{
	while (list.at) {
		struct bytes item = bytes_split(list, ',', &list);

		while (item.len && item.at[0] == ' ')
			item = bytes_skip(item, 1);
		while (item.len && item.at[item.len - 1] == ' ')
			item = bytes_take(item, item.len - 1);
		if (bytes_equal_text(item, tag) || bytes_equal_text(item, "*"))
			return true;
	}
	return false;
}

static void add_tag(struct exchange *x, const struct policy_row *row, char tag[static ETAG_MAX])
{
	tag_of(row, tag);
	exchange_add_header(x, "ETag", bytes_text(tag));
}

static void on_text(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct policy_task *t = context;
	struct policy_row *rows;
	char tag[ETAG_MAX];

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	if (!policies_read(tx, t->row, t->x->arena, &rows)) {
		if (!t->x->params[0].len)
			add_tag(t->x, NULL, tag);
		problem_reply(t->x, 404, t->detail,
			      t->x->params[0].len ? "there is no such version" : "this tailnet has no policy: all its nodes reach each other", NULL);
		return;
	}
	add_tag(t->x, &rows[0], tag);
	if (names_tag(asker_of(t->x)->if_none_match, tag)) {
		admin_reply_empty(t->x, 304);
		return;
	}
	admin_add_headers(t->x);
	exchange_reply(t->x, 200, "application/hujson", rows[0].text);
}

void own_policy_get(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct policy_task *t = task_new(x, "reading the policy");
	struct tx *tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);

	t->row = policies_newest(tx);
	tx_run(tx, on_text, t);
}

void own_policy_version(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct policy_task *t = task_new(x, "reading a version of the policy");
	struct tx *tx;
	uint64_t version;

	if (!fields_path_id(x, 0, &version, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = policies_get(tx, version);
	tx_run(tx, on_text, t);
}

/* --- writing --------------------------------------------------------------------------------------------------------------------------------------------- */

static bool holds(void *context, const struct policy_row *present)
{
	const struct policy_task *t = context;
	char tag[ETAG_MAX];

	tag_of(present, tag);
	return names_tag(asker_of(t->x)->if_match, tag);
}

static void row_write(struct jsonw *w, const char *name, const struct policy_row *row)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "version", row->version);
	jsonw_text(w, "author", row->author);
	jsonw_text(w, "note", row->note);
	jsonw_uint(w, "size", row->size);
	jsonw_time(w, "createdAt", row->created);
	jsonw_object_end(w);
}

static void on_written(void *context, enum err e, const struct policy_written *written, const struct diag *why)
{
	struct policy_task *t = context;
	struct answer answer;
	char tag[ETAG_MAX];

	if (e == ERR_CONFLICT) {
		problem_reply(t->x, 412, t->detail, "the policy was changed since: read it again", "header.If-Match");
		return;
	}
	if (e) {
		policy_text_refuse(t->x, e, t->detail, why, &written->tests);
		return;
	}
	add_tag(t->x, &written->row, tag);
	answer_start(&answer);
	row_write(&answer.w, "policy", &written->row);
	jsonw_uint(&answer.w, "nodesApproved", written->approved_nodes);
	answer_send(&answer, t->x, t->detail);
}

static void put(struct policy_task *t, struct policy_write *write)
{
	struct diag why = {0};

	if (act_check_text(write->note, "note", POLICY_NOTE_MAX, &why)) {
		problem_reply_err(t->x, ERR_MALFORMED, t->detail, &why);
		return;
	}
	if (asker_of(t->x)->if_match.len)
		write->holds = holds;
	act_policy_put(t->x->program, &asker_of(t->x)->actor, write, t->x->arena, on_written, t);
}

void own_policy_put(struct exchange *x)
{
	struct policy_task *t = task_new(x, "changing the policy");
	struct policy_write write = {.text = arena_copy(x->arena, x->body), .note = exchange_query(x, "note")};

	if (policy_text_given(x, t->detail))
		put(t, &write);
}

void own_policy_rollback(struct exchange *x)
{
	struct policy_task *t = task_new(x, "rolling the policy back");
	struct policy_write write = {0};

	if (!fields_read(x, (struct field[]){{"version", FIELD_ID, &write.from}, {"note", FIELD_TEXT, &write.note}, {0}}, t->detail))
		return;
	if (!write.from) {
		problem_reply(x, 400, t->detail, "version: which one", "body.version");
		return;
	}
	if (!write.note.len)
		write.note = bytes_text(arena_format(x->arena, "as version %llu", (unsigned long long)write.from));
	put(t, &write);
}

/* --- history --------------------------------------------------------------------------------------------------------------------------------------------- */

static void on_history(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct policy_task *t = context;
	struct answer answer;
	struct policy_row *rows;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = policies_read(tx, t->row, t->x->arena, &rows);
	answer_start(&answer);
	jsonw_array(&answer.w, "versions");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		row_write(&answer.w, NULL, &rows[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? rows[t->page.shown - 1].version : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_policy_history(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct policy_task *t = task_new(x, "listing versions of the policy");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = policies_history(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_history, t);
}
