#include "admission.h"

#include <stdarg.h>
#include <stdio.h>

static const char frozen[] = "this tailnet admits no machine at present", suspended[] = "this tailnet is suspended";

PRINTF(3, 4) static struct verdict refuse(enum verdict_kind kind, const struct node *node, const char *format, ...)
{
	struct verdict v = {.kind = kind, .node = node, .expiry = WALL_ZERO};
	va_list args;
	va_start(args, format);
	vsnprintf(v.reason, sizeof v.reason, format, args);
	va_end(args);
	return v;
}

static struct verdict about(enum verdict_kind kind, const struct node *node, struct wall expiry)
{
	return (struct verdict){.kind = kind, .node = node, .expiry = expiry, .ephemeral = node && node->ephemeral};
}

/* The earlier of two expiries, zero being never. */
static struct wall sooner(struct wall a, struct wall b)
{
	if (wall_is_zero(a) || wall_is_zero(b))
		return wall_is_zero(a) ? b : a;
	return a.ns < b.ns ? a : b;
}

/* The client may send any past time; its zero time means that it has no wish (a restarted 1.64 client registers so). */
static bool is_logout(const struct join *join, struct wall now)
{
	return wall_passed(join->expiry, now);
}

/* Nothing to end is a success too: a refused logout leaves the client stopped, with a dead key that it never drops. */
static struct verdict decide_logout(const struct node *node, struct wall now)
{
	if (!node || (node_is_expired(node, now) && !node->ephemeral))
		return about(VERDICT_GONE, NULL, WALL_ZERO);
	return about(VERDICT_LOGOUT, node, now);
}

/* A restart must change nothing, least of all the expiry; only an explicit wish to expire sooner is granted. */
static struct verdict keep(const struct node *node, const struct join *join)
{
	bool wish = !wall_is_zero(join->expiry) && !node_is_tagged(node);
	if (wish && (wall_is_zero(node->expiry) || join->expiry.ns < node->expiry.ns))
		return about(VERDICT_EXPIRE_SOONER, node, join->expiry);
	return about(VERDICT_KNOWN, node, node->expiry);
}

/* The key that once let the node in still speaks for it after an administrator gave the node another owner. */
static bool speaks_for(const struct authkey *key, const struct node *node)
{
	if (key->tailnet != node->tailnet)
		return false;
	if (node->authkey && node->authkey == key->id)
		return true;
	return key->tag_count ? node_is_tagged(node) : !node_is_tagged(node) && node->user == key->user;
}

/* The client stores its node key only with its first map: until that went out, the same machine coming back under a new key is the same
 * joining. */
static bool is_same_joining(const struct known *known)
{
	const struct node *nodes[] = {known->by_owner, known->tagged};
	for (size_t i = 0; i < COUNT_OF(nodes); i++)
		if (nodes[i] && known->key_unpolled_by && nodes[i]->id == known->key_unpolled_by)
			return true;
	return false;
}

static bool has_tag(const struct bytes *tags, size_t count, struct bytes tag)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(tags[i], tag))
			return true;
	return false;
}

static bool has_all(const struct bytes *tags, size_t count, const struct bytes *wanted, size_t wanted_count)
{
	for (size_t i = 0; i < wanted_count; i++)
		if (!has_tag(tags, count, wanted[i]))
			return false;
	return true;
}

/* Whose right to tags counts. */
struct claim {
	const struct tag_rights *rights;
	uint64_t user;             /* 0: nobody */
	const struct node *holder; /* has its tags, and may have what these own; or NULL */
};

static bool may_have(const struct claim *claim, struct bytes tag)
{
	if (tag_check(tag, NULL))
		return false;
	if (claim->holder && has_tag(claim->holder->tags, claim->holder->tag_count, tag))
		return true;
	return claim->rights && claim->rights->may(claim->rights->context, claim->user, claim->holder, tag);
}

static bool may_have_all(const struct claim *claim, const struct bytes *tags, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!may_have(claim, tags[i]))
			return false;
	return true;
}

/* Names the tags that are denied, separated by spaces, as many as fit; false when none is. */
static bool denies_tags(const struct claim *claim, const struct bytes *tags, size_t count, struct verdict *out)
{
	char list[ADMISSION_REASON_MAX / 2];
	size_t len = 0;
	bool denied = false;
	list[0] = 0;
	for (size_t i = 0; i < count; i++) {
		struct bytes tag = tags[i];
		if (may_have(claim, tag))
			continue;
		denied = true;
		/* A tag that is no tag may be anything, so it is not echoed. */
		if (tag_check(tag, NULL))
			tag = BYTES("?");
		if (len + tag.len + 2 <= sizeof list)
			len += (size_t)sprintf(list + len, "%s%.*s", len ? " " : "", BYTES_ARG(tag));
	}
	if (denied)
		*out = refuse(VERDICT_REFUSE, claim->holder, "requested tags [%s] are invalid or not permitted", list);
	return denied;
}

