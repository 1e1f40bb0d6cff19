/* Redis on one loop: a command connection and a subscription; reconnects by itself; what was missed meanwhile is said by on_restored.
 * Not truth: everything in Redis may vanish, and nobody is wrong for longer than the slow re-check.
 * The worker owns it. Commands in flight when the connection breaks answer ERR_UNAVAILABLE. Bounded: 4,096 commands in line. */
#ifndef BUS_H
#define BUS_H

#include "buffer.h"
#include "loop.h"

struct bus;
struct bus_channel;
struct redisReply;

struct bus *bus_new(struct loop *loop, const char *url, struct diag *why); /* redis://[:password@]host:port[/n], or unix:/path; NULL when the url is wrong */
void bus_free(struct bus **bus);    /* after its users; what was asked for is still sent, as far as it goes without waiting */
bool bus_up(const struct bus *bus); /* both connections stand and every channel is subscribed */
struct loop *bus_loop(const struct bus *bus);
const char *bus_trouble(void); /* any thread; NULL: fine */

/* A command with its arguments, gathered into one write per turn. `reply` is borrowed, NULL unless e is ERR_NONE. on_reply may be NULL.
 * ERR_UNAVAILABLE: not up, broken, or Redis answered with an error (logged). ERR_EXHAUSTED: too many in line. ERR_CANCELED: bus_free. */
typedef void (*bus_reply_fn)(void *context, enum err e, const struct redisReply *reply);
void bus_command(struct bus *bus, bus_reply_fn on_reply, void *context, size_t argc, const struct bytes *argv);
#define BUS_ARGS(...) \
	COUNT_OF(((struct bytes[]){__VA_ARGS__})), (const struct bytes[]) \
	{ \
		__VA_ARGS__ \
	}
/* No reply comes any more for commands with that context; they are still carried out. */
void bus_forget(struct bus *bus, const void *context);

/* Messages of a channel; subscriptions are renewed after a reconnect. Listening and unlistening are legal inside the callbacks. */
struct bus_listener {
	struct list link;
	void (*on_message)(void *context, struct bytes message);
	void (*on_restored)(void *context); /* connected (again): messages may have been missed; may be NULL */
	void *context;
	struct bus_channel *channel; /* private, as all below */
	uint64_t restored;
};
void bus_listen(struct bus *bus, const char *channel, struct bus_listener *listener);
void bus_unlisten(struct bus *bus, struct bus_listener *listener); /* legal when not listening */

#endif
