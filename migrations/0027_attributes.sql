-- What a policy decides when machines join: tags that they ask for, pools that their addresses come from. And attributes that administrators give to nodes.

-- The version of the policy in force in the tailnet of an auth key; 0: there is none.
CREATE FUNCTION fleetscale.register_policy(key_prefix text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce((SELECT p.version FROM fleetscale.authkeys a JOIN fleetscale.policies p ON p.tailnet_id = a.tailnet_id
		WHERE a.prefix = key_prefix ORDER BY p.version DESC LIMIT 1), 0);
END $$;

-- This machine's tagged node in the auth key's tailnet: the one that this very key let in, else the latest.
CREATE FUNCTION fleetscale.register_tagged(machine bytea, key_prefix text)
RETURNS TABLE (what text, node fleetscale.nodes, owner fleetscale.users, tailnet fleetscale.tailnets)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT 't', n, NULL::fleetscale.users, t
	FROM fleetscale.authkeys a JOIN fleetscale.nodes n ON n.machine_key = machine AND n.tailnet_id + 0 = a.tailnet_id AND cardinality(n.tags) > 0
	JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
	WHERE a.prefix = key_prefix
	ORDER BY n.authkey_id IS NOT DISTINCT FROM a.id DESC, n.id DESC LIMIT 1;
END $$;

-- --- addresses --------------------------------------------------------------------------------------------------------------------------------------------

-- As in 0007, but each address is looked at before it is given: a pool may have given out what lies ahead.
CREATE OR REPLACE FUNCTION fleetscale.address_take(family_wanted integer) RETURNS inet
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	range cidr;
	place bigint;
	wrapped boolean;
	origin bigint;
	again boolean := false;
	found inet;
	following bigint;
BEGIN
	SELECT CASE family_wanted WHEN 4 THEN t.range4 ELSE t.range6 END,
		CASE family_wanted WHEN 4 THEN c.next4 ELSE c.next6 END,
		CASE family_wanted WHEN 4 THEN c.wrapped4 ELSE c.wrapped6 END
	INTO range, place, wrapped
	FROM fleetscale.cursors c JOIN fleetscale.tailnets t ON t.id = c.tailnet_id
	WHERE c.tailnet_id = mine FOR UPDATE OF c;
	IF range IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
	origin := place;
	LOOP
		SELECT a.address, a.following INTO found, following FROM fleetscale.address_next(range, place) a;
		IF found IS NULL THEN
			-- The end. The whole range once around at most.
			IF again THEN
				EXIT;
			END IF;
			again := true;
			IF NOT wrapped THEN
				wrapped := true;
				origin := 9223372036854775807;
			END IF;
			place := 1;
			CONTINUE;
		END IF;
		IF again AND place >= origin THEN
			found := NULL;
			EXIT;
		END IF;
		IF family_wanted = 4 THEN
			EXIT WHEN NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.ip4 = found);
		ELSE
			-- Pools are of the other family.
			EXIT WHEN NOT wrapped OR NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.ip6 = found);
		END IF;
		place := following;
	END LOOP;
	IF found IS NULL THEN
		PERFORM fleetscale.refuse('FS005', format('the address range %s of this tailnet is full', range));
	END IF;
	IF family_wanted = 4 THEN
		UPDATE fleetscale.cursors c SET next4 = following, wrapped4 = wrapped WHERE c.tailnet_id = mine;
	ELSE
		UPDATE fleetscale.cursors c SET next6 = following, wrapped6 = wrapped WHERE c.tailnet_id = mine;
	END IF;
	RETURN found;
END $$;

-- The offset in its pool from which on the next address is looked for.
CREATE TABLE fleetscale.pool_cursors (
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	pool cidr NOT NULL CHECK (family(pool) = 4),
	next bigint NOT NULL,
	PRIMARY KEY (tailnet_id, pool)
) WITH (fillfactor = 50);
ALTER TABLE fleetscale.pool_cursors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.pool_cursors USING (tailnet_id + 0 = fleetscale.current_tailnet());
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.pool_cursors TO fleetscale_coordinator;
GRANT SELECT, INSERT, UPDATE ON fleetscale.pool_cursors TO fleetscale_lookup;

