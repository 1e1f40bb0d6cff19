#include "resolve.h"

#include <assert.h>
#include <stdlib.h>

#include "ipset.h"
#include "rollcall.h"

enum { WIDE_BITS = 8 }; /* prefixes longer than this are never needed to cover a family */

struct bitset set_new(struct resolver *r)
{
	struct bitset set = {ARENA_ARRAY(r->arena, uint64_t, r->words), r->words};
	if (r->set_count == r->set_room)
		r->sets = x_realloc(r->sets, (r->set_room = r->set_room * 2 + 256) * sizeof(uint64_t *));
	r->sets[r->set_count++] = set.words;
	return set;
}

size_t address_from(const struct resolver *r, struct ip ip)
{
	size_t low = 0, high = r->address_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(r->addresses[middle].ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_routers(const struct resolver *r, size_t route, struct bitset *out)
{
	for (size_t i = 0; i < r->routers[route].count; i++)
		bitset_add(out, r->routers[route].at[i]);
}

void routers_of_span(const struct resolver *r, struct span span, struct bitset *out)
{
	const struct policy *policy = r->policy;
	size_t low = 0, high = policy->route_count;
	while (low < high) { /* the first route that begins behind span.first */
		size_t middle = low + (high - low) / 2;
		if (ip_compare(policy->routes[middle].ip, span.first) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < policy->route_count && ip_compare(policy->routes[i].ip, span.last) <= 0; i++)
		add_routers(r, i, out);
	for (uint32_t i = low ? (uint32_t)(low - 1) : UINT32_MAX; i != UINT32_MAX; i = r->parent[i])
		if (prefix_has(policy->routes[i], span.first))
			add_routers(r, i, out);
}

static void mark(struct resolver *r, uint32_t address)
{
	if (address != ADDRESS_NONE)
		r->marks[address / 64] |= UINT64_C(1) << (address % 64);
}

void mark_nodes(struct resolver *r, const struct bitset *nodes)
{
	BITSET_EACH(nodes, slot) {
		mark(r, r->entry[slot * 2]);
		mark(r, r->entry[slot * 2 + 1]);
	}
}

struct spans spans_of_marks(struct resolver *r)
{
	struct bitset marks = {r->marks, r->mark_words};
	size_t count = 0, last = SIZE_MAX;
	uint64_t carry = 0;
	for (size_t i = 0; i < r->mark_words; i++) { /* a span begins where the address before is not marked, or is no neighbour */
		uint64_t word = r->marks[i];
		count += (size_t)__builtin_popcountll(word & ~((word << 1 | carry) & bitset_word(&r->follows, i)));
		carry = word >> 63;
	}
	struct spans spans = {ARENA_ARRAY(r->arena, struct span, count), 0};
	BITSET_EACH(&marks, at) {
		struct ip ip = r->addresses[at].ip;
		if (last != SIZE_MAX && last + 1 == at && bitset_has(&r->follows, at))
			spans.list[spans.count - 1].last = ip;
		else
			spans.list[spans.count++] = (struct span){ip, ip};
		last = at;
	}
	return spans;
}

struct spans spans_of_nodes(struct resolver *r, const struct bitset *nodes)
{
	mark_nodes(r, nodes);
	struct spans spans = spans_of_marks(r);
	memset(r->marks, 0, r->mark_words * sizeof *r->marks);
	return spans;
}

static struct known *known_new(struct resolver *r)
{
	struct known *known = ARENA_NEW(r->arena, struct known);
	if (r->known_count == r->known_room)
		r->knowns = x_realloc(r->knowns, (r->known_room = r->known_room * 2 + 64) * sizeof(struct known *));
	known->number = r->known_count++;
	r->knowns[known->number] = known;
	return known;
}

/* What follows from meaning.nodes. */
static struct known *know_nodes(struct resolver *r, struct known *known)
{
	known->identity = true;
	known->meaning.spans = spans_of_nodes(r, &known->meaning.nodes);
	known->own = known->meaning.nodes;
	if (!r->any_behind)
		return known;
	known->routers = set_new(r);
	for (size_t i = 0; i < known->meaning.spans.count; i++)
		routers_of_span(r, known->meaning.spans.list[i], &known->routers);
	return known;
}

/* What follows from meaning.spans. */
static struct known *know_spans(struct resolver *r, struct known *known)
{
	known->own = set_new(r);
	known->routers = set_new(r);
	for (size_t i = 0; i < known->meaning.spans.count; i++) {
		struct span span = known->meaning.spans.list[i];
		for (size_t k = address_from(r, span.first); k < r->address_count && ip_compare(r->addresses[k].ip, span.last) <= 0; k++)
			bitset_add(&known->own, r->addresses[k].slot);
		routers_of_span(r, span, &known->routers);
	}
	return known;
}

struct known *known_of_slots(struct resolver *r, const uint32_t *slots, size_t count)
{
	struct known *known = known_new(r);
	known->meaning.nodes = set_new(r);
	for (size_t i = 0; i < count; i++)
		bitset_add(&known->meaning.nodes, slots[i]);
	return know_nodes(r, known);
}

struct known *known_of_user(struct resolver *r, uint32_t user)
{
	struct known **known = &r->user_known[user];
	if (!*known)
		*known = known_of_slots(r, r->user_nodes[user].at, r->user_nodes[user].count);
	return *known;
}

static void add_user(const struct resolver *r, uint32_t user, struct bitset *out)
{
	for (size_t i = 0; i < r->user_nodes[user].count; i++)
		bitset_add(out, r->user_nodes[user].at[i]);
}

static void add_login(const struct resolver *r, struct bytes login, struct bitset *out)
{
	bool by_name = login.len && login.at[login.len - 1] == '@';
	struct bytes key = by_name ? bytes_take(login, login.len - 1) : login;
	for (const struct named *user = table_find(r->logins, key); user; user = user->next)
		if (roll_is_login(r->policy->roll->users[user->user].user, login))
			add_user(r, user->user, out);
}

static void add_group(const struct resolver *r, uint32_t index, struct bitset *out)
{
	const struct group *group = &r->policy->document->groups[index];
	for (size_t i = 0; i < group->users.count; i++)
		add_login(r, group->users.list[i].text, out);
	for (const struct named *user = table_find(r->outer, group->name); user; user = user->next)
		add_user(r, user->user, out);
}

static bool is_in_domain(const struct user *user, struct bytes domain)
{
	struct bytes login = user_login_name(user);
	return login.len > domain.len && login.at[login.len - domain.len - 1] == '@' && bytes_equal(bytes_skip(login, login.len - domain.len), domain);
}

static void add_domain(const struct resolver *r, struct bytes domain, struct bitset *out)
{
	for (uint32_t i = 0; i < r->policy->roll->user_count; i++)
		if (is_in_domain(r->policy->roll->users[i].user, domain))
			add_user(r, i, out);
}

/* The owner is an administrator too. */
static void add_role(const struct resolver *r, enum role role, struct bitset *out)
{
	unsigned wanted = role == ROLE_ADMIN ? ROLE_ADMIN | ROLE_OWNER : role;
	for (uint32_t i = 0; i < r->policy->roll->user_count; i++)
		if (!wanted || r->policy->roll->users[i].roles & wanted)
			add_user(r, i, out);
}

static struct spans one_span(struct resolver *r, struct prefix prefix)
{
	struct span *span = ARENA_NEW(r->arena, struct span);
	*span = span_of(prefix);
	return (struct spans){span, 1};
}

static void know_prefix(struct resolver *r, struct known *known, struct prefix prefix)
{
	known->meaning.spans = one_span(r, prefix);
	known->wide = prefix.bits <= WIDE_BITS;
	know_spans(r, known);
}

static bool is_address(const struct alias *alias)
{
	return alias->kind == ALIAS_HOST || alias->kind == ALIAS_PREFIX || alias->kind == ALIAS_IPSET;
}

static void know_ipset(struct resolver *r, struct known *known, const struct ipset *set)
{
	known->wide = true;
	for (size_t i = 0; i < set->entry_count; i++)
		r->fixed = r->fixed || !is_address(&set->entries[i].alias);
	known->meaning.spans = ipset_spans(r, set);
	know_spans(r, known);
}

static void know_any(struct resolver *r, struct known *known, bool everything)
{
	static struct span whole[] = {
		{{.family = IP_V4}, {.family = IP_V4, .byte = {0xff, 0xff, 0xff, 0xff}}},
		{{.family = IP_V6}, {.family = IP_V6, .byte = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}},
	};
	known->meaning.any = true;
	known->everything = everything;
	known->meaning.spans = everything ? (struct spans){whole, COUNT_OF(whole)} : spans_wildcard();
	know_spans(r, known);
	known->meaning.nodes = r->all;
}

static bool know_address(struct resolver *r, struct known *known, const struct alias *alias)
{
	switch (alias->kind) {
	case ALIAS_ANY:
	case ALIAS_ALL:
		know_any(r, known, alias->kind == ALIAS_ALL);
		return true;
	case ALIAS_PREFIX:
		know_prefix(r, known, alias->prefix);
		return true;
	case ALIAS_HOST:
		know_prefix(r, known, r->policy->document->hosts[alias->index].prefix);
		return true;
	case ALIAS_IPSET:
		know_ipset(r, known, &r->policy->document->ipsets[alias->index]);
		return true;
	case ALIAS_INTERNET:
		known->meaning.internet = true;
		known->meaning.spans = spans_internet();
		know_spans(r, known);
		return true;
	default:
		return false;
	}
}

static void know_identity(struct resolver *r, struct known *known, const struct alias *alias)
{
	struct bitset *nodes = &known->meaning.nodes;
	*nodes = set_new(r);
	switch (alias->kind) {
	case ALIAS_USER:
		add_login(r, alias->text, nodes);
		break;
	case ALIAS_DOMAIN:
		add_domain(r, alias->text, nodes);
		break;
	case ALIAS_GROUP:
		add_group(r, alias->index, nodes);
		break;
	case ALIAS_TAG:
		for (size_t i = 0; i < r->tag_nodes[alias->index].count; i++)
			bitset_add(nodes, r->tag_nodes[alias->index].at[i]);
		break;
	case ALIAS_MEMBER:
		bitset_copy(nodes, &r->members);
		break;
	case ALIAS_TAGGED:
		bitset_copy(nodes, &r->policy->tagged);
		break;
	case ALIAS_ROLE:
		add_role(r, alias->role, nodes);
		break;
	default:
		known->meaning.self = alias->kind == ALIAS_SELF;
	}
	know_nodes(r, known);
}

/* Aliases of equal key mean the same. */
static struct bytes key_of(const struct alias *alias, uint8_t fixed[static 32], struct arena *arena)
{
	memset(fixed, 0, 32);
	fixed[0] = (uint8_t)alias->kind;
	switch (alias->kind) {
	case ALIAS_USER:
	case ALIAS_DOMAIN: {
		uint8_t *key = arena_alloc(arena, alias->text.len + 1);
		key[0] = (uint8_t)alias->kind;
		if (alias->text.len)
			memcpy(key + 1, alias->text.at, alias->text.len);
		return bytes_of(key, alias->text.len + 1);
	}
	case ALIAS_PREFIX:
		fixed[1] = alias->prefix.ip.family;
		memcpy(fixed + 2, alias->prefix.ip.byte, 16);
		fixed[18] = alias->prefix.bits;
		return bytes_of(fixed, 32);
	case ALIAS_GROUP:
	case ALIAS_TAG:
	case ALIAS_HOST:
	case ALIAS_IPSET:
		put_be32(fixed + 1, alias->index);
		return bytes_of(fixed, 32);
	case ALIAS_ROLE:
		put_be32(fixed + 1, (uint32_t)alias->role);
		return bytes_of(fixed, 32);
	default:
		return bytes_of(fixed, 32);
	}
}

static struct known *know(struct resolver *r, struct bytes key, const struct alias *alias)
{
	struct known *known = known_new(r);
	known->alias = alias;
	if (r->stale)
		rollcall_again(r);
	if (!know_address(r, known, alias))
		know_identity(r, known, alias);
	table_put(r->aliases, key, known);
	return known;
}

static bool is_known(struct resolver *r, const struct alias *alias)
{
	uint8_t fixed[32];
	return table_find(r->aliases, key_of(alias, fixed, r->arena)) != NULL;
}

/* The next set inside this one that is not known yet, from entry *at on. */
static const struct alias *unknown_inside(struct resolver *r, const struct ipset *set, size_t *at)
{
	for (; *at < set->entry_count; ++*at)
		if (set->entries[*at].alias.kind == ALIAS_IPSET && !is_known(r, &set->entries[*at].alias))
			return &set->entries[*at].alias;
	return NULL;
}

/* Sets may lie in sets as deep as the document likes, so no recursion; there are no circles. */
static void know_ipsets_inside(struct resolver *r, const struct alias *alias)
{
	const struct document *document = r->policy->document;
	const struct alias **open = x_alloc((document->ipset_count + 1) * sizeof *open);
	size_t *at = x_alloc((document->ipset_count + 1) * sizeof *at), depth = 1;
	open[0] = alias;
	at[0] = 0;
	while (depth) {
		const struct alias *inner = unknown_inside(r, &document->ipsets[open[depth - 1]->index], &at[depth - 1]);
		assert(!inner || depth <= document->ipset_count);
		if (inner) {
			open[depth] = inner;
			at[depth++] = 0;
			continue;
		}
		if (--depth) {
			uint8_t fixed[32];
			know(r, key_of(open[depth], fixed, r->arena), open[depth]);
		}
	}
	free(open);
	free(at);
}

struct known *known_of(struct resolver *r, const struct alias *alias)
{
	uint8_t fixed[32];
	struct bytes key = key_of(alias, fixed, r->arena);
	struct known *known = table_find(r->aliases, key);
	if (known)
		return known;
	if (alias->kind == ALIAS_IPSET)
		know_ipsets_inside(r, alias);
	return know(r, key, alias);
}

static struct bitset satisfying(struct resolver *r, const struct rule *rule)
{
	struct bitset nodes = set_new(r);
	for (size_t i = 0; i < rule->posture_count; i++)
		bitset_or(&nodes, posture_nodes(r, rule->postures[i]));
	return nodes;
}

static struct known *restrict_known(struct resolver *r, const struct known *whole, const struct rule *rule)
{
	struct known *known = known_new(r);
	known->whole = whole;
	known->rule = rule;
	struct bitset nodes = satisfying(r, rule);
	if (whole->identity || whole->meaning.any) {
		known->meaning.nodes = set_new(r);
		bitset_copy(&known->meaning.nodes, whole->identity ? &whole->meaning.nodes : &r->all);
		bitset_and(&known->meaning.nodes, &nodes);
		known->meaning.self = whole->meaning.self;
		return know_nodes(r, known);
	}
	r->fixed = true;
	struct bitset failing = set_new(r);
	bitset_copy(&failing, &whole->own);
	bitset_minus(&failing, &nodes);
	known->meaning.spans = spans_minus(r->arena, whole->meaning.spans, spans_of_nodes(r, &failing));
	known->wide = whole->wide;
	return know_spans(r, known);
}

struct known *known_of_rule(struct resolver *r, const struct rule *rule, const struct alias *alias)
{
	struct known *known = known_of(r, alias);
	if (!rule->posture_count)
		return known;
	size_t len = (rule->posture_count + 1) * sizeof(uint32_t);
	uint32_t *key = x_alloc(len);
	key[0] = known->number;
	memcpy(key + 1, rule->postures, len - sizeof *key);
	struct known *cut = table_find(r->restricted, bytes_of(key, len));
	if (!cut) {
		cut = restrict_known(r, known, rule);
		table_put(r->restricted, bytes_of(key, len), cut);
	}
	free(key);
	return cut;
}

static void count_prefixes(struct known *known, struct prefix *out)
{
	struct prefix room[256];
	known->count = 0;
	for (size_t i = 0; i < known->meaning.spans.count; i++) {
		size_t count = span_prefixes(known->meaning.spans.list[i], room);
		if (out)
			memcpy(out + known->count, room, count * sizeof *room);
		known->count += count;
	}
}

static void internet_texts(struct resolver *r, struct known *known)
{
	char text[SPAN_TEXT_MAX];
	known->count = known->meaning.spans.count;
	known->texts = ARENA_ARRAY(r->arena, struct bytes, known->count);
	for (size_t i = 0; i < known->count; i++) {
		struct span span = known->meaning.spans.list[i];
		size_t len = ip_format(text, span.first);
		text[len++] = '-';
		len += ip_format(text + len, span.last);
		known->texts[i] = arena_copy(r->arena, bytes_of(text, len));
	}
}

void known_prefixes(struct resolver *r, struct known *known)
{
	char text[PREFIX_TEXT_MAX];
	if (known->texts)
		return;
	if (known->meaning.internet) {
		internet_texts(r, known);
		return;
	}
	count_prefixes(known, NULL);
	known->prefixes = ARENA_ARRAY(r->arena, struct prefix, known->count + 1);
	known->texts = ARENA_ARRAY(r->arena, struct bytes, known->count + 1);
	count_prefixes(known, known->prefixes);
	for (size_t i = 0; i < known->count; i++) {
		struct prefix prefix = known->prefixes[i];
		size_t len = prefix.bits == ip_bits(prefix.ip) ? ip_format(text, prefix.ip) : prefix_format(text, prefix);
		known->texts[i] = arena_copy(r->arena, bytes_of(text, len));
	}
}

void resolver_init(struct policy *policy)
{
	struct resolver *r = ARENA_NEW(policy->arena, struct resolver);
	policy->resolver = r;
	r->policy = policy;
	r->arena = policy->arena;
	r->words = (policy->roll->node_count + policy->roll->node_count / 8) / 64 + 1;
	r->slots = r->words * 64;
	r->column_word = SIZE_MAX;
	r->aliases = table_new();
	r->restricted = table_new();
	r->source_lists = table_new();
	r->source_sets = table_new();
	r->all = set_new(r);
	r->members = set_new(r);
	r->routing = set_new(r);
	policy->tagged = set_new(r);
	policy->exits = set_new(r);
	r->postures = ARENA_ARRAY(r->arena, struct bitset *, policy->document->posture_count + 1);
	rollcall_addresses(r);
	rollcall_routes(r);
	rollcall_users(r);
	rollcall_tags(r);
}

void resolver_clear(struct policy *policy)
{
	struct resolver *r = policy->resolver;
	table_free(&r->aliases);
	table_free(&r->restricted);
	table_free(&r->source_lists);
	table_free(&r->source_sets);
	table_free(&r->logins);
	table_free(&r->outer);
	for (size_t i = 0; i < r->known_count; i++)
		if (r->knowns[i]->room)
			free(r->knowns[i]->meaning.spans.list);
	free(r->knowns);
	free(r->self_sources);
	free(r->sets);
	free(r->column);
	free(r->scratch);
}
