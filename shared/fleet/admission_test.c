#include "admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000 };
static const int64_t lifetime_ms = 180LL * 24 * HOUR_MS;
#define NOW_NS 1800000000000000000LL
#define AT(hours) ((struct wall){NOW_NS + (int64_t)(hours)*HOUR_MS * 1000000LL})
static const struct wall now = {NOW_NS};

#define OURS .machine_key = {{1}}, .node_key = {{7}}, .approved = true
#define STRANGERS .machine_key = {{2}}, .node_key = {{7}}, .approved = true
#define OF(tailnet_, user_) .tailnet = tailnet_, .user = user_
#define NEVER .expiry = {INT64_MIN}
static struct bytes web[] = {{(const uint8_t *)"tag:web", 7}};
static struct bytes web_db[] = {{(const uint8_t *)"tag:db", 6}, {(const uint8_t *)"tag:web", 7}};
static struct bytes strange[] = {{(const uint8_t *)"tag:<b>", 7}};

static const struct node good = {.id = 100, OURS, OF(1, 10), .expiry = AT(24)};
static const struct node forever = {.id = 101, OURS, OF(1, 10), NEVER};
static const struct node expired = {.id = 102, OURS, OF(1, 10), .expiry = AT(-1)};
static const struct node expired_again = {.id = 102, OURS, OF(1, 10), .expiry = AT(-1)}; /* the same row, read twice */
static const struct node stranger = {.id = 103, STRANGERS, OF(1, 10), NEVER};
static const struct node tagged = {.id = 104, OURS, OF(1, 0), NEVER, .tags = web, .tag_count = 1};
static const struct node ephemeral = {.id = 105, OURS, OF(1, 10), NEVER, .ephemeral = true};
static const struct node ephemeral_expired = {.id = 106, OURS, OF(1, 10), .expiry = AT(-1), .ephemeral = true};
static const struct node other_user = {.id = 107, OURS, OF(1, 11), NEVER};
static const struct node other_tailnet = {.id = 108, OURS, OF(2, 10), NEVER};
static const struct node other_tailnet_expired = {.id = 109, OURS, OF(2, 10), .expiry = AT(-1)};
static const struct node retagged = {.id = 110, OURS, OF(1, 0), NEVER, .tags = web, .tag_count = 1, .authkey = 51};
static const struct node stranger_expired = {.id = 111, STRANGERS, OF(1, 10), .expiry = AT(-1)};
static const struct node old_node = {.id = 112, OURS, OF(1, 10), .expiry = AT(24)};

#define GOOD .expiry = AT(10), .revoked = {INT64_MIN}
static const struct authkey reusable = {.id = 50, OF(1, 10), GOOD, .reusable = true};
static const struct authkey one_shot = {.id = 51, OF(1, 10), GOOD};
static const struct authkey used = {.id = 51, OF(1, 10), GOOD, .used_by = 100};
static const struct authkey revoked = {.id = 53, OF(1, 10), .expiry = AT(10), .revoked = AT(-2), .reusable = true};
static const struct authkey outdated = {.id = 54, OF(1, 10), .expiry = AT(-2), .revoked = {INT64_MIN}, .reusable = true};
static const struct authkey undying = {.id = 55, OF(1, 10), NEVER, .revoked = {INT64_MIN}, .reusable = true};
static const struct authkey ephemeral_key = {.id = 56, OF(1, 10), GOOD, .reusable = true, .ephemeral = true};
static const struct authkey tag_key = {.id = 57, OF(1, 0), GOOD, .reusable = true, .tags = web, .tag_count = 1};
static const struct authkey used_tag_key = {.id = 58, OF(1, 0), GOOD, .tags = web, .tag_count = 1, .used_by = 104};

struct trial {
	const char *name;
	/* request */
	struct wall expiry; /* {0} here is 1970, a past time; ZERO says none */
	const char *followup;
	struct bytes *tags;
	size_t tag_count;
	bool credential, malformed, ephemeral, no_node_key;
	/* known */
	bool frozen, no_lifetime;
	/* wanted */
	bool consumes, is_ephemeral;
	enum verdict_kind kind;
	const struct node *about;
	const char *reason;
	struct wall until;
	/* known */
	const struct node *node, *old, *owner;
	const struct authkey *key;
	uint64_t unpolled;
};

