#include "relayprobes.h"

#include "rows.h"

struct columns {
	uint64_t *to, *age, *connect, *trip, *stun, *mesh;
	struct bytes *relay_kind, *stun_kind, *mesh_kind;
};

static struct columns columns_new(struct arena *a, size_t count)
{
	return (struct columns){
		.to = ARENA_ARRAY(a, uint64_t, count + 1),
		.age = ARENA_ARRAY(a, uint64_t, count + 1),
		.connect = ARENA_ARRAY(a, uint64_t, count + 1),
		.trip = ARENA_ARRAY(a, uint64_t, count + 1),
		.stun = ARENA_ARRAY(a, uint64_t, count + 1),
		.mesh = ARENA_ARRAY(a, uint64_t, count + 1),
		.relay_kind = ARENA_ARRAY(a, struct bytes, count + 1),
		.stun_kind = ARENA_ARRAY(a, struct bytes, count + 1),
		.mesh_kind = ARENA_ARRAY(a, struct bytes, count + 1),
	};
}

unsigned relayprobes_put(struct tx *tx, const struct relay_token *token, struct bytes name, const struct node_key *key, const struct relayprobe *probes,
			 size_t count)
{
	struct columns c = columns_new(tx_arena(tx), count);
	for (size_t i = 0; i < count; i++) {
		c.to[i] = probes[i].to;
		c.age[i] = probes[i].age_ms;
		c.connect[i] = probes[i].connect_us;
		c.trip[i] = probes[i].trip_us;
		c.stun[i] = probes[i].stun_us;
		c.mesh[i] = probes[i].mesh_us;
		c.relay_kind[i] = probes[i].relay;
		c.stun_kind[i] = probes[i].stun;
		c.mesh_kind[i] = probes[i].mesh;
	}
	tx_arg_u64(tx, token->id);
	tx_arg_text(tx, name);
	tx_arg_bytea(tx, bytes_of(key->raw, KEY_LEN));
	tx_arg_u64s(tx, c.to, count);
	tx_arg_u64s(tx, c.age, count);
	tx_arg_texts(tx, c.relay_kind, count);
	tx_arg_texts(tx, c.stun_kind, count);
	tx_arg_texts(tx, c.mesh_kind, count);
	tx_arg_u64s(tx, c.connect, count);
	tx_arg_u64s(tx, c.trip, count);
	tx_arg_u64s(tx, c.stun, count);
	tx_arg_u64s(tx, c.mesh, count);
	return tx_add(tx, "SELECT fleetscale.relay_probed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
}

unsigned relayprobes_page(struct tx *tx, uint64_t from, uint64_t to, unsigned limit)
{
	tx_arg_u64(tx, from);
	tx_arg_u64(tx, to);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT p.from_id, p.to_id, o.name, o.region_id, p.at, p.relay, p.stun, p.mesh, p.connect_us, p.trip_us, p.stun_us, p.mesh_us "
			  "FROM fleetscale.relay_probes p JOIN fleetscale.relays o ON o.id = p.to_id "
			  "WHERE (p.from_id, p.to_id) > ($1, $2) ORDER BY p.from_id, p.to_id LIMIT $3");
}

static uint64_t read_us(struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	return tx_null(tx, statement, row, column) ? 0 : tx_u64(tx, statement, row, column);
}

size_t relayprobes_read(struct tx *tx, unsigned statement, struct arena *arena, struct relayprobe **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct relayprobe, count);
	for (size_t i = 0; i < count; i++) {
		struct relayprobe *p = &(*out)[i];
		unsigned c = 0;
		p->from = tx_u64(tx, statement, i, c++);
		p->to = tx_u64(tx, statement, i, c++);
		p->to_name = rows_text(tx, statement, i, c++, arena);
		p->to_region = (unsigned)tx_u64(tx, statement, i, c++);
		p->at = tx_time(tx, statement, i, c++);
		p->relay = rows_text(tx, statement, i, c++, arena);
		p->stun = rows_text(tx, statement, i, c++, arena);
		p->mesh = rows_text(tx, statement, i, c++, arena);
		p->connect_us = read_us(tx, statement, i, c++);
		p->trip_us = read_us(tx, statement, i, c++);
		p->stun_us = read_us(tx, statement, i, c++);
		p->mesh_us = read_us(tx, statement, i, c++);
	}
	return count;
}
