/* Coordinators and the judge answer as the test says, one letter each. Time stands still but for what the test lets pass. */
#include "verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "metrics_relay.h"

enum { OPEN_MAX = 5000, WAITS = 40 };

static const struct verdicts_limits limits = {.allowed_ms = 10000, .refused_ms = 1000, .grace_ms = 60000, .allowed_max = 100, .refused_max = 100};
static const struct ip source = {.family = IP_V4, .byte = {203, 0, 113, 9}};

/* ---- who is asked ---- */

static struct {
	fetch_fn on_answer;
	void *context;
	char who; /* a, b, c: coordinators; j: the judge */
} waiting[OPEN_MAX];
static unsigned waiting_count, asked;
static char whom[64]; /* was asked, in order */
static char body[256];

const char *fetch_header(const struct fetcher *fetcher, const char *name)
{
	(void)fetcher, (void)name;
	return NULL;
}

void fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context)
{
	char who = request->url[7];
	(void)fetcher;
	assert_string_equal(request->method, "POST");
	assert_true(request->body.len < sizeof body && waiting_count < OPEN_MAX);
	memcpy(body, request->body.at, request->body.len);
	body[request->body.len] = '\0';
	if (who == 'j') {
		assert_null(request->bearer);
		assert_string_equal(request->content_type, "");
		assert_string_equal(request->url, "http://j/x?y");
		assert_int_equal(request->timeout_ms, 5000);
	} else {
		assert_string_equal(request->bearer, "hskey-relay-x");
		assert_non_null(strstr(request->url, "/relay/v1/verify"));
		assert_int_equal(request->timeout_ms, 2000);
	}
	waiting[waiting_count].on_answer = on_answer;
	waiting[waiting_count].context = context;
	waiting[waiting_count++].who = who;
	if (asked < sizeof whom - 1)
		whom[asked] = who;
	asked++;
}

/* The question that waits longest is answered. */
static void answer(char letter)
{
	static const struct {
		char letter;
		enum err e;
		unsigned status;
		const char *body;
	} replies[] = {
		{'A', ERR_NONE, 200, "{\"Allow\":true}"},
		{'R', ERR_NONE, 200, "{\"Allow\":false}"},
		{'D', ERR_NONE, 403, "{\"Allow\":true}"},
		{'M', ERR_NONE, 200, "{\"Allow\":1}"},
		{'N', ERR_NONE, 503, "{\"Allow\":true}"},
		{'T', ERR_TIMEOUT, 0, ""},
		{'U', ERR_UNAVAILABLE, 0, ""},
		{'4', ERR_NONE, 404, "{\"Allow\":true}"},
		{'9', ERR_NONE, 429, ""},
	};
	assert_true(waiting_count > 0);
	fetch_fn on_answer = waiting[0].on_answer;
	void *context = waiting[0].context;
	memmove(&waiting[0], &waiting[1], --waiting_count * sizeof waiting[0]);
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		if (replies[i].letter != letter)
			continue;
		on_answer(context, replies[i].e, replies[i].status, bytes_text(replies[i].body));
		return;
	}
	fail_msg("no reply %c", letter);
}

/* ---- who asks ---- */

static struct verify *verify;
static struct coordinators coordinators;
static struct verify_wait wait[WAITS];
static bool surely[WAITS];
static char heard[WAITS + 1]; /* '+' or '-' by each, ' ': nothing yet */

static void on_verdict(void *context, bool allowed)
{
	size_t i = (size_t)((struct verify_wait *)context - wait);
	assert_int_equal(heard[i], ' '); /* once */
	heard[i] = allowed ? '+' : '-';
	surely[i] = wait[i].sure;
}

static enum verdict ask_for(const struct node_key *key, unsigned as)
{
	verify_wait_init(&wait[as], on_verdict, &wait[as]);
	heard[as] = ' ';
	return verify_ask(verify, key, source, &wait[as]);
}

static struct node_key numbered(unsigned n)
{
	struct node_key key = {{1}};
	put_be32(key.raw + 4, n);
	return key;
}

static const struct node_key laptop = {{0xab, 1}};

