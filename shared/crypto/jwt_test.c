/* Tokens are verified by the library's other end, under a key made of what is published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjose/cjose.h>
#include <cmocka.h>

#include "jwt.h"

static const char claims[] = "{\"sub\":\"a.b\",\"n\":1}";

/* RFC 7515, appendix A.3: the key "jpsQ..." of its example. */
static const uint8_t known_scalar[JWT_SCALAR_LEN] = {142, 155, 16, 158, 113, 144, 152, 191, 152, 4,  135, 223, 31,  93,  119, 233,
						     203, 41,  96, 110, 190, 210, 38,  59,  95,  87, 194, 19,  223, 132, 244, 178};

static cjose_jwk_t *published(const struct jwt_key *key)
{
	char json[256];
	int len = snprintf(json, sizeof json, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", key->id, key->x, key->y);
	cjose_jwk_t *jwk = cjose_jwk_import(json, (size_t)len, NULL);

	assert_non_null(jwk);
	return jwk;
}

static bool verifies(struct bytes token, const struct jwt_key *key)
{
	cjose_jws_t *jws = cjose_jws_import((const char *)token.at, token.len, NULL);
	cjose_jwk_t *jwk = published(key);
	uint8_t *text;
	size_t len;
	bool good = jws && cjose_jws_verify(jws, jwk, NULL);

	if (good) {
		assert_true(cjose_jws_get_plaintext(jws, &text, &len, NULL));
		assert_true(bytes_equal(bytes_of(text, len), bytes_text(claims)));
		assert_string_equal(cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_KID, NULL), key->id);
		assert_string_equal(cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, NULL), "ES256");
	}
	cjose_jwk_release(jwk);
	cjose_jws_release(jws);
	return good;
}

static void the_known_key_has_its_known_public_half(void **state)
{
	struct jwt_key key;

	(void)state;
	assert_int_equal(jwt_key_of(known_scalar, &key), ERR_NONE);
	assert_string_equal(key.x, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
	assert_string_equal(key.y, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
	/* Computed by another program from RFC 7638. */
	assert_string_equal(key.id, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void tokens_verify_under_their_key_alone(void **state)
{
	struct jwt_key key, other;
	uint8_t scalar[JWT_SCALAR_LEN];
	struct buffer out;

	(void)state;
	assert_int_equal(jwt_mint(scalar), ERR_NONE);
	assert_int_equal(jwt_key_of(scalar, &other), ERR_NONE);
	assert_int_equal(jwt_key_of(known_scalar, &key), ERR_NONE);
	assert_string_not_equal(key.id, other.id);
	buffer_init(&out, 4096);
	assert_int_equal(jwt_sign(&key, bytes_text(claims), &out), ERR_NONE);
	assert_true(verifies(buffer_bytes(&out), &key));
	assert_false(verifies(buffer_bytes(&out), &other));
	/* One letter of the claims. */
	for (size_t i = 0, dots = 0; i < out.len; i++) {
		dots += out.at[i] == '.';
		if (dots == 1 && out.at[i] != '.') {
			out.at[i] = out.at[i] == 'A' ? 'B' : 'A';
			break;
		}
	}
	assert_false(verifies(buffer_bytes(&out), &key));
	buffer_clear(&out);
}

static void a_cap_holds(void **state)
{
	struct jwt_key key;
	struct buffer out;

	(void)state;
	assert_int_equal(jwt_key_of(known_scalar, &key), ERR_NONE);
	buffer_init(&out, 20);
	assert_int_equal(jwt_sign(&key, bytes_text(claims), &out), ERR_TOO_BIG);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
}

static void scalars_off_the_curve_are_refused(void **state)
{
	static const uint8_t zero[JWT_SCALAR_LEN];
	/* The order of P-256. */
	static const uint8_t order[JWT_SCALAR_LEN] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	uint8_t last[JWT_SCALAR_LEN];
	struct jwt_key key;

	(void)state;
	assert_int_equal(jwt_key_of(zero, &key), ERR_MALFORMED);
	assert_int_equal(jwt_key_of(order, &key), ERR_MALFORMED);
	memcpy(last, order, sizeof last);
	last[JWT_SCALAR_LEN - 1]--;
	assert_int_equal(jwt_key_of(last, &key), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_known_key_has_its_known_public_half),
		cmocka_unit_test(tokens_verify_under_their_key_alone),
		cmocka_unit_test(a_cap_holds),
		cmocka_unit_test(scalars_off_the_curve_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
