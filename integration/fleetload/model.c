#include "model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "table.h"

struct peer {
	struct node_key key;
	struct endpoint endpoint;
	bool online, has_endpoint, marked;
};

struct model {
	struct table *peers; /* by node id */
	char fault[96];
};

struct model *model_new(void)
{
	struct model *m = x_zalloc(sizeof *m);

	m->peers = table_new();
	return m;
}

void model_forget(struct model *m)
{
	struct bytes key;
	struct peer *peer;

	TABLE_EACH(m->peers, key, peer)
		free(peer);
	table_free(&m->peers);
	m->peers = table_new();
	m->fault[0] = '\0';
}

void model_free(struct model **model)
{
	if (!*model)
		return;
	model_forget(*model);
	table_free(&(*model)->peers);
	free(*model);
	*model = NULL;
}

const char *model_fault(const struct model *m)
{
	return m->fault;
}

size_t model_peers(const struct model *m)
{
	return table_count(m->peers);
}

static bool fault(struct model *m, const char *what)
{
	if (!m->fault[0])
		snprintf(m->fault, sizeof m->fault, "%s", what);
	return false;
}

/* Absent keeps what was known; the first endpoint is the one that bots tell. */
static bool read_endpoints(struct peer *peer, const json_t *object)
{
	const json_t *endpoints = json_object_get(object, "Endpoints");
	const char *text = json_string_value(json_array_get(endpoints, 0));

	if (!json_is_array(endpoints))
		return true;
	peer->has_endpoint = text != NULL;
	return !text || !endpoint_parse(bytes_text(text), &peer->endpoint);
}

static void read_online(struct peer *peer, const json_t *object)
{
	const json_t *online = json_object_get(object, "Online");

	if (online)
		peer->online = json_is_true(online);
}

static bool read_key(struct peer *peer, const json_t *object, bool required)
{
	const char *text = json_string_value(json_object_get(object, "Key"));

	return text ? !key_parse_node(bytes_text(text), &peer->key) : !required;
}

static bool put_peer(struct model *m, const json_t *node)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(node, "ID"));
	struct peer *peer = x_zalloc(sizeof *peer);

	if (!id || !read_key(peer, node, true) || !read_endpoints(peer, node)) {
		free(peer);
		return fault(m, "a peer without id or key, or with a wrong endpoint");
	}
	read_online(peer, node);
	free(table_put_number(m->peers, id, peer));
	return true;
}

static bool put_peers(struct model *m, const json_t *list)
{
	const json_t *node;
	size_t i;

	json_array_foreach(list, i, node) if (!put_peer(m, node)) return false;
	return true;
}

static bool remove_peers(struct model *m, const json_t *list)
{
	const json_t *id;
	size_t i;

	json_array_foreach(list, i, id) free(table_remove_number(m->peers, (uint64_t)json_integer_value(id)));
	return true;
}

static bool set_online(struct model *m, json_t *changes)
{
	const char *id;
	json_t *online;

	json_object_foreach(changes, id, online)
	{
		struct peer *peer = table_find_number(m->peers, strtoull(id, NULL, 10));

		if (!peer)
			return fault(m, "OnlineChange of a peer that is not there");
		peer->online = json_is_true(online);
	}
	return true;
}

static bool patch_peers(struct model *m, const json_t *list)
{
	const json_t *patch;
	size_t i;

	json_array_foreach(list, i, patch)
	{
		struct peer *peer = table_find_number(m->peers, (uint64_t)json_integer_value(json_object_get(patch, "NodeID")));

		if (!peer)
			return fault(m, "a patch of a peer that is not there");
		if (!read_key(peer, patch, false) || !read_endpoints(peer, patch))
			return fault(m, "a patch that cannot be read");
		read_online(peer, patch);
	}
	return true;
}

static bool apply(struct model *m, const json_t *message)
{
	const json_t *peers = json_object_get(message, "Peers");

	if (json_array_size(peers)) {
		model_forget(m);
		return put_peers(m, peers);
	}
	return remove_peers(m, json_object_get(message, "PeersRemoved")) && put_peers(m, json_object_get(message, "PeersChanged")) &&
	       set_online(m, json_object_get(message, "OnlineChange")) && patch_peers(m, json_object_get(message, "PeersChangedPatch"));
}

bool model_apply(struct model *m, struct bytes text)
{
	json_error_t error;
	json_t *message = json_loadb((const char *)text.at, text.len, 0, &error);
	bool good = message ? apply(m, message) : fault(m, "a map message that is not JSON");

	json_decref(message);
	return good;
}

static void differs(char why[static 128], const char *what, size_t index)
{
	if (!why[0])
		snprintf(why, 128, "%s (bot %zu)", what, index);
}

static bool same(const struct peer *peer, const struct peer_truth *truth, size_t index, char why[static 128])
{
	if (!peer->has_endpoint || !endpoint_equal(peer->endpoint, truth->endpoint)) {
		char text[ENDPOINT_TEXT_MAX];

		endpoint_format(text, peer->endpoint);
		differs(why, peer->has_endpoint ? text : "no endpoint", index);
		return false;
	}
	if (peer->online != truth->online) {
		differs(why, "online is wrong", index);
		return false;
	}
	return true;
}

static struct table *by_key(const struct model *m)
{
	struct table *keys = table_new();
	struct bytes id;
	struct peer *peer;

	TABLE_EACH(m->peers, id, peer) {
		peer->marked = false;
		table_put(keys, bytes_of(peer->key.raw, KEY_LEN), peer);
	}
	return keys;
}

size_t model_compare(const struct model *m, const struct peer_truth *truth, size_t count, size_t *strangers, char why[static 128])
{
	struct table *keys = by_key(m);
	size_t wrong = 0;
	struct bytes id;
	struct peer *peer;

	why[0] = '\0';
	*strangers = 0;
	for (size_t i = 0; i < count; i++) {
		peer = table_find(keys, bytes_of(truth[i].node_key.raw, KEY_LEN));
		if (!peer)
			differs(why, "absent", i);
		else
			peer->marked = true;
		wrong += !peer || !same(peer, &truth[i], i, why);
	}
	TABLE_EACH(m->peers, id, peer)
		*strangers += !peer->marked;
	if (*strangers)
		differs(why, "a stranger", *strangers);
	table_free(&keys);
	return wrong + *strangers;
}
