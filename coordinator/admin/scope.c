#include "scope.h"

static const char *const names[SCOPE_COUNT][2] = {
	[SCOPE_NODES] = {"nodes:read", "nodes"},       [SCOPE_USERS] = {"users:read", "users"},          [SCOPE_AUTHKEYS] = {"authkeys:read", "authkeys"},
	[SCOPE_APIKEYS] = {"apikeys:read", "apikeys"}, [SCOPE_SETTINGS] = {"settings:read", "settings"}, [SCOPE_POLICY] = {"policy:read", "policy"},
	[SCOPE_AUDITS] = {"audits:read", NULL},        [SCOPE_OPERATOR] = {"operator:read", "operator"},
};

enum { EVERY = (1u << SCOPE_COUNT) - 1 };

struct scopes scopes_all(void)
{
	return (struct scopes){.read = EVERY, .write = EVERY};
}

static bool add(struct scopes *scopes, struct bytes name)
{
	if (bytes_equal_text(name, "all") || bytes_equal_text(name, "all:read")) {
		scopes->read = EVERY;
		scopes->write = name.len == 3 ? EVERY : scopes->write;
		return true;
	}
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		bool writes = names[i][1] && bytes_equal_text(name, names[i][1]);

		if (!writes && !bytes_equal_text(name, names[i][0]))
			continue;
		scopes->read |= 1u << i;
		scopes->write |= writes ? 1u << i : 0;
		return true;
	}
	return false;
}

enum err scopes_parse(const struct bytes *list, size_t count, struct scopes *scopes, struct diag *why)
{
	*scopes = (struct scopes){0};
	if (!count || count > SCOPES_MAX)
		return diag_set(why, ERR_MALFORMED, "a key has 1 to %d scopes", SCOPES_MAX);
	for (size_t i = 0; i < count; i++)
		if (!add(scopes, list[i]))
			return diag_set(why, ERR_MALFORMED, "\"%.*s\" is no scope", BYTES_ARG(bytes_take(list[i], 60)));
	return ERR_NONE;
}

bool scopes_allow(struct scopes scopes, enum scope scope, bool writes)
{
	return (writes ? scopes.write : scopes.read) & 1u << scope;
}

bool scopes_contain(struct scopes outer, struct scopes inner)
{
	return !(inner.read & ~outer.read) && !(inner.write & ~outer.write);
}

const char *scope_name(enum scope scope, bool writes)
{
	return writes && names[scope][1] ? names[scope][1] : names[scope][0];
}
