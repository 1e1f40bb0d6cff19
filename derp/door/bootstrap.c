#include "bootstrap.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#include "jsonw.h"
#include "log.h"
#include "metrics_relay.h"
#include "table.h"
#include "text.h"
#include "worker.h"

enum {
	NAMES_MAX = 64,
	ADDRESSES_MAX = 32,
	NAME_MAX_LEN = 253,
	REFRESH_MS = 10 * 60 * 1000,
	RETRY_MS = 30 * 1000, /* while a name has no address */
	ANSWER_MAX = 256 << 10,
	ASKED_MAX = 500, /* then all are forgotten */
};

struct name {
	char text[NAME_MAX_LEN + 1];
	bool hidden;
	struct ip address[ADDRESSES_MAX]; /* as found last; kept while a lookup fails */
	unsigned count;
};

struct bootstrap {
	pthread_mutex_t lock; /* of the names' addresses */
	struct name *names;
	unsigned count;
	struct loop *loop;
	struct timer next;
	bool stopped, failed;
	struct table *asked; /* names that clients asked for lately */
};

static void look(void *context);

static enum err add_names(struct bootstrap *b, const char *list, bool hidden, struct diag *why)
{
	for (struct bytes rest = bytes_text(list); rest.at && *list;) {
		struct bytes name = bytes_trim(bytes_split(rest, ',', &rest));
		if (!name.len || name.len > NAME_MAX_LEN || memchr(name.at, '/', name.len) || memchr(name.at, 0, name.len))
			return diag_set(why, ERR_MALFORMED, "%s: \"%.*s\" is no host name", hidden ? "bootstrap.hidden_names" : "bootstrap.names",
					BYTES_ARG(name));
		if (b->count == NAMES_MAX)
			return diag_set(why, ERR_TOO_BIG, "bootstrap.names: at most %d names", NAMES_MAX);
		struct name *n = &b->names[b->count++];
		memcpy(n->text, name.at, name.len);
		n->hidden = hidden;
	}
	return ERR_NONE;
}

struct bootstrap *bootstrap_new(const char *published, const char *hidden, struct diag *why)
{
	struct bootstrap *b = x_zalloc(sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
	b->asked = table_new();
	b->names = x_zalloc(NAMES_MAX * sizeof(*b->names));
	if (add_names(b, published, false, why) || add_names(b, hidden, true, why))
		bootstrap_free(&b);
	return b;
}

void bootstrap_free(struct bootstrap **bootstrap)
{
	struct bootstrap *b = *bootstrap;
	*bootstrap = NULL;
	if (!b)
		return;
	relay_count(RELAY_BOOTSTRAP_NAMES, -(int64_t)table_count(b->asked));
	table_free(&b->asked);
	pthread_mutex_destroy(&b->lock);
	free(b->names);
	free(b);
}

/* ---- looking up ---- */

static unsigned resolve(const char *name, struct ip found[static ADDRESSES_MAX])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	unsigned count = 0;
	if (getaddrinfo(name, NULL, &hints, &list))
		return 0;
	for (const struct addrinfo *a = list; a && count < ADDRESSES_MAX; a = a->ai_next)
		found[count++] = endpoint_from_sockaddr(a->ai_addr).ip;
	freeaddrinfo(list);
	return count;
}

/* On a helper thread; the names themselves never change. */
static void look_up(void *context)
{
	struct bootstrap *b = context;
	b->failed = false;
	for (unsigned i = 0; i < b->count; i++) {
		struct name *n = &b->names[i];
		struct ip found[ADDRESSES_MAX];
		unsigned count = resolve(n->text, found);
		if (!count) {
			b->failed = true;
			log_warning(SUBJECT("bootstrap"), "a name is not found", F_TEXT("name", n->text));
			continue;
		}
		pthread_mutex_lock(&b->lock);
		memcpy(n->address, found, count * sizeof(found[0]));
		n->count = count;
		pthread_mutex_unlock(&b->lock);
	}
}

