/* Long lists of sources in two parts: what they were when they were told last as a whole, and what came since. So a node that joins a big group costs those who
 * have rules of the group a few addresses, not the list; and a node that came lately costs as little when it goes. Pure.
 * Not rules and not JSON (rules.h). Owns copies of the texts: a book outlives the policies whose sources stand in it.
 *
 * A list is told anew when something of its first part must go, or when the second has grown to the square root of twice the first: then both cost alike on the
 * average. Both parts together stand for the same addresses as the source; an address that is now inside a range may stand alone in the first. */
#ifndef SOURCEBOOK_H
#define SOURCEBOOK_H

#include "body.h"
#include "policy.h"
#include "table.h"

enum {
	SOURCEBOOK_LEAST = 64,    /* texts; shorter lists are told as a whole */
	SOURCEBOOK_MOST = 2000000 /* texts of all pages, some 40 bytes each; lists that come later are told as a whole */
};

/* How a source is told: `late` is none while all of it is in `base`. Borrowed until the next sourcebook_split of the source. */
struct split {
	const struct bytes *base;
	size_t base_count;
	uint64_t base_hash;
	const struct bytes *late;
	size_t late_count;
};

struct sourcebook_page {
	uint64_t sum; /* of the source, as it was split last */
	size_t text_count;
	struct body *text; /* of base and late, one after the other */
	struct bytes *list;
	size_t base_count, late_count;
	uint64_t base_hash;
};

struct sourcebook {
	struct sourcebook_page **pages; /* by number of the source; NULL: told as a whole */
	size_t count;
	struct table *old;  /* of the policy before, by sum; NULL: none */
	size_t texts;       /* of all pages */
	size_t least, most; /* SOURCEBOOK_LEAST, SOURCEBOOK_MOST, but for tests */
};

void sourcebook_init(struct sourcebook *b);
void sourcebook_clear(struct sourcebook *b);
/* Another policy: sources that are what they were go on as they were told. */
void sourcebook_turn(struct sourcebook *b, size_t sources);
/* The texts of the source are there. Equal sources are split alike. */
struct split sourcebook_split(struct sourcebook *b, const struct source *source);

#endif
