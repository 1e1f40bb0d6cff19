#include <errno.h>
#include <stdlib.h>

#include "buffer.h"
#include "ctl_call.h"
#include "ctl_diff.h"
#include "ctl_nouns.h"
#include "ctl_policy_sql.h"
#include "ctl_show.h"
#include "text.h"

#define PATH "/api/fleetscale/v1/policy"

enum { FILE_MAX = 10 << 20 };

/* --- texts ----------------------------------------------------------------------------------------------------------------------------------------------- */

/* The file, or standard input for "-"; NULL: told. The run's. */
static const char *read_text(struct ctl *c, const char *path)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "re");
	struct buffer text;
	char block[64 << 10];
	const char *out = NULL;
	size_t got = 0;
	enum err e = ERR_NONE;

	buffer_init(&text, FILE_MAX);
	while (file && !e && (got = fread(block, 1, sizeof block, file)) > 0)
		e = buffer_add(&text, bytes_of(block, got));
	if (!file || ferror(file))
		ctl_fail(c, "%s cannot be read: %s", path, strerror(errno));
	else if (e)
		ctl_fail(c, "%s is too big: a policy has at most %d bytes", path, FILE_MAX);
	else if (text.len && memchr(text.at, 0, text.len))
		ctl_fail(c, "%s is no text", path);
	else
		out = text.len ? arena_text(c->arena, buffer_bytes(&text)) : "";
	if (file && !is_input)
		fclose(file);
	buffer_clear(&text);
	return out;
}

static const struct ctl_flag file_flags[] = {
	{"file", 'f', false, CTL_TEXT, "FILE", NULL, "the policy; -: standard input"},
	{0},
};

/* By flag or word; NULL: told. */
static const char *named_text(struct ctl *c)
{
	const char *path = ctl_subject(c, "file");

	return path ? read_text(c, path) : NULL;
}

/* An answer that is JSON though it was asked with a text; if_match may be NULL. NULL: told. */
static const json_t *send_text(struct ctl *c, const char *method, const char *path, const char *text, const char *if_match)
{
	struct bytes answer = ctl_call_text_if(c, method, path, text, &(struct ctl_condition){.if_match = if_match});
	const json_t *object;

	if (!answer.at)
		return NULL;
	object = ctl_keep(c, json_loadb((const char *)answer.at, answer.len, 0, NULL));
	if (!json_is_object(object))
		ctl_fail(c, "the answer is not understood");
	return json_is_object(object) ? object : NULL;
}

/* What is wrong with the policy in force. */
static void tell_warning(struct ctl *c, const json_t *answer)
{
	const char *warning = json_string_value(json_object_get(answer, "warning"));

	if (warning)
		fprintf(c->err, "Warning: %s\n", warning);
}

static const json_t *post_text(struct ctl *c, const char *path, const char *text)
{
	const json_t *answer = send_text(c, "POST", path, text, NULL);

	tell_warning(c, answer);
	return answer;
}

/* --- get, set, check ------------------------------------------------------------------------------------------------------------------------------------- */

static const struct ctl_flag get_flags[] = {
	{"version", 0, false, CTL_NUMBER, "N", NULL, "that of the history (usual: the one in force)"},
	CTL_PAST_SERVER_FLAGS,
	{0},
};

static const char *version_path(struct ctl *c, const char *version)
{
	return version ? ctl_path(c, PATH "/history/%s", version) : PATH;
}

/* As it was written, whatever -o says. */
static void policy_get(struct ctl *c)
{
	struct bytes text;

	if (ctl_flags_on(&c->flags, CTL_PAST_SERVER)) {
		ctl_policy_sql_get(c);
		return;
	}
	text = ctl_call_text(c, "GET", version_path(c, ctl_flags_text(&c->flags, "version")), NULL);
	if (text.at)
		fwrite(text.at, 1, text.len, c->out);
}

static const struct ctl_flag set_flags[] = {
	{"file", 'f', false, CTL_TEXT, "FILE", NULL, "the policy; -: standard input"},
	{"note", 'n', false, CTL_TEXT, "TEXT", NULL, "why, for the history"},
	{"if-version", 0, false, CTL_NUMBER, "N", NULL, "only while that version is in force (0: none is)"},
	CTL_PAST_SERVER_FLAGS,
	{0},
};

/* The tag of a version. NULL: told. */
static const char *tag_of(struct ctl *c, const char *version)
{
	struct ctl_condition asked = {0};

	if (strspn(version, "0") == strlen(version))
		return "\"0\"";
	if (!ctl_call_text_if(c, "GET", version_path(c, version), NULL, &asked).at)
		return NULL;
	if (!asked.etag)
		ctl_fail(c, "the answer is not understood");
	return asked.etag;
}

