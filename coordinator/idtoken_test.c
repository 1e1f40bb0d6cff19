/* What an identity token says, which key signs it, and that the library verifies it under what is published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjose/cjose.h>
#include <cmocka.h>
#include <jansson.h>

#include "idtoken.h"

static struct bytes tags[] = {{(const uint8_t *)"tag:web", 7}, {(const uint8_t *)"tag:db", 6}};
static struct tailnet tailnet = {.id = 1, .name = BYTES("corp"), .domain = BYTES("corp.example")};
static struct user user = {.id = 12, .tailnet = 1, .name = BYTES("ann"), .email = BYTES("ann@example.com")};
static struct node node = {
	.id = 77,
	.tailnet = 1,
	.user = 12,
	.node_key = {{0xab}},
	.label = BYTES("laptop"),
	.ip4 = {IP_V4, {100, 64, 0, 9}},
	.ip6 = {IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}},
};
static const struct wall now = {INT64_C(1700000000) * 1000000000};

static json_t *claims_of(bool tagged, struct buffer *out)
{
	struct node it = node;
	struct nodes_place place = {&it, tagged ? NULL : &user, &tailnet};
	struct idtoken token = {&place, BYTES("https://login.example"), BYTES("sts \"x\""), now, {1, 2}};
	json_t *claims;

	if (tagged) {
		it.tags = tags;
		it.tag_count = 2;
		it.user = 0;
	}
	buffer_init(out, 8192);
	assert_int_equal(idtoken_claims(&token, out), ERR_NONE);
	claims = json_loadb((const char *)out->at, out->len, 0, NULL);
	assert_non_null(claims);
	return claims;
}

static const char *text_of(const json_t *claims, const char *name)
{
	return json_string_value(json_object_get(claims, name));
}

static void a_user_s_node_says_its_user(void **state)
{
	struct buffer out;
	json_t *claims = claims_of(false, &out);

	(void)state;
	assert_string_equal(text_of(claims, "iss"), "https://login.example");
	assert_string_equal(text_of(claims, "sub"), "laptop.corp.example");
	assert_string_equal(text_of(claims, "aud"), "sts \"x\"");
	assert_int_equal(json_integer_value(json_object_get(claims, "iat")), 1700000000);
	assert_int_equal(json_integer_value(json_object_get(claims, "nbf")), 1700000000);
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 1700000300);
	assert_string_equal(text_of(claims, "jti"), "01020000000000000000000000000000");
	assert_string_equal(text_of(claims, "key"), "nodekey:ab00000000000000000000000000000000000000000000000000000000000000");
	assert_string_equal(json_string_value(json_array_get(json_object_get(claims, "addresses"), 0)), "100.64.0.9/32");
	assert_string_equal(json_string_value(json_array_get(json_object_get(claims, "addresses"), 1)), "fd7a:115c:a1e0::9/128");
	assert_int_equal(json_integer_value(json_object_get(claims, "nid")), 77);
	assert_string_equal(text_of(claims, "node"), "laptop.corp.example");
	assert_string_equal(text_of(claims, "domain"), "corp.example");
	assert_string_equal(text_of(claims, "user"), "corp.example:ann@example.com");
	assert_int_equal(json_integer_value(json_object_get(claims, "uid")), 12);
	assert_null(json_object_get(claims, "tags"));
	json_decref(claims);
	buffer_clear(&out);
}

static void a_tagged_node_says_its_tags(void **state)
{
	struct buffer out;
	json_t *claims = claims_of(true, &out);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(claims, "tags")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(claims, "tags"), 0)), "corp.example:tag:web");
	assert_null(json_object_get(claims, "user"));
	assert_null(json_object_get(claims, "uid"));
	json_decref(claims);
	buffer_clear(&out);
}

static void a_cap_holds(void **state)
{
	struct nodes_place place = {&node, &user, &tailnet};
	struct idtoken token = {&place, BYTES("https://login.example"), BYTES("a"), now, {0}};
	struct buffer out;

	(void)state;
	buffer_init(&out, 50);
	assert_int_equal(idtoken_claims(&token, &out), ERR_TOO_BIG);
	buffer_clear(&out);
}

static void audiences(void **state)
{
	static char big[IDTOKEN_AUDIENCE_MAX + 1];
	struct diag why;

	(void)state;
	memset(big, 'a', sizeof big);
	assert_int_equal(idtoken_check_audience(BYTES("sts.amazonaws.com"), &why), ERR_NONE);
	assert_int_equal(idtoken_check_audience(bytes_of(big, IDTOKEN_AUDIENCE_MAX), &why), ERR_NONE);
	assert_int_equal(idtoken_check_audience(bytes_of(big, sizeof big), &why), ERR_MALFORMED);
	assert_int_equal(idtoken_check_audience(BYTES_NONE, &why), ERR_MALFORMED);
	assert_int_equal(idtoken_check_audience(BYTES("a\nb"), &why), ERR_MALFORMED);
}

static struct wall at(int64_t seconds)
{
	return (struct wall){now.ns + seconds * 1000000000};
}

/* Newest first: one of tomorrow, today's, yesterday's, and one that has ended. */
static void the_newest_key_whose_time_it_is_signs(void **state)
{
	const struct identity_key keys[] = {{.from = at(3600), .until = WALL_ZERO},
					    {.from = at(-10), .until = at(100)},
					    {.from = at(-1000), .until = WALL_ZERO},
					    {.from = at(-2000), .until = at(-1)}};

	(void)state;
	assert_ptr_equal(idtoken_signer(keys, 4, now), &keys[1]);
	assert_ptr_equal(idtoken_signer(keys, 4, at(100)), &keys[2]);
	assert_ptr_equal(idtoken_signer(keys, 4, at(3600)), &keys[0]);
	assert_ptr_equal(idtoken_signer(keys, 4, at(-10)), &keys[1]);
	assert_ptr_equal(idtoken_signer(keys, 4, at(-11)), &keys[2]);
	assert_null(idtoken_signer(keys + 3, 1, now));
	assert_null(idtoken_signer(keys, 1, now));
	assert_null(idtoken_signer(keys, 0, now));
}

