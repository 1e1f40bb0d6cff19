/* Policy files of any kind: what is accepted keeps the promises of document.h, what is refused says why and where. */
#include <stdlib.h>

#include "samedocument.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_alias(const struct document *doc, const struct alias *alias)
{
	const struct prefix *prefix = &alias->prefix;
	must(alias->kind != ALIAS_GROUP || alias->index < doc->group_count);
	must(alias->kind != ALIAS_TAG || alias->index < doc->tag_count);
	must(alias->kind != ALIAS_HOST || alias->index < doc->host_count);
	must(alias->kind != ALIAS_IPSET || alias->index < doc->ipset_count);
	must(alias->kind != ALIAS_PREFIX || (ip_bits(prefix->ip) >= prefix->bits && !prefix_compare(*prefix, prefix_masked(*prefix))));
	must(alias->kind != ALIAS_USER || memchr(alias->text.at, '@', alias->text.len));
}

/* Only tests may name other domains: they fail then. */
static void must_be_ours(const struct alias *alias)
{
	must(alias->kind != ALIAS_DOMAIN || bytes_equal_text(alias->text, "example.com"));
}

static void must_be_known(const struct document *doc, const struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->count; i++) {
		must_be_alias(doc, &aliases->list[i]);
		must_be_ours(&aliases->list[i]);
		must(aliases->list[i].kind != ALIAS_UNKNOWN && aliases->list[i].at.line);
	}
}

static void must_be_ports(const struct port_range *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must(ports[i].first <= ports[i].last && (ports[i].first || ports[i].last == UINT16_MAX));
}

/* What a lenient reading could not understand: it has no source, so it grants nothing. */
static bool is_dropped(const struct rule *rule)
{
	return !rule->src.count && !rule->dst_count && !rule->pass_count && !rule->app_count;
}

static void must_be_rule(const struct document *doc, const struct rule *rule, bool stored)
{
	if (!doc->open)
		must_be_known(doc, &rule->src);
	if (stored && is_dropped(rule))
		return;
	must(rule->is_grant ? rule->pass_count || rule->app_count : rule->pass_count == 1 && !rule->app_count && !rule->via_count);
	for (size_t i = 0; i < rule->dst_count; i++) {
		must_be_alias(doc, &rule->dst[i].alias);
		must_be_ours(&rule->dst[i].alias);
		must(rule->is_grant == !rule->dst[i].port_count);
		must_be_ports(rule->dst[i].ports, rule->dst[i].port_count);
	}
	for (size_t i = 0; i < rule->pass_count; i++) {
		must(rule->passes[i].proto >= PROTO_ABSENT && rule->passes[i].proto <= UINT8_MAX);
		must_be_ports(rule->passes[i].ports, rule->passes[i].port_count);
		for (size_t k = 0; k < i; k++)
			must(rule->passes[k].proto != rule->passes[i].proto);
	}
	for (size_t i = 0; i < rule->via_count; i++)
		must(rule->via[i] < doc->tag_count);
	for (size_t i = 0; i < rule->posture_count; i++)
		must(rule->postures[i] < doc->posture_count);
}

static void must_be_names(const struct document *doc, bool stored)
{
	for (size_t i = 0; i < doc->group_count; i++) {
		must(stored || document_find_group(doc, doc->groups[i].name) == i);
		must_be_known(doc, &doc->groups[i].users);
	}
	for (size_t i = 0; i < doc->tag_count; i++) {
		must(stored || document_find_tag(doc, doc->tags[i].name) == i);
		must_be_known(doc, &doc->tags[i].owners);
	}
	for (size_t i = 0; i < doc->ipset_count; i++)
		for (size_t k = 0; k < doc->ipsets[i].entry_count; k++) {
			must_be_alias(doc, &doc->ipsets[i].entries[k].alias);
			must(doc->ipsets[i].entries[k].alias.kind != ALIAS_UNKNOWN);
		}
	must_be_known(doc, &doc->exit_approvers);
	for (size_t i = 0; i < doc->route_approver_count; i++)
		must_be_known(doc, &doc->route_approvers[i].who);
	for (size_t i = 0; i < doc->node_attr_count; i++)
		must_be_known(doc, &doc->node_attrs[i].targets);
}

static void must_be_tests(const struct document *doc)
{
	for (size_t i = 0; i < doc->ssh_count; i++) {
		must_be_known(doc, &doc->ssh[i].src);
		must_be_known(doc, &doc->ssh[i].dst);
		must(doc->ssh[i].user_count && doc->ssh[i].check_period_ms >= SSH_CHECK_ALWAYS);
	}
	for (size_t i = 0; i < doc->test_count; i++)
		for (size_t k = 0; k < doc->tests[i].accept_count; k++) {
			must_be_alias(doc, &doc->tests[i].accept[k].alias);
			must(doc->tests[i].accept[k].fault || doc->tests[i].accept[k].port);
		}
	for (size_t i = 0; i < doc->ssh_test_count; i++)
		for (size_t k = 0; k < doc->ssh_tests[i].dst_count; k++)
			must(doc->ssh_tests[i].dst[k].kind != ALIAS_UNKNOWN || doc->ssh_tests[i].fault);
}

static void must_hold(const struct document *doc, bool stored)
{
	must_be_names(doc, stored);
	for (size_t i = 0; i < doc->rule_count; i++)
		must_be_rule(doc, &doc->rules[i], stored);
	must_be_tests(doc);
}

/* The lenient reading: equal to the strict one where that accepts, else it names a fault, and what is left is well formed. */
static void must_be_lenient(struct arena *arena, struct bytes text, const struct surroundings *around, const struct document *strict)
{
	struct document *doc;
	struct lapses lapses;
	struct diag why = {0};
	enum err e = document_read_stored(arena, text, around, &doc, &lapses, &why);
	if (strict) {
		must(!e && !lapses.count && same_document(strict, doc));
	} else if (e) {
		must(!doc && why.text[0]);
	} else {
		must(lapses.count && lapses.first.text[0] && bytes_is_utf8(bytes_text(lapses.first.text)));
		must_hold(doc, true);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bytes domain = {(const uint8_t *)"example.com", 11}, outer = {(const uint8_t *)"group:outer", 11};
	struct surroundings around = {.domains = &domain, .domain_count = 1, .groups = &outer, .group_count = 1};
	struct arena *arena = arena_new();
	struct document *doc;
	struct diag why = {0};
	if (document_read(arena, bytes_of(data, size), &around, &doc, &why)) {
		must(!doc && why.text[0] && bytes_is_utf8(bytes_text(why.text)));
	} else {
		must(document_find_group(doc, outer) < doc->group_count);
		must_hold(doc, false);
	}
	must_be_lenient(arena, bytes_of(data, size), &around, doc);
	arena_free(&arena);
	return 0;
}
