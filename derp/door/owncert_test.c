#include "owncert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void it_is_kept(void **state)
{
	(void)state;
	char folder[] = "/tmp/owncert_test_XXXXXX";
	struct owncert a, b;
	struct stat st;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(owncert_open(&a, folder, "relay.example.net", NULL), ERR_NONE);
	assert_int_equal(strlen(a.pin), strlen("sha256-raw:") + 64);
	assert_int_equal(strspn(a.pin + 11, "0123456789abcdef"), 64);
	assert_int_equal(stat(a.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(owncert_open(&b, folder, "relay.example.net", NULL), ERR_NONE);
	assert_string_equal(a.pin, b.pin);
	/* Another name or address, a broken or lost file: another certificate. */
	assert_int_equal(owncert_open(&b, folder, "198.51.100.7", NULL), ERR_NONE);
	assert_string_not_equal(a.pin, b.pin);
	assert_int_equal(owncert_open(&a, folder, "198.51.100.7", NULL), ERR_NONE);
	assert_string_equal(a.pin, b.pin);
	assert_int_equal(truncate(a.certificate, 20), 0);
	assert_int_equal(owncert_open(&b, folder, "198.51.100.7", NULL), ERR_NONE);
	assert_string_not_equal(a.pin, b.pin);
	assert_int_equal(unlink(a.key), 0);
	assert_int_equal(owncert_open(&a, folder, "198.51.100.7", NULL), ERR_NONE);
	assert_string_not_equal(a.pin, b.pin);
	unlink(a.certificate);
	unlink(a.key);
	rmdir(folder);
}

static void nowhere_to_keep_it(void **state)
{
	(void)state;
	struct owncert a;
	struct diag why = {0};
	char folder[] = "/tmp/owncert_test_XXXXXX", long_path[600];
	assert_int_equal(owncert_open(&a, "/nowhere/at/all", "x.example.net", &why), ERR_IO);
	assert_non_null(strstr(why.text, "/nowhere/at/all"));
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = 0;
	assert_int_equal(owncert_open(&a, long_path, "x.example.net", &why), ERR_TOO_BIG);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(owncert_open(&a, folder, "no,name", &why), ERR_MALFORMED);
	rmdir(folder);
}

static void it_is_in_memory(void **state)
{
	(void)state;
	struct owncert a, none = {0};
	char text[64];
	const char *const paths[] = {a.certificate, a.key}, *const heads[] = {"-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"};
	assert_int_equal(owncert_open_unsafe(&a, "relay.example.net", NULL), ERR_NONE);
	assert_string_equal(a.pin, "");
	for (unsigned i = 0; i < 2; i++) {
		FILE *f = fopen(paths[i], "re");
		assert_non_null(f);
		assert_non_null(fgets(text, sizeof text, f));
		assert_memory_equal(text, heads[i], strlen(heads[i]));
		fclose(f);
	}
	owncert_close(&a);
	owncert_close(&a);
	assert_int_equal(access(a.key, R_OK), -1);
	owncert_close(&none);
	struct diag why = {0};
	assert_int_equal(owncert_open_unsafe(&a, "no,name", &why), ERR_MALFORMED);
	assert_true(*why.text);
	owncert_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_kept), cmocka_unit_test(nowhere_to_keep_it), cmocka_unit_test(it_is_in_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
