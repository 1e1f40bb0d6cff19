#include "own_ask.h"

#include "act.h"
#include "ask.h"
#include "c2n.h"
#include "fields.h"
#include "guard.h"
#include "jsonr.h"
#include "nodes.h"
#include "online.h"
#include "problem.h"
#include "text.h"

enum { TIMEOUT_LEAST_S = 1, TIMEOUT_MOST_S = 60, TIMEOUT_USUAL_S = 10 };

struct ask_task {
	struct exchange *x;
	struct coordinator *c;
	const char *detail;
	uint64_t id, target_id;
	unsigned row, target_row; /* statements */
	const struct node *node;
	struct ask_question question;
	struct mono asked;
	void (*on_answer)(struct ask_task *t, struct bytes body);
	struct bytes method, path, type;
};

static void on_answered(void *context, enum err e, struct bytes body)
{
	struct ask_task *t = context;

	if (e == ERR_TIMEOUT)
		problem_reply(t->x, 504, t->detail, "the node did not answer in time", NULL);
	else if (e == ERR_EXHAUSTED)
		problem_reply(t->x, 503, t->detail, "too many questions to nodes are open", NULL);
	else if (e)
		problem_reply_err(t->x, e, t->detail, NULL);
	else
		t->on_answer(t, body);
}

static void on_online_known(void *context, enum err e)
{
	struct ask_task *t = context;

	if (e) {
		problem_reply_err(t->x, e, t->detail, NULL);
	} else if (!presence_online(t->c->view, t->question.tailnet, t->id)) {
		/* While Redis is away, who is not known to be online may yet be. */
		if (presence_certain(t->c->view, t->question.tailnet))
			problem_reply(t->x, 409, t->detail, "the node is offline", NULL);
		else
			problem_reply(t->x, 503, t->detail, "nobody knows now whether the node is online: Redis is away, or was until a moment ago", NULL);
	} else {
		t->asked = loop_now(t->c->loop);
		ask_node(t->c->asks, &t->question, on_answered, t);
	}
}

static void on_nodes(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct ask_task *t = context;
	struct node *nodes;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	if (t->target_id) {
		if (!nodes_read(tx, t->target_row, t->x->arena, &nodes)) {
			problem_reply(t->x, 400, t->detail, "the target is no node of this tailnet", "body.target");
			return;
		}
		t->question.target = nodes[0].ip4;
	}
	if (!nodes_read(tx, t->row, t->x->arena, &nodes)) {
		problem_reply(t->x, 404, t->detail, "node not found", NULL);
		return;
	}
	t->question.machine_key = nodes[0].machine_key;
	online_follow(t->c->online, t->question.tailnet, on_online_known, t);
}

/* The audit line stands before the question goes out. */
static void task_go(struct ask_task *t, const char *action, const char *member, struct bytes what)
{
	struct tx *tx = tx_begin(t->c->pg, t->question.tailnet, TX_WRITE);

	if (t->target_id)
		t->target_row = nodes_get(tx, t->target_id);
	t->row = nodes_get(tx, t->id);
	act_audit(tx, &asker_of(t->x)->actor, action, t->id, act_detail(tx, member, what));
	act_commit(t->c, tx, on_nodes, t);
}

static struct ask_task *task_new(struct exchange *x, const char *detail)
{
	struct ask_task *t = ARENA_NEW(x->arena, struct ask_task);

	t->x = x;
	t->c = x->program;
	t->detail = detail;
	t->question.tailnet = asker_of(x)->tailnet.id;
	return t;
}

static bool take_timeout(struct ask_task *t, const struct field_count *seconds)
{
	uint64_t value = seconds->present ? seconds->value : TIMEOUT_USUAL_S;

	if (value < TIMEOUT_LEAST_S || value > TIMEOUT_MOST_S) {
		problem_reply(t->x, 400, t->detail, "timeoutSeconds is between 1 and 60", "body.timeoutSeconds");
		return false;
	}
	t->question.timeout_ms = (int64_t)value * 1000;
	return true;
}

