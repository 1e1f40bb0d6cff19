#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "c2n.h"
#include "jsonw.h"
#include "log.h"
#include "poll.h"
#include "rate.h"
#include "sealed.h"
#include "table.h"
#include "text.h"

#define CHANNEL "fs:ask"
#define ANSWER_CHANNEL "fs:answer:"

enum {
	NAME_LEN = 16,  /* of who asked, hex */
	TOKEN_LEN = 32, /* of the question, hex: unguessable */
	OPEN_MAX = 1024,
	MESSAGE_MAX = C2N_ANSWER_MAX + 4096,
	WORDS_MAX = 7,
	FRESH_S = 120,            /* a question that is older, by the clocks of two coordinators, is somebody's repetition */
	ANSWERS_PER_MINUTE = 600, /* of one machine, per thread: a hundred coordinators may ask it whether it is there */
	MACHINES_MAX = 65536
};

#define SECOND_NS INT64_C(1000000000)

struct ask {
	struct asks *asks;
	struct machine_key machine_key;
	char token[TOKEN_LEN + 1];
	struct timer deadline;
	struct defer early; /* it failed before it was sent */
	enum err early_e;
	ask_fn on_answer;
	void *context;
};

struct asks {
	struct coordinator *c;
	char name[NAME_LEN + 1];
	struct bus_listener questions, answers;
	struct sealed_key key;
	struct table *open;       /* token -> struct ask */
	struct rate *answer_rate; /* by machine key */
};

static void ask_end(struct ask *a, enum err e, struct bytes body)
{
	table_remove(a->asks->open, bytes_text(a->token));
	timer_cancel(&a->deadline);
	defer_cancel(&a->early);
	a->on_answer(a->context, e, body);
	free(a);
}

static void on_deadline(void *context)
{
	ask_end(context, ERR_TIMEOUT, BYTES_NONE);
}

static void on_early(void *context)
{
	struct ask *a = context;

	ask_end(a, a->early_e, BYTES_NONE);
}

/* `count` words divided by spaces, a line end, and the rest. False: it is something else. */
static bool split_message(struct bytes plain, struct bytes *words, unsigned count, struct bytes *body)
{
	struct bytes line = bytes_split(plain, '\n', body);

	for (unsigned i = 0; i < count; i++) {
		if (!line.at)
			return false;
		words[i] = bytes_split(line, ' ', &line);
	}
	return body->at && !line.at;
}

static void publish(struct bus *bus, const struct sealed_key *key, const char *channel, struct bytes head, struct bytes body)
{
	struct buffer plain, sealed;

	buffer_init(&plain, MESSAGE_MAX);
	buffer_init(&sealed, MESSAGE_MAX + SEALED_EXTRA);
	if (!buffer_add(&plain, head) && !buffer_add(&plain, body) && !sealed_make(key, buffer_bytes(&plain), &sealed))
		bus_command(bus, NULL, NULL, BUS_ARGS(BYTES("PUBLISH"), bytes_text(channel), buffer_bytes(&sealed)));
	buffer_clear(&plain);
	buffer_clear(&sealed);
}

/* ---- who asks ---- */

static enum err ask_send(const struct asks *asks, const struct ask *a, const struct ask_question *q)
{
	char head[256], target[IP_TEXT_MAX] = "-";
	int len;

	if (!bus_up(asks->c->bus))
		return ERR_UNAVAILABLE;
	if (q->payload.len > C2N_BODY_MAX + 2048)
		return ERR_MALFORMED;
	if (q->target.family != IP_NONE)
		ip_format(target, q->target);
	len = snprintf(head, sizeof head, "%s %s %llu %llu %s %s %lld\n", asks->name, a->token, (unsigned long long)q->tailnet, (unsigned long long)q->node,
		       *q->types ? q->types : "-", target, (long long)(clock_wall().ns / SECOND_NS));
	publish(asks->c->bus, &asks->key, CHANNEL, bytes_of(head, (size_t)len), q->payload);
	return ERR_NONE;
}

void ask_node(struct asks *asks, const struct ask_question *q, ask_fn on_answer, void *context)
{
	struct ask *a = x_zalloc(sizeof *a);
	uint8_t token[TOKEN_LEN / 2];

	*a = (struct ask){.asks = asks, .machine_key = q->machine_key, .on_answer = on_answer, .context = context};
	random_fill(token, sizeof token);
	hex_encode(a->token, bytes_of(token, sizeof token));
	timer_init(&a->deadline, asks->c->loop, on_deadline, a);
	defer_init(&a->early, on_early, a);
	a->early_e = table_count(asks->open) >= OPEN_MAX ? ERR_EXHAUSTED : ask_send(asks, a, q);
	table_put(asks->open, bytes_text(a->token), a);
	if (a->early_e)
		loop_defer(asks->c->loop, &a->early);
	else
		timer_set(&a->deadline, q->timeout_ms);
}

static void on_answer(void *context, struct bytes message)
{
	struct asks *asks = context;
	struct bytes words[2], body;
	struct machine_key machine;
	struct buffer plain;
	struct ask *a;

	buffer_init(&plain, MESSAGE_MAX);
	if (!sealed_open(&asks->key, message, &plain) && split_message(buffer_bytes(&plain), words, 2, &body) && !hex_decode(words[1], machine.raw, KEY_LEN) &&
	    (a = table_find(asks->open, words[0])) != NULL) {
		if (key_equal(machine.raw, a->machine_key.raw))
			ask_end(a, ERR_NONE, body);
		else
			log_info(SUBJECT("ask"), "answer of another machine");
	}
	buffer_clear(&plain);
}

