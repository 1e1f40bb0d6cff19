/* Who gets in: the request, what is known, and now -> one verdict. Registration, re-key, renewal, logout; every way of joining ends here.
 * Not the writing (coordinator/act_node.h) and not the reading (store). Pure.
 * Everything pointed to is the caller's and outlives the call; the verdict points into it. Source: docs/protocol/registration.md. */
#ifndef ADMISSION_H
#define ADMISSION_H

#include "authkey.h"
#include "login.h"
#include "node.h"
#include "tailnet.h"

/* The request, as far as it decides anything. */
struct join {
	struct machine_key machine_key; /* proven by Noise */
	struct node_key node_key;
	struct node_key old_node_key; /* zero: none */
	bool has_credential;          /* an auth key text was presented (Auth.AuthKey not empty) */
	bool credential_well_formed;
	struct wall expiry; /* WALL_ZERO: no wish; a past time is a logout */
	bool ephemeral;
	struct bytes *request_tags;
	size_t request_tag_count;
	struct bytes followup;     /* the URL of a pending login, or empty */
	struct bytes tailnet_hint; /* the tailnet that the machine's own management wants; "required:NAME" admits no other; or empty */
	unsigned capver;
};

/* What the policy says of tags: may whoever acts for `user` (0: nobody), or a node with the tags of `carried` (NULL: none), have this tag? */
struct tag_rights {
	bool (*may)(const void *context, uint64_t user, const struct node *carried, struct bytes tag);
	const void *context;
};

/* What one read found. */
struct known {
	const struct node *by_node_key; /* the node that has join->node_key, any machine; or NULL */
	const struct node *by_old_key;  /* the node of this machine that has join->old_node_key; or NULL */
	const struct authkey *authkey;  /* found by prefix and hash; or NULL */
	const struct node *by_owner;    /* this machine's node in the key's tailnet with the key's owner (same user, or tagged when the key tags); or NULL */
	uint64_t key_unpolled_by;       /* node that used this one-shot key and was never given its first map: its machine may use it again; or 0 */
	bool tailnet_frozen;
	bool tailnet_suspended;
	bool device_approval; /* of the key's tailnet */
	struct bytes tailnet_name, tailnet_domain;
	const struct node *tagged;       /* this machine's tagged node in the key's tailnet, where tags are asked for by a user's key; or NULL */
	const struct tag_rights *rights; /* NULL: nobody has any but those of the key */
	const struct bytes *told_tags;   /* that the client of by_node_key asked for before; where tags are asked for */
	size_t told_tag_count;
};

enum verdict_kind {
	VERDICT_REFUSE,           /* 200 with Error = reason */
	VERDICT_FORBID,           /* 401: machine key and node key do not belong together; tells nothing */
	VERDICT_KNOWN,            /* success, change nothing */
	VERDICT_ENROLL,           /* insert a new node from `authkey` */
	VERDICT_REKEY,            /* `node` keeps its identity and takes the new node key, owner and expiry from `authkey` if given */
	VERDICT_EXPIRE_SOONER,    /* `node` expires at `expiry` */
	VERDICT_RETAG,            /* `node` takes `tags`, which its own tags own; nothing else changes */
	VERDICT_LOGOUT,           /* `node` expires now, or is deleted when ephemeral */
	VERDICT_GONE,             /* logout of nothing: success */
	VERDICT_NODE_KEY_EXPIRED, /* NodeKeyExpired = true */
	VERDICT_ASK_LOGIN         /* interactive login: a new one, or what became of the one followed up */
};

enum { ADMISSION_REASON_MAX = 256 };

struct verdict {
	enum verdict_kind kind;
	char reason[ADMISSION_REASON_MAX]; /* for the client's user; "" unless refused */
	const struct node *node;           /* whom it is about; NULL for VERDICT_ENROLL; the node to be renewed, or NULL, for VERDICT_ASK_LOGIN */
	const struct authkey *authkey;     /* the key used, or NULL */
	bool consume_key;                  /* mark the one-shot key as used by the node */
	struct wall expiry;                /* the node's key expiry from now on (WALL_ZERO: never) */
	bool ephemeral;
	bool approved; /* ENROLL, REKEY: from now on */
	/* ENROLL, REKEY, RETAG: the node's from now on, instead of a user; none: it is a person's. */
	const struct bytes *tags;
	size_t tag_count;
	bool told; /* REFUSE of a login that nothing can mend: the client reads the reason, too */
};

/* Whether the verdict may hang on known.rights: only then need they be asked. */
bool admission_asks_rights(const struct join *join, const struct known *known);
/* `lifetime_ms`: key expiry of the tailnet for untagged nodes, 0 = never. */
struct verdict admission_decide(const struct join *join, const struct known *known, int64_t lifetime_ms, struct wall now);

/* A running node's client asks for tags in a report (request_tags, told_tags, rights alone are looked at). VERDICT_KNOWN: not anew, or it does not run;
 * VERDICT_RETAG: its own tags own them; VERDICT_EXPIRE_SOONER, at once: its user has to sign in for them. */
struct verdict admission_decide_report(const struct node *node, const struct join *join, const struct known *known, struct wall now);

/* Somebody of the tailnet answers for a login. */
struct login_answer {
	const struct tailnet *tailnet;
	uint64_t user;            /* whose the machine becomes; 0: it stays whose it is, which only a known machine can */
	const struct node *nodes; /* all of that machine in that tailnet, by id */
	size_t node_count;
	const struct bytes *request_tags;
	size_t request_tag_count;
	const struct tag_rights *rights; /* NULL: as in struct known */
};

/* Whose rights count: the user answered for, or whoever has the node that would be renewed as it is; 0: nobody. */
uint64_t admission_login_user(const struct login *login, const struct login_answer *answer);
/* VERDICT_ENROLL, VERDICT_REKEY, or VERDICT_REFUSE with a reason for the administrator. A node of another user of the machine stays his. */
struct verdict admission_finish_login(const struct login *login, const struct login_answer *answer, struct wall now);

#endif