/* A restart repeats what was asked for before, whatever the node has been given since; only another wish is one. */
static bool asks_anew(const struct join *join, const struct known *known, const struct node *node)
{
	const struct bytes *wanted = join->request_tags;
	size_t count = join->request_tag_count;
	if (!count || (count == node->tag_count && has_all(node->tags, node->tag_count, wanted, count)))
		return false;
	return count != known->told_tag_count || !has_all(known->told_tags, known->told_tag_count, wanted, count);
}

static bool owns_what_it_asks(const struct join *join, const struct known *known, const struct node *node)
{
	struct claim own = {known->rights, 0, node};
	return node_is_tagged(node) && may_have_all(&own, join->request_tags, join->request_tag_count);
}

static struct verdict retag(const struct node *node, const struct join *join)
{
	struct verdict v = about(VERDICT_RETAG, node, node->expiry);
	v.tags = join->request_tags;
	v.tag_count = join->request_tag_count;
	return v;
}

/* Which node of this machine goes on under the new node key; NULL: none, it is a new one.
 * An old node key names its node, unless this machine also has a node of the key's owner, which would become his second.
 * Another user's node stays that user's: one machine may have a node of each. */
static const struct node *node_to_renew(const struct join *join, const struct known *known)
{
	const struct authkey *key = known->authkey;
	const struct node *old = known->by_node_key ? known->by_node_key : known->by_old_key;
	bool tags_user = join->request_tag_count && !key->tag_count;
	const struct node *other = tags_user ? known->tagged : known->by_owner;
	if (old && old->tailnet != key->tailnet)
		old = NULL;
	if (tags_user && old && (node_is_tagged(old) || speaks_for(key, old)))
		return old;
	if (!old || (other && !speaks_for(key, old)))
		return other;
	if (!key->tag_count && !node_is_tagged(old) && !speaks_for(key, old))
		return other;
	return old;
}

/* What a node's key expires at when it is renewed or made. Where an administrator said "never", a renewal by the same owner leaves it so. */
static struct wall renewed_expiry(const struct node *node, uint64_t user, struct wall wish, int64_t lifetime_ms, struct wall now)
{
	if (node && !node_is_tagged(node) && node->user == user && wall_is_zero(node->expiry))
		return wish;
	return sooner(wish, lifetime_ms ? wall_add_ms(now, lifetime_ms) : WALL_ZERO);
}

/* A managed machine goes to its own tailnet or nowhere. */
static bool wants_another(const struct join *join, const struct known *known)
{
	struct bytes wanted = join->tailnet_hint;
	if (!bytes_starts(wanted, "required:"))
		return false;
	wanted = bytes_skip(wanted, sizeof "required:" - 1);
	return !bytes_equal(wanted, known->tailnet_name) && !bytes_equal(wanted, known->tailnet_domain);
}

/* Whoever expired a node took it out: its tags speak for nothing until somebody vouches for it who may give them. */
static const struct node *holder_of(const struct node *node, struct wall now)
{
	return node && node_is_tagged(node) && !node_is_expired(node, now) ? node : NULL;
}

/* The key's own tags, and what these own; of a key without tags what its user may have, or the tagged node that goes on. */
static struct claim claim_of_key(const struct known *known, const struct node *renewed, const struct node *as_node, struct wall now)
{
	const struct authkey *key = known->authkey;
	if (key->tag_count)
		return (struct claim){known->rights, 0, as_node};
	return (struct claim){known->rights, key->user, holder_of(renewed, now)};
}

/* All tags of the key; instead, where a client asks for others, those. */
static void give_tags(struct verdict *v, const struct join *join)
{
	const struct authkey *key = v->authkey;
	bool others = join->request_tag_count && !has_all(key->tags, key->tag_count, join->request_tags, join->request_tag_count);
	v->tags = others ? join->request_tags : key->tags;
	v->tag_count = others ? join->request_tag_count : key->tag_count;
}

static struct verdict admit(const struct join *join, const struct known *known, int64_t lifetime_ms, struct wall now)
{
	const struct authkey *key = known->authkey;
	const struct node *node = node_to_renew(join, known);
	struct verdict denied;
	if (known->tailnet_suspended || known->tailnet_frozen)
		return refuse(VERDICT_REFUSE, node, "%s", known->tailnet_suspended ? suspended : frozen);
	if (wants_another(join, known))
		return refuse(VERDICT_REFUSE, node, "this machine is managed to join another tailnet than its key's");
	struct claim claim = claim_of_key(known, node, &(struct node){.tags = key->tags, .tag_count = key->tag_count}, now);
	if (denies_tags(&claim, join->request_tags, join->request_tag_count, &denied)) {
		denied.node = node;
		return denied;
	}

