/* Answers of the API -> what is printed: JSON as it came, or tables by columns that name members.
 * Not layout (ctl_table.h). NULL for an answer means that its failure was told: nothing is printed. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl.h"

struct ctl_column {
	const char *title;
	const char *member;                                            /* "user.name"; NULL: the whole object */
	const char *(*text)(struct arena *arena, const json_t *value); /* NULL: as it is */
	unsigned least, rank;                                          /* ctl_table.h */
};

/* Columns end with title NULL. A list is printed as a bare array. */
void ctl_show_list(struct ctl *c, const json_t *list, const struct ctl_column *columns);
void ctl_show_one(struct ctl *c, const json_t *object, const struct ctl_column *columns);
/* A text alone on its line (a secret, for scripts), or the answer that it is from. */
void ctl_show_text(struct ctl *c, const json_t *text, const json_t *answer);
/* An object of any members, a line each. */
void ctl_show_any(struct ctl *c, const json_t *object);
void ctl_show_done(struct ctl *c, const json_t *answer, const char *sentence, ...) PRINTF(3, 4);

/* For columns. */
const char *ctl_text_time(struct arena *arena, const json_t *value); /* YYYY-MM-DD HH:MM:SS, UTC; "-" when not set */
const char *ctl_text_list(struct arena *arena, const json_t *value); /* a, b */
const char *ctl_text_yes(struct arena *arena, const json_t *value);  /* yes, no */
const char *ctl_text_json(struct arena *arena, const json_t *value); /* as JSON, on one line; texts bare; "" for null */
bool ctl_time_passed(const json_t *value);

#endif
