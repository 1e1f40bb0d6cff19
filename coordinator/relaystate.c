#include "relaystate.h"

#include "relays.h"

enum relaystate relaystate_of(const struct relay *relay)
{
	if (!wall_is_zero(relay->deleted))
		return RELAYSTATE_LEAVING;
	if (relay->revoked)
		return RELAYSTATE_REVOKED;
	if (wall_is_zero(relay->last_seen))
		return RELAYSTATE_NEVER_SEEN;
	if (!wall_is_zero(relay->silent_since))
		return RELAYSTATE_SILENT;
	if (relay->drain || relay->draining)
		return relay->shown ? RELAYSTATE_DRAINING : RELAYSTATE_DRAINED;
	return relay->shown ? RELAYSTATE_SERVING : RELAYSTATE_COMING;
}

static const char *const labels[] = {"serving", "coming", "draining", "drained", "silent", "revoked", "leaving", "never_seen"};

const char *relaystate_label(enum relaystate state)
{
	return labels[state];
}

const char *relaystate_text(enum relaystate state)
{
	return state == RELAYSTATE_NEVER_SEEN ? "never seen" : labels[state];
}
