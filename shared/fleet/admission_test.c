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
static struct bytes db[] = {{(const uint8_t *)"tag:db", 6}};
static struct bytes king[] = {{(const uint8_t *)"tag:king", 8}};
static struct bytes three[] = {{(const uint8_t *)"tag:db", 6}, {(const uint8_t *)"tag:king", 8}, {(const uint8_t *)"tag:web", 7}};
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
static const struct node put_out = {.id = 116, OURS, OF(1, 0), .expiry = AT(-1), .tags = web, .tag_count = 1}; /* an administrator expired it */
static const struct node retagged = {.id = 110, OURS, OF(1, 0), NEVER, .tags = web, .tag_count = 1, .authkey = 51};
static const struct node stranger_expired = {.id = 111, STRANGERS, OF(1, 10), .expiry = AT(-1)};
static const struct node old_node = {.id = 112, OURS, OF(1, 10), .expiry = AT(24)};
static const struct node by_none_left = {.id = 114, OURS, OF(1, 10), .expiry = AT(-1), .authkey = 62};
static const struct node waiting = {.id = 113, .machine_key = {{1}}, .node_key = {{8}}, OF(1, 10), .expiry = AT(24)};

static const struct node kings = {.id = 115, OURS, OF(1, 0), NEVER, .tags = king, .tag_count = 1};
static const struct node unpolled = {.id = 100, OURS, OF(1, 0), NEVER, .tags = web, .tag_count = 1};

#define GOOD .expiry = AT(10), .revoked = {INT64_MIN}
static const struct authkey reusable = {.id = 50, OF(1, 10), GOOD, .reusable = true};
static const struct authkey other_users = {.id = 64, OF(1, 11), GOOD, .reusable = true};
static const struct authkey one_shot = {.id = 51, OF(1, 10), GOOD};
static const struct authkey used = {.id = 51, OF(1, 10), GOOD, .used_by = 100};
static const struct authkey two_left = {.id = 61, OF(1, 10), GOOD, .reusable = true, .uses = 3, .uses_most = 5};
static const struct authkey none_left = {.id = 62, OF(1, 10), GOOD, .reusable = true, .uses = 5, .uses_most = 5};
static const struct authkey revoked = {.id = 53, OF(1, 10), .expiry = AT(10), .revoked = AT(-2), .reusable = true};
static const struct authkey outdated = {.id = 54, OF(1, 10), .expiry = AT(-2), .revoked = {INT64_MIN}, .reusable = true};
static const struct authkey undying = {.id = 55, OF(1, 10), NEVER, .revoked = {INT64_MIN}, .reusable = true};
static const struct authkey ephemeral_key = {.id = 56, OF(1, 10), GOOD, .reusable = true, .ephemeral = true};
static const struct authkey tag_key = {.id = 57, OF(1, 0), GOOD, .reusable = true, .tags = web, .tag_count = 1};
static const struct authkey preapproved = {.id = 59, OF(1, 10), GOOD, .reusable = true, .preapproved = true};
static const struct authkey db_key = {.id = 60, OF(1, 0), GOOD, .reusable = true, .tags = web_db, .tag_count = 1};
static const struct authkey both_key = {.id = 63, OF(1, 0), GOOD, .reusable = true, .tags = web_db, .tag_count = 2};
static const struct authkey used_tag_key = {.id = 58, OF(1, 0), GOOD, .tags = web, .tag_count = 1, .used_by = 104};

struct trial {
	const char *name;
	/* request */
	struct wall expiry; /* {0} here is 1970, a past time; ZERO says none */
	const char *followup, *hint;
	struct bytes *tags;
	size_t tag_count;
	bool credential, malformed, ephemeral, no_node_key;
	/* known */
	bool frozen, suspended, approval, no_lifetime;
	/* wanted */
	bool consumes, is_ephemeral, unapproved;
	enum verdict_kind kind;
	const struct node *about;
	const char *reason;
	struct wall until;
	/* known */
	const struct node *node, *old, *owner;
	const struct authkey *key;
	uint64_t unpolled;
	const struct node *tagged;
	struct bytes *told;
	size_t told_count;
	bool no_policy;
	/* wanted: the node's tags; NULL: those of the key */
	struct bytes *given;
	size_t given_count;
};

/* User 10 may have tag:web, and so may have tag:db whatever carries tag:web. */
static bool may(const void *context, uint64_t user, const struct node *carried, struct bytes tag)
{
	(void)context;
	if (bytes_equal_text(tag, "tag:web"))
		return user == 10;
	for (size_t i = 0; carried && i < carried->tag_count; i++)
		if (bytes_equal_text(carried->tags[i], "tag:web"))
			return bytes_equal_text(tag, "tag:db");
	return false;
}
static const struct tag_rights policy = {may, NULL};

