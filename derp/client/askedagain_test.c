/* Clients that are asked about again (recheck.h): by the relay of relay_house.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay_house.h"
#include "text.h"

enum { CLIENTS = 6 };

static struct peer peer[CLIENTS];

static void join_all(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		join(&peer[i], i % HOUSE_SHARDS);
}

static void leave_all(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		close(peer[i].fd);
}

/* Rechecks that name these keys. */
static void tell_keys(const struct node_key *a, const struct node_key *b)
{
	char one[2 * KEY_LEN + 1], two[2 * KEY_LEN + 1], text[300];
	hex_encode(one, bytes_of(a->raw, KEY_LEN));
	hex_encode(two, bytes_of(b->raw, KEY_LEN));
	snprintf(text, sizeof text, "\"RecheckAll\":false,\"Rechecks\":[\"%s\",\"%s\"]", one, two);
	house_tell(text);
}

/* The relay announces itself in its own time, too. */
static bool asked(unsigned before, unsigned least)
{
	for (unsigned i = 0; i < 5000 && atomic_load(&house_questions) < before + least; i++)
		usleep(1000);
	return atomic_load(&house_questions) >= before + least;
}

static void nobody(void)
{
	static const struct node_key none;
	house_refuse(&none);
}

static void named_keys_are_asked_about(void **state)
{
	(void)state;
	join_all();
	house_refuse(&peer[1].key);
	unsigned before = atomic_load(&house_questions);
	tell_keys(&peer[0].key, &peer[1].key);
	house_tell("");
	expect_end(peer[1].fd);
	assert_true(asked(before, 2));
	for (unsigned i = 0; i < CLIENTS; i++)
		if (i != 1)
			expect_quiet(&peer[i]);
	/* It may come back when it is admitted again, but not before. */
	nobody();
	tell_keys(&peer[1].key, &peer[1].key);
	house_tell("");
	join_as(&peer[1], &peer[1].key, &peer[1].secret);
	leave_all();
}

static void all_are_asked_about(void **state)
{
	(void)state;
	join_all();
	house_refuse(&peer[4].key);
	house_tell("\"RecheckAll\":true");
	house_tell("");
	expect_end(peer[4].fd);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (i != 4)
			expect_quiet(&peer[i]);
	nobody();
	leave_all();
}

/* What is remembered of who is not here just now is doubtful, too: nobody will name the key again. */
static void who_is_away_is_asked_about_when_back(void **state)
{
	struct peer back;
	(void)state;
	join_all();
	close(peer[4].fd);
	house_refuse(&peer[4].key);
	house_tell("\"RecheckAll\":true");
	house_tell("");
	begin(&back, &peer[4].key, &peer[4].secret, 0);
	send_info(&back, "{\"version\":2}");
	expect_end(back.fd);
	nobody();
	for (unsigned i = 0; i < CLIENTS; i++)
		if (i != 4)
			close(peer[i].fd);
}

static void all_connections_of_a_key(void **state)
{
	struct peer twin;
	(void)state;
	join_all();
	join_as(&twin, &peer[2].key, &peer[2].secret);
	house_refuse(&peer[2].key);
	tell_keys(&peer[2].key, &peer[3].key);
	house_tell("");
	expect_end(peer[2].fd);
	expect_end(twin.fd);
	expect_quiet(&peer[3]);
	nobody();
	leave_all();
}

/* Nobody can say: it stays, and is asked about again as soon as a coordinator is heard. */
static void doubt_is_not_forgotten(void **state)
{
	static const int silences[] = {0, 503};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(silences); i++) {
		join_all();
		house_refuse(&peer[5].key);
		atomic_store(&house_status, silences[i]);
		unsigned before = atomic_load(&house_questions);
		tell_keys(&peer[4].key, &peer[5].key);
		assert_true(asked(before, 4)); /* two coordinators each */
		house_tell("");
		assert_true(asked(before, 8));
		expect_quiet(&peer[4]);
		expect_quiet(&peer[5]);
		atomic_store(&house_status, 200);
		house_tell("");
		expect_end(peer[5].fd);
		expect_quiet(&peer[4]);
		/* And no more after that. */
		before = atomic_load(&house_questions);
		house_tell("");
		for (unsigned k = 0; k < 5; k++)
			expect_quiet(&peer[k]);
		assert_int_equal(atomic_load(&house_questions), before);
		nobody();
		tell_keys(&peer[5].key, &peer[5].key);
		house_tell("");
		leave_all();
	}
}

/* What was said of a key before is good for long: only a word of a coordinator makes it doubtful. */
static int open(void **state)
{
	static struct relay_options next;
	if (house_open(state))
		return 1;
	next = options;
	next.verify_cache_ms = 600000;
	house_reload(&next);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_keys_are_asked_about), cmocka_unit_test(all_are_asked_about),    cmocka_unit_test(who_is_away_is_asked_about_when_back),
		cmocka_unit_test(all_connections_of_a_key),   cmocka_unit_test(doubt_is_not_forgotten),
	};
	return cmocka_run_group_tests(tests, open, house_close);
}
