/* Attributes, warnings and the keys that sign for nodes, on a real database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attributes.h"
#include "nodes_fixture.h"
#include "serverkeys.h"
#include "warnings.h"

#define A(name, text) \
	{ \
		.key = name, .value = text, .updated = WALL_ZERO, .expiry = WALL_ZERO \
	}

static uint64_t a_node(void)
{
	struct joined in = enroll(join_of(1, "laptop"));
	assert_int_equal(in.e, ERR_NONE);
	return in.node.id;
}

static enum err set(uint64_t in, uint64_t node, const struct attribute *attributes, size_t count)
{
	struct tx *tx = tx_begin(pg, in, TX_WRITE);
	attributes_set(tx, node, attributes, count);
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static const char *all_attributes(void)
{
	return fixture_sql(fx, "SELECT coalesce(string_agg(key || '=' || value, ' ' ORDER BY key), '') FROM fleetscale.node_attributes");
}

static void attributes_are_set_kept_and_deleted(void **state)
{
	uint64_t id = a_node();
	(void)state;
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:a"), BYTES("1")), A(BYTES("custom:b"), BYTES("\"x, \\\\ {y}\""))}, 2), ERR_NONE);
	assert_string_equal(all_attributes(), "custom:a=1 custom:b=\"x, \\\\ {y}\"");
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:a"), BYTES_NONE), A(BYTES("custom:c"), BYTES("true"))}, 2), ERR_NONE);
	assert_string_equal(all_attributes(), "custom:b=\"x, \\\\ {y}\" custom:c=true");
	/* What is not there may be deleted; nobody else's node may be named. */
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:zz"), BYTES_NONE)}, 1), ERR_NONE);
	assert_int_equal(set(tailnet, id + 1000, (struct attribute[]){A(BYTES("custom:a"), BYTES("1"))}, 1), ERR_NOT_FOUND);
	assert_int_equal(set(tailnet + 1000, id, (struct attribute[]){A(BYTES("custom:a"), BYTES("1"))}, 1), ERR_NOT_FOUND);
	assert_string_equal(all_attributes(), "custom:b=\"x, \\\\ {y}\" custom:c=true");
}

static void attributes_are_so_many(void **state)
{
	uint64_t id = a_node();
	struct attribute many[ATTRIBUTES_MAX];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = (struct attribute)A(bytes_text(arena_format(arena, "custom:%zu", i)), BYTES("0"));
	assert_int_equal(set(tailnet, id, many, COUNT_OF(many)), ERR_NONE);
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:one-more"), BYTES("1"))}, 1), ERR_EXHAUSTED);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.node_attributes"), "64");
	/* One for another. */
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:one-more"), BYTES("1")), A(BYTES("custom:0"), BYTES_NONE)}, 2), ERR_NONE);
}

struct raced {
	bool done;
	enum err e;
};

static void on_raced(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct raced *r = context;
	(void)tx, (void)why;
	*r = (struct raced){true, e};
}

/* Two coordinators at once: neither sees the other's attributes, yet both together must not pass the cap. */
static void two_updates_at_once_count_together(void **state)
{
	enum { EACH = ATTRIBUTES_MAX / 2 + 1 };
	uint64_t id = a_node();
	struct pg *pools[] = {pg, other};
	struct raced raced[2] = {{false, ERR_NONE}, {false, ERR_NONE}};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct attribute many[EACH];
		for (size_t j = 0; j < EACH; j++)
			many[j] = (struct attribute)A(bytes_text(arena_format(arena, "custom:%zu-%zu", i, j)), BYTES("0"));
		struct tx *tx = tx_begin(pools[i], tailnet, TX_WRITE);
		attributes_set(tx, id, many, EACH);
		tx_run(tx, on_raced, &raced[i]);
	}
	for (size_t i = 0; i < 2; i++)
		assert_true(fixture_wait(loop, &raced[i].done, 10000));
	assert_true((raced[0].e == ERR_NONE) != (raced[1].e == ERR_NONE));
	assert_int_equal(raced[raced[0].e == ERR_NONE].e, ERR_EXHAUSTED);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.node_attributes"), "33");
}

static void see_attributes(void *context, struct tx *tx)
{
	struct attribute *list;
	assert_int_equal(attributes_read(tx, *(unsigned *)context, arena, &list), 2);
	assert_true(bytes_equal_text(list[0].key, "custom:a") && bytes_equal_text(list[0].value, "1") && !wall_is_zero(list[0].updated));
	assert_true(bytes_equal_text(list[1].key, "custom:b") && bytes_equal_text(list[1].value, "true"));
}

