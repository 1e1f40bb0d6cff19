/* Whose answers a relay believes: keys of coordinators, as configured, or learned from the first coordinator that it reaches by a verified https:// connection.
 * Not what is asked (announce.h, verify.h). As long as no key is known answers are believed as they come; from then on none that is not signed by a known one.
 * One per process, from any thread. Source: docs/protocol/derp.md, between relay and coordinator; why: docs/decisions/relay-answers.md. */
#ifndef ANSWERKEYS_H
#define ANSWERKEYS_H

#include "fetch.h"

struct answerkeys;

/* Keys as text, by commas; "": none. token: of the relay. NULL: they cannot be read. */
struct answerkeys *answerkeys_new(struct bytes text, const char *token, struct diag *why);
void answerkeys_free(struct answerkeys **keys); /* accepts NULL, leaves NULL; after what was asked has been answered */
bool answerkeys_any(struct answerkeys *keys);

/* fetch_start of a question to a coordinator; ERR_CRYPTO: something answered that is not to be believed. keys NULL: all is. */
void answerkeys_fetch(struct answerkeys *keys, struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context);

#endif
