/* The network is the test: it answers what is asked, signed by whom it likes. */
#include "answerkeys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "metrics_relay.h"
#include "relayanswer.h"
#include "secret.h"

#define HTTP "http://c.example/relay/v1/"
#define HTTPS "https://c.example/relay/v1/"

/* ---- the network ---- */

static fetch_fn waiting;
static void *waiting_context;
static char header[256], signature[RELAYANSWER_TEXT_MAX], asked_url[128], asked_body[128];

void fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context)
{
	(void)fetcher;
	waiting = on_answer;
	waiting_context = context;
	snprintf(header, sizeof header, "%s", request->header ? request->header : "");
	snprintf(asked_url, sizeof asked_url, "%s", request->url);
	snprintf(asked_body, sizeof asked_body, "%.*s", BYTES_ARG(request->body));
	*signature = '\0';
}

const char *fetch_header(const struct fetcher *fetcher, const char *name)
{
	(void)fetcher;
	return !strcmp(name, RELAYANSWER_SIGNATURE) && *signature ? signature : NULL;
}

/* ---- coordinators ---- */

static uint8_t seeds[3][SIGN_SEED_LEN];
static char names[3][SIGN_TEXT_MAX];
static struct secret token;

static void sign_as(const struct secret *as, unsigned by, unsigned status, const char *body)
{
	const struct relayanswer said = {.path = bytes_text(strstr(asked_url, "/relay/v1/")),
					 .relay = bytes_of(as->hash, sizeof as->hash),
					 .nonce = bytes_skip(bytes_text(header), strlen("Fleetscale-Nonce: ")),
					 .question = bytes_text(asked_body),
					 .status = status,
					 .answer = bytes_text(body)};
	assert_true(relayanswer_is_nonce(said.nonce));
	relayanswer_sign(&said, seeds[by], signature);
}

static void sign(unsigned by, unsigned status, const char *body)
{
	sign_as(&token, by, status, body);
}

/* ---- the relay ---- */

static struct answerkeys *keys;
static enum err heard;
static unsigned heard_status, answers;
static char heard_body[1024];

static void on_heard(void *context, enum err e, unsigned status, struct bytes body)
{
	assert_ptr_equal(context, &answers);
	heard = e;
	heard_status = status;
	snprintf(heard_body, sizeof heard_body, "%.*s", BYTES_ARG(body));
	answers++;
}

static void ask(const char *url, const char *body)
{
	answerkeys_fetch(keys, NULL, &(struct fetch_request){.method = "POST", .url = url, .body = bytes_text(body)}, on_heard, &answers);
}

static void answer(enum err e, unsigned status, const char *body)
{
	unsigned before = answers;
	waiting(waiting_context, e, status, bytes_text(body));
	assert_int_equal(answers, before + 1);
}

static void know(const char *text)
{
	struct diag why = {0};
	answerkeys_free(&keys);
	keys = answerkeys_new(bytes_text(text), token.text, &why);
	assert_non_null(keys);
}

/* by -1: unsigned. True: it was believed. */
static bool believes(const char *url, int by, const char *body)
{
	ask(url, "{}");
	if (by >= 0)
		sign((unsigned)by, 200, body);
	answer(ERR_NONE, 200, body);
	if (!heard) {
		assert_int_equal(heard_status, 200);
		assert_string_equal(heard_body, body);
		return true;
	}
	assert_int_equal(heard, ERR_CRYPTO);
	assert_int_equal(heard_status, 0);
	assert_string_equal(heard_body, "");
	return false;
}

static void a_configured_key_is_the_only_one(void **state)
{
	(void)state;
	know(names[1]);
	assert_true(answerkeys_any(keys));
	int64_t before = metric_sum(&relay_metrics[RELAY_ANSWERS_UNSIGNED], 0);
	assert_true(believes(HTTP "verify", 1, "{\"Allow\":true}"));
	assert_false(believes(HTTP "verify", 0, "{\"Allow\":true}"));
	assert_false(believes(HTTP "verify", -1, "{\"Allow\":true}"));
	assert_false(believes(HTTPS "announce", -1, "{}"));
	assert_int_equal(metric_sum(&relay_metrics[RELAY_ANSWERS_UNSIGNED], 0) - before, 3);
	/* One by nobody who is known teaches nothing. */
	char list[200];
	snprintf(list, sizeof list, "{\"AnswerKeys\":[\"%s\"]}", names[0]);
	assert_false(believes(HTTPS "announce", 0, list));
	assert_false(believes(HTTP "verify", 0, "{}"));
}

/* What is heard of an answer that coordinator 1 has signed with another status or text. */
static enum err hears(const char *url, unsigned signed_status, const char *signed_body, unsigned status, const char *body)
{
	ask(url, "{}");
	sign(1, signed_status, signed_body);
	answer(ERR_NONE, status, body);
	return heard;
}

#define YES "{\"Allow\":true}"
#define NO "{\"Allow\":false}"