static void policy_set(struct ctl *c)
{
	const char *text = named_text(c), *note = ctl_flags_text(&c->flags, "note"), *version = ctl_flags_text(&c->flags, "if-version"), *tag = NULL;

	if (!text)
		return;
	if (ctl_flags_on(&c->flags, CTL_PAST_SERVER)) {
		ctl_policy_sql_set(c, text, note, version);
		return;
	}
	if (version && !(tag = tag_of(c, version)))
		return;
	ctl_show_done(c, send_text(c, "PUT", note ? ctl_path(c, PATH "?note=%s", note) : PATH, text, tag), "Policy updated.");
}

static const struct ctl_flag check_flags[] = {
	{"file", 'f', false, CTL_TEXT, "FILE", NULL, "the policy; -: standard input"},
	CTL_PAST_SERVER_FLAGS,
	{0},
};

static void policy_check(struct ctl *c)
{
	const char *text = named_text(c);

	if (!text)
		return;
	if (ctl_flags_on(&c->flags, CTL_PAST_SERVER))
		ctl_policy_sql_check(c, text);
	else
		ctl_show_done(c, post_text(c, PATH "/check", text), "Policy is valid");
}

/* --- test ------------------------------------------------------------------------------------------------------------------------------------------------ */

static void tell_failures(struct ctl *c, const json_t *failures)
{
	const json_t *failure, *error;
	size_t i, k;

	json_array_foreach(failures, i, failure)
	{
		const char *src = json_string_value(json_object_get(failure, "src"));

		fprintf(c->out, "line %lld, from %s:\n", (long long)json_integer_value(json_object_get(failure, "line")), src ? src : "?");
		json_array_foreach(json_object_get(failure, "errors"), k, error)
		{
			fprintf(c->out, "  %s\n", json_string_value(error));
		}
	}
}

static void policy_test(struct ctl *c)
{
	const char *path = ctl_flags_text(&c->flags, "file"), *text;
	const json_t *answer;

	if (!path && c->arg_count)
		path = c->args[0];
	text = path ? read_text(c, path) : "";
	answer = text ? post_text(c, PATH "/test", text) : NULL;
	if (!answer)
		return;
	if (c->form != CTL_TABLE)
		ctl_print(c, c->out, answer);
	else
		tell_failures(c, json_object_get(answer, "failures"));
	if (!json_is_true(json_object_get(answer, "passed")))
		ctl_fail(c, "%lld of %lld tests failed", (long long)json_integer_value(json_object_get(answer, "testsFailed")),
			 (long long)json_integer_value(json_object_get(answer, "testsRun")));
	else if (c->form == CTL_TABLE)
		fprintf(c->out, "%lld tests passed.\n", (long long)json_integer_value(json_object_get(answer, "testsRun")));
}

/* --- history --------------------------------------------------------------------------------------------------------------------------------------------- */

static const struct ctl_column columns[] = {
	{"Version", "version", NULL, 0, 0}, {"Created", "createdAt", ctl_text_time, 0, 0},
	{"Author", "author", NULL, 0, 1},   {"Bytes", "size", NULL, 0, 2},
	{"Note", "note", NULL, 12, 1},      {0},
};

static const struct ctl_flag history_flags[] = {
	{"limit", 'l', false, CTL_NUMBER, "N", NULL, "the latest so many (usual: all)"},
	{0},
};

static void policy_history(struct ctl *c)
{
	const char *limit = ctl_flags_text(&c->flags, "limit");
	uint64_t most = 0;

	if (limit && text_parse_u64(bytes_text(limit), 1000000, &most)) {
		ctl_misuse(c, "--limit is too great");
		return;
	}
	ctl_show_list(c, ctl_call_list(c, PATH "/history", "versions", (unsigned)most), columns);
}

static const struct ctl_flag diff_flags[] = {
	{"file", 'f', false, CTL_TEXT, "FILE", NULL, "against this text; -: standard input"},
	{"from", 0, false, CTL_NUMBER, "N", NULL, "the version before (usual: the one in force)"},
	{"to", 0, false, CTL_NUMBER, "N", NULL, "against this version"},
	{0},
};

static void policy_diff(struct ctl *c)
{
	const char *to = ctl_flags_text(&c->flags, "to"), *text = NULL;
	struct bytes before, after;

	if (!to && !(text = named_text(c)))
		return;
	before = ctl_call_text(c, "GET", version_path(c, ctl_flags_text(&c->flags, "from")), NULL);
	if (!before.at)
		return;
	after = to ? ctl_call_text(c, "GET", version_path(c, to), NULL) : bytes_text(text);
	if (after.at)
		ctl_diff(c->out, before, after);
}

static const struct ctl_flag rollback_flags[] = {
	{"note", 'n', false, CTL_TEXT, "TEXT", NULL, "why, for the history"},
	{0},
};

