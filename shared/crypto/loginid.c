#include "loginid.h"

#include "secret.h"
#include "text.h"

static const char head[] = "hskey-authreq-";
enum { RANDOM_LEN = 12 };

void login_id_mint(struct login_id *id)
{
	uint8_t random[RANDOM_LEN];

	random_fill(random, sizeof random);
	memcpy(id->text, head, sizeof head - 1);
	hex_encode(id->text + sizeof head - 1, bytes_of(random, sizeof random));
	hash_bytes(bytes_of(id->text, LOGIN_ID_LEN), id->hash);
}

enum err login_id_parse(struct bytes text, struct login_id *id)
{
	if (text.len != LOGIN_ID_LEN || !bytes_starts(text, head))
		return ERR_MALFORMED;
	for (size_t i = sizeof head - 1; i < text.len; i++)
		if (!((text.at[i] >= '0' && text.at[i] <= '9') || (text.at[i] >= 'a' && text.at[i] <= 'f')))
			return ERR_MALFORMED;
	memcpy(id->text, text.at, text.len);
	id->text[text.len] = 0;
	hash_bytes(text, id->hash);
	return ERR_NONE;
}

enum err login_id_parse_url(struct bytes url, struct login_id *id)
{
	static const char path[] = "/register/";
	size_t tail = sizeof path - 1 + LOGIN_ID_LEN;

	if (url.len < tail || !bytes_starts(bytes_skip(url, url.len - tail), path))
		return ERR_MALFORMED;
	return login_id_parse(bytes_skip(url, url.len - LOGIN_ID_LEN), id);
}
