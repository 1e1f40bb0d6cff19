-- Joining: addresses, names, the using of keys. All of it inside the joining transaction, under the tailnet's generation row.

-- What is never given out. The same as in shared/fleet/ipam.c, which is the rule; a test compares them.
CREATE FUNCTION fleetscale.address_block(address inet) RETURNS cidr
LANGUAGE sql IMMUTABLE
RETURN (SELECT block FROM unnest('{100.100.100.100/32,100.115.92.0/23,fd7a:115c:a1e0::53/128,fd7a:115c:a1e0:b1a::/64,fd7a:115c:a1e0:ab12:4843:cd96:6200::/104}'::cidr[]) AS b (block)
	WHERE address <<= block);

-- The first address at or after an offset of the range that may be given out, and the offset behind it. No row at the end of the range.
CREATE FUNCTION fleetscale.address_next(range cidr, start bigint, OUT address inet, OUT following bigint)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	full_length integer := CASE family(range) WHEN 4 THEN 32 ELSE 128 END;
	host_bits integer := full_length - masklen(range);
	last bigint := CASE WHEN host_bits >= 63 THEN 9223372036854775807 ELSE (1::bigint << host_bits) - 1 END;
	base inet := set_masklen(range::inet, full_length);
	place bigint := greatest(start, 1);
	block cidr;
BEGIN
	WHILE place < last LOOP
		address := base + place;
		block := fleetscale.address_block(address);
		IF block IS NULL THEN
			following := place + 1;
			RETURN;
		END IF;
		EXIT WHEN block >>= range;
		place := set_masklen(broadcast(block), full_length) - base + 1;
	END LOOP;
	address := NULL;
	following := NULL;
END $$;

-- Takes the next address of a family for a node of this tailnet; the cursor moves. FS005 when the range is full.
CREATE FUNCTION fleetscale.address_take(family_wanted integer) RETURNS inet
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
			-- The end. From now on each address is looked at before it is given, and the whole range once around at most.
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
		EXIT WHEN NOT wrapped;
		IF family_wanted = 4 THEN
			EXIT WHEN NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.ip4 = found);
		ELSE
			EXIT WHEN NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.ip6 = found);
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

-- base, base-1, base-2 ...: the n-th candidate. The same as hostname_candidate in shared/fleet/hostname.c; a test compares them.
-- (A base begins with a letter or digit, so that trimming never takes all.)
CREATE FUNCTION fleetscale.label_candidate(base text, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN n = 0 THEN rtrim(left(base, 63), '-') ELSE rtrim(left(base, 62 - length(n::text)), '-') || '-' || n END;

-- A free label of this tailnet for a base. The least suffix, found by doubling and halving: a storm of equal names must not ask for each one taken.
-- (Where names were freed in between, a free one that may not be the least.)
CREATE FUNCTION fleetscale.label_take(base text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	candidate text := fleetscale.label_candidate(base, 0);
	taken bigint := 0;
	free bigint := 1;
	middle bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.label = candidate) THEN
		RETURN candidate;
	END IF;
	LOOP
		candidate := fleetscale.label_candidate(base, free);
		EXIT WHEN NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.label = candidate);
		taken := free;
		free := free * 2;
	END LOOP;
	WHILE free - taken > 1 LOOP
		middle := (taken + free) / 2;
		candidate := fleetscale.label_candidate(base, middle);
		IF EXISTS (SELECT FROM fleetscale.nodes n WHERE n.tailnet_id = mine AND n.label = candidate) THEN
			taken := middle;
		ELSE
			free := middle;
		END IF;
	END LOOP;
	RETURN fleetscale.label_candidate(base, free);
END $$;

