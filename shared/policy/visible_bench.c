#include <stdlib.h>

#include "buffer.h"
#include "price.h"
#include "visible.h"

enum { USERS = 200, TAGS = 100 };

/* A tailnet of users and tags with a policy of rules between tags, groups and users. */
struct tailnet {
	struct arena *arena;
	struct user *users;
	struct roll_user *roll_users;
	struct node *nodes;
	struct roll_node *slots;
	struct roll roll;
	struct document *document;
};

static void add_users(struct tailnet *t)
{
	t->users = ARENA_ARRAY(t->arena, struct user, USERS);
	t->roll_users = ARENA_ARRAY(t->arena, struct roll_user, USERS);
	for (size_t i = 0; i < USERS; i++) {
		t->users[i].id = i + 1;
		t->users[i].name = bytes_text(arena_format(t->arena, "u%zu@example.com", i));
		t->users[i].email = t->users[i].name;
		t->roll_users[i].user = &t->users[i];
	}
}

/* Two of three nodes are tagged, some of them with two tags; every hundredth is a router. */
static void add_node(struct tailnet *t, size_t i)
{
	struct node *node = &t->nodes[i];
	struct ip v4 = {.family = IP_V4, .byte = {100, 64}}, v6 = {.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}};
	node->id = 1000 + i;
	node->created.ns = (int64_t)(1000 + i);
	node->ip4 = ip_add(v4, i * 7 + 1);
	node->ip6 = ip_add(v6, i * 7 + 1);
	if (i % 3) {
		node->tags = ARENA_ARRAY(t->arena, struct bytes, 2);
		node->tag_count = 1 + (i % 7 == 0);
		node->tags[0] = bytes_text(arena_format(t->arena, "tag:t%zu", i % TAGS));
		node->tags[1] = bytes_text(arena_format(t->arena, "tag:t%zu", (i / 7) % TAGS));
	} else {
		node->user = 1 + i % USERS;
	}
	if (i % 100 == 1) {
		node->routes_advertised = ARENA_ARRAY(t->arena, struct prefix, 1);
		node->routes_advertised[0] = (struct prefix){{.family = IP_V4, .byte = {10, (uint8_t)(i / 256), (uint8_t)i}}, 24};
		node->routes_approved = node->routes_primary = node->routes_advertised;
		node->advertised_count = node->approved_count = node->primary_count = 1;
	}
	t->slots[i].node = node;
}

static void add_document(struct tailnet *t, size_t rules)
{
	struct buffer text;
	struct surroundings around = {0};
	struct diag why = {0};
	enum err err = ERR_NONE;
	buffer_init(&text, DOCUMENT_MAX);
	err |= buffer_add_text(&text, "{\"tagOwners\":{");
	for (size_t i = 0; i < TAGS; i++)
		err |= buffer_format(&text, "%s\"tag:t%zu\":[]", i ? "," : "", i);
	err |= buffer_add_text(&text, "},\"acls\":[");
	for (size_t i = 0; i < rules; i++) {
		err |= buffer_format(&text, "%s{\"action\":\"accept\",\"src\":[\"tag:t%zu\",\"u%zu@example.com\"],\"dst\":[", i ? "," : "", i * 13 % TAGS,
				     i % USERS);
		if (i % 10)
			err |= buffer_format(&text, "\"tag:t%zu:%zu\"]}", i * 7 % TAGS, 1 + i % 60000);
		else
			err |= buffer_format(&text, "\"10.%zu.0.0/16:443\"]}", i % 40);
	}
	err |= buffer_add_text(&text, "]}");
	if (err || document_read(t->arena, arena_copy(t->arena, buffer_bytes(&text)), &around, &t->document, &why))
		abort();
	buffer_clear(&text);
}

static void tailnet_new(struct tailnet *t, size_t nodes, size_t rules)
{
	*t = (struct tailnet){.arena = arena_new()};
	add_users(t);
	t->nodes = ARENA_ARRAY(t->arena, struct node, nodes);
	t->slots = ARENA_ARRAY(t->arena, struct roll_node, nodes);
	for (size_t i = 0; i < nodes; i++)
		add_node(t, i);
	t->roll = (struct roll){.users = t->roll_users, .user_count = USERS, .nodes = t->slots, .node_count = nodes};
	add_document(t, rules);
}

static void price_size(struct price *p, size_t nodes)
{
	struct tailnet t;
	tailnet_new(&t, nodes, 1000);
	struct policy *policy = NULL;
	PRICE(p, "compile, 1000 rules", nodes, 20, 0, (policy_free(&policy), policy = policy_compile(t.document, &t.roll)));
	visible_sight(policy, 0);
	size_t count = visible_count(policy);
	PRICE(p, "compile and sights, 1000 rules", nodes, 20, count,
	      (policy_free(&policy), policy = policy_compile(t.document, &t.roll), visible_sight(policy, 0)));
	policy_free(&policy);
	arena_free(&t.arena);
}

int main(void)
{
	struct price p = {.bench = "visible (bytes: number of sights)"};
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_size(&p, nodes);
	price_print(&p);
	return 0;
}