static void see_no_attributes(void *context, struct tx *tx)
{
	assert_int_equal(tx_rows(tx, *(unsigned *)context), 0);
}

static void attributes_are_read_in_their_tailnet_alone(void **state)
{
	uint64_t id = a_node();
	(void)state;
	assert_int_equal(set(tailnet, id, (struct attribute[]){A(BYTES("custom:b"), BYTES("true")), A(BYTES("custom:a"), BYTES("1"))}, 2), ERR_NONE);
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	unsigned at = attributes_list(tx, id);
	assert_int_equal(fixture_run(loop, tx, see_attributes, &at, NULL), ERR_NONE);
	tx = tx_begin(pg, tailnet + 1000, TX_READ);
	at = attributes_list(tx, id);
	assert_int_equal(fixture_run(loop, tx, see_no_attributes, &at, NULL), ERR_NONE);
	/* They go with their node. */
	tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_delete(tx, id);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	assert_string_equal(all_attributes(), "");
}

static enum err give(uint64_t in, uint64_t node, struct attribute attribute)
{
	struct tx *tx = tx_begin(pg, in, TX_WRITE);
	attributes_give(tx, node, &attribute);
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static enum err drop(uint64_t node, const char *key)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	attributes_drop(tx, node, bytes_text(key));
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static void what_an_administrator_gives_is_not_the_nodes(void **state)
{
	uint64_t id = a_node();
	struct attribute own[] = {A(BYTES("custom:a"), BYTES("1")), A(BYTES("custom:b"), BYTES("2"))}, gone[] = {A(BYTES("custom:a"), BYTES_NONE)};
	(void)state;
	assert_int_equal(set(tailnet, id, own, 2), ERR_NONE);
	assert_int_equal(give(tailnet, id, (struct attribute)A(BYTES("custom:a"), BYTES("true"))), ERR_NONE);
	assert_string_equal(all_attributes(), "custom:a=true custom:b=2");
	assert_int_equal(set(tailnet, id, own, 2), ERR_DENIED);
	assert_int_equal(set(tailnet, id, gone, 1), ERR_DENIED);
	assert_int_equal(set(tailnet, id, own + 1, 1), ERR_NONE);
	assert_string_equal(all_attributes(), "custom:a=true custom:b=2");
	assert_int_equal(give(tailnet, id + 1000, own[0]), ERR_NOT_FOUND);
	assert_int_equal(give(tailnet + 1000, id, own[0]), ERR_NOT_FOUND);
	assert_int_equal(drop(id, "custom:b"), ERR_NONE);
	assert_int_equal(drop(id, "custom:b"), ERR_NOT_FOUND);
	assert_int_equal(drop(id, "custom:a"), ERR_NONE);
	assert_int_equal(set(tailnet, id, own, 2), ERR_NONE);
}

struct ended {
	bool done;
	size_t count;
	struct nodes_due first;
};

static void on_ended(void *context, enum err e, const struct nodes_due *due, size_t count)
{
	struct ended *ended = context;
	assert_int_equal(e, ERR_NONE);
	*ended = (struct ended){true, count, count ? due[0] : (struct nodes_due){0}};
}

static struct ended find_ended(struct wall now)
{
	struct ended ended = {0};
	attributes_find_ended(pg, now, 100, on_ended, &ended);
	assert_true(fixture_wait(loop, &ended.done, 10000));
	return ended;
}

static void end_at(uint64_t node, struct wall now)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	attributes_end(tx, &node, 1, now);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
}

static void see_one_attribute(void *context, struct tx *tx)
{
	struct attribute *list;
	assert_int_equal(attributes_read(tx, *(unsigned *)context, arena, &list), 1);
	assert_true(bytes_equal_text(list[0].key, "custom:b") && list[0].given && !wall_is_zero(list[0].expiry) && bytes_equal_text(list[0].note, "why"));
}