static void on_looked(void *context)
{
	struct bootstrap *b = context;
	if (!b->stopped)
		timer_set(&b->next, b->failed ? RETRY_MS : REFRESH_MS);
}

static void look(void *context)
{
	struct bootstrap *b = context;
	task_run(b->loop, look_up, on_looked, b);
}

void bootstrap_start(struct bootstrap *b, struct loop *loop)
{
	b->loop = loop;
	timer_init(&b->next, loop, look, b);
	if (b->count)
		timer_set(&b->next, 0);
}

void bootstrap_stop(struct bootstrap *b)
{
	if (!b->loop || b->stopped)
		return;
	b->stopped = true;
	timer_cancel(&b->next);
}

/* ---- answering ---- */

static void write_name(struct jsonw *w, const struct name *n)
{
	jsonw_key(w, bytes_text(n->text));
	jsonw_array(w, NULL);
	for (unsigned i = 0; i < n->count; i++) {
		char text[IP_TEXT_MAX];
		ip_format(text, n->address[i]);
		jsonw_string(w, NULL, text);
	}
	jsonw_array_end(w);
}

static const struct name *asked_for(const struct bootstrap *b, struct bytes query)
{
	for (unsigned i = 0; i < b->count; i++) {
		const struct name *n = &b->names[i];
		if (n->hidden && n->count && query.at && bytes_equal_text(query, n->text))
			return n;
	}
	return NULL;
}

static bool any_published(const struct bootstrap *b)
{
	for (unsigned i = 0; i < b->count; i++)
		if (!b->names[i].hidden)
			return true;
	return false;
}

static enum relay_bootstrap outcome(const struct bootstrap *b, struct bytes query, const struct name *hidden)
{
	if (hidden)
		return RELAY_BOOTSTRAP_HIDDEN_HIT;
	for (unsigned i = 0; i < b->count; i++) {
		const struct name *n = &b->names[i];
		if (!n->hidden && bytes_equal_text(query, n->text))
			return n->count ? RELAY_BOOTSTRAP_PUBLISHED_HIT : RELAY_BOOTSTRAP_PUBLISHED_MISS;
	}
	return RELAY_BOOTSTRAP_HIDDEN_MISS;
}

static void count(struct bootstrap *b, struct bytes query, const struct name *hidden)
{
	size_t before = table_count(b->asked);
	struct bytes key;
	void *value;
	if (!query.len)
		return;
	relay_count_at(RELAY_BOOTSTRAP_ANSWERS, outcome(b, query, hidden), 1);
	if (before >= ASKED_MAX && !table_find(b->asked, query))
		TABLE_EACH(b->asked, key, value)
			table_remove(b->asked, key);
	if (query.len <= NAME_MAX_LEN)
		table_put(b->asked, query, b);
	relay_count(RELAY_BOOTSTRAP_NAMES, (int64_t)table_count(b->asked) - (int64_t)before);
}

void bootstrap_reply(struct bootstrap *b, struct exchange *x)
{
	struct bytes query = exchange_query(x, "q");
	relay_count(RELAY_BOOTSTRAP_REQUESTS, 1);
	struct buffer answer;
	struct jsonw w;
	buffer_init(&answer, ANSWER_MAX);
	pthread_mutex_lock(&b->lock);
	const struct name *hidden = asked_for(b, query);
	count(b, query, hidden);
	enum err e = ERR_NONE;
	if (hidden || any_published(b)) {
		jsonw_start(&w, &answer);
		jsonw_object(&w, NULL);
		if (hidden)
			write_name(&w, hidden);
		for (unsigned i = 0; i < b->count && !hidden; i++)
			if (!b->names[i].hidden && b->names[i].count)
				write_name(&w, &b->names[i]);
		jsonw_object_end(&w);
		e = jsonw_end(&w);
	}
	pthread_mutex_unlock(&b->lock);
	if (e)
		exchange_reply_text(x, 500, "too much to tell\n");
	else
		exchange_reply(x, 200, "application/json", buffer_bytes(&answer));
	buffer_clear(&answer);
}