	/* A node key names one node in the whole installation. One that already names another node of this machine (of another tailnet,
	 * or of another user) is given up by the client, which comes back with a fresh one. Following up a login it would not. */
	if (known->by_node_key && (!node || node->id != known->by_node_key->id)) {
		if (join->followup.len)
			return refuse(VERDICT_REFUSE, node, "this node key belongs to another node of this machine");
		return about(VERDICT_NODE_KEY_EXPIRED, known->by_node_key, known->by_node_key->expiry);
	}

	struct verdict v = {
		.kind = node ? VERDICT_REKEY : VERDICT_ENROLL,
		.node = node,
		.authkey = key,
		.consume_key = !key->reusable && !is_same_joining(known),
		.ephemeral = key->ephemeral || join->ephemeral,
		.approved = (node && node->approved) || key->preapproved || !known->device_approval,
		.expiry = WALL_ZERO,
	};
	give_tags(&v, join);
	/* A tagged node belongs to no person whose login could be renewed, hence never expires. */
	if (!v.tag_count)
		v.expiry = renewed_expiry(node, key->user, join->expiry, lifetime_ms, now);
	return v;
}

/* A machine counts once. */
static bool has_let_in(const struct authkey *key, const struct node *node)
{
	return node && node->authkey == key->id;
}

static const char *fault_of(const struct join *join, const struct known *known, struct wall now)
{
	const struct authkey *key = known->authkey;
	if (!wall_is_zero(key->revoked))
		return "invalid key: it was revoked";
	if (wall_passed(key->expiry, now))
		return "invalid key: it has expired";
	if (!key->reusable && key->used_by && !is_same_joining(known))
		return "invalid key: it was good for one machine and is used up";
	if (key->uses_most && key->uses >= key->uses_most && !has_let_in(key, node_to_renew(join, known)))
		return "invalid key: it was good for so many machines and is used up";
	return NULL;
}

static struct verdict decide_by_key(const struct join *join, const struct known *known, int64_t lifetime_ms, struct wall now)
{
	const struct node *node = known->by_node_key;
	if (!join->credential_well_formed)
		return refuse(VERDICT_REFUSE, node, "invalid key: it is not an auth key of this server");
	if (!known->authkey)
		return refuse(VERDICT_REFUSE, node, "invalid key: it does not exist");
	/* Containers present their key at each start; the node is in, whatever became of the key since. */
	if (node && !node_is_expired(node, now) && speaks_for(known->authkey, node)) {
		if (!asks_anew(join, known, node))
			return keep(node, join);
		if (owns_what_it_asks(join, known, node))
			return retag(node, join);
	}
	const char *fault = fault_of(join, known, now);
	return fault ? refuse(VERDICT_REFUSE, node, "%s", fault) : admit(join, known, lifetime_ms, now);
}

static bool may_any(const void *context, uint64_t user, const struct node *carried, struct bytes tag)
{
	(void)context, (void)user, (void)carried, (void)tag;
	return true;
}
static const struct tag_rights well_formed = {may_any, NULL};

bool admission_asks_rights(const struct join *join, const struct known *known)
{
	const struct authkey *key = known->authkey;
	if (!join->request_tag_count)
		return false;
	return join->has_credential ? key && !has_all(key->tags, key->tag_count, join->request_tags, join->request_tag_count) : known->by_node_key != NULL;
}

/* Nobody vouches for a known node that asks for tags: it may have what its own tags own. Else its user has to sign in for them, if they are his to give. */
static struct verdict decide_wish(const struct join *join, const struct known *known, const struct node *node)
{
	struct claim users = {known->rights, node_is_tagged(node) ? 0 : node->user, node_is_tagged(node) ? node : NULL};
	struct verdict denied;
	if (owns_what_it_asks(join, known, node))
		return retag(node, join);
	if (join->followup.len)
		return keep(node, join);
	if (!node_is_tagged(node) && denies_tags(&users, join->request_tags, join->request_tag_count, &denied)) {
		denied.node = node;
		return denied;
	}
	return about(VERDICT_NODE_KEY_EXPIRED, node, node->expiry);
}

