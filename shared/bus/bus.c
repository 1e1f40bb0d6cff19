#include "bus.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "busline.h"
#include "key.h"
#include "log.h"
#include "table.h"

enum {
	COMMANDS_MAX = 4096,
	RETRY_LEAST_MS = 50,
	RETRY_MOST_MS = 2000,
	WATCH_MS = 2000,  /* between pings */
	SILENCE_MS = 6000 /* three pings unanswered */
};

struct command {
	struct list link;
	bus_reply_fn on_reply;
	void *context;
	enum err failed;
};

struct bus_channel {
	struct list link, listeners;
	struct list *cursor;      /* next listener to hear the message that is told now; NULL: none is */
	unsigned asked, answered; /* subscribe and unsubscribe on this connection */
	bool subscribed;          /* by the last that was asked */
	char name[];
};

/* Both lines stand and fall together: so everything published by us after on_restored comes back to us, in the order of the channel. */
struct bus {
	struct loop *loop;
	struct bus_target target;
	struct busline *commands, *messages;
	bool commands_up, messages_up, up, told_down;
	struct list in_line, failed;
	size_t count;
	struct defer failing, restoring;
	struct list channels;
	struct table *by_name;
	uint64_t epoch; /* counts restorations */
	int64_t retry_ms;
	struct timer retry, watch;
	int64_t watched_ms, excused_ms, grumbled_ms;
};

static atomic_uint buses_down;

const char *bus_trouble(void)
{
	return atomic_load(&buses_down) ? "Redis is not reachable" : NULL;
}

bool bus_up(const struct bus *bus)
{
	return bus->up;
}

struct loop *bus_loop(const struct bus *bus)
{
	return bus->loop;
}

/* ---- commands ---- */

static void answer(struct command *c, enum err e, const struct redisReply *reply)
{
	list_remove(&c->link);
	if (c->on_reply)
		c->on_reply(c->context, e, reply);
	free(c);
}

static void on_failing(void *context)
{
	struct bus *bus = context;
	struct command *c;
	while ((c = LIST_FIRST(&bus->failed, struct command, link)))
		answer(c, c->failed, NULL);
}

static void fail_later(struct bus *bus, struct command *c, enum err e)
{
	c->failed = e;
	list_append(&bus->failed, &c->link);
	loop_defer(bus->loop, &bus->failing);
}

void bus_command(struct bus *bus, bus_reply_fn on_reply, void *context, size_t argc, const struct bytes *argv)
{
	struct command *c = x_alloc(sizeof(*c));
	*c = (struct command){.on_reply = on_reply, .context = context};
	if (!bus->up || bus->count >= COMMANDS_MAX) {
		fail_later(bus, c, bus->up ? ERR_EXHAUSTED : ERR_UNAVAILABLE);
		return;
	}
	list_append(&bus->in_line, &c->link);
	bus->count++;
	busline_command(bus->commands, argc, argv);
}

void bus_forget(struct bus *bus, const void *context)
{
	struct list *lists[] = {&bus->in_line, &bus->failed};
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		LIST_EACH(lists[i], c, struct command, link) {
			if (c->context == context)
				c->on_reply = NULL;
		}
	}
}

static void go_down(struct bus *bus, enum err why);

/* Answers that are about the server, not about the command: another connection may find a better one. */
static bool is_about_server(struct bytes text)
{
	return bytes_starts(text, "READONLY") || bytes_starts(text, "LOADING") || bytes_starts(text, "MASTERDOWN") || bytes_starts(text, "NOAUTH");
}

static void on_refused(struct bus *bus, struct bytes text)
{
	int64_t now = clock_mono().ms;
	if (now - bus->grumbled_ms > 1000)
		log_warning(SUBJECT("bus"), "Redis refuses a command", F_BYTES("answer", text));
	bus->grumbled_ms = now;
	if (is_about_server(text))
		go_down(bus, ERR_UNAVAILABLE);
}

static void on_answer(void *context, const struct redisReply *reply)
{
	struct bus *bus = context;
	struct command *c = LIST_FIRST(&bus->in_line, struct command, link);
	if (!c)
		return;
	bus->count--;
	if (reply->type != REDIS_REPLY_ERROR) {
		answer(c, ERR_NONE, reply);
		return;
	}
	answer(c, ERR_UNAVAILABLE, NULL);
	on_refused(bus, bytes_of(reply->str, (size_t)reply->len));
}

/* ---- channels ---- */

static void channel_free(struct bus *bus, struct bus_channel *ch)
{
	table_remove(bus->by_name, bytes_text(ch->name));
	list_remove(&ch->link);
	free(ch);
}

static void ask_channel(struct bus *bus, struct bus_channel *ch, bool subscribe)
{
	ch->asked++;
	ch->subscribed = subscribe;
	busline_command(bus->messages, 2, (struct bytes[]){subscribe ? BYTES("SUBSCRIBE") : BYTES("UNSUBSCRIBE"), bytes_text(ch->name)});
}