/* --- pings ------------------------------------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *type, *wire;
} ping_types[] = {{"alive", ""}, {"disco", "disco"}, {"TSMP", "TSMP"}, {"ICMP", "ICMP"}, {"peerapi", "peerapi"}};

static void write_result(struct jsonw *w, const json_t *said)
{
	const json_t *seconds = json_object_get(said, "LatencySeconds");

	jsonw_text(w, "error", jsonr_text(said, "Err"));
	jsonw_double(w, "latencySeconds", json_number_value(seconds));
	jsonw_text(w, "target", jsonr_text(said, "IP"));
	jsonw_text(w, "targetName", jsonr_text(said, "NodeName"));
	jsonw_text(w, "endpoint", jsonr_text(said, "Endpoint"));
	jsonw_int(w, "region", jsonr_int(said, "DERPRegionID"));
}

/* A client's PingResponse, or the time that its sign of life took. */
static void on_pong(struct ask_task *t, struct bytes body)
{
	struct answer answer;
	struct diag why = {0};
	json_t *said = NULL;

	if (t->question.types[0] && (jsonr_parse(body, C2N_ANSWER_MAX, &said, &why) || !json_is_object(said))) {
		json_decref(said);
		problem_reply(t->x, 502, t->detail, "the node's answer is not understood", NULL);
		return;
	}
	answer_start(&answer);
	jsonw_object(&answer.w, "ping");
	jsonw_text(&answer.w, "type", t->type);
	if (said) {
		write_result(&answer.w, said);
	} else {
		jsonw_string(&answer.w, "error", "");
		jsonw_double(&answer.w, "latencySeconds", (double)(loop_now(t->c->loop).ms - t->asked.ms) / 1000);
		jsonw_string(&answer.w, "target", "");
		jsonw_string(&answer.w, "targetName", "");
		jsonw_string(&answer.w, "endpoint", "");
		jsonw_int(&answer.w, "region", 0);
	}
	jsonw_object_end(&answer.w);
	json_decref(said);
	answer_send(&answer, t->x, t->detail);
}

static bool take_type(struct ask_task *t)
{
	for (size_t i = 0; i < COUNT_OF(ping_types); i++)
		if (bytes_equal_text(t->type, ping_types[i].type)) {
			t->question.types = ping_types[i].wire;
			return true;
		}
	problem_reply(t->x, 400, t->detail, "type is one of alive, disco, TSMP, ICMP, peerapi", "body.type");
	return false;
}

/* The id of a node of this tailnet, or an address. */
static bool take_target(struct ask_task *t, struct bytes target)
{
	bool wanted = t->question.types[0];

	if (!target.len && !wanted)
		return true;
	if (target.len && wanted && (!text_parse_u64(target, INT64_MAX, &t->target_id) || !ip_parse(target, &t->question.target)))
		return true;
	problem_reply(t->x, 400, t->detail, wanted ? "target is the id of a node or an IP address" : "alive has no target", "body.target");
	return false;
}

void own_node_ping(struct exchange *x)
{
	struct ask_task *t = task_new(x, "asking a node to ping");
	struct bytes target = BYTES_NONE;
	struct field_count seconds = {0};

	if (!fields_path_id(x, 0, &t->id, t->detail) ||
	    !fields_read(x, (struct field[]){{"type", FIELD_TEXT, &t->type}, {"target", FIELD_TEXT, &target}, {"timeoutSeconds", FIELD_COUNT, &seconds}, {0}},
			 t->detail))
		return;
	if (!t->type.len)
		t->type = BYTES("alive");
	if (!take_type(t) || !take_target(t, target) || !take_timeout(t, &seconds))
		return;
	t->question.node = t->id;
	t->on_answer = on_pong;
	task_go(t, "node.ping", "type", t->type);
}