-- A free address of a pool within the tailnet's range, once around from offset `start` on, and its offset; no row when it is full.
-- Ends of a pool are as good as its middle; those of the range are never given out, nor are the blocks of address_block.
CREATE FUNCTION fleetscale.pool_next(mine bigint, pool cidr, range cidr, start bigint, OUT address inet, OUT place bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	base inet := set_masklen(pool::inet, 32);
	size bigint := 1::bigint << (32 - masklen(pool));
	at bigint := 0;
BEGIN
	-- In pieces: the first has a free one nearly always.
	WHILE at < size LOOP
		SELECT base + (start + g) % size, (start + g) % size INTO address, place FROM generate_series(at, least(at + 4095, size - 1)) AS s (g)
		WHERE NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.ip4 = base + (start + s.g) % size)
			AND base + (start + g) % size NOT IN (set_masklen(range::inet, 32), set_masklen(broadcast(range), 32))
			AND fleetscale.address_block(base + (start + g) % size) IS NULL
		LIMIT 1;
		EXIT WHEN address IS NOT NULL;
		at := at + 4096;
	END LOOP;
END $$;

-- Takes the next address of the first of these pools that has one. FS005: they are full, or no part of the tailnet's range.
CREATE FUNCTION fleetscale.address_take_pool(pools cidr[]) RETURNS inet
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	range cidr;
	piece cidr;
	start bigint;
	got record;
BEGIN
	SELECT t.range4 INTO range FROM fleetscale.tailnets t WHERE t.id = mine;
	IF range IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
	FOREACH piece IN ARRAY pools LOOP
		piece := CASE WHEN piece <<= range THEN piece WHEN range <<= piece THEN range END;
		CONTINUE WHEN piece IS NULL;
		SELECT c.next INTO start FROM fleetscale.pool_cursors c WHERE c.tailnet_id = mine AND c.pool = piece FOR UPDATE;
		SELECT p.address, p.place INTO got FROM fleetscale.pool_next(mine, piece, range, coalesce(start, 0)) p;
		CONTINUE WHEN got.address IS NULL;
		INSERT INTO fleetscale.pool_cursors AS c (tailnet_id, pool, next) VALUES (mine, piece, got.place + 1)
		ON CONFLICT ON CONSTRAINT pool_cursors_pkey DO UPDATE SET next = excluded.next;
		RETURN got.address;
	END LOOP;
	PERFORM fleetscale.refuse('FS005', format('the address pool %s that the policy gives this node is full', array_to_string(pools, ', ')));
END $$;

-- --- joining ----------------------------------------------------------------------------------------------------------------------------------------------

-- As in 0016; pools: where its IPv4 address comes from, if not from the whole range.
CREATE FUNCTION fleetscale.node_insert(user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text,
	capver integer, routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, authkey bigint, consume boolean, method integer, pools cidr[])
RETURNS fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	made fleetscale.nodes;
BEGIN
	PERFORM fleetscale.tailnet_admits(true);
	INSERT INTO fleetscale.nodes AS n (tailnet_id, user_id, tags, machine_key, node_key, lock_key, label, ip4, ip6, hostinfo, capver, routes_advertised, expiry,
		expiry_told, ephemeral, approved, authkey_id, register_method)
	VALUES (fleetscale.current_tailnet(), user_id, tags, machine_key, node_key, lock_key, fleetscale.label_take(base),
		CASE WHEN cardinality(pools) > 0 THEN fleetscale.address_take_pool(pools) ELSE fleetscale.address_take(4) END,
		fleetscale.address_take(6), hostinfo, capver, routes, expiry, CASE WHEN expiry <= now() THEN expiry END, ephemeral, approved, authkey, method)
	RETURNING n.* INTO made;
	IF authkey IS NOT NULL THEN
		PERFORM fleetscale.authkey_use(authkey, made.id, consume);
	END IF;
	PERFORM fleetscale.note('node-added', made.id);
	RETURN made;
END $$;

