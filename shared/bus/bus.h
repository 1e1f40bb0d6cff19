/* Redis on one loop: a command connection and a subscription; reconnects by itself; what was missed meanwhile is said by on_restored.
 * Not truth: everything in Redis may vanish, and nobody is wrong for longer than the slow re-check.
 * The worker owns it. Commands in flight when the connection breaks answer ERR_UNAVAILABLE. Bounded: 4,096 commands in line. */
#ifndef BUS_H
#define BUS_H

#include "buffer.h"
#include "loop.h"

struct bus;
struct redisReply;

struct bus *bus_new(struct loop *loop, const char *url, struct diag *why);      /* redis://[:password@]host:port[/n], or unix:/path; NULL when the url is wrong */
void bus_free(struct bus **bus);
bool bus_up(const struct bus *bus);                             /* both connections stand */
const char *bus_trouble(void);                                  /* any thread; NULL: fine */

/* A command with its arguments; `reply` is borrowed, NULL unless e is ERR_NONE. on_reply may be NULL. */
typedef void (*bus_reply_fn)(void *context, enum err e, const struct redisReply *reply);
void bus_command(struct bus *bus, bus_reply_fn on_reply, void *context, size_t argc, const struct bytes *argv);

/* Messages of a channel; subscriptions are renewed after a reconnect. */
struct bus_listener {
	struct list link;
	void (*on_message)(void *context, struct bytes message);
	void (*on_restored)(void *context);     /* connected (again): messages may have been missed; may be NULL */
	void *context;
};
void bus_listen(struct bus *bus, const char *channel, struct bus_listener *listener);
void bus_unlisten(struct bus *bus, struct bus_listener *listener);

#endif