/* --- what a client tells about itself ----------------------------------------------------------------------------------------------------------------- */

/* Those that only tell, and the one that makes a client send what it has logged. */
static const struct {
	const char *method, *path;
} debug_paths[] = {
	{"POST", "/echo"},           {"GET", "/echo"},         {"GET", "/debug/goroutines"},    {"GET", "/debug/metrics"},    {"GET", "/debug/prefs"},
	{"GET", "/debug/health"},    {"GET", "/debug/netmap"}, {"GET", "/debug/logheap"},       {"GET", "/debug/pprof/heap"}, {"GET", "/debug/pprof/allocs"},
	{"GET", "/debug/rejects"},   {"POST", "/sockstats"},   {"POST", "/logtail/flush"},      {"GET", "/update"},           {"GET", "/posture/identity"},
	{"GET", "/tls-cert-status"}, {"GET", "/vip-services"}, {"GET", "/appconnector/routes"}, {"GET", "/ssh/usernames"},
};

static const char *find_method(struct bytes method, struct bytes path)
{
	struct bytes query, bare = bytes_split(path, '?', &query);

	for (size_t i = 0; i < COUNT_OF(debug_paths); i++)
		if (bytes_equal_text(bare, debug_paths[i].path) && (!method.len || bytes_equal_text(method, debug_paths[i].method)))
			return debug_paths[i].method;
	return NULL;
}

static void on_told(struct ask_task *t, struct bytes body)
{
	struct c2n_answer said;
	struct buffer base64;
	struct answer answer;

	if (c2n_decode(body, t->x->arena, &said)) {
		problem_reply(t->x, 502, t->detail, "the node's answer is not understood", NULL);
		return;
	}
	answer_start(&answer);
	jsonw_object(&answer.w, "answer");
	jsonw_uint(&answer.w, "status", said.status);
	jsonw_text(&answer.w, "contentType", said.type);
	buffer_init(&base64, 2 * C2N_ANSWER_MAX);
	if (bytes_is_utf8(said.body) && !memchr(said.body.len ? said.body.at : (const uint8_t *)"x", 0, said.body.len)) {
		jsonw_string(&answer.w, "encoding", "text");
		jsonw_text(&answer.w, "body", said.body);
	} else if (!base64_encode(said.body, &base64)) {
		jsonw_string(&answer.w, "encoding", "base64");
		jsonw_text(&answer.w, "body", buffer_bytes(&base64));
	}
	buffer_clear(&base64);
	jsonw_object_end(&answer.w);
	answer_send(&answer, t->x, t->detail);
}

void own_node_debug(struct exchange *x)
{
	struct ask_task *t = task_new(x, "asking a node about itself");
	struct bytes body = BYTES_NONE;
	struct field_count seconds = {0};
	struct buffer request;
	const char *method;

	if (!fields_path_id(x, 0, &t->id, t->detail) ||
	    !fields_read(x,
			 (struct field[]){{"path", FIELD_TEXT, &t->path},
					  {"method", FIELD_TEXT, &t->method},
					  {"body", FIELD_TEXT, &body},
					  {"timeoutSeconds", FIELD_COUNT, &seconds},
					  {0}},
			 t->detail) ||
	    !take_timeout(t, &seconds))
		return;
	method = find_method(t->method, t->path);
	if (!method) {
		problem_reply(x, 400, t->detail, "this path is not asked: only those of docs/protocol/ping.md", "body.path");
		return;
	}
	buffer_init(&request, C2N_BODY_MAX + 2048);
	if (c2n_encode(method, t->path, body, t->question.timeout_ms, &request)) {
		problem_reply(x, 400, t->detail, "path or body is malformed or too long", "body");
	} else {
		t->question.types = "c2n";
		t->question.node = t->id;
		t->question.payload = arena_copy(x->arena, buffer_bytes(&request));
		t->on_answer = on_told;
		task_go(t, "node.debug", "path", t->path);
	}
	buffer_clear(&request);
}
