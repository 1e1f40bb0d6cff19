/* What a peer costs to write, as a map tells it: some 800 bytes, of which every key and address is a text. A line per case, then one JSON
 * line. */
#include <stdio.h>

#include "clock.h"
#include "jsonw.h"
#include "key.h"

enum { PEERS = 10000, ROUNDS = 20 };

struct peer {
	uint64_t id, user;
	char key[KEY_TEXT_MAX], machine[KEY_TEXT_MAX], disco[KEY_TEXT_MAX];
	size_t key_len, machine_len, disco_len;
	struct prefix ip4, ip6;
	struct endpoint endpoints[3];
	struct bytes name, hostinfo;
	struct wall created, expiry;
};

static void make_peer(struct peer *p)
{
	struct node_key node;
	struct machine_key machine;
	struct disco_key disco;
	memset(&node, 0xab, sizeof node);
	memset(&machine, 0xcd, sizeof machine);
	memset(&disco, 0xef, sizeof disco);
	*p = (struct peer){.id = 1234567, .user = 42, .created = {1795168800500000000}, .expiry = {1805168800000000000}};
	p->key_len = key_format_node(p->key, &node);
	p->machine_len = key_format_machine(p->machine, &machine);
	p->disco_len = key_format_disco(p->disco, &disco);
	p->ip4 = ip_prefix((struct ip){IP_V4, {100, 64, 12, 34}});
	p->ip6 = ip_prefix((struct ip){IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 0x34}});
	for (size_t i = 0; i < COUNT_OF(p->endpoints); i++)
		p->endpoints[i] = (struct endpoint){{IP_V4, {192, 168, 1, (uint8_t)i}}, 41641};
	p->name = BYTES("laptop-1234.tailnet.example.net.");
	p->hostinfo = BYTES("{\"OS\":\"linux\",\"Hostname\":\"laptop\",\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":41234}]}");
}

static void write_addresses(struct jsonw *w, const char *name, const struct peer *p)
{
	jsonw_array(w, name);
	jsonw_prefix(w, NULL, p->ip4);
	jsonw_prefix(w, NULL, p->ip6);
	jsonw_array_end(w);
}

static void write_peer(struct jsonw *w, const struct peer *p)
{
	char text[ENDPOINT_TEXT_MAX];
	jsonw_object(w, NULL);
	jsonw_uint(w, "ID", p->id);
	jsonw_uint_text(w, "StableID", p->id);
	jsonw_text(w, "Name", p->name);
	jsonw_uint(w, "User", p->user);
	jsonw_text(w, "Key", bytes_of(p->key, p->key_len));
	jsonw_time(w, "KeyExpiry", p->expiry);
	jsonw_text(w, "Machine", bytes_of(p->machine, p->machine_len));
	jsonw_text(w, "DiscoKey", bytes_of(p->disco, p->disco_len));
	write_addresses(w, "Addresses", p);
	write_addresses(w, "AllowedIPs", p);
	jsonw_array(w, "Endpoints");
	for (size_t i = 0; i < COUNT_OF(p->endpoints); i++)
		jsonw_text(w, NULL, bytes_of(text, endpoint_format(text, p->endpoints[i])));
	jsonw_array_end(w);
	jsonw_uint(w, "HomeDERP", 900);
	jsonw_raw(w, "Hostinfo", p->hostinfo);
	jsonw_time(w, "Created", p->created);
	jsonw_uint(w, "Cap", 142);
	jsonw_bool(w, "MachineAuthorized", true);
	jsonw_bool(w, "Online", true);
	jsonw_object_end(w);
}

static void tell(const char *what, uint64_t count, uint64_t us, size_t bytes)
{
	double each = (double)us * 1000 / (double)count;
	printf("%-16s %8.0f ns %8zu bytes %8.0f MB/s\n", what, each, bytes, (double)bytes / each * 1000);
	printf("{\"bench\":\"jsonw\",\"case\":\"%s\",\"ns\":%.0f,\"bytes\":%zu,\"count\":%llu}\n", what, each, bytes, (unsigned long long)count);
}

static int bench_peers(struct buffer *out)
{
	struct peer peer;
	make_peer(&peer);
	uint64_t start = clock_mono_us();
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct jsonw w;
		buffer_reset(out);
		jsonw_start(&w, out);
		jsonw_array(&w, NULL);
		for (unsigned i = 0; i < PEERS; i++) {
			peer.id = 1000000 + i;
			write_peer(&w, &peer);
		}
		jsonw_array_end(&w);
		if (jsonw_end(&w))
			return 1;
	}
	tell("peer", PEERS * ROUNDS, clock_mono_us() - start, out->len / PEERS);
	return 0;
}

static int bench_text(struct buffer *out, const char *what, struct bytes text)
{
	enum { TEXTS = 1000000 };
	uint64_t start = clock_mono_us();
	struct jsonw w;
	jsonw_start(&w, out);
	for (unsigned i = 0; i < TEXTS; i++) {
		buffer_reset(out);
		jsonw_text(&w, "name", text);
	}
	if (jsonw_end(&w))
		return 1;
	tell(what, TEXTS, clock_mono_us() - start, out->len);
	return 0;
}

int main(void)
{
	struct buffer out;
	buffer_init(&out, 64 << 20);
	int failed = bench_peers(&out) | bench_text(&out, "text of 70", BYTES("nodekey:7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14")) |
		     bench_text(&out, "text escaped", BYTES("Joe's \"Mac\"\n\xc3\xa4\xc3\xb6\xff"));
	buffer_clear(&out);
	return failed;
}
