/* What is said to several who hear at their own pace: said once, kept until the slowest has heard it.
 * Not who they are and not what is said (meshnews.h): frames, which stay whole.
 * A place in it is a number that only grows. Owned by its shard. */
#ifndef NEWSLOG_H
#define NEWSLOG_H

#include "bytes.h"

enum { NEWSLOG_PIECE = 32768 };

struct newslog;

struct newslog *newslog_new(void);
void newslog_free(struct newslog **log);                   /* accepts NULL */
void newslog_add(struct newslog *log, struct bytes frame); /* at most NEWSLOG_PIECE */
uint64_t newslog_end(const struct newslog *log);
size_t newslog_size(const struct newslog *log); /* bytes kept */
/* Whole frames from that place on, at most NEWSLOG_PIECE; empty at the end. Valid until the next call that changes the log. Nothing before `at` may have been forgotten. */
struct bytes newslog_from(const struct newslog *log, uint64_t at);
/* What lies before is needed no more. */
void newslog_forget(struct newslog *log, uint64_t before);

#endif