static void attributes_end_in_time(void **state)
{
	uint64_t id = a_node();
	struct wall now = clock_wall(), past = wall_add_ms(now, -1000), later = wall_add_ms(now, 3600 * 1000);
	const char *lines = "SELECT count(*) FROM fleetscale.journal WHERE kind = 'node-attributes'";
	(void)state;
	assert_int_equal(give(tailnet, id, (struct attribute){BYTES("custom:a"), BYTES("1"), .expiry = past}), ERR_NONE);
	assert_int_equal(give(tailnet, id, (struct attribute){BYTES("custom:b"), BYTES("1"), .expiry = later, .note = BYTES("why")}), ERR_NONE);
	/* What has ended is not seen, whether or not somebody took it away. */
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	unsigned at = attributes_list(tx, id);
	assert_int_equal(fixture_run(loop, tx, see_one_attribute, &at, NULL), ERR_NONE);
	struct ended ended = find_ended(now);
	assert_true(ended.count == 1 && ended.first.node == id && ended.first.tailnet == tailnet);
	end_at(id, now);
	assert_string_equal(all_attributes(), "custom:b=1");
	assert_string_equal(fixture_sql(fx, lines), "3");
	assert_int_equal(find_ended(now).count, 0);
	end_at(id, now);
	assert_string_equal(fixture_sql(fx, lines), "3");
	/* Given anew meanwhile: it stays. */
	assert_int_equal(find_ended(wall_add_ms(later, 1)).count, 1);
	assert_int_equal(give(tailnet, id, (struct attribute)A(BYTES("custom:b"), BYTES("2"))), ERR_NONE);
	end_at(id, wall_add_ms(later, 1));
	assert_string_equal(all_attributes(), "custom:b=2");
}

static enum err warn(uint64_t node, const char *subsystem, const char *message)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	warnings_set(tx, node, bytes_text(subsystem), bytes_text(message));
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static void see_warning(void *context, struct tx *tx)
{
	struct warning *list;
	assert_int_equal(warnings_read(tx, *(unsigned *)context, arena, &list), 1);
	assert_true(bytes_equal_text(list[0].subsystem, "dns") && bytes_equal_text(list[0].message, "worse") && list[0].node);
}