static bool confirmed(const struct bus_channel *ch)
{
	return ch->subscribed && ch->answered == ch->asked;
}

/* Nobody listens any more: unsubscribe, and go once that was answered. */
static void channel_leave(struct bus *bus, struct bus_channel *ch)
{
	if (!list_empty(&ch->listeners) || ch->cursor)
		return;
	if (ch->subscribed && bus->messages_up)
		ask_channel(bus, ch, false);
	if (ch->asked == ch->answered || !bus->messages_up)
		channel_free(bus, ch);
}

static struct bus_channel *channel_at(struct bus *bus, const char *name)
{
	struct bus_channel *ch = table_find(bus->by_name, bytes_text(name));
	if (ch)
		return ch;
	size_t len = strlen(name) + 1;
	ch = x_zalloc(sizeof(*ch) + len);
	memcpy(ch->name, name, len);
	list_init(&ch->listeners);
	list_append(&bus->channels, &ch->link);
	table_put(bus->by_name, bytes_text(ch->name), ch);
	return ch;
}

void bus_listen(struct bus *bus, const char *name, struct bus_listener *listener)
{
	struct bus_channel *ch = channel_at(bus, name);
	listener->channel = ch;
	listener->restored = 0;
	list_append(&ch->listeners, &listener->link);
	if (!ch->subscribed && bus->messages_up)
		ask_channel(bus, ch, true);
	loop_defer(bus->loop, &bus->restoring);
}

void bus_unlisten(struct bus *bus, struct bus_listener *listener)
{
	struct bus_channel *ch = listener->channel;
	if (!ch)
		return;
	if (ch->cursor == &listener->link)
		ch->cursor = listener->link.next;
	list_remove(&listener->link);
	listener->channel = NULL;
	channel_leave(bus, ch);
}

static void tell_message(struct bus *bus, struct bus_channel *ch, struct bytes message)
{
	ch->cursor = ch->listeners.next;
	while (ch->cursor != &ch->listeners) {
		struct bus_listener *l = OWNER_OF(ch->cursor, struct bus_listener, link);
		ch->cursor = l->link.next;
		l->on_message(l->context, message);
	}
	ch->cursor = NULL;
	channel_leave(bus, ch);
}

static struct bus_listener *unrestored(struct bus *bus)
{
	LIST_EACH(&bus->channels, ch, struct bus_channel, link) {
		if (!confirmed(ch))
			continue;
		LIST_EACH(&ch->listeners, l, struct bus_listener, link) {
			if (l->restored != bus->epoch)
				return l;
		}
	}
	return NULL;
}

/* Begins at the front each time: the callbacks may change everything. */
static void on_restoring(void *context)
{
	struct bus *bus = context;
	struct bus_listener *l;
	while (bus->up && (l = unrestored(bus))) {
		l->restored = bus->epoch;
		if (l->on_restored)
			l->on_restored(l->context);
	}
}

/* ---- up and down ---- */

static void check_up(struct bus *bus)
{
	if (bus->up || !bus->commands_up || !bus->messages_up)
		return;
	LIST_EACH(&bus->channels, ch, struct bus_channel, link) {
		if (ch->answered != ch->asked)
			return;
	}
	bus->up = true;
	bus->told_down = false;
	bus->epoch++;
	bus->retry_ms = RETRY_LEAST_MS;
	atomic_fetch_sub(&buses_down, 1);
	log_info(SUBJECT("bus"), "Redis connected");
	loop_defer(bus->loop, &bus->restoring);
}

static void forget_subscriptions(struct bus *bus)
{
	LIST_EACH(&bus->channels, ch, struct bus_channel, link) {
		ch->asked = ch->answered = 0;
		ch->subscribed = false;
		channel_leave(bus, ch);
	}
}

static void go_down(struct bus *bus, enum err why)
{
	struct command *c;
	if (bus->up)
		atomic_fetch_add(&buses_down, 1);
	if (!bus->told_down)
		log_warning(SUBJECT("bus"), "Redis not reachable", F_ERR(why));
	bus->told_down = true;
	bus->up = bus->commands_up = bus->messages_up = false;
	busline_close(&bus->commands);
	busline_close(&bus->messages);
	forget_subscriptions(bus);
	while ((c = LIST_FIRST(&bus->in_line, struct command, link))) {
		list_remove(&c->link);
		fail_later(bus, c, ERR_UNAVAILABLE);
	}
	bus->count = 0;
	timer_cancel(&bus->watch);
	timer_set(&bus->retry, bus->retry_ms / 2 + (int64_t)(random_number() % (uint64_t)(bus->retry_ms / 2)));
	bus->retry_ms = bus->retry_ms * 2 < RETRY_MOST_MS ? bus->retry_ms * 2 : RETRY_MOST_MS;
}

static void on_line_down(void *context, enum err why)
{
	go_down(context, why);
}

