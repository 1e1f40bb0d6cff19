#include "serve_told.h"

#include "act_told.h"
#include "scalar.h"
#include "speaker.h"
#include "warnings.h"

enum { DETAILS_MAX = 1024, NAME_SHOWN_MAX = 64 };

/* Lives in the exchange's arena. */
struct told_task {
	struct exchange *x;
	struct attribute *attributes;
	size_t count;
	struct bytes subsystem, text;
};

static struct told_task *task_new(struct exchange *x)
{
	struct told_task *t = ARENA_NEW(x->arena, struct told_task);

	t->x = x;
	return t;
}

/* Cut at a whole character. */
static struct bytes cut(struct exchange *x, struct bytes text, size_t most)
{
	if (text.len > most) {
		while (most && (text.at[most] & 0xc0) == 0x80)
			most--;
		text.len = most;
	}
	return arena_copy(x->arena, text);
}

static void on_told(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct told_task *t = context;

	(void)tx;
	if (e)
		speaker_fail(t->x, e, why);
	else
		exchange_reply_json(t->x, 200, BYTES("{}"));
}

/* --- attributes ------------------------------------------------------------------------------------------------------------------------------- */

/* Names are the node's own choice. */
static const struct jsonr_member any_member[] = {{0}};
static const struct jsonr_member attributes_shape[] = {
	{.name = "Version", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "Update", .type = JSONR_OBJECT, .nested = any_member},
	{0},
};

static enum err take_attribute(struct told_task *t, const char *name, const json_t *value, struct diag *why)
{
	struct attribute *a = &t->attributes[t->count];
	enum err e = attribute_check_key(bytes_text(name), why);

	if (!e)
		e = attribute_check_owner(bytes_text(name), why);
	if (e)
		return e;
	a->key = arena_copy(t->x->arena, bytes_text(name));
	t->count++;
	return scalar_take(value, name, t->x->arena, &a->value, why);
}

static enum err take_attributes(struct told_task *t, json_t *update, struct diag *why)
{
	const char *name;
	json_t *value;
	enum err e;

	if (json_object_size(update) > ATTRIBUTES_MAX)
		return diag_set(why, ERR_MALFORMED, "an update names at most %d attributes", ATTRIBUTES_MAX);
	t->attributes = ARENA_ARRAY(t->x->arena, struct attribute, ATTRIBUTES_MAX);
	json_object_foreach(update, name, value)
	{
		e = take_attribute(t, name, value, why);
		if (e)
			return e;
	}
	return ERR_NONE;
}

static void on_attributes_speaker(void *context, const struct nodes_place *place)
{
	struct told_task *t = context;
	struct coordinator *c = t->x->program;

	if (!speaker_in_good_standing(t->x, place))
		return;
	if (t->count)
		act_told_attributes(c, place->node, t->attributes, t->count, on_told, t);
	else
		exchange_reply_json(t->x, 200, BYTES("{}"));
}

void serve_attributes(struct exchange *x)
{
	struct told_task *t = task_new(x);
	struct diag why = {.text = ""};
	struct node_key key;
	json_t *body = speaker_read(x, attributes_shape, &key);
	enum err e;

	if (!body)
		return;
	e = take_attributes(t, json_object_get(body, "Update"), &why);
	json_decref(body);
	if (e)
		speaker_fail(x, e, &why);
	else
		speaker_find(x, &key, on_attributes_speaker, t);
}

/* --- warnings --------------------------------------------------------------------------------------------------------------------------------- */

static const struct jsonr_member warning_shape[] = {
	{.name = "Subsys", .type = JSONR_TEXT},
	{.name = "Error", .type = JSONR_TEXT},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{0},
};

static void on_warned(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct told_task *t = context;

	(void)tx;
	if (e)
		speaker_fail(t->x, e, why);
	else
		exchange_reply(t->x, 204, NULL, BYTES_NONE);
}

static void on_warning_speaker(void *context, const struct nodes_place *place)
{
	struct told_task *t = context;

	act_told_warning(t->x->program, place->node, t->subsystem, t->text, on_warned, t);
}

void serve_warning(struct exchange *x)
{
	struct told_task *t = task_new(x);
	struct node_key key;
	json_t *body = speaker_read(x, warning_shape, &key);

	if (!body)
		return;
	t->subsystem = arena_copy(x->arena, jsonr_text(body, "Subsys"));
	t->text = cut(x, jsonr_text(body, "Error"), WARNING_MESSAGE_MAX);
	json_decref(body);
	if (!t->subsystem.len || t->subsystem.len > WARNING_SUBSYSTEM_MAX)
		speaker_refuse(x, 400, "Subsys has 1 to 64 bytes");
	else
		speaker_find(x, &key, on_warning_speaker, t);
}

