#include "edits.h"

#include <assert.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EDITS = 5, /* per size */
	EDIT_SECONDS = 30,
	PORT_FIRST = 1000, /* of rules that stay */
	POLICY_MAX = 1 << 20,
	CALM_MS = 1100, /* so long a tick may wait for the one before */
	LOOK_MS = 2
};

extern char **environ;

/* --- texts -------------------------------------------------------------------------------------------------------------------------------- */

static void say(struct buffer *text, const char *words)
{
	if (buffer_add(text, bytes_text(words)))
		abort();
}

static void list_tags(struct run *r, struct buffer *text, const char *suffix, int without)
{
	char tag[64];
	bool more = false;

	for (unsigned i = 0; i < r->options->target.auth_key_count; i++) {
		if ((int)i == without)
			continue;
		snprintf(tag, sizeof tag, "%s\"tag:t%u%s\"", more ? "," : "", i, suffix);
		say(text, tag);
		more = true;
	}
}

/* Rules of one tag towards another and of address ranges towards a tag; the last shows all to all, at a port that tells the edit. */
static void write_policy(struct run *r, struct buffer *text, unsigned rules, uint32_t event, int revoked)
{
	unsigned tags = (unsigned)r->options->target.auth_key_count;
	char rule[128], port[16];

	assert(tags);
	buffer_reset(text);
	say(text, "{\"tagOwners\":{");
	for (unsigned i = 0; i < tags; i++) {
		snprintf(rule, sizeof rule, "%s\"tag:t%u\":[]", i ? "," : "", i);
		say(text, rule);
	}
	say(text, "},\"acls\":[");
	for (unsigned i = 1; revoked < 0 && i < rules; i++) {
		char source[32];

		snprintf(source, sizeof source, i % 10 ? "100.%u.%u.0/24" : "tag:t%u", i % 10 ? 64 + i / 256 % 32 : i % tags, i % 256);
		snprintf(rule, sizeof rule, "{\"action\":\"accept\",\"src\":[\"%s\"],\"dst\":[\"tag:t%u:%u\"]},", source, i * 7 % tags, PORT_FIRST + i);
		say(text, rule);
	}
	snprintf(port, sizeof port, ":%u", TOKEN_POLICY_PORT + event);
	say(text, "{\"action\":\"accept\",\"src\":[");
	if (revoked < 0)
		say(text, "\"*\"");
	else
		list_tags(r, text, "", revoked);
	say(text, "],\"dst\":[");
	list_tags(r, text, port, revoked);
	say(text, "]}]}");
}

/* --- the adapter -------------------------------------------------------------------------------------------------------------------------- */

static bool write_file(char path[static 32], struct bytes text)
{
	int fd;
	bool good;

	strcpy(path, "/tmp/fleetload-XXXXXX");
	fd = mkstemp(path);
	good = fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len;
	if (fd >= 0)
		close(fd);
	return good;
}

/* True: status 0. Bots are served meanwhile. */
static bool await_child(struct run *r, pid_t child)
{
	int64_t end = clock_mono().ms + EDIT_SECONDS * 1000;
	int status;

	for (;;) {
		pid_t got = waitpid(child, &status, WNOHANG);

		if (got)
			return got == child && WIFEXITED(status) && !WEXITSTATUS(status);
		if (clock_mono().ms > end) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return false;
		}
		fleet_turn(&r->fleet, LOOK_MS);
	}
}

static bool put_in_force(struct run *r, struct bytes text)
{
	char path[32], *words[] = {(char *)(uintptr_t)r->options->set_policy, path, NULL};
	bool good = write_file(path, text);
	pid_t child;

	good = good && !posix_spawn(&child, words[0], NULL, NULL, words, environ) && await_child(r, child);
	unlink(path);
	if (!good)
		run_promise(r, "S5", "policy not accepted", 1);
	return good;
}

/* --- edits -------------------------------------------------------------------------------------------------------------------------------- */

