#include "jwt.h"

#include <assert.h>
#include <cjose/cjose.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"
#include "secret.h"

enum err jwt_mint(uint8_t scalar[static JWT_SCALAR_LEN])
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIGNUM *number = NULL;
	bool done = pair && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &number) && BN_bn2binpad(number, scalar, JWT_SCALAR_LEN) == JWT_SCALAR_LEN;

	BN_clear_free(number);
	EVP_PKEY_free(pair);
	return done ? ERR_NONE : ERR_CRYPTO;
}

static bool part_format(char out[static JWT_PART_MAX], const uint8_t raw[static JWT_SCALAR_LEN])
{
	char *text = NULL;
	size_t len = 0;
	bool done = cjose_base64url_encode(raw, JWT_SCALAR_LEN, &text, &len, NULL) && len < JWT_PART_MAX;

	if (done) {
		memcpy(out, text, len);
		out[len] = 0;
	}
	free(text);
	return done;
}

/* The public point of `scalar`. */
static bool point_of(const EC_GROUP *group, const BIGNUM *scalar, uint8_t x[static JWT_SCALAR_LEN], uint8_t y[static JWT_SCALAR_LEN])
{
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *bx = BN_new(), *by = BN_new();
	bool done = point && bx && by && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) && EC_POINT_get_affine_coordinates(group, point, bx, by, NULL) &&
		    BN_bn2binpad(bx, x, JWT_SCALAR_LEN) == JWT_SCALAR_LEN && BN_bn2binpad(by, y, JWT_SCALAR_LEN) == JWT_SCALAR_LEN;

	EC_POINT_free(point);
	BN_free(bx);
	BN_free(by);
	return done;
}

static enum err key_fill(struct jwt_key *key)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *number = BN_bin2bn(key->scalar, JWT_SCALAR_LEN, NULL);
	uint8_t x[JWT_SCALAR_LEN], y[JWT_SCALAR_LEN];
	enum err e = ERR_CRYPTO;

	if (group && number)
		e = BN_is_zero(number) || BN_cmp(number, EC_GROUP_get0_order(group)) >= 0 ? ERR_MALFORMED : ERR_NONE;
	if (!e && !(point_of(group, number, x, y) && part_format(key->x, x) && part_format(key->y, y)))
		e = ERR_CRYPTO;
	BN_clear_free(number);
	EC_GROUP_free(group);
	return e;
}

enum err jwt_key_of(const uint8_t scalar[static JWT_SCALAR_LEN], struct jwt_key *key)
{
	char canonical[160];
	uint8_t hash[32];
	enum err e;

	*key = (struct jwt_key){.id = ""};
	memcpy(key->scalar, scalar, JWT_SCALAR_LEN);
	e = key_fill(key);
	if (e)
		return e;
	/* RFC 7638: the required members alone, in the order of their names, without spaces. */
	snprintf(canonical, sizeof canonical, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x, key->y);
	hash_bytes(bytes_text(canonical), hash);
	return part_format(key->id, hash) ? ERR_NONE : ERR_CRYPTO;
}

static cjose_header_t *header_of(const struct jwt_key *key)
{
	cjose_header_t *header = cjose_header_new(NULL);

	if (header && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, NULL) && cjose_header_set(header, CJOSE_HDR_KID, key->id, NULL) &&
	    cjose_header_set(header, "typ", "JWT", NULL))
		return header;
	cjose_header_release(header);
	return NULL;
}

enum err jwt_sign(const struct jwt_key *key, struct bytes claims, struct buffer *out)
{
	uint8_t scalar[JWT_SCALAR_LEN]; /* the library wants one that it could write to */
	cjose_jwk_ec_keyspec spec = {.crv = CJOSE_JWK_EC_P_256, .d = scalar, .dlen = sizeof scalar};
	cjose_header_t *header = header_of(key);
	cjose_jwk_t *signer;
	cjose_jws_t *token = NULL;
	const char *compact;
	enum err e = ERR_CRYPTO;

	memcpy(scalar, key->scalar, sizeof scalar);
	signer = cjose_jwk_create_EC_spec(&spec, NULL);
	key_wipe(scalar, sizeof scalar);
	if (header && signer)
		token = cjose_jws_sign(signer, header, claims.at, claims.len, NULL);
	if (token && cjose_jws_export(token, &compact, NULL))
		e = buffer_add_text(out, compact);
	cjose_jws_release(token);
	cjose_jwk_release(signer);
	cjose_header_release(header);
	return e;
}
