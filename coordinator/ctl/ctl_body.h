/* The body of a request out of flags: a table says which flag is which member.
 * Not the request (ctl_call.h), and not what members may be: the server says so.
 * The body stays the caller's. */
#ifndef CTL_BODY_H
#define CTL_BODY_H

#include "ctl.h"

enum ctl_body_kind {
	CTL_BODY_TEXT,
	CTL_BODY_INT,
	CTL_BODY_REAL,
	CTL_BODY_BOOL, /* of a switch */
	CTL_BODY_LIST  /* of texts */
};

/* A table ends with flag NULL. */
struct ctl_member {
	const char *flag, *member;
	enum ctl_body_kind kind;
};

/* Puts those that were given. What is no number is told as wrong use. */
void ctl_body_put(struct ctl *c, json_t *body, const struct ctl_member *members);

#endif
