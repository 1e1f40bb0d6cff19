#include "act_authkey.h"

#include <stdlib.h>

static int compare_tags(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Clients may ask for any (tag_check); administrators give out lower case, as headscale does. */
static enum err check_case(struct bytes tag, struct diag *why)
{
	for (size_t i = 0; i < tag.len; i++)
		if (tag.at[i] >= 'A' && tag.at[i] <= 'Z')
			return diag_set(why, ERR_MALFORMED, "a tag is lower case");
	return ERR_NONE;
}

enum err act_tags_check(struct bytes *tags, size_t *count, struct diag *why)
{
	size_t kept = 0;
	enum err e;

	if (*count > TAGS_MAX)
		return diag_set(why, ERR_MALFORMED, "more than %d tags", TAGS_MAX);
	for (size_t i = 0; i < *count; i++)
		if ((e = tag_check(tags[i], why)) || (e = check_case(tags[i], why)))
			return e;
	if (*count)
		qsort(tags, *count, sizeof *tags, compare_tags);
	for (size_t i = 0; i < *count; i++)
		if (!kept || !bytes_equal(tags[i], tags[kept - 1]))
			tags[kept++] = tags[i];
	*count = kept;
	return ERR_NONE;
}

enum err act_authkey_create(struct tx *tx, const struct actor *actor, struct authkey *key, struct secret *secret, unsigned *row, struct diag *why)
{
	enum err e = act_tags_check(key->tags, &key->tag_count, why);

	if (e)
		return e;
	if (!key->user && !key->tag_count)
		return diag_set(why, ERR_MALFORMED, "an auth key needs a user or at least one tag");
	if (key->uses_most > AUTHKEY_USES_MAX)
		return diag_set(why, ERR_MALFORMED, "uses is at most %d", AUTHKEY_USES_MAX);
	if (key->uses_most && !key->reusable)
		return diag_set(why, ERR_MALFORMED, "uses goes with reusable: a key that is not is good for one machine");
	secret_mint(SECRET_AUTH, secret);
	memcpy(key->prefix, secret->prefix, sizeof key->prefix);
	memcpy(key->hash, secret->hash, sizeof key->hash);
	act_audit_named(tx, actor, "authkey.create", bytes_text(key->prefix));
	*row = authkeys_insert(tx, key);
	return ERR_NONE;
}

void act_authkey_expire(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "authkey.expire", id, NULL);
	authkeys_expire(tx, id);
}

void act_authkey_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "authkey.delete", id, NULL);
	authkeys_delete(tx, id);
}