/* ' ': it waits. */
static char ask(unsigned as)
{
	enum verdict v = ask_for(&laptop, as);
	assert_int_not_equal(v, VERDICT_STALE);
	return v == VERDICT_UNKNOWN ? ' ' : v == VERDICT_ALLOWED ? '+' : '-';
}

static void begin(const char *urls, bool judge, bool ask_coordinators, bool fail_open)
{
	struct diag why = {0};
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	memset(heard, 0, sizeof heard);
	memset(whom, 0, sizeof whom);
	waiting_count = asked = 0;
	coordinators = (struct coordinators){0};
	assert_int_equal(coordinators_parse(bytes_text(urls), &coordinators, &why), ERR_NONE);
	verify = verify_new(&(struct verify_config){.coordinators = &coordinators,
						    .token = "hskey-relay-x",
						    .url = judge ? "http://j/x?y" : "",
						    .ask_coordinators = ask_coordinators,
						    .fail_open = fail_open,
						    .limits = limits});
}

static void end(void)
{
	verify_free(&verify);
	assert_null(verify);
	verify_free(&verify);
	coordinators_clear(&coordinators);
}

/* ---- one question ---- */

/* Whom it asks, how it ends, and what is left of it: '+', '-' for what is remembered, '?' for a question anew. */
static const struct {
	const char *urls;
	bool judge, coordinators, fail_open, stale;
	const char *replies, *whom;
	char verdict, remembered;
} cases[] = {
	{"http://a", false, true, false, false, "A", "a", '+', '+'},
	{"http://a", false, true, false, false, "R", "a", '-', '-'},
	{"http://a", false, true, false, false, "M", "a", '-', '-'},
	{"http://a", false, true, true, true, "R", "a", '-', '-'},
	/* An answer, but not about the key. */
	{"http://a", false, true, true, true, "D", "a", '-', '?'},
	/* No answer: the next one, and no third. */
	{"http://a,http://b,http://c", false, true, false, false, "NA", "ab", '+', '+'},
	{"http://a,http://b,http://c", false, true, false, false, "TR", "ab", '-', '-'},
	{"http://a,http://b,http://c", false, true, false, false, "UD", "ab", '-', '?'},
	{"http://a,http://b,http://c", false, true, false, false, "4N", "ab", '-', '?'},
	{"http://a,http://b,http://c", false, true, false, true, "9T", "ab", '+', '?'},
	{"http://a,http://b,http://c", false, true, true, false, "NN", "ab", '+', '?'},
	{"http://a", false, true, false, false, "N", "a", '-', '?'},
	{"http://a", false, true, false, true, "N", "a", '+', '?'},
	/* The judge after a coordinator: both must allow. */
	{"http://a", true, true, false, false, "AA", "aj", '+', '+'},
	{"http://a", true, true, false, false, "AR", "aj", '-', '-'},
	{"http://a", true, true, false, false, "AM", "aj", '-', '-'},
	{"http://a", true, true, true, true, "R", "a", '-', '-'},
	{"http://a", true, true, true, true, "D", "a", '-', '?'},
	{"http://a", true, true, true, true, "AD", "aj", '-', '?'},
	{"http://a", true, true, true, true, "AN", "aj", '-', '?'}, /* any other status refuses */
	{"http://a", true, true, true, true, "A4", "aj", '-', '?'},
	{"http://a", true, true, false, false, "AT", "aj", '-', '?'},
	{"http://a", true, true, false, true, "AT", "aj", '+', '?'},
	{"http://a", true, true, true, false, "AU", "aj", '+', '?'},
	/* Without a coordinator's answer it is asked only about whom it could still let in, and its word is not remembered as that of both. */
	{"http://a", true, true, false, false, "N", "a", '-', '?'},
	{"http://a", true, true, false, true, "NA", "aj", '+', '?'},
	{"http://a", true, true, true, false, "NA", "aj", '+', '?'},
	{"http://a", true, true, true, true, "NR", "aj", '-', '-'},
	{"http://a", true, true, true, true, "NT", "aj", '+', '?'},
	/* Alone. */
	{"http://a", true, false, false, false, "A", "j", '+', '+'},
	{"http://a", true, false, false, false, "R", "j", '-', '-'},
	{"http://a", true, false, false, false, "T", "j", '-', '?'},
	{"http://a", true, false, false, true, "T", "j", '+', '?'},
	{"http://a", true, false, true, false, "T", "j", '+', '?'},
	{"http://a", true, false, true, true, "D", "j", '-', '?'},
};

