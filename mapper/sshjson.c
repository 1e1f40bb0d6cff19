#include "sshjson.h"

#include <stdio.h>

enum { RECORDER_PORT = 80 };

/* The client asks its coordinator over its own connection: the host part counts for nothing, and the variables are its own to fill in. */
static const char check_url[] = "https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER";

static void write_principals(struct jsonw *w, const struct sshrule *rule)
{
	char text[IP_TEXT_MAX];
	jsonw_array(w, "principals");
	for (size_t i = 0; i < rule->principal_count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "nodeIP", bytes_of(text, ip_format(text, rule->principals[i])));
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void write_users(struct jsonw *w, const struct sshrule *rule)
{
	jsonw_object(w, "sshUsers");
	for (size_t i = 0; i < rule->user_count; i++) {
		jsonw_key(w, rule->users[i].login);
		jsonw_text(w, NULL, rule->users[i].local);
	}
	jsonw_object_end(w);
}

static void write_recorder(struct jsonw *w, struct ip ip)
{
	char text[ENDPOINT_TEXT_MAX];
	if (ip.family)
		jsonw_text(w, NULL, bytes_of(text, endpoint_format(text, (struct endpoint){.ip = ip, .port = RECORDER_PORT})));
}

static void write_recorders(struct jsonw *w, struct policy *policy, const struct ssh_rule *rule)
{
	jsonw_array(w, "recorders");
	for (size_t i = 0; i < rule->recorders.count; i++) {
		const struct alias *alias = &rule->recorders.list[i];
		if (alias->kind == ALIAS_PREFIX) {
			write_recorder(w, alias->prefix.ip);
			continue;
		}
		const struct meaning *meaning = policy_meaning(policy, alias);
		BITSET_EACH(&meaning->nodes, slot) {
			write_recorder(w, policy->roll->nodes[slot].node->ip4);
			write_recorder(w, policy->roll->nodes[slot].node->ip6);
		}
	}
	jsonw_array_end(w);
	if (!rule->enforce_recorder)
		return;
	jsonw_object(w, "onRecordingFailure");
	jsonw_string(w, "RejectSessionWithMessage", "This session must be recorded, and no recorder answers.");
	jsonw_string(w, "TerminateSessionWithMessage", "This session must be recorded, and its recording has ended.");
	jsonw_object_end(w);
}

static void write_action(struct jsonw *w, struct policy *policy, const struct ssh_rule *rule)
{
	jsonw_object(w, "action");
	if (rule->check) {
		jsonw_string(w, "holdAndDelegate", check_url);
	} else {
		jsonw_bool(w, "accept", true);
		jsonw_bool(w, "allowAgentForwarding", true);
		jsonw_bool(w, "allowLocalPortForwarding", true);
		jsonw_bool(w, "allowRemotePortForwarding", true);
		if (rule->recorders.count)
			write_recorders(w, policy, rule);
	}
	jsonw_object_end(w);
}

static void write_rule(struct jsonw *w, struct policy *policy, const struct sshrule *rule)
{
	jsonw_object(w, NULL);
	write_principals(w, rule);
	write_users(w, rule);
	write_action(w, policy, rule->rule);
	if (rule->rule->accept_env_count) {
		jsonw_array(w, "acceptEnv");
		for (size_t i = 0; i < rule->rule->accept_env_count; i++)
			jsonw_text(w, NULL, rule->rule->accept_env[i]);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

void sshjson_write(struct jsonw *w, const char *name, struct policy *policy, const struct sshrules *rules)
{
	jsonw_object(w, name);
	if (!rules->count) {
		jsonw_null(w, "rules");
	} else {
		jsonw_array(w, "rules");
		for (size_t i = 0; i < rules->count; i++)
			write_rule(w, policy, &rules->list[i]);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}
