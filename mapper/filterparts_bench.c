#include "madeup.h"
#include "price.h"

enum { TEXT_MAX = 64 << 20, JOINS = 400 };

/* What the node is told of its filter that moved after `version`; 0: all, as on a new stream. */
static size_t write_moved(struct madeup *m, struct buffer *text, uint32_t slot, uint64_t version)
{
	struct rules *rules = m->views.rules;
	struct jsonw w;
	buffer_reset(text);
	jsonw_start(&w, text);
	jsonw_object(&w, NULL);
	rules_look(rules, m->snapshot, slot);
	rules_write_filter(rules, &w, m->snapshot, slot, version ? rules_moved(rules, slot, version) : OWN_FILTERS, !version);
	jsonw_object_end(&w);
	if (jsonw_end(&w))
		__builtin_trap();
	return text->len;
}

/* Every second user is in a group that may reach user 1: half of all nodes, none next to another. */
static const char *some_policy(struct madeup *m)
{
	char *users = arena_text(m->arena, BYTES(""));
	for (unsigned user = 0; user < MADEUP_USERS; user += 2)
		users = arena_format(m->arena, "%s%s\"user%u@made-up.example\"", users, *users ? "," : "", user);
	return arena_format(m->arena, "{\"groups\":{\"group:half\":[%s]},\"acls\":[{\"action\":\"accept\",\"src\":[\"group:half\"],\"dst\":[\"user1@:443\"]}]}",
			    users);
}

static void price_joins(struct price *p, struct madeup *m, struct buffer *text, uint32_t slot)
{
	uint64_t spent = 0, bytes = 0, most = 0;
	size_t first = m->count / 2, joins = JOINS < first / 4 ? JOINS : first / 4;
	for (size_t i = 0; i < joins; i++)
		madeup_hand_over(m, first + 2 * i, 1, CHANGE_NODE_REMOVED);
	write_moved(m, text, slot, 0);
	for (size_t i = 0; i < joins; i++) {
		uint64_t version = m->snapshot->version;
		madeup_hand_over(m, first + 2 * i, 1, CHANGE_NODE_ADDED);
		uint64_t began = clock_mono_us();
		size_t size = write_moved(m, text, slot, version);
		spent += clock_mono_us() - began;
		bytes += size;
		most = size > most ? size : most;
	}
	price_add(p, "one joined, of as many in a row", m->count, joins, (double)spent / (double)joins, (double)bytes / (double)joins);
	price_add(p, "one joined, the list is told anew", m->count, 1, 0, (double)most);
	spent = bytes = 0;
	for (size_t i = 0; i < joins; i++) {
		uint64_t version = m->snapshot->version;
		madeup_hand_over(m, first + 2 * (joins - 1), 1, i % 2 ? CHANGE_NODE_ADDED : CHANGE_NODE_REMOVED);
		uint64_t began = clock_mono_us();
		size_t size = write_moved(m, text, slot, version);
		spent += clock_mono_us() - began;
		bytes += i ? size : 0;
	}
	price_add(p, "the same one leaves and joins", m->count, joins, (double)spent / (double)joins, (double)bytes / (double)joins);
}

static void price_size(struct price *p, size_t nodes)
{
	struct madeup m;
	struct buffer text;
	buffer_init(&text, TEXT_MAX);
	madeup_new(&m, nodes, 65536);
	madeup_policy(&m, some_policy(&m));
	uint32_t slot = madeup_slot(&m, 1);
	size_t size = write_moved(&m, &text, slot, 0);
	PRICE(p, "a filter as a whole, half of all as sources", nodes, 1000, size, write_moved(&m, &text, slot, 0));
	price_joins(p, &m, &text, slot);
	madeup_free(&m);
	buffer_clear(&text);
}

int main(void)
{
	struct price p = {.bench = "filterparts"};
	price_size(&p, 1000);
	price_size(&p, 10000);
	price_size(&p, 100000);
	price_print(&p);
	return 0;
}