static void a_question_is_settled(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		begin(cases[i].urls, cases[i].judge, cases[i].coordinators, cases[i].fail_open);
		if (cases[i].stale) {
			assert_int_equal(ask(0), ' ');
			for (unsigned k = 0; k < (cases[i].coordinators ? 1 : 0) + (cases[i].judge ? 1u : 0); k++)
				answer('A');
			assert_int_equal(heard[0], '+');
			clock_step_by_hand(limits.allowed_ms);
			asked = 0;
			memset(whom, 0, sizeof whom);
		}
		assert_int_equal(ask(0), ' ');
		for (const char *r = cases[i].replies; *r; r++) {
			assert_int_equal(heard[0], ' ');
			answer(*r);
		}
		if (strcmp(whom, cases[i].whom) != 0 || heard[0] != cases[i].verdict || waiting_count)
			fail_msg("case %zu: asked %s, heard %c", i, whom, heard[0]);
		/* Who was let in although nobody could say so is to be asked about again. */
		if (heard[0] == '+')
			assert_int_equal(surely[0], cases[i].remembered == '+');
		char left = ask(1);
		if (left != (cases[i].remembered == '?' ? ' ' : cases[i].remembered))
			fail_msg("case %zu: remembered %c", i, left);
		verify_cancel(&wait[1]);
		end();
		while (waiting_count)
			answer('U');
	}
}

static void it_says_whom_it_means(void **state)
{
	(void)state;
	begin("http://a", false, true, false);
	assert_int_equal(ask(0), ' ');
	assert_string_equal(body, "{\"NodePublic\":\"nodekey:ab01000000000000000000000000000000000000000000000000000000000000\",\"Source\":\"203.0.113.9\"}");
	answer('A');
	end();
}

static void the_next_question_begins_where_one_answered(void **state)
{
	(void)state;
	begin("http://a,http://b,http://c", false, true, false);
	for (unsigned i = 0; i < 3; i++) {
		struct node_key key = numbered(i);
		assert_int_equal(ask_for(&key, i), VERDICT_UNKNOWN);
		answer('N');
		answer('A');
		assert_int_equal(heard[i], '+');
	}
	assert_string_equal(whom, "abbcca");
	end();
}

/* ---- many ---- */

static void one_question_per_key(void **state)
{
	unsigned refused = 0;
	(void)state;
	begin("http://a", false, true, false);
	for (unsigned i = 0; i < WAITS; i++) {
		enum verdict v = ask_for(&laptop, i);
		assert_true(v == VERDICT_UNKNOWN || v == VERDICT_REFUSED);
		refused += v == VERDICT_REFUSED;
		assert_int_equal(verify_has_room(verify, &laptop), i < 31);
	}
	assert_int_equal(asked, 1);
	assert_int_equal(refused, WAITS - 32); /* too many that wait */
	verify_cancel(&wait[5]);
	verify_cancel(&wait[5]);
	answer('A');
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(heard[i], i == 5 ? ' ' : '+');
	for (unsigned i = 32; i < WAITS; i++)
		assert_int_equal(heard[i], ' ');
	/* It was no answer about the key: it is not remembered. */
	assert_int_equal(ask(0), '+');
	end();
}

static void questions_are_bounded(void **state)
{
	unsigned most = 0;
	struct node_key key;
	(void)state;
	begin("http://a", false, true, false);
	while (most < OPEN_MAX - 1) {
		key = numbered(most);
		if (ask_for(&key, 0) == VERDICT_REFUSED)
			break;
		verify_cancel(&wait[0]);
		most++;
	}
	assert_in_range(most, 1000, OPEN_MAX - 2);
	assert_false(verify_has_room(verify, &laptop));
	assert_int_equal(asked, most);
	answer('R');
	assert_true(verify_has_room(verify, &laptop));
	assert_int_equal(ask_for(&key, 0), VERDICT_UNKNOWN);
	verify_cancel(&wait[0]);
	end();
	while (waiting_count)
		answer('U');
}

