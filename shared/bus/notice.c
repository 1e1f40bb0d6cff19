#include "notice.h"

#include <stdio.h>
#include <stdlib.h>

#include "text.h"

#define CHANNEL "fs:bell"

struct notice_listener {
	struct bus *bus;
	struct bus_listener listener;
	void (*on_bell)(void *context, uint64_t tailnet, uint64_t generation);
	void (*on_restored)(void *context);
	void *context;
};

void notice_ring(struct bus *bus, uint64_t tailnet, uint64_t generation)
{
	char text[48];
	int len = snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)tailnet, (unsigned long long)generation);
	bus_command(bus, NULL, NULL, BUS_ARGS(BYTES("PUBLISH"), BYTES(CHANNEL), bytes_of(text, (size_t)len)));
}

static void on_message(void *context, struct bytes message)
{
	struct notice_listener *l = context;
	struct bytes rest;
	struct bytes first = bytes_split(message, ' ', &rest);
	uint64_t tailnet, generation;
	if (text_parse_u64(first, UINT64_MAX, &tailnet) == ERR_NONE && text_parse_u64(rest, UINT64_MAX, &generation) == ERR_NONE)
		l->on_bell(l->context, tailnet, generation);
}

static void on_restored(void *context)
{
	struct notice_listener *l = context;
	if (l->on_restored)
		l->on_restored(l->context);
}

struct notice_listener *notice_listen(struct bus *bus, void (*on_bell)(void *context, uint64_t tailnet, uint64_t generation),
				      void (*on_restored_)(void *context), void *context)
{
	struct notice_listener *l = x_alloc(sizeof(*l));
	*l = (struct notice_listener){.bus = bus, .on_bell = on_bell, .on_restored = on_restored_, .context = context};
	l->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_restored, .context = l};
	bus_listen(bus, CHANNEL, &l->listener);
	return l;
}

void notice_unlisten(struct notice_listener **at)
{
	struct notice_listener *l = *at;
	*at = NULL;
	if (!l)
		return;
	bus_unlisten(l->bus, &l->listener);
	free(l);
}
