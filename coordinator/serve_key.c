#include "serve_key.h"

#include "capver.h"
#include "coordinator.h"
#include "jsonw.h"
#include "text.h"

/* Both names carry the Noise key: a non-zero legacy key spares clients a second GET /key before each registration (docs/protocol/transport.md). */
void serve_key(struct exchange *x)
{
	const struct coordinator *c = x->program;
	struct public_key public_key;
	char text[KEY_TEXT_MAX];
	struct machine_key as_machine;
	uint64_t capver;
	struct buffer out;
	struct jsonw w;

	/* Browsers ask for it from pages of other origins; it is nobody's secret. */
	exchange_add_header(x, "Access-Control-Allow-Origin", BYTES("*"));
	if (text_parse_u64(exchange_query(x, "v"), UINT16_MAX, &capver)) {
		exchange_reply_text(x, 400, "this server speaks to clients that name their capability version: GET /key?v=...\n");
		return;
	}
	if (!capver_accepted((unsigned)capver)) {
		exchange_reply_text(x, 400, capver_refusal());
		return;
	}
	key_public(c->noise_key, &public_key);
	memcpy(as_machine.raw, public_key.raw, KEY_LEN);
	key_format_machine(text, &as_machine);
	buffer_init(&out, 1024);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_string(&w, "legacyPublicKey", text);
	jsonw_string(&w, "publicKey", text);
	jsonw_object_end(&w);
	exchange_reply_json(x, jsonw_end(&w) ? 500 : 200, buffer_bytes(&out));
	buffer_clear(&out);
}

void serve_health(struct exchange *x)
{
	const char *trouble = pg_trouble();

	exchange_reply(x, trouble ? 500 : 200, "application/health+json", trouble ? BYTES("{\"status\":\"fail\"}") : BYTES("{\"status\":\"pass\"}"));
}

/* Tools written for headscale derive their dialect from `version`: it names the dialect that our API v1 speaks. */
void serve_version(struct exchange *x)
{
	exchange_reply_json(
		x, 200,
		BYTES("{\"version\":\"0.30.0\",\"fleetscale\":\"" FLEETSCALE_VERSION "\",\"commit\":\"\",\"buildTime\":\"\",\"go\":{},\"dirty\":false}"));
}