/* ---- who holds the stream ---- */

/* {"PingRequest":{...}}: the host is the one that the client dialled, so that it answers on a connection that stands. */
static enum err write_request(struct buffer *out, const struct bytes words[static WORDS_MAX], struct bytes payload, struct bytes host)
{
	struct buffer base64;
	struct jsonw w;
	char url[512];
	enum err e = ERR_NONE;

	snprintf(url, sizeof url, "https://%.*s/machine/ping-response/%.*s%.*s", BYTES_ARG(host.len ? bytes_take(host, 255) : BYTES("unused")),
		 BYTES_ARG(words[0]), BYTES_ARG(words[1]));
	buffer_init(&base64, MESSAGE_MAX * 2);
	if (payload.len)
		e = base64_encode(payload, &base64);
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_object(&w, "PingRequest");
	jsonw_string(&w, "URL", url);
	jsonw_bool(&w, "URLIsNoise", true);
	if (!bytes_equal_text(words[4], "-"))
		jsonw_text(&w, "Types", words[4]);
	if (!bytes_equal_text(words[5], "-"))
		jsonw_text(&w, "IP", words[5]);
	if (payload.len)
		jsonw_text(&w, "Payload", buffer_bytes(&base64));
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buffer_clear(&base64);
	return e ? e : jsonw_end(&w);
}

static bool is_fresh(struct bytes asked)
{
	int64_t at;

	return !text_parse_i64(asked, &at) && llabs(clock_wall().ns / SECOND_NS - at) <= FRESH_S;
}

static void on_question(void *context, struct bytes message)
{
	struct asks *asks = context;
	struct bytes words[WORDS_MAX], payload, host;
	struct buffer plain, json;
	uint64_t tailnet, node;

	buffer_init(&plain, MESSAGE_MAX);
	buffer_init(&json, MESSAGE_MAX * 2);
	if (!sealed_open(&asks->key, message, &plain) && split_message(buffer_bytes(&plain), words, WORDS_MAX, &payload) && is_fresh(words[6]) &&
	    !text_parse_u64(words[2], UINT64_MAX, &tailnet) && !text_parse_u64(words[3], UINT64_MAX, &node) && poll_host(asks->c, tailnet, node, &host) &&
	    !write_request(&json, words, payload, host))
		poll_ask(asks->c, node, buffer_bytes(&json));
	buffer_clear(&plain);
	buffer_clear(&json);
}

/* ---- who hears the answer ---- */

void serve_answer(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct bytes id = x->params[0];
	char channel[sizeof ANSWER_CHANNEL + NAME_LEN], head[TOKEN_LEN + 2 * KEY_LEN + 4], machine[2 * KEY_LEN + 1];
	uint8_t raw[(NAME_LEN + TOKEN_LEN) / 2];
	unsigned retry_s;
	int len;

	if (!rate_take(c->asks->answer_rate, bytes_of(x->machine->raw, KEY_LEN), clock_mono(), &retry_s)) {
		exchange_reply_text(x, 429, "this machine answers too often\n");
		return;
	}
	if (hex_decode(id, raw, sizeof raw)) {
		exchange_reply_text(x, 404, "not found\n");
		return;
	}
	snprintf(channel, sizeof channel, ANSWER_CHANNEL "%.*s", NAME_LEN, (const char *)id.at);
	hex_encode(machine, bytes_of(x->machine->raw, KEY_LEN));
	len = snprintf(head, sizeof head, "%.*s %s\n", TOKEN_LEN, (const char *)id.at + NAME_LEN, machine);
	publish(c->bus, &c->asks->key, channel, bytes_of(head, (size_t)len), x->body);
	exchange_reply(x, 204, NULL, BYTES_NONE);
}

/* ---- */

struct asks *asks_new(struct coordinator *c)
{
	struct asks *asks = x_zalloc(sizeof *asks);
	char channel[sizeof ANSWER_CHANNEL + NAME_LEN];

	asks->c = c;
	asks->open = table_new();
	asks->answer_rate = rate_new(ANSWERS_PER_MINUTE, MACHINES_MAX);
	snprintf(asks->name, sizeof asks->name, "%016llx", (unsigned long long)random_number());
	sealed_key_derive(bytes_text(c->options->cluster_secret), "questions to nodes", &asks->key);
	asks->questions = (struct bus_listener){.on_message = on_question, .context = asks};
	asks->answers = (struct bus_listener){.on_message = on_answer, .context = asks};
	snprintf(channel, sizeof channel, ANSWER_CHANNEL "%s", asks->name);
	bus_listen(c->bus, CHANNEL, &asks->questions);
	bus_listen(c->bus, channel, &asks->answers);
	return asks;
}

void asks_free(struct asks **at)
{
	struct asks *asks = *at;
	struct bytes key;
	struct ask *a;

	*at = NULL;
	if (!asks)
		return;
	bus_unlisten(asks->c->bus, &asks->questions);
	bus_unlisten(asks->c->bus, &asks->answers);
	TABLE_EACH(asks->open, key, a)
		ask_end(a, ERR_CANCELED, BYTES_NONE);
	table_free(&asks->open);
	rate_free(&asks->answer_rate);
	key_wipe(&asks->key, sizeof asks->key);
	free(asks);
}
