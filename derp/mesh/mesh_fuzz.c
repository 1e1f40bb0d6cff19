/* What several siblings say of who is there, in pieces and with links that break: routes are those of a plain list. */
#include <stdlib.h>

#include "meshroutes.h"
#include "relaystream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINKS = 3, MOST = 24 };

struct link {
	struct relaystream stream;
	struct buffer in;
};

/* Pairs of key and link, the oldest first. */
static struct pair {
	struct node_key key;
	unsigned link;
} pairs[MOST];
static size_t pair_count;
static unsigned lost, lost_by_list;

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static struct meshlink_at at_of(unsigned link)
{
	return (struct meshlink_at){link + 1, (uint16_t)(link % 2)};
}

/* pair_count: none. `link` LINKS: any. */
static size_t find(const struct node_key *key, unsigned link)
{
	size_t i = 0;
	while (i < pair_count && !(!memcmp(&pairs[i].key, key, sizeof *key) && (link == LINKS || pairs[i].link == link)))
		i++;
	return i;
}

/* True: it was the last one of its key. */
static bool take_out(size_t i)
{
	const struct node_key key = pairs[i].key;
	memmove(&pairs[i], &pairs[i + 1], (--pair_count - i) * sizeof pairs[i]);
	return find(&key, LINKS) == pair_count;
}

static void learn(struct meshroutes *routes, unsigned link, const struct node_key *key, bool present)
{
	size_t i = find(key, link);
	bool known = i < pair_count;
	if (present) {
		expect(meshroutes_add(routes, key, at_of(link)) == (!known && pair_count < MOST));
		if (!known && pair_count < MOST)
			pairs[pair_count++] = (struct pair){*key, link};
	} else {
		expect(meshroutes_remove(routes, key, at_of(link)) == (known && take_out(i)));
	}
}

static void on_last(void *context, const struct node_key *key)
{
	struct meshlink_at at;
	expect(!meshroutes_find(context, key, &at));
	lost++;
}

static void break_link(struct meshroutes *routes, unsigned link)
{
	meshroutes_clear(routes, at_of(link), on_last, routes);
	for (size_t i = 0; i < pair_count;)
		if (pairs[i].link != link)
			i++;
		else
			lost_by_list += take_out(i);
	expect(lost == lost_by_list);
}

static void hear(struct meshroutes *routes, struct link *l, unsigned number, struct bytes said)
{
	struct relaystream_event e;
	struct node_key key;
	bool present;
	if (buffer_add(&l->in, said))
		abort();
	while ((e = relaystream_next(&l->stream, &l->in)).kind != RELAYSTREAM_MORE && e.kind != RELAYSTREAM_BAD)
		if (e.kind == RELAYSTREAM_FRAME && derpframe_decode_news(e.type, e.payload, &key, &present))
			learn(routes, number, &key, present);
	if (e.kind == RELAYSTREAM_BAD) {
		break_link(routes, number);
		l->stream = (struct relaystream){.upgraded = true, .greeted = true};
		buffer_reset(&l->in);
	}
}

static void compare(const struct meshroutes *routes)
{
	size_t keys = 0;
	for (size_t i = 0; i < pair_count; i++) {
		struct meshlink_at at;
		size_t oldest = find(&pairs[i].key, LINKS);
		expect(meshroutes_find(routes, &pairs[i].key, &at) && at.number == at_of(pairs[oldest].link).number);
		keys += oldest == i;
	}
	expect(meshroutes_count(routes) == keys);
}

/* A byte says which link speaks, and how much of what follows; 0: it breaks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link links[LINKS];
	struct meshroutes *routes = meshroutes_new(MOST);
	struct bytes rest = bytes_of(data, size);
	pair_count = lost = lost_by_list = 0;
	for (unsigned i = 0; i < LINKS; i++) {
		links[i] = (struct link){.stream = {.upgraded = true, .greeted = true}};
		buffer_init(&links[i].in, 1 << 21);
	}
	while (rest.len) {
		unsigned link = rest.at[0] % LINKS, len = rest.at[0] / LINKS;
		rest = bytes_skip(rest, 1);
		if (len)
			hear(routes, &links[link], link, bytes_take(rest, len));
		else
			break_link(routes, link);
		rest = bytes_skip(rest, len);
		compare(routes);
	}
	for (unsigned i = 0; i < LINKS; i++)
		buffer_clear(&links[i].in);
	meshroutes_free(&routes);
	return 0;
}