-- As in 0007, with pools.
CREATE FUNCTION fleetscale.node_enroll(user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text, capver integer,
	routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, authkey bigint, consume boolean, method integer, pools cidr[],
	OUT code text, OUT sentence text, OUT broken text, OUT node fleetscale.nodes)
LANGUAGE plpgsql AS $$
BEGIN
	node := fleetscale.node_insert(user_id, tags, machine_key, node_key, lock_key, base, hostinfo, capver, routes, expiry, ephemeral, approved, authkey, consume,
		method, pools);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, sentence = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
	IF left(code, 2) NOT IN ('FS', '22', '23') THEN
		RAISE;
	END IF;
	node := NULL;
END $$;

-- As in 0016, with tags instead of a user, and pools. One machine has one node of an owner, and one tagged node that logins made.
CREATE FUNCTION fleetscale.login_enroll(login_hash bytea, user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text,
	hostinfo text, capver integer, routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, method integer, pools cidr[])
RETURNS SETOF fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	login bigint;
	made fleetscale.nodes;
BEGIN
	login := fleetscale.login_claim(login_hash);
	PERFORM fleetscale.lock_tailnet();
	IF EXISTS (SELECT FROM fleetscale.nodes n WHERE n.machine_key = machine_key
		AND CASE WHEN cardinality(tags) > 0 THEN cardinality(n.tags) > 0 ELSE n.user_id = user_id END) THEN
		PERFORM fleetscale.refuse('FS003', 'this machine joined meanwhile');
	END IF;
	made := fleetscale.node_insert(user_id, tags, machine_key, node_key, lock_key, base, hostinfo, capver, routes, expiry, ephemeral, approved, NULL, false, method,
		pools);
	UPDATE fleetscale.logins l SET node_id = made.id WHERE l.id = login;
	RETURN NEXT made;
END $$;

-- --- attributes -------------------------------------------------------------------------------------------------------------------------------------------

ALTER TABLE fleetscale.node_attributes
	ADD expiry timestamptz,
	-- An administrator said so: the node cannot change it.
	ADD given boolean NOT NULL DEFAULT false,
	ADD note text NOT NULL DEFAULT '' CHECK (octet_length(note) <= 256);
CREATE INDEX node_attributes_expiring ON fleetscale.node_attributes (expiry) WHERE expiry IS NOT NULL;

-- As in 0024. FS004: an administrator gave it.
CREATE OR REPLACE FUNCTION fleetscale.set_node_attributes(wanted bigint, keys text[], vals text[], most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	gone bigint;
	come bigint;
	taken text;
BEGIN
	PERFORM fleetscale.hold_node(wanted);
	SELECT a.key INTO taken FROM fleetscale.node_attributes a WHERE a.node_id = wanted AND a.key = ANY (keys) AND a.given ORDER BY a.key LIMIT 1;
	PERFORM fleetscale.want(taken IS NULL, 'FS004', format('%s was set by an administrator', taken));
	DELETE FROM fleetscale.node_attributes a USING unnest(keys, vals) AS u (k, v) WHERE a.node_id = wanted AND a.key = u.k AND u.v = '';
	GET DIAGNOSTICS gone = ROW_COUNT;
	INSERT INTO fleetscale.node_attributes AS a (tailnet_id, node_id, key, value)
	SELECT fleetscale.current_tailnet(), wanted, u.k, u.v FROM unnest(keys, vals) AS u (k, v) WHERE u.v <> ''
	ON CONFLICT (node_id, key) DO UPDATE SET value = excluded.value, updated = now() WHERE a.value <> excluded.value;
	GET DIAGNOSTICS come = ROW_COUNT;
	PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.node_attributes a WHERE a.node_id = wanted) <= most, 'FS005',
		format('a node has at most %s attributes', most));
	IF gone + come > 0 THEN
		PERFORM fleetscale.note('node-attributes', wanted);
	END IF;
END $$;

