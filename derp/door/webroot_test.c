#include "webroot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/webroot_test_XXXXXX", folder[128];

static const char *in_folder(const char *name)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, size_t len)
{
	FILE *f = fopen(in_folder(name), "w");
	assert_non_null(f);
	for (size_t i = 0; i < len; i++)
		fputc('x', f);
	assert_int_equal(fclose(f), 0);
}

/* The length of the answer, or -1. */
static int asked(const char *name)
{
	struct buffer out;
	buffer_init(&out, 1 << 16);
	enum err e = webroot_read(root, bytes_text(name), &out);
	int len = e ? -1 : (int)out.len;
	assert_true(!e || e == ERR_NOT_FOUND);
	buffer_clear(&out);
	return len;
}

static void it_reads_what_is_put_there(void **state)
{
	(void)state;
	char longest[WEBROOT_TOKEN_MAX + 2];
	put("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA", 87);
	assert_int_equal(asked("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"), 87);
	assert_int_equal(asked("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_o"), -1);
	put("empty", 0);
	assert_int_equal(asked("empty"), 0);
	put("largest", WEBROOT_ANSWER_MAX);
	assert_int_equal(asked("largest"), WEBROOT_ANSWER_MAX);
	put("larger", WEBROOT_ANSWER_MAX + 1);
	assert_int_equal(asked("larger"), -1);
	memset(longest, 'a', sizeof longest - 1);
	longest[WEBROOT_TOKEN_MAX + 1] = 0;
	put(longest, 5);
	assert_int_equal(asked(longest), -1);
	longest[WEBROOT_TOKEN_MAX] = 0;
	put(longest, 5);
	assert_int_equal(asked(longest), 5);
}

static void it_reads_nothing_else(void **state)
{
	(void)state;
	static const char *const names[] = {"", ".", "..", "../secret", "a.b", "a/b", "/etc/passwd", "a%2fb", "a b", "\xc3\xa9", "~", "a+b"};
	snprintf(folder + strlen(folder), sizeof folder - strlen(folder), "/..");
	put("secret", 5);
	folder[strlen(folder) - 3] = 0;
	put("a.b", 5);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_int_equal(asked(names[i]), -1);
	struct buffer out;
	buffer_init(&out, 100);
	put("nul", 5);
	assert_int_equal(webroot_read(root, bytes_of("nul\0x", 5), &out), ERR_NOT_FOUND);
	buffer_clear(&out);
	/* Links, folders, pipes. */
	assert_int_equal(symlink("../secret", in_folder("link")), 0);
	assert_int_equal(asked("link"), -1);
	assert_int_equal(symlink("nul", in_folder("inside")), 0);
	assert_int_equal(asked("inside"), -1);
	assert_int_equal(mkdir(in_folder("folder"), 0700), 0);
	assert_int_equal(asked("folder"), -1);
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	assert_int_equal(asked("fifo"), -1);
}

/* The folder itself may not be a link either, since whoever may write it shall not reach further. */
static void it_follows_no_link_on_its_way(void **state)
{
	(void)state;
	char aside[200];
	put("there", 3);
	assert_int_equal(asked("there"), 3);
	snprintf(aside, sizeof aside, "%s.aside", folder);
	assert_int_equal(rename(folder, aside), 0);
	assert_int_equal(asked("there"), -1);
	assert_int_equal(symlink(aside, folder), 0);
	assert_int_equal(asked("there"), -1);
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(aside, folder), 0);
	assert_int_equal(asked("there"), 3);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	snprintf(folder, sizeof folder, "%s/.well-known", root);
	if (mkdir(folder, 0755))
		return -1;
	snprintf(folder, sizeof folder, "%s/.well-known/acme-challenge", root);
	return mkdir(folder, 0755);
}

static int tear_down(void **state)
{
	(void)state;
	char command[64];
	snprintf(command, sizeof command, "rm -r %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reads_what_is_put_there),
		cmocka_unit_test(it_reads_nothing_else),
		cmocka_unit_test(it_follows_no_link_on_its_way),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
