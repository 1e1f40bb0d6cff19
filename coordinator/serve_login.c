#include "serve_login.h"

#include <stdio.h>
#include <stdlib.h>

#include "hostname.h"
#include "log.h"
#include "logins.h"
#include "origin.h"
#include "register_answer.h"
#include "text.h"

enum {
	PENDING_MOST = 10000, /* of the installation */
	LOOK_MS = 10000,      /* what the bus missed is seen by then */
	LOOK_DEAF_MS = 1500,  /* the same without a bus, and at first, when it may not listen yet */
	CHANNEL_MAX = 16 + 2 * LOGIN_HASH_LEN
};

static const char not_yours[] = "no such login for this machine";

/* One request that waits for a login. On the heap: it may outlive its exchange while a reading is out. */
struct login_wait {
	struct list link; /* in c->logins, while held */
	struct coordinator *c;
	struct exchange *x; /* NULL: answered or left; freed when nothing is out */
	const struct register_request *request;
	struct arena *arena;
	struct login_id id;  /* followed up; then the one begun instead */
	struct body *answer; /* waits for room */
	struct bus_listener listener;
	struct timer look, end;
	bool held, out, again;
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

bool login_url(const struct exchange *x, const struct login_id *id, char url[static LOGIN_URL_MAX])
{
	struct bytes origin = origin_of(x);

	return origin.len && snprintf(url, LOGIN_URL_MAX, "%.*s/register/%s", BYTES_ARG(origin), id->text) < LOGIN_URL_MAX;
}

static void channel_of(char channel[static CHANNEL_MAX], const uint8_t hash[static LOGIN_HASH_LEN])
{
	int len = snprintf(channel, CHANNEL_MAX, "fs:login:");

	hex_encode(channel + len, bytes_of(hash, LOGIN_HASH_LEN));
}

void login_ring(struct coordinator *c, const uint8_t hash[static LOGIN_HASH_LEN])
{
	char channel[CHANNEL_MAX];

	channel_of(channel, hash);
	bus_command(c->bus, NULL, NULL, BUS_ARGS(BYTES("PUBLISH"), bytes_text(channel), BYTES("1")));
}

/* --- one answer, then nothing --------------------------------------------------------------------------------------------------------------------- */

static void wait_free(struct login_wait *w)
{
	arena_free(&w->arena);
	free(w);
}

/* Lets go of everything but what is out. */
static void wait_release(struct login_wait *w)
{
	timer_cancel(&w->look);
	timer_cancel(&w->end);
	if (w->held) {
		bus_unlisten(w->c->bus, &w->listener);
		list_remove(&w->link);
	}
	w->held = false;
	w->x = NULL;
	body_drop(&w->answer);
	if (!w->out)
		wait_free(w);
}

static void wait_finish(struct login_wait *w)
{
	struct exchange *x = w->x;
	struct body *answer = w->answer;

	w->answer = NULL;
	exchange_send(x, &answer, 1);
	body_drop(&answer);
	wait_release(w);
	exchange_end(x);
}

static void on_room(void *context)
{
	struct login_wait *w = context;

	if (w->answer)
		wait_finish(w);
}

static void on_gone(void *context, enum err why)
{
	(void)why;
	wait_release(context);
}

/* Status and headers of a held request went out: its trouble is a broken stream, which the client asks again. */
static void wait_fail(struct login_wait *w, enum err e)
{
	struct exchange *x = w->x;
	bool held = w->held;

	register_log(x, w->request, "login failed", err_text(e), 0, 0);
	wait_release(w);
	if (!held) {
		register_fail(x);
		return;
	}
	metric_add_at(metric_registers, RESULT_FAILED, 1);
	exchange_abort(x);
}

static void wait_answer(struct login_wait *w, const struct register_response *response, enum register_result result)
{
	struct exchange *x = w->x;
	struct buffer out;

	if (!w->held) {
		register_answer(x, response, result);
		wait_release(w);
		return;
	}
	buffer_init(&out, 64 << 10);
	if (regmsg_encode(response, &out)) {
		buffer_clear(&out);
		wait_fail(w, ERR_BUG);
		return;
	}
	metric_add_at(metric_registers, result, 1);
	w->answer = body_new(buffer_bytes(&out));
	buffer_clear(&out);
	timer_cancel(&w->look);
	timer_cancel(&w->end);
	if (exchange_ready(x))
		wait_finish(w);
}

static void wait_refuse(struct login_wait *w, const char *reason)
{
	register_log(w->x, w->request, "login refused", reason, 0, 0);
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
	if (w->x && !w->answer)
		return true;
	if (!w->x)
		wait_free(w);
	return false;
}

/* --- beginning ------------------------------------------------------------------------------------------------------------------------------------ */

static void on_begun(void *context, enum err e, const struct diag *why)
{
	struct login_wait *w = context;
	char url[LOGIN_URL_MAX];

	if (!wait_back(w))
		return;
	if (e == ERR_DENIED) {
		wait_refuse(w, why->text);
	} else if (e == ERR_EXHAUSTED && !w->held) {
		/* docs/protocol/registration.md: "try later" is a 429, never an Error. */
		register_log(w->x, w->request, "login not begun", why->text, 0, 0);
		metric_add_at(metric_registers, RESULT_FAILED, 1);
		exchange_add_header(w->x, "Retry-After", BYTES("30"));
		exchange_reply_text(w->x, 429, "too many logins wait for an answer; try again later\n");
		wait_release(w);
	} else if (e || !login_url(w->x, &w->id, url)) {
		wait_fail(w, e ? e : ERR_BUG);
	} else {
		register_log(w->x, w->request, "login begun", "", 0, 0);
		wait_answer(w, &(struct register_response){.auth_url = bytes_text(url)}, RESULT_LOGIN);
	}
}

static void wait_begin(struct login_wait *w)
{
	const struct register_request *r = w->request;
	char label[NODE_LABEL_MAX + 1], address[IP_TEXT_MAX], url[LOGIN_URL_MAX];
	struct login login = {
		.machine_key = *w->x->machine,
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
	if (!login_url(w->x, &w->id, url)) {
		wait_refuse(w, "this server does not know its own URL: its administrator should set server_url");
		return;
	}
	hostname_label(r->hostinfo.hostname, label);
	login.label = bytes_text(label);
	ip_format(address, w->x->peer.ip);
	login.address = bytes_text(address);
	w->out = true;
	logins_begin(w->c->pg, &w->id, &login, dialled_name(w->x), w->c->options->login_lifetime_ms, PENDING_MOST, on_begun, w);
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
	} else if (!place->node || !key_equal(place->node->machine_key.raw, w->x->machine->raw) || node_is_expired(place->node, clock_wall())) {
		wait_begin(w);
	} else {
		register_log(w->x, w->request, "login finished", "", place->node->tailnet, place->node->id);
		response = register_welcome(place->node, place->user);
		wait_answer(w, &response, RESULT_KNOWN);
	}
}

static const struct exchange_events stream_events = {on_room, on_gone};

static void on_look(void *context)
{
	wait_look(context);
}

static void on_message(void *context, struct bytes message)
{
	(void)message;
	wait_look(context);
}

static void on_end(void *context)
{
	wait_send_away(context);
}

/* Held from now on: status and headers go out, the answer follows when there is one. */
static void wait_hold(struct login_wait *w, int64_t left_ms)
{
	int64_t hold_ms = w->c->options->login_hold_ms;
	char channel[CHANNEL_MAX];

	if (w->x->gone || w->c->draining) {
		wait_send_away(w);
		return;
	}
	w->held = true;
	list_append(&w->c->logins, &w->link);
	exchange_stream(w->x, 200, "application/json", &stream_events, w);
	channel_of(channel, w->id.hash);
	w->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_look, .context = w};
	bus_listen(w->c->bus, channel, &w->listener);
	timer_set(&w->look, LOOK_DEAF_MS < left_ms ? LOOK_DEAF_MS : left_ms + 1);
	timer_set(&w->end, hold_ms);
}