/* What was signed was this answer to this question. */
static void an_answer_to_another_question_is_none(void **state)
{
	char kept[sizeof signature];
	(void)state;
	know(names[1]);
	assert_int_equal(hears(HTTP "verify", 200, YES, 200, YES), ERR_NONE);
	strcpy(kept, signature);
	/* Again: another nonce. */
	ask(HTTP "verify", "{}");
	strcpy(signature, kept);
	answer(ERR_NONE, 200, YES);
	assert_int_equal(heard, ERR_CRYPTO);
	/* Asked about another key on the way, another status, another text. */
	ask(HTTP "verify", "{\"NodePublic\":\"a\"}");
	strcpy(asked_body, "{\"NodePublic\":\"b\"}");
	sign(1, 200, YES);
	answer(ERR_NONE, 200, YES);
	assert_int_equal(heard, ERR_CRYPTO);
	assert_int_equal(hears(HTTP "verify", 503, YES, 200, YES), ERR_CRYPTO);
	assert_int_equal(hears(HTTP "verify", 200, NO, 200, YES), ERR_CRYPTO);
	/* Refusals are signed as well. */
	ask(HTTP "announce", "{}");
	answer(ERR_NONE, 403, "{}");
	assert_int_equal(heard, ERR_CRYPTO);
	assert_int_equal(hears(HTTP "announce", 403, "{}", 403, "{}"), ERR_NONE);
	assert_int_equal(heard_status, 403);
}

/* Asked on the way with this relay's prefix, but not with its secret. */
static void a_refusal_of_another_token_is_none(void **state)
{
	struct secret forged;
	char text[SECRET_TEXT_MAX];
	(void)state;
	know(names[1]);
	snprintf(text, sizeof text, "%s", token.text);
	text[strlen(text) - 1] = text[strlen(text) - 1] == '0' ? '1' : '0';
	assert_int_equal(secret_parse(SECRET_RELAY, bytes_text(text), &forged), ERR_NONE);
	assert_string_equal(forged.prefix, token.prefix);
	ask(HTTP "announce", "{}");
	sign_as(&forged, 1, 401, "{}");
	answer(ERR_NONE, 401, "{}");
	assert_int_equal(heard, ERR_CRYPTO);
	assert_int_equal(hears(HTTP "announce", 401, "{}", 401, "{}"), ERR_NONE);
}

static void the_next_key_is_learned_from_one_that_is_known(void **state)
{
	char list[300];
	(void)state;
	know(names[0]);
	snprintf(list, sizeof list, "{\"AnswerKeys\":[\"%s\",\"garbage\",7,\"%s\"]}", names[1], names[0]);
	assert_false(believes(HTTP "verify", 1, "{}"));
	assert_true(believes(HTTP "announce", 0, list));
	assert_true(believes(HTTP "verify", 1, "{}"));
	assert_true(believes(HTTP "verify", 0, "{}"));
	assert_false(believes(HTTP "verify", 2, "{}"));
}

static void without_a_key_the_first_https_teaches_it(void **state)
{
	char list[200];
	(void)state;
	know("");
	snprintf(list, sizeof list, "{\"AnswerKeys\":[\"%s\"]}", names[2]);
	assert_false(answerkeys_any(keys));
	/* Nobody vouches for what comes by http. */
	assert_true(believes(HTTP "announce", 2, list));
	assert_true(believes(HTTP "verify", -1, "{}"));
	assert_false(answerkeys_any(keys));
	/* Coordinators that sign nothing yet. */
	assert_true(believes(HTTPS "announce", -1, "{}"));
	assert_false(answerkeys_any(keys));
	assert_true(believes(HTTPS "announce", 2, list));
	assert_true(answerkeys_any(keys));
	assert_false(believes(HTTP "verify", -1, "{}"));
	assert_true(believes(HTTP "verify", 2, "{}"));
}

static void no_answer_is_none(void **state)
{
	(void)state;
	know(names[0]);
	ask(HTTP "verify", "{}");
	answer(ERR_TIMEOUT, 0, "");
	assert_int_equal(heard, ERR_TIMEOUT);
	ask(HTTP "verify", "{}");
	answer(ERR_CANCELED, 0, "");
	assert_int_equal(heard, ERR_CANCELED);
}

static void keys_are_read(void **state)
{
	struct diag why = {0};
	char text[300];
	(void)state;
	snprintf(text, sizeof text, " %s , %s,", names[0], names[1]);
	know(text);
	assert_true(believes(HTTP "verify", 0, "{}"));
	assert_true(believes(HTTP "verify", 1, "{}"));
	assert_false(believes(HTTP "verify", 2, "{}"));
	assert_null(answerkeys_new(BYTES("ed25519:00"), token.text, &why));
	assert_non_null(strstr(why.text, "relay.coordinators_key"));
}

static int begin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct sign_key key;
		sign_mint(seeds[i]);
		sign_public(seeds[i], &key);
		sign_format(names[i], &key);
	}
	secret_mint(SECRET_RELAY, &token);
	metric_register(relay_metrics);
	log_setup("answerkeys_test", LOG_ERROR, LOG_TEXT);
	return 0;
}

static int end(void **state)
{
	(void)state;
	answerkeys_free(&keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configured_key_is_the_only_one),
		cmocka_unit_test(an_answer_to_another_question_is_none),
		cmocka_unit_test(a_refusal_of_another_token_is_none),
		cmocka_unit_test(the_next_key_is_learned_from_one_that_is_known),
		cmocka_unit_test(without_a_key_the_first_https_teaches_it),
		cmocka_unit_test(no_answer_is_none),
		cmocka_unit_test(keys_are_read),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