/* One edit of one rule: every filter moves. */
static bool edit(struct run *r, struct buffer *text, struct ledger *ledger, unsigned rules)
{
	int64_t end;
	uint32_t event;

	fleet_rest(&r->fleet, CALM_MS);
	end = clock_mono().ms + SETTLE_MS;
	event = ledger_inject(ledger, TOKEN_POLICY, r->fleet.count, clock_mono_us(), r->fleet.served_bits);
	write_policy(r, text, rules, event, -1);
	if (!put_in_force(r, buffer_bytes(text)))
		return false;
	while (!ledger_settled(ledger) && clock_mono().ms < end)
		fleet_turn(&r->fleet, LOOK_MS);
	return true;
}

static void edits_of_size(struct run *r, struct buffer *text, unsigned rules)
{
	static struct outcome outcome;
	char scenario[FIGURES_TEXT];
	struct ledger ledger;
	struct span span;
	bool good;

	snprintf(scenario, sizeof scenario, "S5 %u rule%s", rules, rules > 1 ? "s" : "");
	run_begin(r, &ledger, EDITS + 1);
	good = edit(r, text, &ledger, rules); /* from another size: not measured */
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
	ledger.latency = (struct stats){0};
	span_open(r, &span);
	for (unsigned i = 0; good && i < EDITS; i++)
		good = edit(r, text, &ledger, rules);
	run_settle(r, &ledger);
	span_close(r, &span);
	ledger_judge(&ledger, &outcome);
	run_add(r, scenario, "CPU per edit", span.net * 1e3 / EDITS, "ms");
	run_add_shares(r, scenario, &span, EDITS, "us");
	run_add(r, scenario, "CPU per edit and node", span.net * 1e6 / EDITS / r->options->nodes, "us");
	run_add_times(r, scenario, "node has it", &ledger.latency);
	run_add(r, scenario, "bytes per edit and node", (double)span.wire / EDITS / r->options->nodes, "B");
	run_add(r, scenario, "frames per edit and node", (double)span.frames / EDITS / r->options->nodes, "");
	run_promise(r, scenario, "missed", (double)outcome.missed);
	run_promise(r, scenario, "reordered", (double)outcome.reordered);
	run_compare(r, scenario);
	run_finish(r, &ledger);
}

/* Nodes of the last key see nobody and nobody sees them, or all see all again. */
static void show(struct run *r, struct buffer *text, int hidden, const char *scenario)
{
	uint64_t from_us, end_us;
	struct span span;

	r->fleet.hidden_key = hidden;
	write_policy(r, text, 1, 0, hidden);
	fleet_rest(&r->fleet, CALM_MS);
	span_open(r, &span);
	from_us = clock_mono_us();
	end_us = from_us + SETTLE_MS * 1000;
	if (!put_in_force(r, buffer_bytes(text)))
		return;
	while (!fleet_counts_agree(&r->fleet) && clock_mono_us() < end_us)
		fleet_turn(&r->fleet, LOOK_MS);
	run_add(r, scenario, "model clients agree after", (double)(clock_mono_us() - from_us) / 1e3, "ms");
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
	span_close(r, &span);
	run_add(r, scenario, "CPU", span.net * 1e3, "ms");
	run_add(r, scenario, "bytes per node", (double)span.wire / r->options->nodes, "B");
	run_compare(r, scenario);
}

void edits(struct run *r)
{
	static const unsigned sizes[] = {1, 10, 100, 1000};
	struct buffer text;

	if (!r->options->set_policy)
		return;
	buffer_init(&text, POLICY_MAX);
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		edits_of_size(r, &text, sizes[i]);
	if (r->options->target.auth_key_count > 1) {
		show(r, &text, (int)r->options->target.auth_key_count - 1, "S5 revoked");
		show(r, &text, -1, "S5 granted");
	}
	buffer_clear(&text);
}
