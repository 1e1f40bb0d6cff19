#include "serve_login.h"

#include <stdlib.h>

#include "held.h"
#include "hostname.h"
#include "log.h"
#include "logins.h"
#include "origin.h"
#include "register_answer.h"

enum { PENDING_MOST = 10000 }; /* of the installation */

static const char not_yours[] = "no such login for this machine";

/* One request that waits for a login. On the heap: it may outlive its exchange while a reading is out. */
struct login_wait {
	struct held held; /* its x is NULL: answered or left; freed when nothing is out */
	struct coordinator *c;
	const struct register_request *request;
	struct arena *arena;
	struct login_id id; /* followed up; then the one begun instead */
	bool out, again;
};

static void wait_look(struct login_wait *w);
static void wait_begin(struct login_wait *w);

/* --- where ------------------------------------------------------------------------------------------------------------------------------------- */

/* The name that the client dialled, lower-case, without port: a tailnet may have it as its login host. */
static struct bytes dialled_name(const struct exchange *x)
{
	struct bytes host = x->host;
	char *name = arena_text(x->arena, host);
	size_t len = 0;

	while (len < host.len && (host.at[0] == '[' || name[len] != ':') && !(len && name[len - 1] == ']'))
		len++;
	for (size_t i = 0; i < len; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
	return bytes_of(name, len);
}

/* --- one answer, then nothing --------------------------------------------------------------------------------------------------------------------- */

static void on_over(void *context)
{
	struct login_wait *w = context;

	if (w->out)
		return;
	arena_free(&w->arena);
	free(w);
}

/* Status and headers of a held request went out: its trouble is a broken stream, which the client asks again. */
static void wait_fail(struct login_wait *w, enum err e)
{
	struct exchange *x = w->held.x;

	register_log(x, w->request, "login failed", err_text(e), 0, 0);
	if (w->held.open) {
		metric_add_at(metric_registers, RESULT_FAILED, 1);
		held_abort(&w->held);
	} else {
		held_over(&w->held);
		register_fail(x);
	}
}

static void wait_answer(struct login_wait *w, const struct register_response *response, enum register_result result)
{
	struct buffer out;

	if (!w->held.open) {
		register_answer(w->held.x, response, result);
		held_over(&w->held);
		return;
	}
	buffer_init(&out, 64 << 10);
	if (regmsg_encode(response, &out)) {
		wait_fail(w, ERR_BUG);
	} else {
		metric_add_at(metric_registers, result, 1);
		held_answer(&w->held, buffer_bytes(&out));
	}
	buffer_clear(&out);
}

static void wait_refuse(struct login_wait *w, const char *reason)
{
	register_log(w->held.x, w->request, "login refused", reason, 0, 0);
	wait_answer(w, &(struct register_response){.error = reason}, RESULT_REFUSED);
}

/* The URL that it came with: the client waits a moment and comes again. */
static void wait_send_away(struct login_wait *w)
{
	wait_answer(w, &(struct register_response){.auth_url = w->request->followup}, RESULT_LOGIN);
}

/* Something that was out came back: false when there is nobody left to answer. */
static bool wait_back(struct login_wait *w)
{
	w->out = false;
	if (w->held.x && !w->held.answer)
		return true;
	if (!w->held.x)
		on_over(w);
	return false;
}

/* --- beginning ------------------------------------------------------------------------------------------------------------------------------------ */

static void on_begun(void *context, enum err e, const struct diag *why)
{
	struct login_wait *w = context;
	char url[ORIGIN_LOGIN_MAX];

	if (!wait_back(w))
		return;
	if (e == ERR_DENIED) {
		wait_refuse(w, why->text);
	} else if (e == ERR_EXHAUSTED && !w->held.open) {
		/* docs/protocol/registration.md: "try later" is a 429, never an Error. */
		register_log(w->held.x, w->request, "login not begun", why->text, 0, 0);
		metric_add_at(metric_registers, RESULT_FAILED, 1);
		exchange_add_header(w->held.x, "Retry-After", BYTES("30"));
		exchange_reply_text(w->held.x, 429, "too many logins wait for an answer; try again later\n");
		held_over(&w->held);
	} else if (e || !origin_login(w->held.x, "register", &w->id, url)) {
		wait_fail(w, e ? e : ERR_BUG);
	} else {
		register_log(w->held.x, w->request, "login begun", "", 0, 0);
		wait_answer(w, &(struct register_response){.auth_url = bytes_text(url)}, RESULT_LOGIN);
	}
}

static void wait_begin(struct login_wait *w)
{
	const struct register_request *r = w->request;
	char label[NODE_LABEL_MAX + 1], address[IP_TEXT_MAX], url[ORIGIN_LOGIN_MAX];
	struct login login = {
		.machine_key = *w->held.x->machine,
		.node_key = r->node_key,
		.old_node_key = r->old_node_key,
		.lock_key = r->lock_key,
		.hostinfo = r->hostinfo.json,
		.capver = r->capver,
		.routes = r->hostinfo.routes,
		.route_count = r->hostinfo.route_count,
		.wanted_expiry = r->expiry,
		.ephemeral = r->ephemeral,
	};

	login_id_mint(&w->id);
	if (!origin_login(w->held.x, "register", &w->id, url)) {
		wait_refuse(w, "this server does not know its own URL: its administrator should set server_url");
		return;
	}
	hostname_label(r->hostinfo.hostname, label);
	login.label = bytes_text(label);
	ip_format(address, w->held.x->peer.ip);
	login.address = bytes_text(address);
	w->out = true;
	logins_begin(w->c->pg, &w->id, &login, dialled_name(w->held.x), w->c->options->login_lifetime_ms, PENDING_MOST, on_begun, w);
}

/* --- following up ----------------------------------------------------------------------------------------------------------------------------------- */

/* It became a node: the same node key must still be good on this machine, else the client has to begin anew. */
static void on_node(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	struct login_wait *w = context;
	struct register_response response;

	(void)epoch;
	if (!wait_back(w))
		return;
	if (e) {
		wait_fail(w, e);
	} else if (!place->node || !key_equal(place->node->machine_key.raw, w->held.x->machine->raw) || node_is_expired(place->node, clock_wall())) {
		wait_begin(w);
	} else {
		register_log(w->held.x, w->request, "login finished", "", place->node->tailnet, place->node->id);
		response = register_welcome(place->node, place->user);
		wait_answer(w, &response, RESULT_KNOWN);
	}
}

static void on_look(void *context)
{
	wait_look(context);
}

static void on_end(void *context)
{
	wait_send_away(context);
}

static const struct held_events events = {on_look, on_end, on_over};

static void wait_go_on(struct login_wait *w, int64_t left_ms)
{
	if (!w->held.open && (w->held.x->gone || w->c->draining)) {
		wait_send_away(w);
	} else if (!w->held.open) {
		held_open(&w->held, w->id.hash, left_ms);
	} else if (w->again) {
		w->again = false;
		wait_look(w);
	} else {
		held_wait(&w->held, left_ms);
	}
}

/* Nothing to follow up any more: it was removed, has ended, or was begun under a key that the client no longer has. Strangers learn nothing of that. */
static bool is_over(const struct login_wait *w, const struct logins_found *found)
{
	const struct login *login = found->login;

	if (!login)
		return true;
	if (!key_equal(login->machine_key.raw, w->held.x->machine->raw) || login->refused)
		return false;
	return !key_equal(login->node_key.raw, w->request->node_key.raw) || (!login->node && found->left_ms <= 0);
}

static void on_found(void *context, enum err e, const struct logins_found *found)
{
	struct login_wait *w = context;
	const struct login *login = found->login;

	if (!wait_back(w))
		return;
	if (e && w->held.open) {
		held_retry(&w->held);
	} else if (e) {
		wait_fail(w, e);
	} else if (is_over(w, found)) {
		wait_begin(w);
	} else if (!key_equal(login->machine_key.raw, w->held.x->machine->raw)) {
		wait_refuse(w, not_yours);
	} else if (login->refused) {
		wait_refuse(w, arena_text(w->arena, login->refusal));
	} else if (login->node) {
		w->out = true;
		nodes_find(w->c->pg, &login->node_key, false, w->arena, on_node, w);
	} else {
		wait_go_on(w, found->left_ms);
	}
}

static void wait_look(struct login_wait *w)
{
	w->again = w->out;
	if (w->out || w->held.answer)
		return;
	arena_reset(w->arena);
	w->out = true;
	logins_find(w->c->pg, w->id.hash, w->arena, on_found, w);
}

void login_serve(struct exchange *x, const struct register_request *request)
{
	struct login_wait *w = x_zalloc(sizeof *w);

	*w = (struct login_wait){.c = x->program, .request = request, .arena = arena_new()};
	held_init(&w->held, x, &events, w);
	if (!request->followup.len)
		wait_begin(w);
	else if (login_id_parse_url(request->followup, &w->id))
		wait_refuse(w, not_yours);
	else
		wait_look(w);
}
