#include "probereport.h"

#include "jsonr.h"

enum { AGE_MOST_MS = 24 * 3600 * 1000, US_MOST = 1000 * 1000 * 1000 };

static const struct {
	const char *kind, *sentence;
} kinds[] = {
	{"", ""},
	{"ok", "ok"},
	{"unreachable", "cannot be dialed"},
	{"tls", "its certificate is not good, or TLS fails"},
	{"protocol", "does not answer as relays do"},
	{"refused", "does not admit the prober"},
	{"silent", "does not answer the prober"},
	{"lost", "what is sent does not come back"},
};

static struct bytes kind_of(const json_t *object, const char *name)
{
	struct bytes text = jsonr_text(object, name);

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (bytes_equal_text(text, kinds[i].kind))
			return bytes_text(kinds[i].kind);
	return BYTES_NONE;
}

struct bytes probereport_sentence(struct bytes kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (bytes_equal_text(kind, kinds[i].kind))
			return bytes_text(kinds[i].sentence);
	return kind;
}

/* 0 when it is not there; no measured time is 0. */
static uint64_t us_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	double us = json_number_value(value) * 1000;

	if (!json_is_number(value) || !(us >= 0))
		return 0;
	return us < 1 ? 1 : us > US_MOST ? US_MOST : (uint64_t)us;
}

static bool decode_one(const json_t *object, struct relayprobe *p)
{
	json_int_t to = json_integer_value(json_object_get(object, "To")), age = json_integer_value(json_object_get(object, "AgeMs"));

	*p = (struct relayprobe){
		.to = to > 0 ? (uint64_t)to : 0,
		.age_ms = age < 0             ? 0
			  : age > AGE_MOST_MS ? AGE_MOST_MS
					      : (uint64_t)age,
		.relay = kind_of(object, "Relay"),
		.stun = kind_of(object, "STUN"),
		.mesh = kind_of(object, "Mesh"),
		.connect_us = us_of(object, "ConnectMs"),
		.trip_us = us_of(object, "TripMs"),
		.stun_us = us_of(object, "STUNMs"),
		.mesh_us = us_of(object, "MeshMs"),
	};
	return p->to && p->relay.len && p->stun.at && p->mesh.at;
}

void probereport_decode(const json_t *body, struct arena *arena, struct probereport *r, struct diag *why)
{
	const json_t *list = json_object_get(body, "Probes"), *key = json_object_get(body, "ProbeKey"), *after = json_object_get(body, "PeersFrom");
	size_t count = json_array_size(list);

	*r = (struct probereport){.probing = key && !json_is_null(key)};
	if (!r->probing)
		return;
	if (key_parse_node(bytes_of(json_string_value(key), json_string_length(key)), &r->key)) {
		diag_set(why, ERR_MALFORMED, "ProbeKey is not a node key");
		return;
	}
	r->wants_peers = json_is_integer(after) && json_integer_value(after) >= 0;
	r->after = r->wants_peers ? (uint64_t)json_integer_value(after) : 0;
	if (after && !r->wants_peers)
		diag_set(why, ERR_MALFORMED, "PeersFrom is not a number");
	if (count > RELAYPROBES_MAX)
		count = RELAYPROBES_MAX;
	r->probes = ARENA_ARRAY(arena, struct relayprobe, count + 1);
	for (size_t i = 0; i < count; i++)
		r->count += decode_one(json_array_get(list, i), &r->probes[r->count]);
}

void probereport_write_peers(struct jsonw *w, const struct relay *peers, size_t count, uint64_t self, unsigned region, bool in_mesh)
{
	size_t told = 0;

	jsonw_array(w, "Peers");
	for (size_t i = 0; i < count; i++) {
		if (peers[i].id == self)
			continue;
		if (told++ == RELAY_PEERS_MAX)
			break;
		jsonw_object(w, NULL);
		jsonw_uint(w, "ID", peers[i].id);
		derpmap_write_node(w, &peers[i].node, 0);
		jsonw_bool(w, "Mesh", in_mesh && peers[i].mesh && peers[i].region == region);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	jsonw_bool(w, "MorePeers", told > RELAY_PEERS_MAX);
}