#define ZERO .expiry = {INT64_MIN}
#define FOREVER .until = {INT64_MIN}
#define LIFETIME .until = AT(180 * 24)
#define ASKS(t) .tags = t, .tag_count = COUNT_OF(t)
#define TOLD(t) .told = t, .told_count = COUNT_OF(t)
#define GIVEN(t) .given = t, .given_count = COUNT_OF(t), FOREVER
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
	{"same node key, good key, tags it never got", ZERO, KEY(reusable), .node = &good, ASKS(web), TOLD(web), .kind = VERDICT_KNOWN, .about = &good,
	 .until = AT(24)},
	{"same node key, deleted key", ZERO, .credential = true, .node = &good, .kind = VERDICT_REFUSE, .about = &good,
	 .reason = "invalid key: it does not exist", FOREVER},
	{"same node key, malformed key", ZERO, .credential = true, .malformed = true, .node = &good, .kind = VERDICT_REFUSE, .about = &good,
	 .reason = "invalid key: it is not an auth key of this server", FOREVER},
	{"same node key, another user's good key", ZERO, KEY(reusable), .node = &other_user, .kind = VERDICT_NODE_KEY_EXPIRED, .about = &other_user, FOREVER},
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
	{"expired, follow-up", ZERO, .followup = "https://x/register/1", .node = &expired, .kind = VERDICT_ASK_LOGIN, .about = &expired, FOREVER},
	{"expired, good key", ZERO, KEY(reusable), .node = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, LIFETIME},
	{"expired, found twice", ZERO, KEY(tag_key), .node = &expired, .owner = &expired_again, .kind = VERDICT_REKEY, .about = &expired_again, FOREVER},
	{"expired, one-shot key", ZERO, KEY(one_shot), .node = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, .consumes = true,
	 LIFETIME},
	{"expired, used key", ZERO, KEY(used), .node = &expired, .owner = &expired, .kind = VERDICT_REFUSE, .about = &expired,
	 .reason = "invalid key: it was good for one machine and is used up", FOREVER},
	{"expired, deleted key", ZERO, .credential = true, .node = &expired, .kind = VERDICT_REFUSE, .about = &expired,
	 .reason = "invalid key: it does not exist", FOREVER},

	/* unknown, no key */
	{"unknown, no key", ZERO, .kind = VERDICT_ASK_LOGIN, FOREVER},
	{"unknown, no key, a wish", .expiry = AT(3), .kind = VERDICT_ASK_LOGIN, FOREVER},
	{"unknown after an expired one, no key", ZERO, .old = &expired, .kind = VERDICT_ASK_LOGIN, .about = &expired, FOREVER},
	{"unknown, follow-up", ZERO, .followup = "https://x/register/1", .kind = VERDICT_ASK_LOGIN, FOREVER},

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
	{"limited key with uses left", ZERO, KEY(two_left), .kind = VERDICT_ENROLL, LIFETIME},
	{"limited key, all used", ZERO, KEY(none_left), .kind = VERDICT_REFUSE, .reason = "invalid key: it was good for so many machines and is used up",
	 FOREVER},
	{"limited key, all used, a machine that it let in", ZERO, KEY(none_left), .node = &by_none_left, .owner = &by_none_left, .kind = VERDICT_REKEY,
	 .about = &by_none_left, LIFETIME},
	{"limited key, all used, another machine of the owner", ZERO, KEY(none_left), .owner = &old_node, .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was good for so many machines and is used up", FOREVER},
	{"limited key, all used, restart", ZERO, KEY(none_left), .node = &good, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},

	/* the tailnet that management wants */
	{"required by name", ZERO, KEY(reusable), .hint = "required:lab", .kind = VERDICT_ENROLL, LIFETIME},
	{"required by domain", ZERO, KEY(reusable), .hint = "required:lab.example", .kind = VERDICT_ENROLL, LIFETIME},
	{"another is required", ZERO, KEY(reusable), .hint = "required:other", .kind = VERDICT_REFUSE,
	 .reason = "this machine is managed to join another tailnet than its key's", FOREVER},
	{"another is only wished", ZERO, KEY(reusable), .hint = "other", .kind = VERDICT_ENROLL, LIFETIME},

	{"used key", ZERO, KEY(used), .kind = VERDICT_REFUSE, .reason = "invalid key: it was good for one machine and is used up", FOREVER},

	/* requested tags */
	{"tags of the key", ZERO, KEY(tag_key), .tags = web, .tag_count = 1, .kind = VERDICT_ENROLL, FOREVER},
	{"a tag too much", ZERO, KEY(tag_key), .tags = web_db, .tag_count = 2, .no_policy = true, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db] are invalid or not permitted", FOREVER},
	{"tags by a user's key", ZERO, KEY(reusable), .tags = web_db, .tag_count = 2, .no_policy = true, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db tag:web] are invalid or not permitted", FOREVER},
	{"a tag that is none", ZERO, KEY(reusable), .tags = strange, .tag_count = 1, .no_policy = true, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [?] are invalid or not permitted", FOREVER},

	/* rotation and re-key */
	{"old node key", ZERO, KEY(reusable), .old = &old_node, .owner = &old_node, .kind = VERDICT_REKEY, .about = &old_node, LIFETIME},
	{"old node key of an expired node", ZERO, KEY(one_shot), .old = &expired, .owner = &expired, .kind = VERDICT_REKEY, .about = &expired, .consumes = true,
	 LIFETIME},
	{"old node key, another user: he keeps his node", ZERO, KEY(reusable), .old = &other_user, .kind = VERDICT_ENROLL, LIFETIME},
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

	/* suspended, approval */
	{"suspended tailnet", ZERO, KEY(reusable), .suspended = true, .frozen = true, .kind = VERDICT_REFUSE, .reason = "this tailnet is suspended", FOREVER},
	{"restart in a suspended tailnet", ZERO, .node = &good, .suspended = true, .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},
	{"logout in a suspended tailnet", .expiry = AT(-5), .node = &good, .suspended = true, .kind = VERDICT_LOGOUT, .about = &good, .until = AT(0)},
	{"approval wanted", ZERO, KEY(reusable), .approval = true, .kind = VERDICT_ENROLL, .unapproved = true, LIFETIME},
	{"approval wanted, key pre-approved", ZERO, KEY(preapproved), .approval = true, .kind = VERDICT_ENROLL, LIFETIME},
	{"approval wanted, tag key", ZERO, KEY(tag_key), .approval = true, .kind = VERDICT_ENROLL, .unapproved = true, FOREVER},
	{"approval wanted, renewal of an approved node", ZERO, KEY(reusable), .approval = true, .old = &old_node, .owner = &old_node, .kind = VERDICT_REKEY,
	 .about = &old_node, LIFETIME},
	{"approval wanted, renewal of one that waits", ZERO, KEY(reusable), .approval = true, .old = &waiting, .owner = &waiting, .kind = VERDICT_REKEY,
	 .about = &waiting, .unapproved = true, LIFETIME},
	{"approval wanted, renewal of one that waits, key pre-approved", ZERO, KEY(preapproved), .approval = true, .old = &waiting, .owner = &waiting,
	 .kind = VERDICT_REKEY, .about = &waiting, LIFETIME},
	{"approval no longer wanted, renewal of one that waits", ZERO, KEY(reusable), .old = &waiting, .owner = &waiting, .kind = VERDICT_REKEY,
	 .about = &waiting, LIFETIME},

	/* whose expiry, tags and node */
	{"expiry was disabled: a renewal leaves it so", ZERO, KEY(reusable), .old = &forever, .owner = &forever, .kind = VERDICT_REKEY, .about = &forever,
	 FOREVER},
	{"expiry was disabled: a wish counts", .expiry = AT(2), KEY(reusable), .old = &forever, .owner = &forever, .kind = VERDICT_REKEY, .about = &forever,
	 .until = AT(2)},
	{"another key's tags", ZERO, KEY(db_key), .old = &tagged, .owner = &tagged, .kind = VERDICT_REKEY, .about = &tagged, FOREVER},
	{"same node key, another key's tags: a restart changes nothing", ZERO, KEY(db_key), .node = &tagged, .owner = &tagged, .kind = VERDICT_KNOWN,
	 .about = &tagged, FOREVER},
	{"a tagged node takes a user's key", ZERO, KEY(reusable), .old = &tagged, .kind = VERDICT_REKEY, .about = &tagged, LIFETIME},
	{"node of another user, same node key, follow-up", ZERO, .followup = "https://x/register/1", KEY(reusable), .node = &other_user, .kind = VERDICT_REFUSE,
	 .reason = "this node key belongs to another node of this machine", FOREVER},

	/* requested tags without a key: whose login it becomes shows later */
	{"tags, no key", ZERO, ASKS(web), .kind = VERDICT_ASK_LOGIN, FOREVER},
	{"tags that nobody has, no key", ZERO, ASKS(king), .kind = VERDICT_ASK_LOGIN, FOREVER},
	{"what is no tag, no key", ZERO, ASKS(strange), .kind = VERDICT_REFUSE, .reason = "requested tags [?] are invalid or not permitted", FOREVER},
	{"tags that the node has, no key", ZERO, .old = &tagged, ASKS(web), .kind = VERDICT_ASK_LOGIN, .about = &tagged, FOREVER},
	{"an expired node asks for tags", ZERO, .node = &expired, ASKS(web), .kind = VERDICT_NODE_KEY_EXPIRED, .about = &expired, FOREVER},

	/* a known node asks for other tags than before */
	{"a restart that asks for what the node has", ZERO, .node = &tagged, ASKS(web), .kind = VERDICT_KNOWN, .about = &tagged, FOREVER},
	{"a restart that asks for what it always asked for", ZERO, .node = &tagged, ASKS(king), TOLD(king), .kind = VERDICT_KNOWN, .about = &tagged, FOREVER},
	{"a restart that no longer asks", ZERO, .node = &tagged, TOLD(web), .kind = VERDICT_KNOWN, .about = &tagged, FOREVER},
	{"tags that its own tags own", ZERO, .node = &tagged, ASKS(db), TOLD(web), .kind = VERDICT_RETAG, .about = &tagged, GIVEN(db)},
	{"tags that its own tags own, and its own", ZERO, .node = &tagged, ASKS(web_db), .kind = VERDICT_RETAG, .about = &tagged, GIVEN(web_db)},
	{"tags that its own tags own, without a policy", ZERO, .node = &tagged, ASKS(db), .no_policy = true, .kind = VERDICT_NODE_KEY_EXPIRED, .about = &tagged,
	 FOREVER},
	{"a tagged node asks for others", ZERO, .node = &tagged, ASKS(king), .kind = VERDICT_NODE_KEY_EXPIRED, .about = &tagged, FOREVER},
	{"a person's node asks for what he may have", ZERO, .node = &good, ASKS(web), .kind = VERDICT_NODE_KEY_EXPIRED, .about = &good, FOREVER},
	{"a person's node asks for what he may not have", ZERO, .node = &good, ASKS(web_db), .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db] are invalid or not permitted", FOREVER},
	{"another person's node asks", ZERO, .node = &other_user, ASKS(web), .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:web] are invalid or not permitted", FOREVER},
	{"a follow-up asks again", ZERO, .followup = "https://x/register/1", .node = &good, ASKS(web), .kind = VERDICT_KNOWN, .about = &good, .until = AT(24)},

	/* requested tags with a key */
	{"a user's key, his tag", ZERO, KEY(reusable), ASKS(web), .kind = VERDICT_ENROLL, GIVEN(web)},
	{"a user's key, without a policy", ZERO, KEY(reusable), ASKS(web), .no_policy = true, .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:web] are invalid or not permitted", FOREVER},
	{"a user's key, one tag that is not his", ZERO, KEY(reusable), ASKS(web_db), .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db] are invalid or not permitted", FOREVER},
	{"a user's key, several that are not", ZERO, KEY(reusable), ASKS(three), .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:db tag:king] are invalid or not permitted", FOREVER},
	{"a user's key on his known machine", ZERO, KEY(reusable), .old = &old_node, .owner = &old_node, ASKS(web), .kind = VERDICT_REKEY, .about = &old_node,
	 GIVEN(web)},
	{"a user's key on his running machine", ZERO, KEY(reusable), .node = &good, .owner = &good, ASKS(web), .kind = VERDICT_REKEY, .about = &good,
	 GIVEN(web)},
	{"a user's revoked key on his running machine", ZERO, KEY(revoked), .node = &good, .owner = &good, ASKS(web), .kind = VERDICT_REFUSE,
	 .reason = "invalid key: it was revoked", FOREVER},
	{"the same key again", ZERO, KEY(one_shot), .node = &retagged, ASKS(web), TOLD(web), .kind = VERDICT_KNOWN, .about = &retagged, FOREVER},
	{"a user's key, the machine's tagged node", ZERO, KEY(reusable), .owner = &good, .tagged = &tagged, ASKS(web), .kind = VERDICT_REKEY, .about = &tagged,
	 GIVEN(web)},
	{"a user's key, a tagged node, what it may have by both", ZERO, KEY(reusable), .old = &tagged, .tagged = &tagged, ASKS(web_db), .kind = VERDICT_REKEY,
	 .about = &tagged, GIVEN(web_db)},
	{"a user's key, a tagged node that was put out, its tags are not his", ZERO, KEY(other_users), .old = &put_out, .tagged = &put_out, ASKS(web),
	 .kind = VERDICT_REFUSE, .about = &put_out, .reason = "requested tags [tag:web] are invalid or not permitted", FOREVER},
	{"a user's key, a tagged node that was put out, its tags are his", ZERO, KEY(reusable), .old = &put_out, .tagged = &put_out, ASKS(web),
	 .kind = VERDICT_REKEY, .about = &put_out, GIVEN(web)},
	{"a user's key, another's machine", ZERO, KEY(reusable), .old = &other_user, ASKS(web), .kind = VERDICT_ENROLL, GIVEN(web)},
	{"a used key, its machine came back before its first map", ZERO, KEY(used), .unpolled = 100, .tagged = &unpolled, ASKS(web), .kind = VERDICT_REKEY,
	 .about = &unpolled, GIVEN(web)},
	{"a key with tags, one of them", ZERO, KEY(both_key), ASKS(web), .kind = VERDICT_ENROLL, FOREVER},
	{"a key with tags, what they own", ZERO, KEY(tag_key), ASKS(db), .kind = VERDICT_ENROLL, GIVEN(db)},
	{"a key with tags, others", ZERO, KEY(tag_key), ASKS(king), .kind = VERDICT_REFUSE, .reason = "requested tags [tag:king] are invalid or not permitted",
	 FOREVER},
	{"a key with tags, on a node that has what it asks for", ZERO, KEY(tag_key), .old = &kings, .owner = &kings, ASKS(king), .kind = VERDICT_REFUSE,
	 .reason = "requested tags [tag:king] are invalid or not permitted", FOREVER},
	{"its key with tags, on its running node, what they own", ZERO, KEY(tag_key), .node = &tagged, .owner = &tagged, ASKS(db), TOLD(web),
	 .kind = VERDICT_RETAG, .about = &tagged, GIVEN(db)},
	{"a user's key drops tags", ZERO, KEY(reusable), .old = &tagged, .tagged = &tagged, .kind = VERDICT_REKEY, .about = &tagged, LIFETIME},
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
		.tailnet_hint = bytes_text(t->hint),
		.capver = 138,
	};
	struct known known = {.by_node_key = t->node,
			      .by_old_key = t->old,
			      .authkey = t->key,
			      .by_owner = t->owner,
			      .key_unpolled_by = t->unpolled,
			      .tailnet_frozen = t->frozen,
			      .tailnet_suspended = t->suspended,
			      .device_approval = t->approval,
			      .tailnet_name = BYTES("lab"),
			      .tailnet_domain = BYTES("lab.example"),
			      .tagged = t->tagged,
			      .rights = t->no_policy ? NULL : &policy,
			      .told_tags = t->told,
			      .told_tag_count = t->told_count};
	struct verdict v = admission_decide(&join, &known, t->no_lifetime ? 0 : lifetime_ms, now);
	const char *reason = t->reason ? t->reason : "";
	bool lets_in = t->kind == VERDICT_ENROLL || t->kind == VERDICT_REKEY;
	const struct node *denied_about = t->about ? t->about : v.node; /* whom a refusal is about matters to logs only */
	bool right = (!lets_in || v.approved == !t->unapproved) && v.kind == t->kind && !strcmp(v.reason, reason) && v.consume_key == t->consumes &&
		     v.ephemeral == t->is_ephemeral && v.authkey == (lets_in ? t->key : NULL) &&
		     v.node == (t->kind == VERDICT_REFUSE ? denied_about : t->about);
	if (lets_in || t->kind == VERDICT_KNOWN || t->kind == VERDICT_EXPIRE_SOONER || t->kind == VERDICT_LOGOUT)
		right = right && v.expiry.ns == t->until.ns;
	if (lets_in || t->kind == VERDICT_RETAG)
		right = right && (t->given ? v.tags == t->given && v.tag_count == t->given_count : v.tag_count == (t->key ? t->key->tag_count : 0));
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

static void decides_reports(void **state)
{
	static const struct {
		const char *name;
		const struct node *node;
		struct bytes *tags, *told;
		bool no_policy;
		enum verdict_kind kind;
	} reports[] = {
		{"asks for nothing", &good, NULL, NULL, false, VERDICT_KNOWN},
		{"no longer asks", &tagged, NULL, web, false, VERDICT_KNOWN},
		{"asks for what it has", &tagged, web, db, false, VERDICT_KNOWN},
		{"asks for what it asked for", &tagged, king, king, false, VERDICT_KNOWN},
		{"asks for what its tags own", &tagged, db, web, false, VERDICT_RETAG},
		{"asks for what its tags own, without a policy", &tagged, db, web, true, VERDICT_EXPIRE_SOONER},
		{"asks for others", &tagged, king, web, false, VERDICT_EXPIRE_SOONER},
		{"a person's asks", &good, web, NULL, false, VERDICT_EXPIRE_SOONER},
		{"an expired one asks", &expired, web, NULL, false, VERDICT_KNOWN},
		{"asks for what is no tag", &tagged, strange, NULL, false, VERDICT_EXPIRE_SOONER},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(reports); i++) {
		struct join join = {.request_tags = reports[i].tags, .request_tag_count = reports[i].tags ? 1 : 0};
		struct known known = {.rights = reports[i].no_policy ? NULL : &policy, .told_tags = reports[i].told, .told_tag_count = reports[i].told ? 1 : 0};
		struct verdict v = admission_decide_report(reports[i].node, &join, &known, now);
		if (v.kind != reports[i].kind || (v.kind == VERDICT_RETAG && (v.tags != join.request_tags || v.tag_count != 1)) ||
		    (v.kind == VERDICT_EXPIRE_SOONER && v.expiry.ns != now.ns))
			fail_msg("%s: kind %d", reports[i].name, v.kind);
	}
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

/* --- answering for a login ------------------------------------------------------------------------------------------------------------------------- */

enum { MACHINES_MAX = 3 };

struct answer_trial {
	const char *name;
	uint64_t user, bound; /* bound: the login's own tailnet */
	unsigned old;         /* first byte of the login's old node key; 0: none */
	struct wall wish;     /* {0}: none */
	bool ephemeral, frozen, suspended, approval, no_lifetime;
	const struct node *nodes[MACHINES_MAX];
	/* wanted */
	enum verdict_kind kind;
	const struct node *about;
	const char *reason;
	struct wall until;
	bool unapproved;
	struct bytes *tags; /* asked for, and given */
	size_t tag_count;
	bool told;
};

#define NODE(key_, id_) .id = id_, .machine_key = {{1}}, .node_key = {{key_}}, .approved = true
static const struct node anns = {NODE(20, 200), OF(1, 10), .expiry = AT(-1)};
static const struct node anns_forever = {NODE(21, 201), OF(1, 10), NEVER};
static const struct node bobs = {NODE(22, 202), OF(1, 11), .expiry = AT(24)};
static const struct node servers = {NODE(23, 203), OF(1, 0), NEVER, .tags = web, .tag_count = 1};
static const struct node servers_put_out = {NODE(23, 203), OF(1, 0), .expiry = AT(-1), .tags = web, .tag_count = 1};
static const struct node anns_waiting = {.id = 204, .machine_key = {{1}}, .node_key = {{24}}, OF(1, 10), .expiry = AT(24)};
static const struct node anns_second = {NODE(25, 205), OF(1, 10), .expiry = AT(24)};
static const struct node anns_same_key = {NODE(7, 206), OF(1, 10), .expiry = AT(-1)};

#define NOT_FOUND .kind = VERDICT_REFUSE, .reason = "no such pending login"
#define NOBODYS .kind = VERDICT_REFUSE, .reason = "this machine has no node here that could be renewed: say whose it becomes (auth register)"

static const struct answer_trial answer_trials[] = {
	{"new machine", .user = 10, .kind = VERDICT_ENROLL, LIFETIME},
	{"new machine, bound to this tailnet", .user = 10, .bound = 1, .kind = VERDICT_ENROLL, LIFETIME},
	{"bound to another tailnet", .user = 10, .bound = 2, NOT_FOUND},
	{"bound to another tailnet, which is frozen here", .user = 10, .bound = 2, .frozen = true, NOT_FOUND},
	{"a wish", .user = 10, .wish = AT(1), .kind = VERDICT_ENROLL, .until = AT(1)},
	{"a wish past the lifetime", .user = 10, .wish = AT(180 * 24 + 1), .kind = VERDICT_ENROLL, LIFETIME},
	{"no lifetime", .user = 10, .no_lifetime = true, .kind = VERDICT_ENROLL, FOREVER},
	{"no lifetime, a wish", .user = 10, .no_lifetime = true, .wish = AT(3), .kind = VERDICT_ENROLL, .until = AT(3)},
	{"ephemeral", .user = 10, .ephemeral = true, .kind = VERDICT_ENROLL, LIFETIME},
	{"approval wanted", .user = 10, .approval = true, .kind = VERDICT_ENROLL, LIFETIME, .unapproved = true},
	{"frozen", .user = 10, .frozen = true, .kind = VERDICT_REFUSE, .reason = "this tailnet admits no machine at present"},
	{"suspended", .user = 10, .suspended = true, .kind = VERDICT_REFUSE, .reason = "this tailnet is suspended"},
	{"frozen, renewal", .user = 10, .old = 20, .frozen = true, .nodes = {&anns}, .kind = VERDICT_REFUSE, .about = &anns,
	 .reason = "this tailnet admits no machine at present"},

	/* renewal */
	{"renewal", .user = 10, .old = 20, .nodes = {&anns}, .kind = VERDICT_REKEY, .about = &anns, LIFETIME},
	{"renewal, keys lost", .user = 10, .nodes = {&anns}, .kind = VERDICT_REKEY, .about = &anns, LIFETIME},
	{"renewal under the same key", .user = 10, .nodes = {&anns_same_key}, .kind = VERDICT_REKEY, .about = &anns_same_key, LIFETIME},
	{"renewal, approval wanted since", .user = 10, .old = 20, .approval = true, .nodes = {&anns}, .kind = VERDICT_REKEY, .about = &anns, LIFETIME},
	{"renewal of one that waits", .user = 10, .old = 24, .approval = true, .nodes = {&anns_waiting}, .kind = VERDICT_REKEY, .about = &anns_waiting,
	 LIFETIME, .unapproved = true},
	{"renewal where expiry was disabled", .user = 10, .old = 21, .nodes = {&anns_forever}, .kind = VERDICT_REKEY, .about = &anns_forever, FOREVER},
	{"renewal where expiry was disabled, a wish", .user = 10, .old = 21, .wish = AT(4), .nodes = {&anns_forever}, .kind = VERDICT_REKEY,
	 .about = &anns_forever, .until = AT(4)},
	{"of two nodes of a user the one of the old key", .user = 10, .old = 20, .nodes = {&anns, &anns_second}, .kind = VERDICT_REKEY, .about = &anns,
	 LIFETIME},
	{"of two nodes of a user the newer one", .user = 10, .nodes = {&anns, &anns_second}, .kind = VERDICT_REKEY, .about = &anns_second, LIFETIME},

	/* change of user */
	{"another user: a node of his own", .user = 11, .old = 20, .nodes = {&anns}, .kind = VERDICT_ENROLL, LIFETIME},
	{"another user who has a node of his own here", .user = 11, .old = 20, .nodes = {&anns, &bobs}, .kind = VERDICT_REKEY, .about = &bobs, LIFETIME},
	{"a tagged node becomes a user's", .user = 10, .old = 23, .nodes = {&servers}, .kind = VERDICT_REKEY, .about = &servers, LIFETIME},
	{"a tagged node is left alone where the user has his own", .user = 11, .old = 23, .nodes = {&servers, &bobs}, .kind = VERDICT_REKEY, .about = &bobs,
	 LIFETIME},
	{"a tagged node that no key names is left alone", .user = 10, .nodes = {&servers}, .kind = VERDICT_ENROLL, LIFETIME},

	/* approve: as it is */
	{"approve a renewal", .old = 22, .nodes = {&anns, &bobs}, .kind = VERDICT_REKEY, .about = &bobs, LIFETIME},
	{"approve a tagged node's renewal", .old = 23, .nodes = {&servers, &bobs}, .kind = VERDICT_REKEY, .about = &servers, FOREVER},
	{"approve, keys lost, the only node", .nodes = {&anns}, .kind = VERDICT_REKEY, .about = &anns, LIFETIME},
	{"approve, keys lost, two nodes", .nodes = {&anns, &bobs}, NOBODYS},
	{"approve a new machine", NOBODYS},

	/* tags */
	{"his tag", .user = 10, ASKS(web), .kind = VERDICT_ENROLL, FOREVER},
	{"not his tag", .user = 11, ASKS(web), .kind = VERDICT_REFUSE, .reason = "requested tags [tag:web] are invalid or not permitted", .told = true},
	{"one that is not his", .user = 10, ASKS(three), .kind = VERDICT_REFUSE, .reason = "requested tags [tag:db tag:king] are invalid or not permitted",
	 .told = true},
	{"his tag on his machine", .user = 10, .old = 20, ASKS(web), .nodes = {&anns}, .kind = VERDICT_REKEY, .about = &anns, FOREVER},
	{"his tag beside his machine, keys lost", .user = 10, ASKS(web), .nodes = {&anns}, .kind = VERDICT_ENROLL, FOREVER},
	{"his tag on the machine's tagged node, keys lost", .user = 10, ASKS(web), .nodes = {&anns, &servers}, .kind = VERDICT_REKEY, .about = &servers,
	 FOREVER},
	{"other tags that the node's own", .user = 10, .old = 23, ASKS(db), .nodes = {&servers}, .kind = VERDICT_REKEY, .about = &servers, FOREVER},
	{"another's tags on a tagged node", .user = 11, .old = 23, ASKS(king), .nodes = {&servers}, .kind = VERDICT_REFUSE, .about = &servers,
	 .reason = "requested tags [tag:king] are invalid or not permitted", .told = true},
	{"tags of a node that was put out are not his", .user = 11, .old = 23, ASKS(web), .nodes = {&servers_put_out}, .kind = VERDICT_REFUSE,
	 .about = &servers_put_out, .reason = "requested tags [tag:web] are invalid or not permitted", .told = true},
	{"tags of a node that was put out are his", .user = 10, .old = 23, ASKS(web), .nodes = {&servers_put_out}, .kind = VERDICT_REKEY,
	 .about = &servers_put_out, FOREVER},
	{"approve a tagged node that was put out, with its tags", .old = 23, ASKS(web), .nodes = {&servers_put_out}, .kind = VERDICT_REKEY,
	 .about = &servers_put_out, FOREVER},
	{"approve with tags: those of the owner", .old = 20, ASKS(web), .nodes = {&anns, &bobs}, .kind = VERDICT_REKEY, .about = &anns, FOREVER},
	{"approve with tags: not those of another", .old = 22, ASKS(web), .nodes = {&anns, &bobs}, .kind = VERDICT_REFUSE, .about = &bobs,
	 .reason = "requested tags [tag:web] are invalid or not permitted", .told = true},
	{"approve a tagged node with its tags", .old = 23, ASKS(web), .nodes = {&servers}, .kind = VERDICT_REKEY, .about = &servers, FOREVER},
};

static bool same_reason(const struct verdict *v, const char *reason)
{
	return !strcmp(v->reason, reason ? reason : "");
}

static void one_answer(const struct answer_trial *t)
{
	struct node nodes[MACHINES_MAX];
	size_t count = 0;
	while (count < MACHINES_MAX && t->nodes[count]) {
		nodes[count] = *t->nodes[count];
		count++;
	}
	struct login login = {.id = 1,
			      .tailnet = t->bound,
			      .machine_key = {{1}},
			      .node_key = {{7}},
			      .old_node_key = {{(uint8_t)t->old}},
			      .wanted_expiry = t->wish.ns ? t->wish : WALL_ZERO,
			      .ephemeral = t->ephemeral};
	struct tailnet tailnet = {
		.id = 1, .key_lifetime_ms = t->no_lifetime ? 0 : lifetime_ms, .frozen = t->frozen, .suspended = t->suspended, .device_approval = t->approval};
	struct login_answer answer = {&tailnet, t->user, nodes, count, t->tags, t->tag_count, &policy};
	struct verdict v = admission_finish_login(&login, &answer, now);
	bool right =
		v.kind == t->kind && same_reason(&v, t->reason) && (v.node ? v.node->id : 0) == (t->about ? t->about->id : 0) && !v.authkey && !v.consume_key;
	if (t->kind != VERDICT_REFUSE)
		right = right && v.expiry.ns == t->until.ns && v.ephemeral == t->ephemeral && v.approved == !t->unapproved;
	if (t->kind != VERDICT_REFUSE && t->tags)
		right = right && v.tags == t->tags && v.tag_count == t->tag_count;
	if (t->kind != VERDICT_REFUSE && !t->tags)
		right = right && v.tag_count == (t->user || !t->about ? 0 : t->about->tag_count);
	right = right && v.told == t->told;
	if (!right)
		fail_msg("%s: kind %d, node %llu, reason \"%s\", ephemeral %d, approved %d, expiry %lld", t->name, v.kind,
			 v.node ? (unsigned long long)v.node->id : 0, v.reason, v.ephemeral, v.approved, (long long)v.expiry.ns);
}

static void answers_for_logins(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answer_trials); i++)
		one_answer(&answer_trials[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decides), cmocka_unit_test(decides_reports), cmocka_unit_test(answers_for_logins),
					   cmocka_unit_test(cuts_long_lists)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
