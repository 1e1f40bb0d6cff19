/* Answers to /machine/register: their kinds (for the metric), the profile of a success, the JSON.
 * Not who gets which (serve_register.h, serve_login.h).
 * Plain functions; texts of a response are borrowed from node and owner. */
#ifndef REGISTER_ANSWER_H
#define REGISTER_ANSWER_H

#include "coordinator.h"
#include "exchange.h"
#include "node.h"
#include "regmsg.h"
#include "user.h"

/* In the order of the metric's labels (options.c). */
enum register_result { RESULT_ENROLLED, RESULT_REKEYED, RESULT_KNOWN, RESULT_LOGOUT, RESULT_EXPIRED, RESULT_REFUSED, RESULT_FAILED, RESULT_LOGIN };

/* owner NULL: tagged. */
struct register_response register_welcome(const struct node *node, const struct user *owner);
/* Replies and counts. */
void register_answer(struct exchange *x, const struct register_response *response, enum register_result result);
/* What is our trouble, not theirs: no Error text, so that nobody is told that a key is bad. */
void register_fail(struct exchange *x);
/* One line, whoever decided. event is static. */
void register_log(const struct exchange *x, const struct register_request *request, const char *event, const char *reason, uint64_t tailnet, uint64_t node);

#endif