/* --- disconnects ------------------------------------------------------------------------------------------------------------------------------- */

static const struct jsonr_member auditlog_shape[] = {
	{.name = "Version", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "Action", .type = JSONR_TEXT},
	{.name = "Details", .type = JSONR_TEXT},
	{.name = "Timestamp", .type = JSONR_TEXT},
	{0},
};

static void on_auditlog_speaker(void *context, const struct nodes_place *place)
{
	struct told_task *t = context;

	act_told_line(t->x->program, place->node, t->x->id, "node.disconnect", t->text, on_told, t);
}

/* 429 and 5xx but 501 are kept by the client and sent again; any other refusal drops the entry. */
void serve_auditlog(struct exchange *x)
{
	struct told_task *t = task_new(x);
	struct node_key key;
	json_t *body = speaker_read(x, auditlog_shape, &key);
	bool known;

	if (!body)
		return;
	known = bytes_equal_text(jsonr_text(body, "Action"), "DISCONNECT_NODE");
	t->text = cut(x, jsonr_text(body, "Details"), DETAILS_MAX);
	json_decref(body);
	if (known)
		speaker_find(x, &key, on_auditlog_speaker, t);
	else
		speaker_refuse(x, 400, "Action is not DISCONNECT_NODE");
}

/* --- SSH sessions that nobody recorded ------------------------------------------------------------------------------------------------------------ */

static const struct jsonr_member attempt_shape[] = {{.name = "Recorder", .type = JSONR_TEXT}, {.name = "FailureMessage", .type = JSONR_TEXT}, {0}};
static const struct jsonr_member notify_shape[] = {
	{.name = "EventType", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "ConnectionID", .type = JSONR_TEXT},
	{.name = "CapVersion", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "SrcNode", .type = JSONR_INT, .most = INT64_MAX},
	{.name = "SSHUser", .type = JSONR_TEXT},
	{.name = "LocalUser", .type = JSONR_TEXT},
	{.name = "RecordingAttempts", .type = JSONR_OBJECTS, .nested = attempt_shape},
	{0},
};

/* What became of the session, by EventType. */
static const char *const session_events[] = {NULL, "rejected", "terminated", "not recorded"};

static void on_noted(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct told_task *t = context;

	(void)tx;
	if (e)
		speaker_fail(t->x, e, why);
	else
		exchange_reply(t->x, 201, NULL, BYTES_NONE);
}

static void on_notify_speaker(void *context, const struct nodes_place *place)
{
	struct told_task *t = context;

	act_told_line(t->x->program, place->node, t->x->id, "node.ssh-recording", t->text, on_noted, t);
}

static struct bytes notify_text(struct exchange *x, const json_t *body, const char *what)
{
	const json_t *attempts = json_object_get(body, "RecordingAttempts"), *last = json_array_get(attempts, json_array_size(attempts) - 1);
	struct bytes recorder = cut(x, jsonr_text(last, "Recorder"), NAME_SHOWN_MAX), failure = cut(x, jsonr_text(last, "FailureMessage"), DETAILS_MAX);
	struct bytes login = cut(x, jsonr_text(body, "LocalUser"), NAME_SHOWN_MAX);

	return cut(x,
		   bytes_text(arena_format(x->arena, "session %s: from node %lld as %.*s: %.*s: %.*s", what, (long long)jsonr_int(body, "SrcNode"),
					   BYTES_ARG(login), BYTES_ARG(recorder), BYTES_ARG(failure))),
		   DETAILS_MAX);
}

void serve_sshnotify(struct exchange *x)
{
	struct told_task *t = task_new(x);
	struct node_key key;
	json_t *body = speaker_read(x, notify_shape, &key);
	int64_t event;

	if (!body)
		return;
	event = jsonr_int(body, "EventType");
	if (event > 0 && event < (int64_t)COUNT_OF(session_events))
		t->text = notify_text(x, body, session_events[event]);
	json_decref(body);
	if (t->text.len)
		speaker_find(x, &key, on_notify_speaker, t);
	else
		speaker_refuse(x, 400, "EventType is not one of a recording");
}