/* ---- doubt ---- */

static void what_was_known_is_asked_about_again(void **state)
{
	(void)state;
	begin("http://a", false, true, false);
	assert_int_equal(ask(0), ' ');
	answer('A');
	assert_int_equal(ask(0), '+');
	verify_doubt(verify, &laptop);
	assert_int_equal(ask(0), ' ');
	answer('N');
	assert_int_equal(heard[0], '+'); /* while nobody answers */
	assert_int_equal(ask(0), ' ');
	answer('R');
	assert_int_equal(ask(0), '-');
	verify_doubt(verify, &laptop);
	assert_int_equal(ask(0), ' ');
	answer('N');
	assert_int_equal(heard[0], '-');
	end();
}

static void of_it(void)
{
	verify_doubt(verify, &laptop);
}

static void of_all(void)
{
	verify_doubt_all(verify);
}

/* What is on its way may have been said before the change: it is asked once more, and only that counts. */
static void doubt_reaches_a_question_on_its_way(void **state)
{
	static const struct {
		const char *urls;
		bool judge, fail_open;
		const char *before, *after, *whom;
		char verdict, remembered;
	} doubts[] = {
		{"http://a", false, false, "A", "R", "aa", '-', '-'},
		{"http://a", false, false, "A", "A", "aa", '+', '+'},
		{"http://a", false, false, "R", "A", "aa", '+', '+'},
		{"http://a", true, false, "AA", "AR", "ajaj", '-', '-'},
		{"http://a", true, false, "R", "AA", "aaj", '+', '+'},
		/* Quite anew: as many may be asked, and who did not answer before is forgotten. */
		{"http://a,http://b", false, false, "NA", "NA", "abba", '+', '+'},
		{"http://a", true, true, "NR", "AA", "ajaj", '+', '+'},
	};
	(void)state;
	static void (*const doubt[])(void) = {of_it, of_all};
	for (size_t k = 0; k < 2 * COUNT_OF(doubts); k++) {
		size_t i = k / 2;
		begin(doubts[i].urls, doubts[i].judge, true, doubts[i].fail_open);
		assert_int_equal(ask(0), ' ');
		const char *r = doubts[i].before;
		for (; r[1]; r++)
			answer(*r);
		doubt[k % 2]();
		assert_int_equal(ask(1), ' ');
		answer(*r);
		for (r = doubts[i].after; *r; r++) {
			assert_int_equal(heard[0], ' ');
			assert_int_equal(heard[1], ' ');
			answer(*r);
		}
		assert_string_equal(whom, doubts[i].whom);
		assert_int_equal(heard[0], doubts[i].verdict);
		assert_int_equal(heard[1], doubts[i].verdict);
		assert_int_equal(ask(2), doubts[i].remembered);
		end();
	}
}

/* ---- the end ---- */

static void it_ends_with_questions_open(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned count = i / 2;
		begin("http://a,http://b", true, i % 2, false);
		for (unsigned k = 0; k < count; k++) {
			struct node_key key = numbered(k);
			assert_int_equal(ask_for(&key, k), VERDICT_UNKNOWN);
			verify_doubt(verify, &key);
		}
		for (unsigned k = 0; k < count; k++)
			verify_cancel(&wait[k]);
		end();
		for (unsigned k = 0; k < count; k++)
			answer("UAR"[k]);
		assert_int_equal(waiting_count, 0); /* nobody else is asked */
		for (unsigned k = 0; k < count; k++)
			assert_int_equal(heard[k], ' ');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_settled),
		cmocka_unit_test(it_says_whom_it_means),
		cmocka_unit_test(the_next_question_begins_where_one_answered),
		cmocka_unit_test(one_question_per_key),
		cmocka_unit_test(questions_are_bounded),
		cmocka_unit_test(what_was_known_is_asked_about_again),
		cmocka_unit_test(doubt_reaches_a_question_on_its_way),
		cmocka_unit_test(it_ends_with_questions_open),
	};
	log_setup("verify_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
