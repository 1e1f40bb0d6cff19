/* One request to the admin API, over TCP or its unix socket, blocking; what goes wrong is told with what to do next.
 * Not the meaning of answers: each noun's file knows its objects.
 * Where and as whom: ctl_where.h. Keys are never in argv.
 * Source: docs/protocol/admin.md. */
#ifndef CTL_CALL_H
#define CTL_CALL_H

#include "ctl_where.h"

enum { CTL_PAGE = 500 }; /* of lists in pages */

/* `body` may be NULL and is taken over. The answer is the run's; NULL: told, the status is set. */
const json_t *ctl_call(struct ctl *c, const char *method, const char *path, json_t *body);
/* The same with texts that are no JSON: `body` (may be NULL) goes as application/hujson; the answer's bytes are the run's. at == NULL: told. */
struct bytes ctl_call_text(struct ctl *c, const char *method, const char *path, const char *body);
/* The same with a condition: If-Match (NULL: none); *etag (NULL: not asked) is that of the answer, the run's, or NULL. */
struct ctl_condition {
	const char *if_match;
	const char *etag; /* of the answer */
};
struct bytes ctl_call_text_if(struct ctl *c, const char *method, const char *path, const char *body, struct ctl_condition *condition);
/* A path with each %s percent-encoded; the run's. */
const char *ctl_path(struct ctl *c, const char *format, ...);
/* A list of our own API, followed to its end or until there are `most` (0: all); the run's. NULL: told. */
const json_t *ctl_call_list(struct ctl *c, const char *path, const char *member, unsigned most);

#endif