static void wait_go_on(struct login_wait *w, int64_t left_ms)
{
	int64_t next_ms = bus_up(w->c->bus) ? LOOK_MS : LOOK_DEAF_MS;

	if (!w->held) {
		wait_hold(w, left_ms);
	} else if (w->again) {
		w->again = false;
		wait_look(w);
	} else {
		timer_set(&w->look, next_ms < left_ms ? next_ms : left_ms + 1);
	}
}

/* Nothing to follow up any more: it was removed, has ended, or was begun under a key that the client no longer has. Strangers learn nothing of that. */
static bool is_over(const struct login_wait *w, const struct logins_found *found)
{
	const struct login *login = found->login;

	if (!login)
		return true;
	if (!key_equal(login->machine_key.raw, w->x->machine->raw) || login->refused)
		return false;
	return !key_equal(login->node_key.raw, w->request->node_key.raw) || (!login->node && found->left_ms <= 0);
}

static void on_found(void *context, enum err e, const struct logins_found *found)
{
	struct login_wait *w = context;
	const struct login *login = found->login;

	if (!wait_back(w))
		return;
	if (e && w->held) {
		timer_set(&w->look, LOOK_DEAF_MS);
	} else if (e) {
		wait_fail(w, e);
	} else if (is_over(w, found)) {
		wait_begin(w);
	} else if (!key_equal(login->machine_key.raw, w->x->machine->raw)) {
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
	if (w->out || w->answer)
		return;
	arena_reset(w->arena);
	w->out = true;
	logins_find(w->c->pg, w->id.hash, w->arena, on_found, w);
}

void login_serve(struct exchange *x, const struct register_request *request)
{
	struct login_wait *w = x_zalloc(sizeof *w);

	*w = (struct login_wait){.c = x->program, .x = x, .request = request, .arena = arena_new()};
	list_init(&w->link);
	timer_init(&w->look, w->c->loop, on_look, w);
	timer_init(&w->end, w->c->loop, on_end, w);
	if (!request->followup.len)
		wait_begin(w);
	else if (login_id_parse_url(request->followup, &w->id))
		wait_refuse(w, not_yours);
	else
		wait_look(w);
}

void login_end_all(struct coordinator *c)
{
	LIST_EACH(&c->logins, w, struct login_wait, link)
		if (!w->answer)
			wait_send_away(w);
}
