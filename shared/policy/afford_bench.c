/* What policies cost that are as large as they may be: counting them, and compiling those that are just let through. */
#include <stdio.h>
#include <stdlib.h>

#include "afford.h"
#include "buffer.h"
#include "policy.h"
#include "price.h"

enum { TEXT_MAX = 16 << 20, SEARCH_STEPS = 20 };

struct net {
	struct arena *arena;
	struct roll roll;
};

static void net_new(struct net *net, size_t node_count)
{
	struct arena *arena = arena_new();
	size_t user_count = node_count / 2 + 1;
	struct user *users = ARENA_ARRAY(arena, struct user, user_count);
	struct roll_user *roll_users = ARENA_ARRAY(arena, struct roll_user, user_count);
	struct node *nodes = ARENA_ARRAY(arena, struct node, node_count);
	struct roll_node *slots = ARENA_ARRAY(arena, struct roll_node, node_count);
	struct ip v4 = {.family = IP_V4, .byte = {100, 64}}, v6 = {.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}};
	for (size_t i = 0; i < user_count; i++) {
		users[i] = (struct user){.id = i + 1, .name = bytes_text(arena_format(arena, "u%zu@example.com", i))};
		roll_users[i].user = &users[i];
	}
	for (size_t i = 0; i < node_count; i++) {
		nodes[i] = (struct node){.id = i + 1, .user = i / 2 + 1, .ip4 = ip_add(v4, i * 3 + 1), .ip6 = ip_add(v6, i * 3 + 1)};
		slots[i].node = &nodes[i];
	}
	net->arena = arena;
	net->roll = (struct roll){.users = roll_users, .user_count = user_count, .nodes = slots, .node_count = node_count};
}

static struct document *read_many(struct arena *arena, const char *piece, size_t count)
{
	struct buffer text;
	struct document *document;
	struct diag why = {0};
	buffer_init(&text, TEXT_MAX);
	(void)!buffer_add(&text, BYTES("{\"grants\":["));
	for (size_t i = 0; i < count; i++) {
		char number[24];
		if (i)
			(void)!buffer_add(&text, BYTES(","));
		for (struct bytes rest = bytes_text(piece); rest.at;) {
			(void)!buffer_add(&text, bytes_split(rest, '#', &rest));
			snprintf(number, sizeof number, "%zu", i);
			if (rest.at)
				(void)!buffer_add(&text, bytes_text(number));
		}
	}
	(void)!buffer_add(&text, BYTES("]}"));
	if (document_read(arena, arena_copy(arena, buffer_bytes(&text)), NULL, &document, &why)) {
		fprintf(stderr, "%s: %s\n", piece, why.text);
		abort();
	}
	buffer_clear(&text);
	return document;
}

/* The most rules of that form that are let through, at most the cap of documents. */
static size_t most_rules(struct net *net, struct document *document)
{
	size_t all = document->rule_count, low = 0, high = all;
	for (unsigned step = 0; low < high && step < SEARCH_STEPS; step++) {
		size_t middle = high - (high - low) / 2;
		document->rule_count = middle;
		if (afford_check(document, &net->roll, 1, NULL, NULL))
			high = middle - 1;
		else
			low = middle;
	}
	document->rule_count = all;
	return low;
}

static void price_shape(struct price *p, const char *name, const char *piece, size_t nodes)
{
	struct net net;
	struct policy *policy = NULL;
	char what[128];
	net_new(&net, nodes);
	struct document *document = read_many(net.arena, piece, DOCUMENT_RULES_MAX);
	snprintf(what, sizeof what, "count 100,000 rules, %s", name);
	PRICE(p, arena_format(net.arena, "%s", what), nodes, 1, 0, (void)!afford_check(document, &net.roll, 1, NULL, NULL));
	document->rule_count = most_rules(&net, document);
	char *told = arena_format(net.arena, "compile the most, %zu, %s", document->rule_count, name);
	PRICE(p, told, nodes, 1, arena_size(policy->arena), (policy = policy_compile(document, &net.roll)));
	price_print(p);
	p->count = 0;
	policy_free(&policy);
	arena_free(&net.arena);
}

int main(void)
{
	struct price p = {.bench = "afford"};
	for (size_t nodes = 1000; nodes <= 100000; nodes *= 10) {
		price_shape(&p, "of own names", "{\"src\":[\"u#@example.com\"],\"dst\":[\"u1#@example.com\"],\"ip\":[\"1\"]}", nodes);
		price_shape(&p, "of everybody and a name", "{\"src\":[\"autogroup:member\",\"u#@example.com\"],\"dst\":[\"*\"],\"ip\":[\"1\"]}", nodes);
		price_shape(&p, "of autogroup:self", "{\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"ip\":[\"1\"]}", nodes);
	}
	return 0;
}
