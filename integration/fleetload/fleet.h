/* Many simulated clients on one loop: started, served, counted, stopped; what they hear goes to the ledger and to the model clients' tables.
 * Not a scenario (scenario.h). The first `models` bots parse everything, the others search tokens, and only while a ledger is given.
 * The fleet owns bots, models and reader; the ledger is the caller's. fleet_init/clear. */
#ifndef FLEET_H
#define FLEET_H

#include "bot.h"
#include "ledger.h"
#include "model.h"
#include "reader.h"

struct fleet {
	struct bot_target target;
	struct loop *loop;
	struct bot *bots;
	unsigned count, models;
	struct model **model;
	struct reader reader;
	struct ledger *ledger;
	uint64_t *served_bits;
	int hidden_key; /* bots of that auth key see nobody and nobody sees them; -1: all see all */
	unsigned served, failed;
	char why_failed[128];
	uint64_t frames;      /* without keep-alives and first frames */
	uint64_t first_bytes; /* of the last first frame of a model client */
	uint64_t last_frame_us;
	struct stats served_us; /* from bot_start until served */
};

void fleet_init(struct fleet *f, const struct bot_target *target, unsigned count, unsigned models);
void fleet_clear(struct fleet *f);
/* Bots from..to-1, at most `window` of them unserved at a time. False: not all were served in time; what failed stays failed. */
bool fleet_bring(struct fleet *f, unsigned from, unsigned to, unsigned window, unsigned seconds);
void fleet_drop(struct fleet *f, unsigned from, unsigned to);
void fleet_turn(struct fleet *f, int64_t wait_ms);
void fleet_rest(struct fleet *f, int64_t ms);
/* Until `quiet_ms` have passed without a frame and all reports are answered. False: not within most_ms. */
bool fleet_quiet(struct fleet *f, int64_t quiet_ms, int64_t most_ms);
/* Every model client has as many peers as it should. */
bool fleet_counts_agree(const struct fleet *f);
/* Model clients against the truth: how many peers differ, in all of them; strangers are peers that are none of ours. */
size_t fleet_compare(struct fleet *f, size_t *strangers, char why[static 128]);
uint64_t fleet_wire_bytes(const struct fleet *f);

#endif