-- What an administrator gives: it stands instead of what the node said. FS005: more than `most` would stand.
CREATE FUNCTION fleetscale.give_node_attribute(wanted bigint, name text, val text, ends timestamptz, remark text, most integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM fleetscale.hold_node(wanted);
	INSERT INTO fleetscale.node_attributes AS a (tailnet_id, node_id, key, value, expiry, given, note)
	VALUES (fleetscale.current_tailnet(), wanted, name, val, ends, true, remark)
	ON CONFLICT (node_id, key) DO UPDATE SET value = val, expiry = ends, given = true, note = remark, updated = now();
	PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.node_attributes a WHERE a.node_id = wanted) <= most, 'FS005',
		format('a node has at most %s attributes', most));
	PERFORM fleetscale.note('node-attributes', wanted);
END $$;

-- Whoever set it. FS001: no such node, or it has no such attribute.
CREATE FUNCTION fleetscale.drop_node_attribute(wanted bigint, name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM fleetscale.hold_node(wanted);
	DELETE FROM fleetscale.node_attributes a WHERE a.node_id = wanted AND a.key = name;
	PERFORM fleetscale.want(FOUND, 'FS001', 'the node has no such attribute');
	PERFORM fleetscale.note('node-attributes', wanted);
END $$;

-- Nodes with attributes that have ended, over all tailnets.
CREATE FUNCTION fleetscale.attributes_ended(as_of timestamptz, most integer)
RETURNS TABLE (tailnet_id bigint, id bigint, last_seen timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT DISTINCT d.tailnet_id, d.node_id, as_of FROM (
		SELECT a.tailnet_id, a.node_id FROM fleetscale.node_attributes a WHERE a.expiry <= as_of ORDER BY a.expiry LIMIT most) AS d
	ORDER BY d.tailnet_id, d.node_id;
END $$;

-- Ends those of these nodes, a journal line for each node that had any. Nodes by id, so that two batches never wait for each other in a circle.
CREATE FUNCTION fleetscale.end_attributes(nodes bigint[], as_of timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	number bigint;
BEGIN
	FOR number IN SELECT n.id FROM fleetscale.nodes n WHERE n.id = ANY (nodes) ORDER BY n.id FOR NO KEY UPDATE LOOP
		DELETE FROM fleetscale.node_attributes a WHERE a.node_id = number AND a.expiry <= as_of;
		IF FOUND THEN
			PERFORM fleetscale.note('node-attributes', number);
		END IF;
	END LOOP;
END $$;

-- What has ended does not wait for its duty.
CREATE OR REPLACE FUNCTION fleetscale.journal_attributes(known bigint) RETURNS SETOF fleetscale.node_attributes
LANGUAGE plpgsql STABLE AS $$
DECLARE
	subjects bigint[] := ARRAY(SELECT j.subject FROM fleetscale.journal j
		WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind LIKE 'node-%');
BEGIN
	RETURN QUERY SELECT a.* FROM fleetscale.node_attributes a WHERE a.node_id = ANY (subjects) AND (a.expiry IS NULL OR a.expiry > now())
		ORDER BY a.node_id, a.key COLLATE "C";
END $$;

-- --- who may ----------------------------------------------------------------------------------------------------------------------------------------------

GRANT SELECT ON fleetscale.policies, fleetscale.node_attributes TO fleetscale_lookup;
GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.register_policy(text) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.register_tagged(bytea, text) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.pool_next(bigint, cidr, cidr, bigint) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.address_take_pool(cidr[]) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.attributes_ended(timestamptz, integer) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;

REVOKE ALL ON FUNCTION fleetscale.register_policy(text), fleetscale.register_tagged(bytea, text), fleetscale.pool_next(bigint, cidr, cidr, bigint),
	fleetscale.address_take_pool(cidr[]), fleetscale.attributes_ended(timestamptz, integer),
	fleetscale.give_node_attribute(bigint, text, text, timestamptz, text, integer), fleetscale.drop_node_attribute(bigint, text),
	fleetscale.end_attributes(bigint[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.register_policy(text), fleetscale.register_tagged(bytea, text), fleetscale.address_take_pool(cidr[]),
	fleetscale.attributes_ended(timestamptz, integer), fleetscale.give_node_attribute(bigint, text, text, timestamptz, text, integer),
	fleetscale.drop_node_attribute(bigint, text), fleetscale.end_attributes(bigint[], timestamptz) TO fleetscale_coordinator;