#define ZERO .expiry = {INT64_MIN}
#define FOREVER .until = {INT64_MIN}
#define LIFETIME .until = AT(180 * 24)
#define KEY(k) .credential = true, .key = &k

static const struct trial trials[] = {
	/* the request itself */
	{"zero node key", ZERO, .no_node_key = true, .kind = VERDICT_REFUSE, .reason = "the request has no node key", FOREVER},

	/* another machine's node key, whatever else is said */
	{"stranger's node key", ZERO, .node = &stranger, .kind = VERDICT_FORBID, FOREVER},
	{"stranger's node key with a good auth key", ZERO, KEY(reusable), .node = &stranger, .kind = VERDICT_FORBID, FOREVER},
	{"stranger's node key, expired", ZERO, .node = &stranger_expired, .kind = VERDICT_FORBID, FOREVER},
	{"logout by a stranger", .expiry = AT(-5), .node = &stranger, .kind = VERDICT_FORBID, FOREVER},

	/* logout: tested before the credential, success for what is not there */
	{"logout", .expiry = AT(-5), .node = &good, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},
	{"logout at second 123", .expiry = {123000000000}, .node = &good, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},
	{"logout at this very moment", .expiry = AT(0), .node = &good, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},
	{"logout with a good auth key", .expiry = AT(-5), KEY(reusable), .node = &good, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},
	{"logout with a malformed auth key", .expiry = AT(-5), .credential = true, .malformed = true, .node = &good, .kind = VERDICT_LOGOUT, .about = &good,
	 .until = AT(0)},
	{"logout of an ephemeral node", .expiry = AT(-5), .node = &ephemeral, .kind = VERDICT_LOGOUT, .about = &ephemeral, .is_ephemeral = true,
	 .until = AT(0)},
	{"logout of an expired ephemeral node", .expiry = AT(-5), .node = &ephemeral_expired, .kind = VERDICT_LOGOUT, .about = &ephemeral_expired,
	 .is_ephemeral = true, .until = AT(0)},
	{"logout of an expired node", .expiry = AT(-5), .node = &expired, .kind = VERDICT_GONE, FOREVER},
	{"logout of nothing", .expiry = AT(-5), .kind = VERDICT_GONE, FOREVER},
	{"logout of nothing with an auth key", .expiry = AT(-5), KEY(reusable), .kind = VERDICT_GONE, FOREVER},
	{"logout in a frozen tailnet", .expiry = AT(-5), .node = &good, .frozen = true, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},

	/* a known node again, without a key */
	{"restart", ZERO, .node = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"restart of one that never expires", ZERO, .node = &forever, .kind = VERDICT_KNOWN, .about = &forever, FOREVER},
	{"restart of an ephemeral one", ZERO, .node = &ephemeral, .kind = VERDICT_KNOWN, .about = &ephemeral, .is_ephemeral = true, FOREVER},
	{"restart in a frozen tailnet", ZERO, .node = &good, .frozen = true, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"expire sooner", .expiry = AT(1), .node = &good, .kind = VERDICT_EXPIRE_SOONER, .about = &good, .until = AT(1)},
	{"expire later", .expiry = AT(25), .node = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"expire at the same time", .expiry = AT(24), .node = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"expire sooner than never", .expiry = AT(1), .node = &forever, .kind = VERDICT_EXPIRE_SOONER, .about = &forever, .until = AT(1)},
	{"a tagged node does not expire", .expiry = AT(1), .node = &tagged, .kind = VERDICT_KNOWN, .about = &tagged, FOREVER},

	/* a known node again, with its key */
	{"same node key, good key", ZERO, KEY(reusable), .node = &good, .owner = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"same node key, used key", ZERO, KEY(used), .node = &good, .owner = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"same node key, expired key", ZERO, KEY(outdated), .node = &good, .owner = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"same node key, revoked key", ZERO, KEY(revoked), .node = &good, .owner = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"same node key, used tag key", ZERO, KEY(used_tag_key), .node = &tagged, .owner = &tagged, .kind = VERDICT_KNOWN, .about = &tagged, FOREVER},
	{"same node key, used key, retagged by an administrator", ZERO, KEY(used), .node = &retagged, .kind = VERDICT_KNOWN, .about = &retagged, FOREVER},
	{"same node key, used key, expire sooner", .expiry = AT(1), KEY(used), .node = &good, .kind = VERDICT_EXPIRE_SOONER, .about = &good, .until = AT(1)},
	{"same node key, good key, tags it does not have", ZERO, KEY(reusable), .node = &good, .tags = web, .tag_count = 1, .kind = VERDICT_KNOWN,
	 .about = &good, .until = AT(24)},
	{"same node key, deleted key", ZERO, .credential = true, .node = &good, .kind = VERDICT_REFUSE, .about = &good,
	 .reason = "invalid key: it does not exist", FOREVER},
	{"same node key, malformed key", ZERO, .credential = true, .malformed = true, .node = &good, .kind = VERDICT_REFUSE, .about = &good,
	 .reason = "invalid key: it is not an auth key of this server", FOREVER},
	{"same node key, another user's good key", ZERO, KEY(reusable), .node = &other_user, .kind = VERDICT_REKEY, .about = &other_user, LIFETIME},
	{"same node key, another user's used key", ZERO, KEY(used), .node = &other_user, .kind = VERDICT_REFUSE, .about = &other_user,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"same node key, another user who has his own node", ZERO, KEY(reusable), .node = &other_user, .owner = &old_node, .kind = VERDICT_NODE_KEY_EXPIRED,
	 .about = &other_user, FOREVER},
	{"same node key, key of another tailnet", ZERO, KEY(reusable), .node = &other_tailnet, .kind = VERDICT_NODE_KEY_EXPIRED, .about = &other_tailnet,
	 FOREVER},
	{"same node key, used key of another tailnet", ZERO, KEY(used), .node = &other_tailnet, .kind = VERDICT_REFUSE, .about = &other_tailnet,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"same node key, expired, key of another tailnet", ZERO, KEY(reusable), .node = &other_tailnet_expired, .kind = VERDICT_NODE_KEY_EXPIRED,
	 .about = &other_tailnet_expired, .until = AT(-1)},
	{"a user's node takes a tag key", ZERO, KEY(tag_key), .node = &good, .kind = VERDICT_REKEY, .about = &good, FOREVER},

	/* expired */
	{"expired, no key", ZERO, .node = &expired, .kind = VERDICT_NODE_KEY_EXPIRED, .about = &expired, .until = AT(-1)},
	{"expired, follow-up", ZERO, .followup = "https://x/register/1", .node = &expired, .kind = VERDICT_ASK_LOGIN, .about = &expired,
	 .reason = "this tailnet admits by auth key", FOREVER},
	{"expired, good key", ZERO, KEY(reusable), .node = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, LIFETIME},
	{"expired, found twice", ZERO, KEY(tag_key), .node = &expired, .owner = &expired_again, .kind = VERDICT_REKEY, .about = &expired_again, FOREVER},
	{"expired, one-shot key", ZERO, KEY(one_shot), .node = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, .consumes = true,
	 LIFETIME},
	{"expired, used key", ZERO, KEY(used), .node = &expired, .owner = &expired, .kind = VERDICT_REFUSE, .about = &expired,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"expired, deleted key", ZERO, .credential = true, .node = &expired, .kind = VERDICT_REFUSE, .about = &expired,
	 .reason = "invalid key: it does not exist", FOREVER},

	/* unknown, no key */
	{"unknown, no key", ZERO, .kind = VERDICT_ASK_LOGIN, .reason = "this tailnet admits by auth key", FOREVER},
	{"unknown, no key, a wish", .expiry = AT(3), .kind = VERDICT_ASK_LOGIN, .reason = "this tailnet admits by auth key", FOREVER},
	{"unknown after an expired one, no key", ZERO, .old = &expired, .kind = VERDICT_ASK_LOGIN, .about = &expired,
	 .reason = "this tailnet admits by auth key", FOREVER},
	{"unknown, follow-up", ZERO, .followup = "https://x/register/1", .kind = VERDICT_ASK_LOGIN, .reason = "this tailnet admits by auth key", FOREVER},

	/* enroll */
	{"reusable key", ZERO, KEY(reusable), .kind = VERDICT_ENROLL, LIFETIME},
	{"one-shot key", ZERO, KEY(one_shot), .kind = VERDICT_ENROLL, .consumes = true, LIFETIME},
	{"key without end", ZERO, KEY(undying), .kind = VERDICT_ENROLL, LIFETIME},
	{"ephemeral key", ZERO, KEY(ephemeral_key), .kind = VERDICT_ENROLL, .is_ephemeral = true, LIFETIME},
	{"ephemeral request", ZERO, .ephemeral = true, KEY(reusable), .kind = VERDICT_ENROLL, .is_ephemeral = true, LIFETIME},
	{"tag key", ZERO, KEY(tag_key), .kind = VERDICT_ENROLL, FOREVER},
	{"tag key and a wish", .expiry = AT(1), KEY(tag_key), .kind = VERDICT_ENROLL, FOREVER},
	{"a wish", .expiry = AT(1), KEY(reusable), .kind = VERDICT_ENROLL, .until = AT(1)},
	{"a wish past the lifetime", .expiry = AT(180 * 24 + 1), KEY(reusable), .kind = VERDICT_ENROLL, LIFETIME},
	{"no lifetime", ZERO, KEY(reusable), .no_lifetime = true, .kind = VERDICT_ENROLL, FOREVER},
	{"no lifetime, a wish", .expiry = AT(9), KEY(reusable), .no_lifetime = true, .kind = VERDICT_ENROLL, .until = AT(9)},
	{"old key of another tailnet", ZERO, KEY(reusable), .old = &other_tailnet, .kind = VERDICT_ENROLL, LIFETIME},
	{"frozen tailnet", ZERO, KEY(reusable), .frozen = true, .kind = VERDICT_REFUSE, .reason = "this tailnet admits no machine at present", FOREVER},

	/* keys that do not let in */
	{"malformed key", ZERO, .credential = true, .malformed = true, .kind = VERDICT_REFUSE, .reason = "invalid key: it is not an auth key of this server",
	 FOREVER},
	{"unknown key", ZERO, .credential = true, .kind = VERDICT_REFUSE, .reason = "invalid key: it does not exist", FOREVER},
	{"expired key", ZERO, KEY(outdated), .kind = VERDICT_REFUSE, .reason = "invalid key: it has expired", FOREVER},
	{"revoked key", ZERO, KEY(revoked), .kind = VERDICT_REFUSE, .reason = "invalid key: it was revoked", FOREVER},
	{"used key", ZERO, KEY(used), .kind = VERDICT_REFUSE, .reason = "invalid key: it was good for one machine and is used up", FOREVER},

	/* requested tags */
	{"tags of the key", ZERO, KEY(tag_key), .tags = web, .tag_count = 1, .kind = VERDICT_ENROLL, FOREVER},
	{"a tag too much", ZERO, KEY(tag_key), .tags = web_db, .tag_count = 2, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db] are invalid or not permitted", FOREVER},
	{"tags by a user's key", ZERO, KEY(reusable), .tags = web_db, .tag_count = 2, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db tag:web] are invalid or not permitted", FOREVER},
	{"a tag that is none", ZERO, KEY(reusable), .tags = strange, .tag_count = 1, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [?] are invalid or not permitted", FOREVER},

	/* rotation and re-key */
	{"old node key", ZERO, KEY(reusable), .old = &old_node, .owner = &old_node, .kind = VERDICT_REKEY, .about = &old_node, LIFETIME},
	{"old node key of an expired node", ZERO, KEY(one_shot), .old = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, .consumes = true,
	 LIFETIME},
	{"old node key, another user", ZERO, KEY(reusable), .old = &other_user, .kind = VERDICT_REKEY, .about = &other_user, LIFETIME},
	{"old node key, another user who has his own node", ZERO, KEY(reusable), .old = &other_user, .owner = &old_node, .kind = VERDICT_REKEY,
	 .about = &old_node, LIFETIME},
	{"old node key, two nodes of the owner", ZERO, KEY(reusable), .old = &good, .owner = &old_node, .kind = VERDICT_REKEY, .about = &good, LIFETIME},
	{"old node key, used key", ZERO, KEY(used), .old = &old_node, .owner = &old_node, .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"lost node key, same owner", ZERO, KEY(reusable), .owner = &old_node, .kind = VERDICT_REKEY, .about = &old_node, LIFETIME},
	{"lost node key, tags", ZERO, KEY(tag_key), .owner = &tagged, .kind = VERDICT_REKEY, .about = &tagged, FOREVER},
	{"re-key makes ephemeral", ZERO, KEY(ephemeral_key), .owner = &old_node, .kind = VERDICT_REKEY, .about = &old_node, .is_ephemeral = true, LIFETIME},
	{"re-key in a frozen tailnet", ZERO, KEY(reusable), .owner = &old_node, .frozen = true, .kind = VERDICT_REFUSE, .about = &old_node,
	 .reason = "this tailnet admits no machine at present", FOREVER},

	/* the one-shot key of a node that never got its first map */
	{"unpolled, new node key", ZERO, KEY(used), .owner = &good, .unpolled = 100, .kind = VERDICT_REKEY, .about = &good, LIFETIME},
	{"unpolled, but another machine", ZERO, KEY(used), .unpolled = 100, .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"unpolled, but another node of this machine", ZERO, KEY(used), .owner = &old_node, .unpolled = 100, .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"unpolled, key revoked meanwhile", ZERO, KEY(revoked), .owner = &good, .unpolled = 100, .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was revoked", FOREVER},
};

static void one_trial(const struct trial *t)
{
	struct join join = {
		.machine_key = {{1}},
		.node_key = {{t->no_node_key ? 0 : 7}},
		.has_credential = t->credential,
		.credential_well_formed = t->credential && !t->malformed,
		.expiry = t->expiry,
		.ephemeral = t->ephemeral,
		.request_tags = t->tags,
		.request_tag_count = t->tag_count,
		.followup = bytes_text(t->followup),
		.capver = 138,
	};
	struct known known = {t->node, t->old, t->key, t->owner, t->unpolled, t->frozen};
	struct verdict v = admission_decide(&join, &known, t->no_lifetime ? 0 : lifetime_ms, now);
	const char *reason = t->reason ? t->reason : "";
	bool lets_in = t->kind == VERDICT_ENROLL || t->kind == VERDICT_REKEY;
	const struct node *denied_about = t->about ? t->about : v.node; /* whom a refusal is about matters to logs only */
	bool right = v.kind == t->kind && !strcmp(v.reason, reason) && v.consume_key == t->consumes && v.ephemeral == t->is_ephemeral &&
		     v.authkey == (lets_in ? t->key : NULL) && v.node == (t->kind == VERDICT_REFUSE ? denied_about : t->about);
	if (lets_in || t->kind == VERDICT_KNOWN || t->kind == VERDICT_EXPIRE_SOONER || t->kind == VERDICT_LOGOUT)
		right = right && v.expiry.ns == t->until.ns;
	if (!right)
		fail_msg("%s: kind %d, node %llu, reason \"%s\", consume %d, ephemeral %d, expiry %lld", t->name, v.kind,
			 v.node ? (unsigned long long)v.node->id : 0, v.reason, v.consume_key, v.ephemeral, (long long)v.expiry.ns);
}

static void decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(trials); i++)
		one_trial(&trials[i]);
}

/* However many tags are asked for, the sentence is whole. */
static void cuts_long_lists(void **state)
{
	(void)state;
	static char text[TAGS_MAX][TAG_MAX + 1];
	struct bytes tags[TAGS_MAX];
	for (unsigned i = 0; i < TAGS_MAX; i++) {
		snprintf(text[i], sizeof text[i], "tag:%s%u", "averyveryveryveryveryveryveryverylongname", i);
		tags[i] = bytes_text(text[i]);
	}
	struct join join = {.machine_key = {{1}},
			    .node_key = {{7}},
			    .has_credential = true,
			    .credential_well_formed = true,
			    .expiry = WALL_ZERO,
			    .request_tags = tags,
			    .request_tag_count = TAGS_MAX};
	struct known known = {.authkey = &reusable};
	struct verdict v = admission_decide(&join, &known, lifetime_ms, now);
	assert_int_equal(v.kind, VERDICT_REFUSE);
	assert_true(strlen(v.reason) < sizeof v.reason - 1);
	assert_string_equal(v.reason + strlen(v.reason) - strlen("] are invalid or not permitted"), "] are invalid or not permitted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decides), cmocka_unit_test(cuts_long_lists)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
