#include "speaker.h"

#include "coordinator.h"
#include "log.h"
#include "rate.h"
#include "text.h"

enum { BODY_MAX = 64 << 10 };

void speaker_refuse(struct exchange *x, unsigned status, const char *sentence)
{
	char key[KEY_SHORT_MAX];

	log_info(SUBJECT("speaker"), "request refused", F_BYTES("path", x->path), F_TEXT("reason", sentence),
		 F_TEXT("machine", key_short(key, x->machine->raw)), F_UINT("id", x->id));
	exchange_reply_text(x, status, arena_format(x->arena, "%s\n", sentence));
}

void speaker_fail(struct exchange *x, enum err e, const struct diag *why)
{
	if (e == ERR_UNAVAILABLE || e == ERR_TIMEOUT || e == ERR_CANCELED) {
		exchange_add_header(x, "Retry-After", BYTES("5"));
		speaker_refuse(x, 503, "try again later");
		return;
	}
	speaker_refuse(x, exchange_status_of(e), why && *why->text ? why->text : err_text(e));
}

json_t *speaker_read(struct exchange *x, const struct jsonr_member *shape, struct node_key *key)
{
	struct diag why = {.text = ""};
	json_t *body = NULL;
	enum err e = jsonr_parse(x->body, BODY_MAX, &body, &why);

	if (!e && !json_is_object(body))
		e = diag_set(&why, ERR_MALFORMED, "the body is not an object");
	if (!e)
		e = jsonr_check(body, shape, NULL, &why);
	if (!e && (key_parse_node(jsonr_text(body, "NodeKey"), key) || key_is_zero(key->raw)))
		e = diag_set(&why, ERR_MALFORMED, "NodeKey is not a node key");
	if (!e)
		return body;
	json_decref(body);
	speaker_fail(x, e, &why);
	return NULL;
}

struct speaker_task {
	struct exchange *x;
	speaker_fn on_place;
	void *context;
	struct nodes_place place;
};

/* Whether another machine's key exists is nobody's business. */
static void on_node(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	struct speaker_task *t = context;

	(void)epoch;
	if (e) {
		speaker_fail(t->x, ERR_UNAVAILABLE, NULL);
	} else if (!place->node || !key_equal(place->node->machine_key.raw, t->x->machine->raw)) {
		speaker_refuse(t->x, 404, "no such node on this machine");
	} else {
		t->place = *place;
		t->on_place(t->context, &t->place);
	}
}

static bool within_rate(struct exchange *x)
{
	struct coordinator *c = x->program;
	unsigned retry_s;
	char digits[U64_DIGITS_MAX];

	if (rate_take(c->request_rate, bytes_of(x->machine->raw, KEY_LEN), clock_mono(), &retry_s))
		return true;
	exchange_add_header(x, "Retry-After", bytes_of(digits, text_put_u64(digits, retry_s)));
	speaker_refuse(x, 429, "too many requests of this machine: try again later");
	return false;
}

void speaker_find(struct exchange *x, const struct node_key *key, speaker_fn on_place, void *context)
{
	struct coordinator *c = x->program;
	struct speaker_task *t = ARENA_NEW(x->arena, struct speaker_task);

	if (!within_rate(x))
		return;
	*t = (struct speaker_task){.x = x, .on_place = on_place, .context = context};
	nodes_find(c->pg, key, false, x->arena, on_node, t);
}

bool speaker_in_good_standing(struct exchange *x, const struct nodes_place *place)
{
	const char *reason = NULL;

	if (place->tailnet->suspended)
		reason = "this tailnet is suspended";
	else if (!place->node->approved)
		reason = "this node waits for an administrator's approval";
	else if (node_is_expired(place->node, clock_wall()))
		reason = "the key of this node has expired: log in again";
	if (reason)
		speaker_refuse(x, 403, reason);
	return !reason;
}
