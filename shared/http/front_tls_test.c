#include "front.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/front_tls_test.XXXXXX", certificate[128], key[128], said[128];
static struct front_tls tls;
static struct diag why;
static int log_fd;

/* ---- pairs ---- */

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static struct pair pair_new(long serial)
{
	struct pair p = {X509_new(), EVP_EC_gen("P-256")};
	ASN1_INTEGER_set(X509_get_serialNumber(p.certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(p.certificate), -10);
	X509_gmtime_adj(X509_getm_notAfter(p.certificate), 30L * 24 * 3600);
	X509_set_pubkey(p.certificate, p.key);
	X509_sign(p.certificate, p.key, EVP_sha256());
	return p;
}

static void pair_free(struct pair *p)
{
	X509_free(p->certificate);
	EVP_PKEY_free(p->key);
}

/* As operators replace files: another one under the same name. */
static FILE *begin(const char *path, char fresh[static 160])
{
	snprintf(fresh, 160, "%s.new", path);
	FILE *f = fopen(fresh, "w");
	assert_non_null(f);
	return f;
}

static void put_certificate(const struct pair *p)
{
	char fresh[160];
	FILE *f = begin(certificate, fresh);
	assert_int_equal(PEM_write_X509(f, p->certificate), 1);
	fclose(f);
	assert_int_equal(rename(fresh, certificate), 0);
}

static void put_key(const struct pair *p)
{
	char fresh[160];
	FILE *f = begin(key, fresh);
	assert_int_equal(PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	assert_int_equal(rename(fresh, key), 0);
}

static void shows(long serial)
{
	assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(SSL_CTX_get0_certificate(tls.context))), serial);
}

/* How much the log says meanwhile. */
static off_t refresh(void)
{
	off_t before = lseek(log_fd, 0, SEEK_END);
	int kept = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
	front_tls_refresh(&tls);
	dup2(kept, STDERR_FILENO);
	close(kept);
	return lseek(log_fd, 0, SEEK_END) - before;
}

/* ---- tests ---- */

static void two_files_are_replaced_one_after_the_other(void **state)
{
	(void)state;
	struct pair first = pair_new(1), second = pair_new(2);
	put_certificate(&first);
	put_key(&first);
	assert_int_equal(front_tls_open(&tls, certificate, key, BYTES_NONE, &why), ERR_NONE);
	shows(1);
	assert_int_equal(refresh(), 0);
	put_key(&second);
	assert_int_equal(refresh(), 0); /* the other file may be on its way */
	shows(1);
	put_certificate(&second);
	assert_true(refresh() > 0);
	shows(2);
	front_tls_close(&tls);
	pair_free(&first);
	pair_free(&second);
}

static void a_bad_pair_is_told_once(void **state)
{
	(void)state;
	struct pair first = pair_new(1), second = pair_new(2);
	put_certificate(&first);
	put_key(&first);
	assert_int_equal(front_tls_open(&tls, certificate, key, BYTES_NONE, &why), ERR_NONE);
	put_certificate(&second);
	assert_int_equal(refresh(), 0);
	assert_true(refresh() > 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(refresh(), 0);
	shows(1);
	put_key(&second);
	assert_true(refresh() > 0);
	shows(2);
	front_tls_close(&tls);
	pair_free(&first);
	pair_free(&second);
}

static int open_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
	snprintf(key, sizeof key, "%s/c.key", folder);
	snprintf(said, sizeof said, "%s/log", folder);
	log_fd = open(said, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	return log_fd < 0 ? -1 : 0;
}

static int close_folder(void **state)
{
	(void)state;
	close(log_fd);
	unlink(certificate);
	unlink(key);
	unlink(said);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_files_are_replaced_one_after_the_other),
		cmocka_unit_test(a_bad_pair_is_told_once),
	};
	return cmocka_run_group_tests(tests, open_folder, close_folder);
}
