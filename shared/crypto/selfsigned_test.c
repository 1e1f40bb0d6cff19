#include "selfsigned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void check(const char *host, bool is_ip)
{
	struct buffer certificate, key;
	buffer_init(&certificate, 1 << 16);
	buffer_init(&key, 1 << 16);
	assert_int_equal(selfsigned_make(host, &certificate, &key), ERR_NONE);
	BIO *bio = BIO_new_mem_buf(certificate.at, (int)certificate.len), *key_bio = BIO_new_mem_buf(key.at, (int)key.len);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *pair = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	assert_non_null(x);
	assert_non_null(pair);
	assert_int_equal(X509_check_private_key(x, pair), 1);
	assert_int_equal(X509_verify(x, pair), 1);
	assert_int_equal(is_ip ? X509_check_ip_asc(x, host, 0) : X509_check_host(x, host, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "other.example.net", 0, 0, NULL), 0);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0 && X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
	EVP_PKEY_free(pair);
	X509_free(x);
	BIO_free(bio);
	BIO_free(key_bio);
	buffer_clear(&certificate);
	buffer_clear(&key);
}

static void names_and_addresses(void **state)
{
	(void)state;
	check("relay.example.net", false);
	check("127.0.0.1", true);
	check("2001:db8::1", true);
	check("a-rather-long-label-of-a-relay.another-long-label-of-its-region.example.net", false);
}

static void strange_names_are_refused(void **state)
{
	(void)state;
	static const char *const strange[] = {"", "a,DNS:b", "a b", "a\nb"};
	struct buffer certificate, key;
	buffer_init(&certificate, 1 << 16);
	buffer_init(&key, 1 << 16);
	for (size_t i = 0; i < COUNT_OF(strange); i++)
		assert_int_equal(selfsigned_make(strange[i], &certificate, &key), ERR_MALFORMED);
	assert_int_equal(certificate.len + key.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_and_addresses), cmocka_unit_test(strange_names_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
