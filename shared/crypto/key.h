/* Typed 32-byte keys with their text prefixes, so that a machine key cannot stand in for a node key.
 * Not a key store. Private keys are wiped by their owner with key_wipe.
 * Plain values. Source of the text forms: docs/protocol/keys.md (tailscale types/key). */
#ifndef KEY_H
#define KEY_H

#include "bytes.h"
#include "err.h"

enum { KEY_LEN = 32, KEY_TEXT_MAX = 80 }; /* text with the longest prefix and a NUL */

struct machine_key {
	uint8_t raw[KEY_LEN];
}; /* "mkey:" */
struct node_key {
	uint8_t raw[KEY_LEN];
}; /* "nodekey:"; also what a relay knows a client by */
struct disco_key {
	uint8_t raw[KEY_LEN];
}; /* "discokey:" */
struct lock_key {
	uint8_t raw[KEY_LEN];
}; /* "nlpub:", reads "tlpub:" too */
struct private_key {
	uint8_t raw[KEY_LEN];
}; /* X25519 */
struct public_key {
	uint8_t raw[KEY_LEN];
}; /* X25519, a server's or a relay's own */

/* Each parser wants the prefix and exactly 64 hex digits of either case. */
MUST_USE enum err key_parse_machine(struct bytes text, struct machine_key *key);
MUST_USE enum err key_parse_node(struct bytes text, struct node_key *key);
MUST_USE enum err key_parse_disco(struct bytes text, struct disco_key *key);
MUST_USE enum err key_parse_lock(struct bytes text, struct lock_key *key);
size_t key_format_machine(char out[static KEY_TEXT_MAX], const struct machine_key *key);
size_t key_format_node(char out[static KEY_TEXT_MAX], const struct node_key *key);
size_t key_format_disco(char out[static KEY_TEXT_MAX], const struct disco_key *key);
size_t key_format_challenge(char out[static KEY_TEXT_MAX], const struct public_key *key); /* "chalpub:" */

/* "[AbCdE]": the short form of logs. */
enum { KEY_SHORT_MAX = 8 };
const char *key_short(char out[static KEY_SHORT_MAX], const uint8_t raw[static KEY_LEN]);

bool key_is_zero(const uint8_t raw[static KEY_LEN]);
bool key_equal(const uint8_t a[static KEY_LEN], const uint8_t b[static KEY_LEN]); /* constant time */
void key_wipe(void *key, size_t size);
void key_mint(struct private_key *key, struct public_key *public_key); /* fresh and clamped */
void key_public(const struct private_key *key, struct public_key *public_key);

void random_fill(void *out, size_t len);
uint64_t random_number(void);

#endif