static void on_commands_up(void *context)
{
	struct bus *bus = context;
	bus->commands_up = true;
	check_up(bus);
}

static void on_messages_up(void *context)
{
	struct bus *bus = context;
	bus->messages_up = true;
	LIST_EACH(&bus->channels, ch, struct bus_channel, link)
		ask_channel(bus, ch, true);
	check_up(bus);
}

static struct bytes part(const struct redisReply *reply, size_t i)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements <= i || reply->element[i]->type != REDIS_REPLY_STRING)
		return BYTES_NONE;
	return bytes_of(reply->element[i]->str, (size_t)reply->element[i]->len);
}

static void on_push(void *context, const struct redisReply *reply)
{
	struct bus *bus = context;
	struct bytes kind = part(reply, 0);
	if (reply->type == REDIS_REPLY_ERROR) {
		log_warning(SUBJECT("bus"), "Redis refuses a subscription", F_BYTES("answer", bytes_of(reply->str, (size_t)reply->len)));
		go_down(bus, ERR_UNAVAILABLE);
		return;
	}
	struct bus_channel *ch = table_find(bus->by_name, part(reply, 1));
	if (!ch)
		return;
	if (bytes_equal_text(kind, "message")) {
		tell_message(bus, ch, part(reply, 2));
		return;
	}
	if (!bytes_equal_text(kind, "subscribe") && !bytes_equal_text(kind, "unsubscribe"))
		return;
	ch->answered++;
	channel_leave(bus, ch);
	check_up(bus);
	loop_defer(bus->loop, &bus->restoring);
}

static const struct busline_events commands_tell = {on_commands_up, on_answer, on_line_down};
static const struct busline_events messages_tell = {on_messages_up, on_push, on_line_down};

static void on_watch(void *context)
{
	struct bus *bus = context;
	int64_t now = clock_mono().ms, a = busline_heard(bus->commands).ms, b = busline_heard(bus->messages).ms, heard = a < b ? a : b;
	/* A loop that stood still has not listened. */
	if (now - bus->watched_ms > 2 * WATCH_MS)
		bus->excused_ms = now;
	bus->watched_ms = now;
	if (now - (heard > bus->excused_ms ? heard : bus->excused_ms) > SILENCE_MS) {
		go_down(bus, ERR_TIMEOUT);
		return;
	}
	timer_set(&bus->watch, WATCH_MS);
	if (!bus->up)
		return;
	bus_command(bus, NULL, NULL, BUS_ARGS(BYTES("PING")));
	busline_command(bus->messages, 1, (struct bytes[]){BYTES("PING")});
}

static void on_retry(void *context)
{
	struct bus *bus = context;
	bus->commands = busline_open(bus->loop, &bus->target, &commands_tell, bus);
	bus->messages = busline_open(bus->loop, &bus->target, &messages_tell, bus);
	bus->watched_ms = clock_mono().ms;
	timer_set(&bus->watch, WATCH_MS);
}

struct bus *bus_new(struct loop *loop, const char *url, struct diag *why)
{
	struct bus *bus = x_zalloc(sizeof(*bus));
	if (bus_target_parse(bytes_text(url), &bus->target, why) != ERR_NONE) {
		free(bus);
		return NULL;
	}
	bus->loop = loop;
	bus->retry_ms = RETRY_LEAST_MS;
	list_init(&bus->in_line);
	list_init(&bus->failed);
	list_init(&bus->channels);
	bus->by_name = table_new();
	defer_init(&bus->failing, on_failing, bus);
	defer_init(&bus->restoring, on_restoring, bus);
	timer_init(&bus->retry, loop, on_retry, bus);
	timer_init(&bus->watch, loop, on_watch, bus);
	atomic_fetch_add(&buses_down, 1);
	on_retry(bus);
	return bus;
}

void bus_free(struct bus **at)
{
	struct bus *bus = *at;
	*at = NULL;
	if (!bus)
		return;
	if (!bus->up)
		atomic_fetch_sub(&buses_down, 1);
	bus->up = bus->messages_up = false;
	busline_close(&bus->commands);
	busline_close(&bus->messages);
	timer_cancel(&bus->retry);
	timer_cancel(&bus->watch);
	struct list *lists[] = {&bus->in_line, &bus->failed};
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct command *c;
		while ((c = LIST_FIRST(lists[i], struct command, link)))
			answer(c, ERR_CANCELED, NULL);
	}
	defer_cancel(&bus->failing);
	defer_cancel(&bus->restoring);
	LIST_EACH(&bus->channels, ch, struct bus_channel, link) {
		LIST_EACH(&ch->listeners, l, struct bus_listener, link) {
			list_remove(&l->link);
			l->channel = NULL;
		}
		channel_free(bus, ch);
	}
	table_free(&bus->by_name);
	key_wipe(&bus->target.password, sizeof(bus->target.password));
	free(bus);
}
