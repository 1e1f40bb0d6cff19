/* Ids of interactive logins: hskey-authreq- and 24 hex digits, 96 random bits. Rows hold the hash; the URL that the client shows holds the id.
 * Not the login (fleet/login.h).
 * Plain values. Source of the shape: docs/protocol/secrets.md (headscale 0.30). */
#ifndef LOGINID_H
#define LOGINID_H

#include "key.h"

enum { LOGIN_ID_LEN = 38, LOGIN_HASH_LEN = 32 };

struct login_id {
	char text[LOGIN_ID_LEN + 1];
	uint8_t hash[LOGIN_HASH_LEN]; /* SHA-256 of the whole text */
};

void login_id_mint(struct login_id *id);
MUST_USE enum err login_id_parse(struct bytes text, struct login_id *id);
/* Of a URL that ends in /register/ID. */
MUST_USE enum err login_id_parse_url(struct bytes url, struct login_id *id);

#endif
