/* tests and sshTests: what is wrong in them fails a test, it does not refuse the document. */
#include "reading.h"

#include "text.h"

static struct alias read_src(struct reading *r, const struct json *value, const char **fault)
{
	if (!value || value->kind != JSON_STRING || !alias_trim(value->text).len) {
		*fault = "src is missing";
		return (struct alias){0};
	}
	struct alias src = alias_classify(r, value->text, value->at);
	if (src.kind == ALIAS_UNKNOWN || src.kind == ALIAS_SELF || src.kind == ALIAS_INTERNET || src.kind == ALIAS_ALL || src.kind == ALIAS_SHARED)
		*fault = "src is unknown, or cannot be a source";
	return src;
}

static const char *check_target(const struct test *test, const struct alias *alias, const struct document *doc)
{
	if (alias->kind == ALIAS_UNKNOWN)
		return "unknown destination";
	if (alias->kind == ALIAS_PREFIX && alias->slash)
		return "a destination is one address, without a /";
	if (alias->kind == ALIAS_HOST && doc->hosts[alias->index].prefix.bits != ip_bits(doc->hosts[alias->index].prefix.ip))
		return "the host is more than one address";
	if (alias->kind == ALIAS_INTERNET || alias->kind == ALIAS_ANY || alias->kind == ALIAS_ALL || alias->kind == ALIAS_SHARED)
		return "not a destination of a test";
	if (alias->kind == ALIAS_SELF && (test->src.kind == ALIAS_TAG || test->src.kind == ALIAS_TAGGED))
		return "autogroup:self with a tag as src";
	return NULL;
}

static struct test_target read_target(struct reading *r, const struct test *test, const struct json *item)
{
	struct test_target target = {.text = item->text};
	struct bytes name, port;
	uint64_t number;
	if (!split_last(alias_trim(item->text), &name, &port)) {
		target.fault = "a destination is HOST:PORT";
		return target;
	}
	if (bytes_starts(name, "[") && name.at[name.len - 1] == ']')
		name = bytes_of(name.at + 1, name.len - 2);
	target.alias = alias_classify(r, name, item->at);
	if (text_parse_u64(alias_trim(port), 65535, &number) || !number)
		target.fault = "the port is one number from 1 to 65535";
	else if (!(target.fault = check_target(test, &target.alias, r->doc)))
		target.port = (uint16_t)number;
	return target;
}

static enum err read_targets(struct reading *r, const struct test *test, const struct json *list, const char *name, struct test_target **out, size_t *count)
{
	enum err e = read_list_of(r, list, name, JSON_STRING);
	if (e || !list)
		return e;
	*out = ARENA_ARRAY(r->arena, struct test_target, list->count);
	for (size_t i = 0; i < list->count; i++)
		(*out)[(*count)++] = read_target(r, test, &list->items[i]);
	return ERR_NONE;
}

static enum err test_read(struct reading *r, const struct json *value, struct test *test)
{
	static const char *const names[] = {"src", "proto", "accept", "deny", "user", "allow"};
	const struct json *in[6];
	struct bytes proto;
	enum err e = read_fields(r, value, names, 6, false, in);
	*test = (struct test){.at = value->at, .proto = PROTO_ABSENT};
	if (e || (e = read_text(r, in[1], "proto", &proto)))
		return e;
	test->src = read_src(r, in[0] ? in[0] : in[4], &test->fault);
	if (!proto_parse(proto, &test->proto) || !proto_has_ports(test->proto))
		test->fault = "proto is one of tcp, udp and sctp";
	if ((e = read_targets(r, test, in[2] ? in[2] : in[5], "accept", &test->accept, &test->accept_count)) ||
	    (e = read_targets(r, test, in[3], "deny", &test->deny, &test->deny_count)))
		return e;
	if (!test->accept_count && !test->deny_count)
		test->fault = "neither accept nor deny";
	return ERR_NONE;
}

enum err tests_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "tests");
	if (e || !value)
		return e;
	r->doc->tests = ARENA_ARRAY(r->arena, struct test, value->count);
	for (size_t i = 0; i < value->count; i++)
		if ((e = test_read(r, &value->items[i], &r->doc->tests[r->doc->test_count++])))
			return e;
	return ERR_NONE;
}

static enum err check_ssh_dst(struct reading *r, const struct alias *dst)
{
	const struct prefix *host = dst->kind == ALIAS_HOST ? &r->doc->hosts[dst->index].prefix : dst->kind == ALIAS_PREFIX ? &dst->prefix : NULL;
	if (dst->kind == ALIAS_UNKNOWN && bytes_starts(dst->text, "tag:"))
		return refuse_at(r, dst->at, "SSH tests dst contains unknown tag %s", quoted(r, dst->text));
	if (dst->kind == ALIAS_INTERNET || (host && host->bits != ip_bits(host->ip)))
		return refuse_at(r, dst->at, "SSH tests dst contains disallowed element %s", quoted(r, dst->text));
	return ERR_NONE;
}

static enum err read_logins(struct reading *r, const struct json *list, const char *name, struct ssh_test *test, struct bytes **out, size_t *count)
{
	enum err e = read_list_of(r, list, name, JSON_STRING);
	if (e || !list)
		return e;
	*out = ARENA_ARRAY(r->arena, struct bytes, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct bytes login = alias_trim(list->items[i].text);
		(*out)[(*count)++] = login;
		if (!login.len)
			test->fault = "an empty login";
	}
	return ERR_NONE;
}

static enum err ssh_dsts_read(struct reading *r, const struct json *list, struct ssh_test *test)
{
	enum err e = read_list_of(r, list, "dst", JSON_STRING);
	if (e || !list)
		return e;
	test->dst = ARENA_ARRAY(r->arena, struct alias, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct alias *dst = &test->dst[test->dst_count++];
		*dst = alias_classify(r, list->items[i].text, list->items[i].at);
		if ((e = check_ssh_dst(r, dst)))
			return e;
		if (dst->kind == ALIAS_UNKNOWN)
			test->fault = "unknown dst";
	}
	return ERR_NONE;
}

static enum err ssh_test_read(struct reading *r, const struct json *value, struct ssh_test *test)
{
	static const char *const names[] = {"src", "dst", "accept", "deny", "check"};
	const struct json *in[5];
	enum err e = read_fields(r, value, names, 5, false, in);
	*test = (struct ssh_test){.at = value->at};
	if (e)
		return e;
	test->src = read_src(r, in[0], &test->fault);
	if ((e = ssh_dsts_read(r, in[1], test)) || (e = read_logins(r, in[2], "accept", test, &test->accept, &test->accept_count)) ||
	    (e = read_logins(r, in[3], "deny", test, &test->deny, &test->deny_count)) ||
	    (e = read_logins(r, in[4], "check", test, &test->check, &test->check_count)))
		return e;
	if (!test->dst_count)
		test->fault = "dst is missing";
	else if (!test->accept_count && !test->deny_count && !test->check_count)
		test->fault = "none of accept, deny and check";
	return ERR_NONE;
}

enum err ssh_tests_read(struct reading *r, const struct json *value)
{
	enum err e = read_rules(r, value, "sshTests");
	if (e || !value)
		return e;
	r->doc->ssh_tests = ARENA_ARRAY(r->arena, struct ssh_test, value->count);
	for (size_t i = 0; i < value->count; i++)
		if ((e = ssh_test_read(r, &value->items[i], &r->doc->ssh_tests[r->doc->ssh_test_count++])))
			return e;
	return ERR_NONE;
}
