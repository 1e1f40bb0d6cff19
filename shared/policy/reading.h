/* The reading of one document: what its parts share. Internal to the policy module's document_*.c.
 * Not for others: document.h is the way in.
 * Everything lives in the arena of the document. */
#ifndef READING_H
#define READING_H

#include "document.h"
#include "hujson.h"
#include "quote.h"
#include "table.h"

enum { CHECK_PERIOD_MAX_MS = 168 * 3600 * 1000 };

struct reading {
	struct arena *arena;
	const struct surroundings *around;
	struct document *doc;
	struct diag *why;
	struct table *groups, *tags, *hosts, *ipsets, *postures; /* name -> number + 1 */
	struct table *domains;
	struct bytes owned;    /* the tag whose owners are read */
	size_t entries;        /* of all lists so far */
	struct lapses *lapses; /* NULL: strict */
	uint32_t nobody;       /* 1 + number of the group without users that undefined ones mean; 0: none yet */
	bool default_broken;   /* defaultSrcPosture is not understood */
	bool groups_unsure;    /* a name that is no group may be one that was lost */
	size_t grant_count;
	uint32_t *default_postures;
	size_t default_posture_count;
};

/* Where an alias stands: what is legal there, and how a refusal is worded. */
enum alias_spot {
	AT_ACL_SRC,
	AT_ACL_DST,
	AT_GRANT_SRC,
	AT_GRANT_DST,
	AT_SSH_SRC,
	AT_SSH_DST,
	AT_TARGET,
	AT_APPROVER,
	AT_OWNER,
	AT_IPSET,
	AT_RECORDER,
	AT_TEST
};

/* A refusal with its place. */
enum err refuse_at(struct reading *r, struct place at, const char *format, ...) PRINTF(3, 4);
static inline const char *quoted(struct reading *r, struct bytes text)
{
	return quote(r->arena, text);
}

static inline bool is_strict(const struct reading *r)
{
	return !r->lapses;
}
/* A lenient reading notes the fault and goes on: *e is ERR_NONE, and what had it must count for nothing. False: there is none, or the reading is strict. */
bool forgiven(struct reading *r, enum err *e);

/* Members of an object by name, without regard to case: out[i] is the value of names[i], NULL when absent or null. Others are refused, as is one that is there
 * twice; with `remarks` those that begin with # are passed over. */
MUST_USE enum err read_fields(struct reading *r, const struct json *object, const char *const *names, size_t count, bool remarks, const struct json **out);
/* Kind checks with a sentence; NULL is legal and leaves the default. */
MUST_USE enum err read_list_of(struct reading *r, const struct json *value, const char *name, enum json_kind item);
MUST_USE enum err read_bool(struct reading *r, const struct json *value, const char *name, bool *out);
MUST_USE enum err read_text(struct reading *r, const struct json *value, const char *name, struct bytes *out); /* trimmed */
/* A list of objects, at most DOCUMENT_RULES_MAX. */
MUST_USE enum err read_rules(struct reading *r, const struct json *value, const char *name);
/* Numbers of a list that is to be gathered: past the cap of all lists ERR_TOO_BIG. */
MUST_USE enum err read_room(struct reading *r, const struct json *list);

struct bytes alias_trim(struct bytes text); /* blanks and tabs */
/* What the text means by itself; ALIAS_UNKNOWN when nothing. Undefined names of groups, tags, hosts and sets are unknown. */
struct alias alias_classify(const struct reading *r, struct bytes text, struct place at);
MUST_USE enum err alias_read(struct reading *r, struct bytes text, struct place at, enum alias_spot spot, struct alias *alias);
MUST_USE enum err aliases_read(struct reading *r, const struct json *list, const char *name, enum alias_spot spot, struct aliases *out);
bool alias_is_autogroup(const struct alias *alias);
MUST_USE enum err domain_check(struct reading *r, struct bytes domain, struct place at, const char *before);

/* "22", "80-443", "*"; with `many` joined by commas. NULL, or what is wrong. */
const char *ports_parse(struct arena *arena, struct bytes text, bool many, struct port_range **ports, size_t *count);
/* "" is absent. False: not known. */
bool proto_parse(struct bytes text, int *proto);
bool proto_has_ports(int proto); /* TCP, UDP, SCTP, or absent */
/* The part before the last colon, and what follows. False: there is none. */
bool split_last(struct bytes text, struct bytes *before, struct bytes *after);

/* Numbers all names of the file and of the surroundings. Raises nothing: faults are told when their part is read. */
void names_index(struct reading *r, const struct json *groups, const struct json *owners, const struct json *hosts, const struct json *ipsets,
		 const struct json *postures);
/* A name that a lenient reading gives up: all that use it do not know it. */
#define NAME_BROKEN ((void *)UINTPTR_MAX)
void name_break(struct table *names, struct bytes name);
void names_break(struct table *names, const struct json *object);
bool name_is_broken(const struct table *names, struct bytes name);
/* Number of a name, or UINT32_MAX. */
uint32_t name_find(const struct table *names, struct bytes name);
/* An object whose names, trimmed, are those that the table has. */
MUST_USE enum err read_names(struct reading *r, const struct json *object, const char *name, struct table *table);
MUST_USE enum err groups_read(struct reading *r, const struct json *value);
MUST_USE enum err owners_read(struct reading *r, const struct json *value);
MUST_USE enum err hosts_read(struct reading *r, const struct json *value);
MUST_USE enum err ipsets_read(struct reading *r, const struct json *value);
MUST_USE enum err postures_read(struct reading *r, const struct json *value);
MUST_USE enum err approvers_read(struct reading *r, const struct json *value);
MUST_USE enum err attrs_read(struct reading *r, const struct json *value);
MUST_USE enum err grants_read(struct reading *r, const struct json *value);
MUST_USE enum err acls_read(struct reading *r, const struct json *value);
/* `granted`: names that the service keeps for itself are refused. */
MUST_USE enum err app_read(struct reading *r, const struct json *value, bool granted, struct capability **app, size_t *count);
MUST_USE enum err ssh_read(struct reading *r, const struct json *value);
MUST_USE enum err tests_read(struct reading *r, const struct json *value);
MUST_USE enum err ssh_tests_read(struct reading *r, const struct json *value);
MUST_USE enum err derp_read(struct reading *r, const struct json *value);
/* Names of postures as numbers. */
MUST_USE enum err posture_names_read(struct reading *r, const struct json *list, const char *name, uint32_t **out, size_t *count);

#endif