struct verdict admission_decide(const struct join *join, const struct known *known, int64_t lifetime_ms, struct wall now)
{
	const struct node *node = known->by_node_key;
	if (key_is_zero(join->node_key.raw))
		return refuse(VERDICT_REFUSE, NULL, "the request has no node key");
	if (node && !key_equal(node->machine_key.raw, join->machine_key.raw))
		return about(VERDICT_FORBID, NULL, WALL_ZERO);
	/* Before the credential: a client that logs out may still carry its auth key, and must not come back by it. */
	if (is_logout(join, now))
		return decide_logout(node, now);
	if (join->has_credential)
		return decide_by_key(join, known, lifetime_ms, now);
	if (node && !node_is_expired(node, now))
		return asks_anew(join, known, node) ? decide_wish(join, known, node) : keep(node, join);
	/* Never on a follow-up: the client would repeat it with the same key for ever. */
	if (node && !join->followup.len)
		return about(VERDICT_NODE_KEY_EXPIRED, node, node->expiry);
	/* Whose login it becomes, hence whose tags it may have, shows when it is answered. */
	struct claim anybody = {&well_formed, 0, NULL};
	struct verdict denied;
	if (denies_tags(&anybody, join->request_tags, join->request_tag_count, &denied))
		return denied;
	return about(VERDICT_ASK_LOGIN, node ? node : known->by_old_key, WALL_ZERO);
}

struct verdict admission_decide_report(const struct node *node, const struct join *join, const struct known *known, struct wall now)
{
	if (node_is_expired(node, now) || !asks_anew(join, known, node))
		return about(VERDICT_KNOWN, node, node->expiry);
	return owns_what_it_asks(join, known, node) ? retag(node, join) : about(VERDICT_EXPIRE_SOONER, node, now);
}

/* Do the login's own keys name this node? */
static bool names(const struct login *login, const struct node *node)
{
	return key_equal(node->node_key.raw, login->node_key.raw) || key_equal(node->node_key.raw, login->old_node_key.raw);
}

/* The one that its keys name, else the newest. A tagged node that its keys name becomes the user's if he has none here; another user's node never does.
 * Where tags are asked for, it becomes a tagged node: what its keys name, else the machine's tagged one. */
static const struct node *node_for_user(const struct login *login, const struct login_answer *answer)
{
	const struct node *own = NULL, *tagged = NULL, *newest_tagged = NULL;
	for (size_t i = 0; i < answer->node_count; i++) {
		const struct node *n = &answer->nodes[i];
		if (node_is_tagged(n)) {
			tagged = names(login, n) ? n : tagged;
			newest_tagged = n;
		} else if (n->user == answer->user) {
			if (names(login, n))
				return n;
			own = n;
		}
	}
	if (answer->request_tag_count)
		return tagged ? tagged : newest_tagged;
	return own ? own : tagged;
}

/* Its keys name it, or it is the only one of its machine: who logged out has lost the keys. */
static const struct node *node_as_it_is(const struct login *login, const struct login_answer *answer)
{
	for (size_t i = 0; i < answer->node_count; i++) {
		if (answer->node_count == 1 || names(login, &answer->nodes[i]))
			return &answer->nodes[i];
	}
	return NULL;
}

uint64_t admission_login_user(const struct login *login, const struct login_answer *answer)
{
	const struct node *node = answer->user ? NULL : node_as_it_is(login, answer);
	return node ? node->user : answer->user;
}

struct verdict admission_finish_login(const struct login *login, const struct login_answer *answer, struct wall now)
{
	const struct tailnet *tailnet = answer->tailnet;
	const struct node *node = answer->user ? node_for_user(login, answer) : node_as_it_is(login, answer);
	if (login->tailnet && login->tailnet != tailnet->id)
		return refuse(VERDICT_REFUSE, NULL, "no such pending login");
	if (tailnet->suspended || tailnet->frozen)
		return refuse(VERDICT_REFUSE, node, "%s", tailnet->suspended ? suspended : frozen);
	if (!node && !answer->user)
		return refuse(VERDICT_REFUSE, NULL, "this machine has no node here that could be renewed: say whose it becomes (auth register)");

	uint64_t user = answer->user ? answer->user : node->user;
	/* Left as it is, it is who answers that vouches for its tags. */
	const struct node *holder = answer->user ? holder_of(node, now) : node && node_is_tagged(node) ? node : NULL;
	struct claim claim = {answer->rights, user, holder};
	struct verdict v = {
		.kind = node ? VERDICT_REKEY : VERDICT_ENROLL,
		.node = node,
		.ephemeral = login->ephemeral,
		.approved = (node && node->approved) || !tailnet->device_approval,
		.expiry = WALL_ZERO,
		.tags = answer->request_tags,
		.tag_count = answer->request_tag_count,
	};
	struct verdict denied;
	if (denies_tags(&claim, answer->request_tags, answer->request_tag_count, &denied)) {
		denied.node = node;
		denied.told = true;
		return denied;
	}
	if (!answer->user && !v.tag_count) {
		v.tags = node->tags;
		v.tag_count = node->tag_count;
	}
	if (!v.tag_count)
		v.expiry = renewed_expiry(node, user, login->wanted_expiry, tailnet->key_lifetime_ms, now);
	return v;
}
