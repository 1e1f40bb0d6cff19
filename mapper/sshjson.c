#include "sshjson.h"

#include "sshaction.h"

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

static void write_action(struct jsonw *w, struct policy *policy, struct arena *arena, const struct ssh_rule *rule)
{
	struct ssh_action action = {.hold = SSHACTION_URL};
	if (!rule->check) {
		struct endpoint *recorders;
		size_t count = sshrule_recorders(policy, arena, rule, &recorders);
		action = sshaction_accept(recorders, count, rule->enforce_recorder);
	}
	sshaction_write(w, "action", &action);
}

static void write_rule(struct jsonw *w, struct policy *policy, struct arena *arena, const struct sshrule *rule)
{
	jsonw_object(w, NULL);
	write_principals(w, rule);
	write_users(w, rule);
	write_action(w, policy, arena, rule->rule);
	if (rule->rule->accept_env_count) {
		jsonw_array(w, "acceptEnv");
		for (size_t i = 0; i < rule->rule->accept_env_count; i++)
			jsonw_text(w, NULL, rule->rule->accept_env[i]);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

void sshjson_write(struct jsonw *w, const char *name, struct policy *policy, struct arena *arena, const struct sshrules *rules)
{
	jsonw_object(w, name);
	if (!rules->count) {
		jsonw_null(w, "rules");
	} else {
		jsonw_array(w, "rules");
		for (size_t i = 0; i < rules->count; i++)
			write_rule(w, policy, arena, &rules->list[i]);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}