static void policy_rollback(struct ctl *c)
{
	const char *note = ctl_flags_text(&c->flags, "note");
	json_t *body = json_pack("{s:s}", "version", c->args[0]);

	if (note)
		json_object_set_new(body, "note", json_string(note));
	ctl_show_done(c, ctl_call(c, "POST", PATH "/rollback", body), "The policy is again as version %s.", c->args[0]);
}

/* --- what it means --------------------------------------------------------------------------------------------------------------------------------------- */

static const struct ctl_flag explain_flags[] = {
	{"port", 'p', false, CTL_NUMBER, "PORT", NULL, "destination port (usual: 0)"},
	{"proto", 0, false, CTL_TEXT, "PROTO", NULL, "tcp (usual), udp, icmp ... or a number"},
	{0},
};

static void tell_rules(struct ctl *c, const json_t *rules)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		const char *kind = json_string_value(json_object_get(rule, "kind"));
		long long line = json_integer_value(json_object_get(rule, "line"));
		const char *behind = json_is_true(json_object_get(rule, "bySubnetRoute")) ? ", behind a router" : "";

		if (line)
			fprintf(c->out, "  %s at line %lld%s\n", kind ? kind : "rule", line, behind);
		else
			fprintf(c->out, "  there is no rule at all: everything is open%s\n", behind);
	}
}

static void policy_explain(struct ctl *c)
{
	const char *port = ctl_flags_text(&c->flags, "port"), *proto = ctl_flags_text(&c->flags, "proto");
	json_t *body = json_pack("{s:s, s:s, s:i}", "src", c->args[0], "dst", c->args[1], "port", port ? atoi(port) : 0);
	const json_t *answer;

	if (proto)
		json_object_set_new(body, "proto", json_string(proto));
	answer = ctl_call(c, "POST", PATH "/explain", body);
	if (!answer)
		return;
	tell_warning(c, answer);
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, answer);
		return;
	}
	fprintf(c->out, "%s -> %s: %s\n", c->args[0], c->args[1], json_is_true(json_object_get(answer, "allowed")) ? "allowed" : "not allowed");
	tell_rules(c, json_object_get(answer, "rules"));
}

static const char *text_end(struct arena *arena, const json_t *node)
{
	const char *name = json_string_value(json_object_get(node, "name"));

	(void)arena;
	return name ? name : "-";
}

static const struct ctl_column opening_columns[] = {
	{"Change", "change", NULL, 0, 0},
	{"From", "src", text_end, 0, 0},
	{"To", "dst", text_end, 0, 0},
	{"Protocol", "proto", ctl_text_json, 0, 0},
	{"First port", "firstPort", NULL, 0, 0},
	{"Last port", "lastPort", NULL, 0, 0},
	{0},
};

static void add_openings(json_t *all, const json_t *list, const char *change)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		json_object_set_new(one, "change", json_string(change));
		json_array_append(all, one);
	}
}

static void policy_preview(struct ctl *c)
{
	const char *text = named_text(c);
	const json_t *answer = text ? post_text(c, PATH "/preview", text) : NULL;
	json_t *all;

	if (!answer)
		return;
	if (c->form != CTL_TABLE) {
		ctl_print(c, c->out, answer);
		return;
	}
	all = json_array();
	ctl_keep(c, all);
	add_openings(all, json_object_get(answer, "opened"), "opens");
	add_openings(all, json_object_get(answer, "closed"), "closes");
	ctl_show_list(c, all, opening_columns);
}

static const struct ctl_verb verbs[] = {
	{"get", "show view fetch", NULL, 0, 0, "Print the policy as it was written", get_flags, policy_get},
	{"set", "put update", "[FILE]", 0, 1, "Change the policy, if it is good and its tests pass", set_flags, policy_set},
	{"check", NULL, "[FILE]", 0, 1, "Say whether a policy is good and its tests pass; changes nothing", check_flags, policy_check},
	{"test", NULL, "[FILE]", 0, 1, "Run the tests in a policy (usual: the one in force) and tell each that fails", file_flags, policy_test},
	{"diff", NULL, "[FILE]", 0, 1, "Show in which lines the policy differs from a file, or from a version", diff_flags, policy_diff},
	{"history", "log list ls", NULL, 0, 0, "Show the versions of the policy, newest first", history_flags, policy_history},
	{"rollback", "revert", "VERSION", 1, 1, "Make a version of the history the policy again", rollback_flags, policy_rollback},
	{"explain", "why", "SRC DST", 2, 2, "Say which rules let something pass; ends are addresses, names or ids of nodes", explain_flags, policy_explain},
	{"preview", NULL, "[FILE]", 0, 1, "Show what a policy would open and close between nodes", file_flags, policy_preview},
	{0},
};

const struct ctl_noun ctl_noun_policy = {"policy", "policies acl", "Who may reach what in a tailnet", verbs};
