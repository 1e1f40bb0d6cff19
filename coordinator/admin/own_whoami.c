#include "own_whoami.h"

#include "capver.h"
#include "guard.h"
#include "problem.h"

static void scopes_write(struct jsonw *w, struct scopes scopes)
{
	jsonw_array(w, "scopes");
	for (unsigned scope = 0; scope < SCOPE_COUNT; scope++) {
		bool writes = scopes_allow(scopes, scope, true);

		if (writes || scopes_allow(scopes, scope, false))
			jsonw_string(w, NULL, scope_name(scope, writes));
	}
	jsonw_array_end(w);
}

static void peer_write(struct jsonw *w, const struct exchange *x)
{
	char text[IP_TEXT_MAX];

	if (x->peer.ip.family == IP_NONE) {
		jsonw_null(w, "peerAddress");
		return;
	}
	ip_format(text, x->peer.ip);
	jsonw_string(w, "peerAddress", text);
}

void own_whoami(struct exchange *x)
{
	const struct asker *asker = asker_of(x);
	struct answer answer;

	answer_start(&answer);
	jsonw_string(&answer.w, "credential", asker->actor.name);
	jsonw_string(&answer.w, "prefix", asker->actor.credential ? asker->actor.credential : "");
	jsonw_bool(&answer.w, "operator", asker->is_operator);
	jsonw_text(&answer.w, "tailnet", asker->tailnet.name);
	scopes_write(&answer.w, asker->scopes);
	peer_write(&answer.w, x);
	jsonw_text(&answer.w, "host", x->host);
	jsonw_bool(&answer.w, "secure", x->secure);
	jsonw_string(&answer.w, "version", FLEETSCALE_VERSION);
	jsonw_uint(&answer.w, "oldestCapability", CAPVER_OLDEST);
	jsonw_time(&answer.w, "at", clock_wall());
	answer_send(&answer, x, "telling who asks");
}
