/* Entity tags of what is one thing (a node, a tailnet, the settings): the hash of the JSON that a GET of it answers.
 * Not lists. A write with If-Match first reads the thing, writes its answer as GET would, and asks etag_holds; a change in between is the write's own matter. */
#ifndef ETAG_H
#define ETAG_H

#include "problem.h"

/* Ends the answer and sends it with its ETag, or 304 when If-None-Match names it. */
void etag_send(struct answer *a, struct exchange *x, const char *detail);
/* Ends the answer, which shows the thing as it stands, and drops it. On false 412 (or 500) was answered. True at once without If-Match. */
bool etag_holds(struct answer *a, struct exchange *x, const char *detail);
/* Does the client want a condition to hold? Without one the reading can be saved. */
bool etag_wanted(const struct exchange *x);

#endif
