/* Two shards on one loop; whether files are good, and what doors do, is the test's. Time stands still but for what the test lets pass. */
#include "firstcert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "shard.h"
#include "tlsfiles.h"

enum { SHARDS = 2 };

static struct loop *loop;
static struct relay relay;
static struct relay_options options;
static struct shard shards[SHARDS];
static char folder[] = "/tmp/firstcert_test.XXXXXX", certificate[64], key[64];
static unsigned welcomed, there;
static bool complete, good, ends_meanwhile;

bool shard_complete(const struct shard *s)
{
	assert_ptr_equal(s->relay, &relay);
	return complete;
}

void relaylife_welcome(struct shard *s)
{
	assert_int_equal(there, 0);
	assert_false(atomic_load(&relay.uncertified));
	welcomed |= 1u << s->index;
	shards[0].life.ending = ends_meanwhile;
}

enum err tlsfiles_check(const char *certificates, const char *keys, struct diag *why)
{
	assert_string_equal(certificates, certificate);
	assert_string_equal(keys, key);
	return good ? ERR_NONE : diag_set(why, ERR_MALFORMED, "half of it");
}

static void on_there(struct shard *first)
{
	assert_ptr_equal(first, &shards[0]);
	assert_int_equal(welcomed, 3);
	there++;
}

static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		clock_step_by_hand(1000);
		for (unsigned turn = 0; turn < 4; turn++)
			loop_turn(loop, 0);
	}
}

static void put(const char *path)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static int begin(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	options = (struct relay_options){.acme_webroot = folder, .tls_certificate = certificate, .tls_key = key};
	relay = (struct relay){.options = &options, .count = SHARDS};
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i] = (struct shard){.relay = &relay, .loop = loop, .index = i, .options = &options};
		relay.shard[i] = &shards[i];
	}
	welcomed = there = 0;
	complete = good = true;
	ends_meanwhile = false;
	atomic_store(&relay.uncertified, true);
	assert_true(firstcert_is_missing(&options));
	firstcert_await(&shards[0], on_there);
	return 0;
}

static int end(void **state)
{
	(void)state;
	firstcert_stop(&shards[0]);
	loop_free(&loop);
	unlink(certificate);
	unlink(key);
	return 0;
}

static void assert_waits(void)
{
	pass(5);
	assert_int_equal(welcomed + there, 0);
	assert_true(atomic_load(&relay.uncertified));
}

static void it_waits_for_a_good_pair(void **state)
{
	(void)state;
	complete = good = false;
	assert_waits();
	put(certificate);
	assert_waits();
	put(key);
	assert_false(firstcert_is_missing(&options));
	assert_waits();
	complete = true;
	assert_waits();
	good = true;
	pass(2);
	assert_int_equal(there, 1);
	pass(60);
	assert_int_equal(there, 1);
}

/* It would be told to clients as one that serves. */
static void a_process_that_ends_waits_no_more(void **state)
{
	(void)state;
	pass(3);
	shards[0].life.ending = true;
	put(certificate);
	put(key);
	assert_waits();
}

static void nor_when_it_ends_meanwhile(void **state)
{
	(void)state;
	put(certificate);
	put(key);
	ends_meanwhile = true;
	pass(5);
	assert_int_equal(welcomed, 3);
	assert_int_equal(there, 0);
}

static void only_an_acme_client_is_waited_for(void **state)
{
	(void)state;
	options.acme_webroot = "";
	assert_false(firstcert_is_missing(&options));
	options.acme_webroot = folder;
	options.tls_certificate = "";
	assert_false(firstcert_is_missing(&options));
	options.tls_certificate = certificate;
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(it_waits_for_a_good_pair),
		IN_ORDER(a_process_that_ends_waits_no_more),
		IN_ORDER(nor_when_it_ends_meanwhile),
		IN_ORDER(only_an_acme_client_is_waited_for),
	};
	log_setup("firstcert_test", LOG_ERROR + 1, LOG_TEXT);
	if (!mkdtemp(folder))
		return 1;
	snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
	snprintf(key, sizeof key, "%s/k.pem", folder);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
