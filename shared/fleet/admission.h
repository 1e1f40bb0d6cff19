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
};

enum verdict_kind {
	VERDICT_REFUSE,           /* 200 with Error = reason */
	VERDICT_FORBID,           /* 401: machine key and node key do not belong together; tells nothing */
	VERDICT_KNOWN,            /* success, change nothing */
	VERDICT_ENROLL,           /* insert a new node from `authkey` */
	VERDICT_REKEY,            /* `node` keeps its identity and takes the new node key, owner and expiry from `authkey` if given */
	VERDICT_EXPIRE_SOONER,    /* `node` expires at `expiry` */
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
};

/* `lifetime_ms`: key expiry of the tailnet for untagged nodes, 0 = never. */
struct verdict admission_decide(const struct join *join, const struct known *known, int64_t lifetime_ms, struct wall now);

/* Somebody of the tailnet answers for a login. */
struct login_answer {
	const struct tailnet *tailnet;
	uint64_t user;            /* whose the machine becomes; 0: it stays whose it is, which only a known machine can */
	const struct node *nodes; /* all of that machine in that tailnet, by id */
	size_t node_count;
};

/* VERDICT_ENROLL, VERDICT_REKEY, or VERDICT_REFUSE with a reason for the administrator. A node of another user of the machine stays his. */
struct verdict admission_finish_login(const struct login *login, const struct login_answer *answer, struct wall now);

#endif
