#include "sqlstate.h"

#include <string.h>

/* What functions of ours raise: migrations/0001_installation.sql. */
static const enum err own_codes[] = {
	[1] = ERR_NOT_FOUND, [2] = ERR_EXISTS, [3] = ERR_CONFLICT, [4] = ERR_DENIED, [5] = ERR_EXHAUSTED, [6] = ERR_MALFORMED, [7] = ERR_AGAIN,
};

static const struct {
	const char *constraint;
	enum err e;
	const char *sentence;
} constraints[] = {
	{"tailnets_name", ERR_EXISTS, "a tailnet of this name exists"},
	{"tailnets_domain", ERR_EXISTS, "a tailnet with this domain exists"},
	{"tailnets_login_host", ERR_EXISTS, "another tailnet has this login host"},
	{"users_name", ERR_EXISTS, "a user of this name exists"},
	{"logins_hash", ERR_EXISTS, "a login of this id exists"},
	{"nodes_label", ERR_EXISTS, "a node of this name exists"},
	{"nodes_node_key", ERR_EXISTS, "the node key is in use"},
	{"relays_name", ERR_EXISTS, "a relay of this name exists"},
	{"nodes_user", ERR_NOT_FOUND, "no such user"},
	{"nodes_authkey", ERR_NOT_FOUND, "no such auth key"},
	{"authkeys_user", ERR_NOT_FOUND, "no such user"},
	{"relays_region", ERR_NOT_FOUND, "no such region"},
	{"relay_tokens_region", ERR_NOT_FOUND, "no such region"},
	{"relay_tokens_relay", ERR_NOT_FOUND, "no such relay"},
	{"regions_pkey", ERR_EXISTS, "a region of this number exists"},
	{"authkeys_owner", ERR_MALFORMED, "an auth key belongs to a user or to tags"},
	{"nodes_owner", ERR_MALFORMED, "a node belongs to a user or to tags"},
};

/* By class, or by whole state where it is longer; the first that fits. */
static const struct {
	const char *state;
	enum err e;
} states[] = {
	{"23505", ERR_EXISTS},      {"23503", ERR_NOT_FOUND},   {"23", ERR_MALFORMED},      {"22", ERR_MALFORMED},
	{"42501", ERR_DENIED},      {"42P01", ERR_UNSUPPORTED}, {"42883", ERR_UNSUPPORTED}, {"42703", ERR_UNSUPPORTED},
	{"3F000", ERR_UNSUPPORTED}, {"57014", ERR_TIMEOUT},     {"55P03", ERR_TIMEOUT},     {"25P03", ERR_TIMEOUT},
	{"25006", ERR_UNAVAILABLE}, /* a standby: the primary moved */
	{"08", ERR_UNAVAILABLE},    {"57", ERR_UNAVAILABLE},    {"53", ERR_UNAVAILABLE},    {"58", ERR_UNAVAILABLE},
	{"40", ERR_UNAVAILABLE}, /* deadlock, serialization: nothing happened, ask again */
	{"28", ERR_DENIED},
};

enum err sqlstate_judge(const char *state, const char *sentence, const char *constraint, struct diag *why)
{
	if (!state || !*state)
		return diag_set(why, ERR_UNAVAILABLE, "the connection to the database broke");
	if (!strncmp(state, "FS0", 3) && strlen(state) == 5) {
		unsigned number = (unsigned)(state[3] - '0') * 10 + (unsigned)(state[4] - '0');
		if (number && number < sizeof own_codes / sizeof *own_codes)
			return diag_set(why, own_codes[number], "%s", sentence);
	}
	for (size_t i = 0; constraint && i < COUNT_OF(constraints); i++)
		if (!strcmp(constraint, constraints[i].constraint))
			return diag_set(why, constraints[i].e, "%s", constraints[i].sentence);
	for (size_t i = 0; i < COUNT_OF(states); i++)
		if (!strncmp(state, states[i].state, strlen(states[i].state)))
			return diag_set(why, states[i].e, "%s (SQLSTATE %s)", sentence, state);
	return diag_set(why, ERR_BUG, "%s (SQLSTATE %s)", sentence, state);
}
