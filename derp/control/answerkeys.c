#include "answerkeys.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "jsonr.h"
#include "log.h"
#include "metrics_relay.h"
#include "relayanswer.h"
#include "secret.h"
#include "text.h"

enum { KEYS_MAX = 32, LEARNED_AT_ONCE = 8, ANSWER_MAX = 1 << 20, LOG_EACH_MS = 10000 };

struct answerkeys {
	pthread_mutex_t lock;
	struct sign_key key[KEYS_MAX];
	size_t count;
	uint8_t relay[SECRET_HASH_LEN]; /* as coordinators name it in what they sign */
	struct mono logged;
};

/* One question on its way. */
struct asked {
	struct answerkeys *keys;
	struct fetcher *fetcher;
	fetch_fn on_answer;
	void *context;
	char *url;
	struct buffer body;
	char nonce[RELAYANSWER_NONCE_LEN + 1];
};

/* ---- keys ---- */

/* False: no room. */
static bool add(struct answerkeys *k, const struct sign_key *key)
{
	for (size_t i = 0; i < k->count; i++)
		if (!memcmp(k->key[i].raw, key->raw, SIGN_KEY_LEN))
			return true;
	if (k->count == KEYS_MAX)
		return false;
	k->key[k->count++] = *key;
	return true;
}

static bool read_all(struct answerkeys *k, struct bytes text)
{
	while (text.at) {
		struct sign_key key;
		struct bytes one = bytes_trim(bytes_split(text, ',', &text));
		if (one.len && (sign_parse(one, &key) || !add(k, &key)))
			return false;
	}
	return true;
}

struct answerkeys *answerkeys_new(struct bytes text, const char *token, struct diag *why)
{
	struct answerkeys *k = x_zalloc(sizeof *k);
	struct secret secret;
	pthread_mutex_init(&k->lock, NULL);
	if (!read_all(k, text)) {
		answerkeys_free(&k);
		diag_set(why, ERR_MALFORMED, "relay.coordinators_key: keys are written as ed25519: and 64 hex digits, as the command relays key shows them");
		return NULL;
	}
	if (!secret_parse(SECRET_RELAY, bytes_text(token), &secret))
		memcpy(k->relay, secret.hash, sizeof k->relay);
	key_wipe(&secret, sizeof secret);
	return k;
}

void answerkeys_free(struct answerkeys **keys)
{
	if (*keys)
		pthread_mutex_destroy(&(*keys)->lock);
	free(*keys);
	*keys = NULL;
}

bool answerkeys_any(struct answerkeys *k)
{
	pthread_mutex_lock(&k->lock);
	bool any = k->count;
	pthread_mutex_unlock(&k->lock);
	return any;
}

/* Keys are never forgotten while the process lives: coordinators hear of a new one at different times. */
static void learn(struct answerkeys *k, struct bytes body)
{
	json_t *answer;
	if (jsonr_parse(body, ANSWER_MAX, &answer, NULL))
		return;
	const json_t *list = json_object_get(answer, "AnswerKeys");
	size_t count = json_array_size(list), before;
	pthread_mutex_lock(&k->lock);
	before = k->count;
	for (size_t i = 0; i < count && i < LEARNED_AT_ONCE; i++) {
		const json_t *text = json_array_get(list, i);
		struct sign_key key;
		if (!sign_parse(bytes_of(json_string_value(text), json_string_length(text)), &key))
			add(k, &key);
	}
	if (k->count > before)
		log_info(SUBJECT("relay"), "learned what coordinators sign their answers by", F_UINT("keys", k->count));
	pthread_mutex_unlock(&k->lock);
	json_decref(answer);
}

/* ---- answers ---- */

static struct bytes path_of(const char *url)
{
	const char *path = strstr(url, "/relay/v1/");
	return bytes_text(path ? path : "");
}

static bool is_known(const struct asked *a, unsigned status, struct bytes body)
{
	struct answerkeys *k = a->keys;
	const char *signature = fetch_header(a->fetcher, RELAYANSWER_SIGNATURE);
	struct sign_key keys[KEYS_MAX];
	size_t count;
	pthread_mutex_lock(&k->lock);
	count = k->count;
	memcpy(keys, k->key, sizeof keys);
	pthread_mutex_unlock(&k->lock);
	const struct relayanswer said = {.path = path_of(a->url),
					 .relay = bytes_of(k->relay, sizeof k->relay),
					 .nonce = bytes_text(a->nonce),
					 .question = buffer_bytes(&a->body),
					 .status = status,
					 .answer = body};
	return !count || relayanswer_is_good(&said, bytes_text(signature ? signature : ""), keys, count);
}

static void complain(const struct asked *a)
{
	struct answerkeys *k = a->keys;
	struct mono now = clock_mono();
	relay_count(RELAY_ANSWERS_UNSIGNED, 1);
	pthread_mutex_lock(&k->lock);
	bool quiet = k->logged.ms && now.ms - k->logged.ms < LOG_EACH_MS;
	if (!quiet)
		k->logged = now;
	pthread_mutex_unlock(&k->lock);
	if (!quiet)
		log_error(SUBJECT("relay"), "an answer that no known coordinator has signed is not believed", F_TEXT("url", a->url));
}

static void on_answer(void *context, enum err e, unsigned status, struct bytes body)
{
	struct asked *a = context;
	struct answerkeys *k = a->keys;
	if (!e && !is_known(a, status, body)) {
		complain(a);
		e = ERR_CRYPTO;
		status = 0;
		body = BYTES_NONE;
	}
	if (!e && status == 200 && bytes_equal_text(path_of(a->url), "/relay/v1/announce") &&
	    (answerkeys_any(k) || bytes_starts(bytes_text(a->url), "https://")))
		learn(k, body);
	a->on_answer(a->context, e, status, body);
	buffer_clear(&a->body);
	free(a->url);
	free(a);
}

void answerkeys_fetch(struct answerkeys *k, struct fetcher *f, const struct fetch_request *request, fetch_fn on_said, void *context)
{
	if (!k) {
		fetch_start(f, request, on_said, context);
		return;
	}
	struct fetch_request r = *request;
	struct asked *a = x_zalloc(sizeof *a);
	uint8_t nonce[RELAYANSWER_NONCE_LEN / 2];
	char header[sizeof RELAYANSWER_NONCE + 2 + RELAYANSWER_NONCE_LEN];
	*a = (struct asked){.keys = k, .fetcher = f, .on_answer = on_said, .context = context, .url = strdup(request->url)};
	buffer_init(&a->body, ANSWER_MAX);
	if (!a->url || buffer_add(&a->body, request->body))
		abort();
	random_fill(nonce, sizeof nonce);
	hex_encode(a->nonce, bytes_of(nonce, sizeof nonce));
	snprintf(header, sizeof header, "%s: %s", RELAYANSWER_NONCE, a->nonce);
	r.header = header;
	fetch_start(f, &r, on_answer, a);
}