-- Was this label made from that base?
CREATE FUNCTION fleetscale.label_is_of(label text, base text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN label = fleetscale.label_candidate(base, 0)
	OR (label ~ '-[1-9][0-9]{0,9}$' AND label = fleetscale.label_candidate(base, substring(label from '([0-9]+)$')::bigint));

-- A key lets a node in: it must still be good, and a one-shot key goes to one node only.
CREATE FUNCTION fleetscale.authkey_use(key bigint, node bigint, consume boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.authkeys;
BEGIN
	-- A reusable key is not locked: storms share it.
	IF consume THEN
		SELECT * INTO held FROM fleetscale.authkeys a WHERE a.id = key FOR UPDATE;
	ELSE
		SELECT * INTO held FROM fleetscale.authkeys a WHERE a.id = key;
	END IF;
	IF held.id IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'invalid key: it does not exist');
	ELSIF held.revoked IS NOT NULL THEN
		PERFORM fleetscale.refuse('FS005', 'invalid key: it was revoked');
	ELSIF NOT held.reusable AND held.used_by IS NOT NULL AND held.used_by <> node THEN
		PERFORM fleetscale.refuse('FS005', 'invalid key: it was good for one machine and is used up');
	END IF;
	IF consume THEN
		UPDATE fleetscale.authkeys a SET used_by = node, used_at = now() WHERE a.id = key;
	END IF;
END $$;

CREATE FUNCTION fleetscale.node_insert(user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text, capver integer,
	routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, authkey bigint, consume boolean, method integer)
RETURNS fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	made fleetscale.nodes;
BEGIN
	INSERT INTO fleetscale.nodes AS n (tailnet_id, user_id, tags, machine_key, node_key, lock_key, label, ip4, ip6, hostinfo, capver, routes_advertised, expiry,
		expiry_told, ephemeral, approved, authkey_id, register_method)
	VALUES (fleetscale.current_tailnet(), user_id, tags, machine_key, node_key, lock_key, fleetscale.label_take(base), fleetscale.address_take(4),
		fleetscale.address_take(6), hostinfo, capver, routes, expiry, CASE WHEN expiry <= now() THEN expiry END, ephemeral, approved, authkey, method)
	RETURNING n.* INTO made;
	IF authkey IS NOT NULL THEN
		PERFORM fleetscale.authkey_use(authkey, made.id, consume);
	END IF;
	PERFORM fleetscale.note('node-added', made.id);
	RETURN made;
END $$;

-- One of several joins that share a transaction: what refuses this one is told in its row and leaves the others alone.
-- What concerns the whole transaction (shutdown, deadlock, time limits, space) is raised as ever.
CREATE FUNCTION fleetscale.node_enroll(user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text, capver integer,
	routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, authkey bigint, consume boolean, method integer,
	OUT code text, OUT sentence text, OUT broken text, OUT node fleetscale.nodes)
LANGUAGE plpgsql AS $$
BEGIN
	node := fleetscale.node_insert(user_id, tags, machine_key, node_key, lock_key, base, hostinfo, capver, routes, expiry, ephemeral, approved, authkey, consume, method);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, sentence = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
	IF left(code, 2) NOT IN ('FS', '22', '23') THEN
		RAISE;
	END IF;
	node := NULL;
END $$;

-- A known node under a new node key. Its first map counts as not sent: until then its client may lose the key again.
CREATE FUNCTION fleetscale.node_rekey(node bigint, was bytea, user_id bigint, tags text[], node_key bytea, lock_key bytea, hostinfo text, capver integer,
	expiry timestamptz, ephemeral boolean, authkey bigint, consume boolean, method integer)
RETURNS SETOF fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	held fleetscale.nodes;
BEGIN
	SELECT * INTO held FROM fleetscale.nodes n WHERE n.id = node FOR UPDATE;
	IF held.id IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such node');
	ELSIF held.node_key <> was THEN
		PERFORM fleetscale.refuse('FS003', 'the node took another key meanwhile');
	END IF;
	IF authkey IS NOT NULL THEN
		PERFORM fleetscale.authkey_use(authkey, node, consume);
	END IF;
	IF held.node_key <> node_key THEN
		PERFORM fleetscale.note('node-key', node);
	END IF;
	IF held.user_id IS DISTINCT FROM user_id OR held.tags <> tags THEN
		PERFORM fleetscale.note('node-owner', node);
	END IF;
	IF held.expiry IS DISTINCT FROM expiry OR held.expiry <= now() THEN
		PERFORM fleetscale.note('node-expiry', node);
	END IF;
	IF held.hostinfo <> hostinfo AND hostinfo <> '' THEN
		PERFORM fleetscale.note('node-hostinfo', node);
	END IF;
	RETURN QUERY UPDATE fleetscale.nodes AS n SET user_id = user_id, tags = tags, node_key = node_key, lock_key = lock_key,
		hostinfo = coalesce(NULLIF(hostinfo, ''), n.hostinfo), capver = CASE WHEN capver > 0 THEN capver ELSE n.capver END, expiry = expiry,
		expiry_told = CASE WHEN expiry <= now() THEN expiry END, ephemeral = ephemeral, authkey_id = authkey,
		register_method = method, first_polled = NULL, last_seen = greatest(n.last_seen, now())
	WHERE n.id = node RETURNING n.*;
END $$;

-- Lite updates of many nodes. seen: microseconds since 1970. Texts: '' = stays as it is; lists are '=' and their members, each with a space behind it. Gives the ids of those that stood.
CREATE FUNCTION fleetscale.nodes_report(ids bigint[], epochs bigint[], capvers bigint[], discos text[], hostinfos text[], endpoint_lists text[], relays bigint[],
	route_lists text[], seen bigint[])
RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
	r record;
	new_disco bytea;
	new_endpoints text[];
	new_routes cidr[];
BEGIN
	-- By id, so that two batches never wait for each other in a circle.
	FOR r IN
		SELECT n.id, n.disco_key, n.hostinfo, n.endpoints, n.home_relay, n.capver, n.routes_advertised, n.last_seen,
			t.epoch, t.capver AS told_capver, t.disco, t.hostinfo AS told_hostinfo, t.endpoints AS told_endpoints, t.relay, t.routes, t.seen
		FROM fleetscale.nodes n
		JOIN unnest(ids, epochs, capvers, discos, hostinfos, endpoint_lists, relays, route_lists, seen)
			AS t (id, epoch, capver, disco, hostinfo, endpoints, relay, routes, seen) ON t.id = n.id
		WHERE n.report_epoch <= t.epoch ORDER BY n.id FOR NO KEY UPDATE OF n
	LOOP
		new_disco := CASE WHEN r.disco = '' THEN r.disco_key ELSE decode(r.disco, 'hex') END;
		new_endpoints := CASE WHEN r.told_endpoints = '' THEN r.endpoints ELSE array_remove(string_to_array(substr(r.told_endpoints, 2), ' '), '') END;
		new_routes := CASE WHEN r.routes = '' THEN r.routes_advertised ELSE array_remove(string_to_array(substr(r.routes, 2), ' '), '')::cidr[] END;
		IF new_disco <> r.disco_key THEN
			PERFORM fleetscale.note('node-disco', r.id);
		END IF;
		IF new_endpoints <> r.endpoints THEN
			PERFORM fleetscale.note('node-endpoints', r.id);
		END IF;
		IF r.relay <> 0 AND r.relay <> r.home_relay THEN
			PERFORM fleetscale.note('node-relay', r.id);
		END IF;
		IF r.told_hostinfo <> '' AND r.told_hostinfo <> r.hostinfo THEN
			PERFORM fleetscale.note('node-hostinfo', r.id);
		END IF;
		IF new_routes <> r.routes_advertised THEN
			PERFORM fleetscale.note('node-routes', r.id);
		END IF;
		IF r.told_capver <> 0 AND r.told_capver <> r.capver THEN
			PERFORM fleetscale.note('node-seen', r.id);
		END IF;
		UPDATE fleetscale.nodes n SET disco_key = new_disco, endpoints = new_endpoints, routes_advertised = new_routes,
			home_relay = CASE WHEN r.relay <> 0 THEN r.relay ELSE n.home_relay END,
			hostinfo = CASE WHEN r.told_hostinfo <> '' THEN r.told_hostinfo ELSE n.hostinfo END,
			capver = CASE WHEN r.told_capver <> 0 THEN r.told_capver ELSE n.capver END,
			last_seen = greatest(n.last_seen, timestamptz 'epoch' + r.seen * interval '1 microsecond'), report_epoch = r.epoch
		WHERE n.id = r.id;
		RETURN NEXT r.id;
	END LOOP;
END $$;
