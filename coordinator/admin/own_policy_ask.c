#include "explain.h"
#include "fields.h"
#include "guard.h"
#include "own_policy.h"
#include "policy_text.h"
#include "text.h"

static struct policy_trial *trial_new(struct exchange *x, const char *detail)
{
	struct policy_trial *p = ARENA_NEW(x->arena, struct policy_trial);

	*p = (struct policy_trial){.x = x, .detail = detail, .text = arena_copy(x->arena, x->body)};
	return p;
}

static void answer_tests(struct policy_trial *p)
{
	struct answer answer;

	answer_start(&answer);
	jsonw_uint(&answer.w, "testsRun", p->trial.tests.ran);
	answer_send(&answer, p->x, p->detail);
}

void own_policy_check(struct exchange *x)
{
	struct policy_trial *p = trial_new(x, "checking a policy");

	p->tested = true;
	p->on_tried = answer_tests;
	if (policy_text_given(x, p->detail))
		policy_trial_run(p);
}

/* --- tests ----------------------------------------------------------------------------------------------------------------------------------------------- */

enum { FAILURES_SHOWN_MAX = 1000 };

/* Failed ones are the answer. */
static enum err run_tests(struct policy_trial *p, struct diag *why)
{
	enum err e = selftest_run(p->trial.policy, p->x->arena, &p->trial.tests, why);

	return p->trial.tests.failure_count ? ERR_NONE : e;
}

static void on_tested(struct policy_trial *p)
{
	const struct selftest *tests = &p->trial.tests;
	struct answer answer;

	answer_start(&answer);
	jsonw_bool(&answer.w, "passed", !tests->failure_count);
	jsonw_uint(&answer.w, "testsRun", tests->ran);
	jsonw_uint(&answer.w, "testsFailed", tests->failure_count);
	jsonw_array(&answer.w, "failures");
	for (size_t i = 0; i < tests->failure_count && i < FAILURES_SHOWN_MAX; i++) {
		const struct selftest_failure *f = &tests->failures[i];

		jsonw_object(&answer.w, NULL);
		jsonw_uint(&answer.w, "line", f->at.line);
		jsonw_text(&answer.w, "src", f->user);
		jsonw_array(&answer.w, "errors");
		for (size_t k = 0; k < f->error_count && k < FAILURES_SHOWN_MAX; k++)
			jsonw_text(&answer.w, NULL, f->errors[k]);
		jsonw_array_end(&answer.w);
		jsonw_object_end(&answer.w);
	}
	jsonw_array_end(&answer.w);
	policy_trial_warn(p, &answer.w);
	answer_send(&answer, p->x, p->detail);
}

void own_policy_test(struct exchange *x)
{
	struct policy_trial *p = trial_new(x, "running the tests of a policy");

	p->stored = !p->text.len;
	p->work = run_tests;
	p->on_tried = on_tested;
	policy_trial_run(p);
}

/* --- why ------------------------------------------------------------------------------------------------------------------------------------------------- */

struct asked_explain {
	struct bytes src, dst, proto;
	struct field_count port;
	struct explain_question q;
	bool is_proto, is_place; /* what was asked is one */
	struct explain told;
};

/* An address, or the name or id of a node: its address of IPv4 if it has one. */
static bool find_address(const struct census *census, struct bytes what, struct ip *out)
{
	uint64_t id = 0;

	if (!ip_parse(what, out))
		return true;
	if (text_parse_u64(what, INT64_MAX, &id))
		id = 0;
	for (size_t i = 0; i < census->node_count; i++) {
		const struct node *n = &census->nodes[i];

		if (!(id && n->id == id) && !bytes_equal(n->label, what))
			continue;
		*out = n->ip4.family == IP_NONE ? n->ip6 : n->ip4;
		return true;
	}
	return false;
}

static bool read_proto(struct bytes text, int *proto)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"", PROTO_ABSENT}, {"tcp", 6},  {"udp", 17}, {"icmp", 1}, {"ipv6-icmp", 58}, {"icmpv6", 58}, {"sctp", 132},
		     {"gre", 47},        {"esp", 50}, {"ah", 51},  {"igmp", 2}, {"ipv4", 4},       {"ip-in-ip", 4}};
	uint64_t number;

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (bytes_equal_text(text, known[i].name)) {
			*proto = known[i].number;
			return true;
		}
	if (text_parse_u64(text, 255, &number))
		return false;
	*proto = (int)number;
	return true;
}

static void write_reason(struct jsonw *w, const struct explain_reason *r)
{
	jsonw_object(w, NULL);
	jsonw_uint(w, "line", r->rule->at.line);
	jsonw_uint(w, "column", r->rule->at.column);
	jsonw_string(w, "kind", r->rule->is_grant ? "grant" : "acl");
	jsonw_bool(w, "bySubnetRoute", r->by_subnet_route);
	jsonw_object_end(w);
}

static void write_node(struct jsonw *w, const char *name, const struct trial *trial, uint32_t slot)
{
	const struct node *node = slot < trial->roll.node_count ? trial->roll.nodes[slot].node : NULL;

	if (!node) {
		jsonw_null(w, name);
		return;
	}
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", node->id);
	jsonw_text(w, "name", node->label);
	jsonw_object_end(w);
}

static enum err explain(struct policy_trial *p, struct diag *why)
{
	struct asked_explain *asked = p->asked;

