#include "sshaction.h"

struct ssh_action sshaction_accept(const struct endpoint *recorders, size_t count, bool must_record)
{
	if (must_record && !count)
		return (struct ssh_action){.reject = true, .message = BYTES("This session must be recorded, and there is no recorder.\n")};
	return (struct ssh_action){.accept = true, .recorders = recorders, .recorder_count = count, .must_record = must_record};
}

static void write_recorders(struct jsonw *w, const struct ssh_action *action)
{
	char text[ENDPOINT_TEXT_MAX];

	jsonw_array(w, "recorders");
	for (size_t i = 0; i < action->recorder_count; i++)
		jsonw_text(w, NULL, bytes_of(text, endpoint_format(text, action->recorders[i])));
	jsonw_array_end(w);
}

/* Without the sentences a session goes on unrecorded; we hear of it either way. */
static void write_failure(struct jsonw *w, bool must_record)
{
	jsonw_object(w, "onRecordingFailure");
	if (must_record) {
		jsonw_string(w, "RejectSessionWithMessage", "This session must be recorded, and no recorder answers.");
		jsonw_string(w, "TerminateSessionWithMessage", "This session must be recorded, and its recording has ended.");
	}
	jsonw_string(w, "NotifyURL", SSHACTION_NOTIFY_URL);
	jsonw_object_end(w);
}

void sshaction_write(struct jsonw *w, const char *name, const struct ssh_action *action)
{
	jsonw_object(w, name);
	if (action->message.len)
		jsonw_text(w, "message", action->message);
	if (action->hold)
		jsonw_string(w, "holdAndDelegate", action->hold);
	if (action->reject)
		jsonw_bool(w, "reject", true);
	if (action->accept) {
		jsonw_bool(w, "accept", true);
		jsonw_bool(w, "allowAgentForwarding", true);
		jsonw_bool(w, "allowLocalPortForwarding", true);
		jsonw_bool(w, "allowRemotePortForwarding", true);
	}
	if (action->accept && action->recorder_count) {
		write_recorders(w, action);
		write_failure(w, action->must_record);
	}
	jsonw_object_end(w);
}