static void warnings_are_the_latest_of_each_subsystem(void **state)
{
	uint64_t id = a_node();
	char name[16];
	(void)state;
	assert_int_equal(warn(id, "dns", "bad"), ERR_NONE);
	assert_int_equal(warn(id, "router", "bad too"), ERR_NONE);
	assert_int_equal(warn(id, "dns", "worse"), ERR_NONE);
	assert_int_equal(warn(id, "router", ""), ERR_NONE);
	assert_int_equal(warn(id, "router", ""), ERR_NONE);
	assert_int_equal(warn(id + 1000, "dns", "not mine"), ERR_NOT_FOUND);
	for (uint64_t which = 0; which <= id; which += id) {
		struct tx *tx = tx_begin(pg, tailnet, TX_READ);
		unsigned at = warnings_list(tx, which);
		assert_int_equal(fixture_run(loop, tx, see_warning, &at, NULL), ERR_NONE);
	}
	for (int i = 0; i < WARNINGS_MAX + 5; i++) {
		snprintf(name, sizeof name, "s%d", i);
		assert_int_equal(warn(id, name, "x"), ERR_NONE);
	}
	assert_string_equal(fixture_sql(fx, "SELECT count(*) || ' ' || max(message) FROM fleetscale.node_health WHERE subsystem = 'dns' OR message = 'x'"),
			    "32 x");
	/* A known one still changes. */
	assert_int_equal(warn(id, "dns", "other"), ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT message FROM fleetscale.node_health WHERE subsystem = 'dns'"), "other");
}

struct identity {
	bool done;
	enum err e;
	size_t count;
	struct identity_key keys[SERVERKEYS_MAX];
};

static void on_identity(void *context, enum err e, const struct identity_key *keys, size_t count)
{
	struct identity *i = context;
	i->done = true;
	i->e = e;
	i->count = count;
	memcpy(i->keys, keys, count * sizeof *keys);
}

static struct identity ask(void)
{
	struct identity i = {.done = false};
	serverkeys_identity(pg, on_identity, &i);
	assert_false(i.done);
	assert_true(fixture_wait(loop, &i.done, 10000));
	return i;
}

static void identity_keys_are_read_newest_first(void **state)
{
	(void)state;
	struct identity i = ask();
	assert_int_equal(i.e, ERR_NONE);
	assert_int_equal(i.count, 1);
	assert_true(wall_is_zero(i.keys[0].until) && strlen(i.keys[0].key.id) == 43);
	fixture_sql(fx, "INSERT INTO fleetscale.serverkeys (kind, private_key, valid_from) "
			"VALUES ('identity', decode(repeat('11', 32), 'hex'), now() + interval '1h')");
	fixture_sql(fx, "INSERT INTO fleetscale.serverkeys (kind, private_key, valid_from, valid_until) "
			"VALUES ('identity', decode(repeat('22', 32), 'hex'), now() - interval '2d', now() - interval '2h')");
	struct identity more = ask();
	assert_int_equal(more.count, 2);
	assert_int_equal(more.keys[0].key.scalar[0], 0x11);
	assert_string_equal(more.keys[1].key.id, i.keys[0].key.id);
	fixture_sql(fx, "DELETE FROM fleetscale.serverkeys WHERE kind = 'identity'");
	assert_int_equal(ask().e, ERR_NOT_FOUND);
	fixture_sql(fx, "INSERT INTO fleetscale.serverkeys (kind, private_key) VALUES ('identity', decode(repeat('00', 32), 'hex'))");
	assert_int_equal(ask().e, ERR_BUG);
}

struct signing {
	bool done;
	enum err e;
	size_t count;
	struct signing_key keys[SERVERKEYS_MAX];
};

static void on_signing(void *context, enum err e, const struct signing_key *keys, size_t count)
{
	struct signing *s = context;
	s->done = true;
	s->e = e;
	s->count = count;
	memcpy(s->keys, keys, count * sizeof *keys);
}

static struct signing signing(void)
{
	struct signing s = {.done = false};
	serverkeys_signing(pg, on_signing, &s);
	assert_false(s.done);
	assert_true(fixture_wait(loop, &s.done, 10000));
	return s;
}

/* Through a rotation: one that will sign, then signs; the one before until its end. */
static void keys_of_answers_are_read_as_they_change(void **state)
{
	(void)state;
	struct signing s = signing();
	assert_int_equal(s.e, ERR_NONE);
	assert_int_equal(s.count, 1);
	struct sign_key first = s.keys[0].key, key;
	assert_ptr_equal(serverkeys_signer(s.keys, s.count, clock_wall()), &s.keys[0]);
	fixture_sql(fx, "INSERT INTO fleetscale.serverkeys (kind, private_key, valid_from) "
			"VALUES ('relays', decode(repeat('11', 32), 'hex'), now() + interval '1h')");
	s = signing();
	assert_int_equal(s.count, 2);
	sign_public(s.keys[0].seed, &key);
	assert_true(s.keys[0].seed[31] == 0x11 && memcmp(&key, &s.keys[0].key, sizeof key) == 0);
	assert_ptr_equal(serverkeys_signer(s.keys, s.count, clock_wall()), &s.keys[1]);
	assert_memory_equal(&s.keys[1].key, &first, sizeof first);
	fixture_sql(fx, "UPDATE fleetscale.serverkeys SET valid_from = now() WHERE kind = 'relays' AND valid_from > now()");
	s = signing();
	assert_ptr_equal(serverkeys_signer(s.keys, s.count, clock_wall()), &s.keys[0]);
	assert_int_equal(s.keys[0].seed[0], 0x11);
	fixture_sql(fx, "UPDATE fleetscale.serverkeys SET valid_until = now() WHERE kind = 'relays' AND private_key <> decode(repeat('11', 32), 'hex')");
	assert_int_equal(signing().count, 1);
	fixture_sql(fx, "UPDATE fleetscale.serverkeys SET valid_until = now() WHERE kind = 'relays'");
	assert_int_equal(signing().e, ERR_NOT_FOUND);
}

static void mappers_read_no_key_and_no_warning(void **state)
{
	(void)state;
	const char *value;
	a_node();
	assert_string_equal(fixture_sql_as(fx, "fleetscale_mapper", tailnet, "SELECT count(*) FROM fleetscale.serverkeys", &value), "42501");
	assert_string_equal(fixture_sql_as(fx, "fleetscale_mapper", tailnet, "DELETE FROM fleetscale.node_attributes", &value), "25006");
	assert_string_equal(fixture_sql_as(fx, "fleetscale_mapper", tailnet, "SELECT count(*) FROM fleetscale.node_health", &value), "42501");
	assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", tailnet, "SELECT count(*) FROM fleetscale.node_attributes", &value), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attributes_are_set_kept_and_deleted, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(attributes_are_so_many, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(two_updates_at_once_count_together, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(attributes_are_read_in_their_tailnet_alone, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(what_an_administrator_gives_is_not_the_nodes, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(attributes_end_in_time, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(warnings_are_the_latest_of_each_subsystem, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(identity_keys_are_read_newest_first, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(keys_of_answers_are_read_as_they_change, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(mappers_read_no_key_and_no_warning, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
