/* Facts that can be found in a map message without parsing it: an endpoint 10.a.b.c:7077 whose a.b.c is the event's number, the name of a node that joined, `j<event>`,
 * and the single port of a packet filter from TOKEN_POLICY_PORT on.
 * Not a JSON reader (model.h), and it knows nothing of who should hear what (ledger.h).
 * Views are borrowed; nothing is owned. */
#ifndef TOKEN_H
#define TOKEN_H

#include "addr.h"
#include "bytes.h"

enum { TOKEN_PORT = 7077, TOKEN_POLICY_PORT = 20000, TOKEN_POLICY_MAX = 40000, TOKEN_EVENT_MAX = 0xffffff, TOKEN_NAME_MAX = 16 };

enum token_kind { TOKEN_MOVE, TOKEN_JOIN, TOKEN_POLICY };

enum { TOKEN_KINDS = TOKEN_POLICY + 1 };

struct token {
	enum token_kind kind;
	uint32_t event;
};

struct endpoint token_endpoint(uint32_t event);
void token_name(char out[static TOKEN_NAME_MAX], uint32_t event);
/* The next token at or after *at in `text`; *at moves behind it. False when there is none. */
bool token_next(struct bytes text, size_t *at, struct token *token);

#endif
