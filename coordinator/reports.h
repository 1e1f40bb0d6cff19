/* Soft writes of clients: gathered per tailnet for a short time, longer while they come in crowds; written in one transaction, one bell each batch.
 * Not joins or anything an administrator does (act_*). A lite update is answered after its batch committed.
 * The worker owns it. Bounded: past 4,096 waiting reports new ones are answered ERR_UNAVAILABLE. */
#ifndef REPORTS_H
#define REPORTS_H

#include "nodes.h"

struct coordinator;
struct reports;

struct reports *reports_new(struct coordinator *c);
void reports_free(struct reports **reports); /* answers what waits with ERR_CANCELED */
typedef void (*report_fn)(void *context, enum err e);
/* Copied. Answered once, after its batch committed, never before this returned. */
void reports_add(struct reports *reports, uint64_t tailnet, const struct node_report *report, report_fn on_written, void *context);
/* Nobody waits for these. farewell: its stream ended, others are told; else only the row moves. */
void reports_seen(struct reports *reports, uint64_t tailnet, uint64_t node, bool farewell);
void reports_first_polled(struct reports *reports, uint64_t tailnet, uint64_t node);

#endif