static void what_is_published_verifies_what_is_signed(void **state)
{
	uint8_t scalar[2][JWT_SCALAR_LEN];
	struct identity_key keys[2] = {{.from = at(0)}, {.from = at(-100)}};
	struct buffer set, claims, token;
	json_t *published, *said = claims_of(false, &claims);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(jwt_mint(scalar[i]), ERR_NONE);
		assert_int_equal(jwt_key_of(scalar[i], &keys[i].key), ERR_NONE);
	}
	buffer_init(&set, 4096);
	buffer_init(&token, 8192);
	assert_int_equal(idtoken_published(keys, 2, &set), ERR_NONE);
	assert_int_equal(jwt_sign(&keys[1].key, buffer_bytes(&claims), &token), ERR_NONE);
	published = json_loadb((const char *)set.at, set.len, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(published, "keys")), 2);
	for (size_t i = 0; i < 2; i++) {
		char *one = json_dumps(json_array_get(json_object_get(published, "keys"), i), 0);
		cjose_jwk_t *jwk = cjose_jwk_import(one, strlen(one), NULL);
		cjose_jws_t *jws = cjose_jws_import((const char *)token.at, token.len, NULL);

		assert_non_null(jwk);
		assert_null(strstr(one, "\"d\""));
		assert_int_equal(cjose_jws_verify(jws, jwk, NULL), i == 1);
		cjose_jws_release(jws);
		cjose_jwk_release(jwk);
		free(one);
	}
	json_decref(published);
	json_decref(said);
	buffer_clear(&set);
	buffer_clear(&claims);
	buffer_clear(&token);
}

static void the_configuration_names_issuer_and_keys(void **state)
{
	struct buffer out;
	json_t *said;

	(void)state;
	buffer_init(&out, 4096);
	assert_int_equal(idtoken_configuration(BYTES("https://login.example:8443"), &out), ERR_NONE);
	said = json_loadb((const char *)out.at, out.len, 0, NULL);
	assert_string_equal(text_of(said, "issuer"), "https://login.example:8443");
	assert_string_equal(text_of(said, "jwks_uri"), "https://login.example:8443/.well-known/jwks.json");
	json_decref(said);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_s_node_says_its_user),
		cmocka_unit_test(a_tagged_node_says_its_tags),
		cmocka_unit_test(a_cap_holds),
		cmocka_unit_test(audiences),
		cmocka_unit_test(the_newest_key_whose_time_it_is_signs),
		cmocka_unit_test(what_is_published_verifies_what_is_signed),
		cmocka_unit_test(the_configuration_names_issuer_and_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
