#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEEPALIVE_MOST = 40 }; /* a keep-alive's frame is shorter than any other */

static void on_served(void *context, struct bot *b)
{
	struct fleet *f = context;

	f->served++;
	bit_set(f->served_bits, b->number);
	stats_add(&f->served_us, b->served_us - b->started_us);
}

static void model_hears(struct fleet *f, struct bot *b)
{
	if (!model_apply(f->model[b->number], buffer_bytes(&f->reader.text)) && !f->why_failed[0])
		snprintf(f->why_failed, sizeof f->why_failed, "bot %u: %s", b->number, model_fault(f->model[b->number]));
}

static void on_frame(void *context, struct bot *b, struct bytes frame, bool first)
{
	struct fleet *f = context;
	bool is_model = b->number < f->models;

	if (!first && frame.len > KEEPALIVE_MOST) {
		f->frames++;
		f->last_frame_us = clock_mono_us();
	}
	if (first && is_model) {
		f->first_bytes = frame.len;
		model_forget(f->model[b->number]);
	}
	if (!is_model && (first || !f->ledger))
		return;
	if (reader_read(&f->reader, frame)) {
		f->failed++;
		snprintf(f->why_failed, sizeof f->why_failed, "bot %u: a frame cannot be read", b->number);
		return;
	}
	if (is_model)
		model_hears(f, b);
	for (size_t i = 0; !first && f->ledger && i < f->reader.token_count; i++)
		ledger_see(f->ledger, f->reader.tokens[i], b->number, clock_mono_us());
}

static void on_reported(void *context, struct bot *b)
{
	(void)context, (void)b;
}

static void on_failed(void *context, struct bot *b, const char *why)
{
	struct fleet *f = context;

	if (!f->failed++)
		snprintf(f->why_failed, sizeof f->why_failed, "bot %u: %s", b->number, why);
	if (bit_has(f->served_bits, b->number)) {
		f->served--;
		bit_clear(f->served_bits, b->number);
	}
}

static const struct bot_events fleet_events = {on_served, on_frame, on_reported, on_failed};

void fleet_init(struct fleet *f, const struct bot_target *target, unsigned count, unsigned models)
{
	*f = (struct fleet){.target = *target, .loop = target->loop, .count = count, .models = models < count ? models : count, .hidden_key = -1};
	f->target.events = &fleet_events;
	f->target.context = f;
	f->bots = x_zalloc(count * sizeof *f->bots);
	f->served_bits = x_zalloc((count + 63) / 64 * sizeof *f->served_bits);
	f->model = x_zalloc((f->models + 1) * sizeof(struct model *));
	reader_init(&f->reader);
	for (unsigned i = 0; i < f->models; i++)
		f->model[i] = model_new();
	for (unsigned i = 0; i < count; i++)
		bot_init(&f->bots[i], &f->target, i);
}

void fleet_clear(struct fleet *f)
{
	fleet_drop(f, 0, f->count);
	fleet_rest(f, 20);
	for (unsigned i = 0; i < f->models; i++)
		model_free(&f->model[i]);
	reader_clear(&f->reader);
	free(f->model);
	free(f->served_bits);
	free(f->bots);
	*f = (struct fleet){0};
}

void fleet_turn(struct fleet *f, int64_t wait_ms)
{
	loop_turn(f->loop, wait_ms);
}

void fleet_rest(struct fleet *f, int64_t ms)
{
	int64_t end = clock_mono().ms + ms, left;

	while ((left = end - clock_mono().ms) > 0)
		fleet_turn(f, left);
}

bool fleet_bring(struct fleet *f, unsigned from, unsigned to, unsigned window, unsigned seconds)
{
	int64_t end = clock_mono().ms + (int64_t)seconds * 1000;
	unsigned next = from, served = f->served, failed = f->failed;

	while (f->served + f->failed < served + failed + to - from && clock_mono().ms < end) {
		for (; next < to && next - from < f->served - served + f->failed - failed + window; next++)
			bot_start(&f->bots[next]);
		fleet_turn(f, 10);
	}
	return f->served == served + to - from;
}

void fleet_drop(struct fleet *f, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (bit_has(f->served_bits, i)) {
			f->served--;
			bit_clear(f->served_bits, i);
		}
		bot_stop(&f->bots[i]);
	}
}

static bool reports_open(const struct fleet *f)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->bots[i].report_stream && f->bots[i].state != BOT_FAILED)
			return true;
	return false;
}

bool fleet_quiet(struct fleet *f, int64_t quiet_ms, int64_t most_ms)
{
	uint64_t from = clock_mono_us();

	for (;;) {
		uint64_t now = clock_mono_us(), since = f->last_frame_us > from ? f->last_frame_us : from;

		if (now - since > (uint64_t)quiet_ms * 1000 && !reports_open(f))
			return true;
		if (now - from > (uint64_t)most_ms * 1000)
			return false;
		fleet_turn(f, 10);
	}
}

static bool hidden(const struct fleet *f, unsigned number)
{
	return f->hidden_key >= 0 && number % f->target.auth_key_count == (unsigned)f->hidden_key;
}

static bool sees(const struct fleet *f, unsigned viewer, unsigned peer)
{
	return viewer != peer && f->bots[peer].registered && !hidden(f, viewer) && !hidden(f, peer);
}

bool fleet_counts_agree(const struct fleet *f)
{
	for (unsigned i = 0; i < f->models; i++) {
		size_t count = 0;

		for (unsigned peer = 0; peer < f->count; peer++)
			count += sees(f, i, peer);
		if (bit_has(f->served_bits, i) && model_peers(f->model[i]) != count)
			return false;
	}
	return true;
}

static size_t truths_but(const struct fleet *f, unsigned self, struct peer_truth *truth)
{
	size_t count = 0;

	for (unsigned i = 0; i < f->count; i++)
		if (sees(f, self, i))
			truth[count++] =
				(struct peer_truth){.node_key = f->bots[i].node_public, .endpoint = f->bots[i].endpoint, .online = bit_has(f->served_bits, i)};
	return count;
}

size_t fleet_compare(struct fleet *f, size_t *strangers, char why[static 128])
{
	struct peer_truth *truth = x_alloc(f->count * sizeof *truth);
	size_t wrong = 0, strange;
	char first[128];

	why[0] = '\0';
	*strangers = 0;
	for (unsigned i = 0; i < f->models; i++) {
		if (!bit_has(f->served_bits, i))
			continue;
		wrong += model_compare(f->model[i], truth, truths_but(f, i, truth), &strange, first);
		*strangers += strange;
		if (first[0] && !why[0])
			snprintf(why, 128, "%.100s, seen by %u", first, i);
	}
	free(truth);
	return wrong;
}

uint64_t fleet_wire_bytes(const struct fleet *f)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < f->count; i++)
		sum += f->bots[i].wire_bytes;
	return sum;
}