	(void)why;
	asked->q = (struct explain_question){.port = (uint16_t)asked->port.value};
	asked->is_proto = read_proto(asked->proto, &asked->q.proto);
	asked->is_place = find_address(p->census, asked->src, &asked->q.source) && find_address(p->census, asked->dst, &asked->q.destination);
	if (asked->is_proto && asked->is_place)
		asked->told = explain_ask(p->trial.policy, p->x->arena, &asked->q);
	return ERR_NONE;
}

static void on_explained(struct policy_trial *p)
{
	const struct asked_explain *asked = p->asked;
	const struct explain *told = &asked->told;
	char source[IP_TEXT_MAX], destination[IP_TEXT_MAX];
	struct answer answer;

	if (!asked->is_proto) {
		problem_reply(p->x, 400, p->detail, "proto is a name such as tcp, or a number to 255", "body.proto");
		return;
	}
	if (!asked->is_place) {
		problem_reply(p->x, 404, p->detail, "src and dst are addresses, or names or ids of nodes of this tailnet", NULL);
		return;
	}
	ip_format(source, asked->q.source);
	ip_format(destination, asked->q.destination);
	answer_start(&answer);
	jsonw_bool(&answer.w, "allowed", told->allowed);
	jsonw_string(&answer.w, "src", source);
	jsonw_string(&answer.w, "dst", destination);
	write_node(&answer.w, "decidedBy", &p->trial, told->router);
	jsonw_array(&answer.w, "rules");
	for (size_t i = 0; i < told->reason_count && i < FAILURES_SHOWN_MAX; i++)
		write_reason(&answer.w, &told->reasons[i]);
	jsonw_array_end(&answer.w);
	policy_trial_warn(p, &answer.w);
	answer_send(&answer, p->x, p->detail);
}

void own_policy_explain(struct exchange *x)
{
	struct policy_trial *p = trial_new(x, "explaining the policy");
	struct asked_explain *asked = ARENA_NEW(x->arena, struct asked_explain);

	if (!fields_read(x,
			 (struct field[]){{"src", FIELD_TEXT, &asked->src},
					  {"dst", FIELD_TEXT, &asked->dst},
					  {"proto", FIELD_TEXT, &asked->proto},
					  {"port", FIELD_COUNT, &asked->port},
					  {0}},
			 p->detail))
		return;
	if (asked->port.value > UINT16_MAX) {
		problem_reply(x, 400, p->detail, "port is 0 to 65535", "body.port");
		return;
	}
	p->stored = true;
	p->asked = asked;
	p->work = explain;
	p->on_tried = on_explained;
	policy_trial_run(p);
}

/* --- what would change ----------------------------------------------------------------------------------------------------------------------------------- */

enum { OPENINGS_SHOWN_MAX = 1000 };

struct openings {
	struct explain_opening *list;
	size_t count, all;
};

struct asked_preview {
	struct openings opened, closed;
};

static void find_openings(struct policy_trial *p, struct policy *old, struct policy *now, struct openings *out)
{
	out->count = explain_opened(old, now, p->x->arena, OPENINGS_SHOWN_MAX, &out->list, &out->all);
}

static enum err compare(struct policy_trial *p, struct diag *why)
{
	struct asked_preview *asked = p->asked;
	struct bytes text = p->census->policy ? p->census->policy->text : BYTES("{}");
	struct document *document;
	struct policy *old;

	if (document_read_stored(p->x->arena, text, &p->trial.around, &document, &p->trial.lapses, NULL))
		return diag_set(why, ERR_BUG, "the policy in force cannot be read any more");
	old = policy_compile(document, &p->trial.roll);
	find_openings(p, old, p->trial.policy, &asked->opened);
	find_openings(p, p->trial.policy, old, &asked->closed);
	policy_free(&old);
	return ERR_NONE;
}

static void write_openings(struct jsonw *w, const char *name, const char *total, const struct trial *trial, const struct openings *found)
{
	jsonw_uint(w, total, found->all);
	jsonw_array(w, name);
	for (size_t i = 0; i < found->count; i++) {
		const struct explain_opening *o = &found->list[i];

		jsonw_object(w, NULL);
		write_node(w, "src", trial, o->from);
		write_node(w, "dst", trial, o->to);
		if (o->proto == PROTO_ABSENT)
			jsonw_null(w, "proto");
		else
			jsonw_int(w, "proto", o->proto);
		jsonw_uint(w, "firstPort", o->ports.first);
		jsonw_uint(w, "lastPort", o->ports.last);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void on_previewed(struct policy_trial *p)
{
	const struct asked_preview *asked = p->asked;
	struct answer answer;

	answer_start(&answer);
	write_openings(&answer.w, "opened", "openedCount", &p->trial, &asked->opened);
	write_openings(&answer.w, "closed", "closedCount", &p->trial, &asked->closed);
	policy_trial_warn(p, &answer.w);
	answer_send(&answer, p->x, p->detail);
}

void own_policy_preview(struct exchange *x)
{
	struct policy_trial *p = trial_new(x, "previewing a policy");

	p->asked = ARENA_NEW(x->arena, struct asked_preview);
	p->work = compare;
	p->on_tried = on_previewed;
	if (policy_text_given(x, p->detail))
		policy_trial_run(p);
}
