#include "metacert.h"

#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "text.h"

static void it_tells_the_key(void **state)
{
	(void)state;
	struct public_key key;
	struct buffer der;
	char hex[2 * KEY_LEN + 1], name[128];
	memset(key.raw, 0xab, KEY_LEN);
	buffer_init(&der, METACERT_MAX);
	assert_int_equal(metacert_make(&key, &der), ERR_NONE);
	const unsigned char *at = der.at;
	X509 *x = d2i_X509(NULL, &at, (long)der.len);
	assert_non_null(x);
	assert_ptr_equal(at, der.at + der.len);
	hex_encode(hex, bytes_of(key.raw, KEY_LEN));
	assert_int_equal(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name), 71);
	assert_memory_equal(name, "derpkey", 7);
	assert_string_equal(name + 7, hex);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)), 0);
	uint64_t serial;
	assert_true(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(x)));
	assert_int_equal(serial, 2);
	EVP_PKEY *pair = X509_get0_pubkey(x);
	assert_int_equal(EVP_PKEY_id(pair), EVP_PKEY_ED25519);
	assert_int_equal(X509_verify(x, pair), 1);
	assert_int_equal(X509_check_ca(x), 0);
	assert_true(X509_get_extension_flags(x) & EXFLAG_BCONS);
	int days, seconds;
	assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)));
	assert_int_equal(days, 60);
	assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), time(NULL)), -1);
	X509_free(x);
	buffer_clear(&der);
}

static void no_room(void **state)
{
	(void)state;
	struct public_key key = {{1}};
	struct buffer der;
	buffer_init(&der, 10);
	assert_int_not_equal(metacert_make(&key, &der), ERR_NONE);
	assert_int_equal(der.len, 0);
	buffer_clear(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_tells_the_key), cmocka_unit_test(no_room)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
