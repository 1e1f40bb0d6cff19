#include "resolve.h"

static const struct roll_fact *fact_of(const struct roll_node *node, struct bytes name)
{
	for (size_t i = 0; i < node->fact_count; i++)
		if (bytes_equal(node->facts[i].name, name))
			return &node->facts[i];
	return NULL;
}

/* Digits at the start of *text, without leading zeros; *text moves behind them. */
static struct bytes take_digits(struct bytes *text)
{
	size_t zeros = 0, end;
	while (zeros < text->len && text->at[zeros] == '0')
		zeros++;
	for (end = zeros; end < text->len && text->at[end] >= '0' && text->at[end] <= '9'; end++)
		;
	struct bytes digits = bytes_of(text->at + zeros, end - zeros);
	*text = bytes_skip(*text, end);
	return digits;
}

static bool at_digit(struct bytes text)
{
	return text.len && text.at[0] >= '0' && text.at[0] <= '9';
}

/* Numbers inside the texts are compared as numbers: 1.9 comes before 1.40. */
static int compare_versions(struct bytes a, struct bytes b)
{
	while (a.len && b.len) {
		if (at_digit(a) && at_digit(b)) {
			struct bytes x = take_digits(&a), y = take_digits(&b);
			if (x.len != y.len)
				return x.len < y.len ? -1 : 1;
			if (bytes_compare(x, y) != 0)
				return bytes_compare(x, y);
			continue;
		}
		if (a.at[0] != b.at[0])
			return a.at[0] < b.at[0] ? -1 : 1;
		a = bytes_skip(a, 1);
		b = bytes_skip(b, 1);
	}
	return (a.len > 0) - (b.len > 0);
}

static bool is_listed(const struct posture_claim *claim, struct bytes value)
{
	for (size_t i = 0; i < claim->value_count; i++)
		if (bytes_equal(claim->values[i], value))
			return true;
	return false;
}

/* What is not known about a node fulfils no claim but that it is not set. */
static bool holds(const struct posture_claim *claim, const struct roll_node *node)
{
	const struct roll_fact *fact = fact_of(node, claim->attribute);
	int order;
	if (claim->op == POSTURE_IS_SET || claim->op == POSTURE_NOT_SET)
		return (fact != NULL) == (claim->op == POSTURE_IS_SET);
	if (!fact)
		return false;
	order = claim->value_count ? compare_versions(fact->value, claim->values[0]) : 0;
	switch (claim->op) {
	case POSTURE_EQUAL:
	case POSTURE_IN:
		return is_listed(claim, fact->value);
	case POSTURE_NOT_EQUAL:
	case POSTURE_NOT_IN:
		return !is_listed(claim, fact->value);
	case POSTURE_LESS:
		return order < 0;
	case POSTURE_AT_MOST:
		return order <= 0;
	case POSTURE_GREATER:
		return order > 0;
	case POSTURE_AT_LEAST:
		return order >= 0;
	default:
		return false;
	}
}

bool posture_holds(const struct posture *posture, const struct roll_node *node)
{
	for (size_t i = 0; i < posture->claim_count; i++)
		if (!holds(&posture->claims[i], node))
			return false;
	return true;
}

const struct bitset *posture_nodes(struct resolver *r, uint32_t posture)
{
	if (r->postures[posture])
		return r->postures[posture];
	struct bitset *nodes = r->postures[posture] = ARENA_NEW(r->arena, struct bitset);
	*nodes = set_new(r);
	BITSET_EACH(&r->all, slot) {
		if (posture_holds(&r->policy->document->postures[posture], &r->policy->roll->nodes[slot]))
			bitset_add(nodes, slot);
	}
	return nodes;
}

bool policy_posture(const struct policy *policy, const struct rule *rule, uint32_t slot)
{
	bool any = !rule->posture_count;
	for (size_t i = 0; i < rule->posture_count && !any; i++)
		any = bitset_has(posture_nodes(policy->resolver, rule->postures[i]), slot);
	return any;
}
