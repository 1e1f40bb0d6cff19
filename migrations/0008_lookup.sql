-- What is asked before the tailnet is known, or over all tailnets at once. Each answers one narrow question and runs as fleetscale_lookup, which bypasses
-- row-level security and cannot log in.

-- Nodes that matter to a registration, each with its owner and tailnet. what: 'n' has the node key, 'o' is this machine's under the old node key,
-- 'm' is this machine's in the auth key's tailnet with the auth key's owner.
CREATE FUNCTION fleetscale.register_nodes(machine bytea, key bytea, old_key bytea, key_prefix text)
RETURNS TABLE (what text, node fleetscale.nodes, owner fleetscale.users, tailnet fleetscale.tailnets)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT 'n', n, u, t FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id LEFT JOIN fleetscale.users u ON u.id = n.user_id
	WHERE n.node_key = key;
	IF old_key IS NOT NULL THEN
		RETURN QUERY
		SELECT 'o', n, u, t FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id LEFT JOIN fleetscale.users u ON u.id = n.user_id
		WHERE n.node_key = old_key AND n.machine_key = machine;
	END IF;
	IF key_prefix IS NOT NULL THEN
		RETURN QUERY
		SELECT 'm', n, u, t
		FROM fleetscale.authkeys a
		JOIN fleetscale.nodes n ON n.machine_key = machine AND n.tailnet_id + 0 = a.tailnet_id
			AND CASE WHEN cardinality(a.tags) > 0 THEN cardinality(n.tags) > 0 ELSE n.user_id = a.user_id END
		JOIN fleetscale.tailnets t ON t.id = n.tailnet_id LEFT JOIN fleetscale.users u ON u.id = n.user_id
		WHERE a.prefix = key_prefix
		-- The node that this very key let in, else the latest.
		ORDER BY n.authkey_id IS NOT DISTINCT FROM a.id DESC, n.id DESC LIMIT 1;
	END IF;
END $$;

-- The auth key of a prefix, with its owner, its tailnet, and the node that used it if that one never got its first map.
CREATE FUNCTION fleetscale.register_key(key_prefix text)
RETURNS TABLE (authkey fleetscale.authkeys, owner fleetscale.users, tailnet fleetscale.tailnets, unpolled bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT a, u, t, (SELECT n.id FROM fleetscale.nodes n WHERE n.id = a.used_by AND n.first_polled IS NULL)
	FROM fleetscale.authkeys a JOIN fleetscale.tailnets t ON t.id = a.tailnet_id LEFT JOIN fleetscale.users u ON u.id = a.user_id
	WHERE a.prefix = key_prefix;
END $$;

CREATE FUNCTION fleetscale.node_of_key(key bytea)
RETURNS TABLE (node fleetscale.nodes, owner fleetscale.users, tailnet fleetscale.tailnets)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT n, u, t FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id LEFT JOIN fleetscale.users u ON u.id = n.user_id
	WHERE n.node_key = key;
END $$;

CREATE FUNCTION fleetscale.may_relay(key bytea) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM fleetscale.nodes n WHERE n.node_key = key AND n.approved AND (n.expiry IS NULL OR n.expiry > now()));
END $$;

CREATE FUNCTION fleetscale.nodes_expired(as_of timestamptz, most integer)
RETURNS TABLE (tailnet_id bigint, id bigint, last_seen timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT d.tailnet_id, d.id, d.last_seen FROM (
		SELECT n.tailnet_id, n.id, n.last_seen FROM fleetscale.nodes n
		WHERE n.expiry IS NOT NULL AND n.expiry_told IS DISTINCT FROM n.expiry AND n.expiry <= as_of ORDER BY n.expiry LIMIT most) AS d
	ORDER BY d.tailnet_id, d.id;
END $$;

CREATE FUNCTION fleetscale.nodes_silent(silent_since timestamptz, most integer)
RETURNS TABLE (tailnet_id bigint, id bigint, last_seen timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT n.tailnet_id, n.id, n.last_seen FROM fleetscale.nodes n WHERE n.ephemeral AND n.last_seen < silent_since ORDER BY n.tailnet_id, n.id LIMIT most;
END $$;

-- Where each of these tailnets stands, in the order asked; 0: gone.
CREATE FUNCTION fleetscale.generations_of(tailnets bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT coalesce(g.generation, 0) FROM unnest(tailnets) WITH ORDINALITY AS a (id, place) LEFT JOIN fleetscale.generations g ON g.tailnet_id = a.id ORDER BY a.place;
END $$;

-- Removes old lines, never the last generation's: its stamp tells keepers that history is still the same. FS007: another process does it.
CREATE FUNCTION fleetscale.journal_prune(older_than timestamptz, keep bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	removed bigint;
BEGIN
	PERFORM fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty 3 0', 0)), 'FS007', 'another process prunes the journal');
	DELETE FROM fleetscale.journal j USING fleetscale.generations g
	WHERE g.tailnet_id = j.tailnet_id AND j.generation < g.generation AND (j.at < older_than OR j.generation <= g.generation - keep);
	GET DIAGNOSTICS removed = ROW_COUNT;
	RETURN removed;
END $$;

GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.address_take(integer) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.register_nodes(bytea, bytea, bytea, text) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.register_key(text) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.node_of_key(bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.may_relay(bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.nodes_expired(timestamptz, integer) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.nodes_silent(timestamptz, integer) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.generations_of(bigint[]) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.journal_prune(timestamptz, bigint) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;

REVOKE ALL ON FUNCTION fleetscale.address_take(integer), fleetscale.register_nodes(bytea, bytea, bytea, text), fleetscale.register_key(text),
	fleetscale.node_of_key(bytea), fleetscale.may_relay(bytea), fleetscale.nodes_expired(timestamptz, integer), fleetscale.nodes_silent(timestamptz, integer),
	fleetscale.generations_of(bigint[]), fleetscale.journal_prune(timestamptz, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.address_take(integer), fleetscale.register_nodes(bytea, bytea, bytea, text), fleetscale.register_key(text),
	fleetscale.node_of_key(bytea), fleetscale.may_relay(bytea), fleetscale.nodes_expired(timestamptz, integer), fleetscale.nodes_silent(timestamptz, integer),
	fleetscale.generations_of(bigint[]), fleetscale.journal_prune(timestamptz, bigint) TO fleetscale_coordinator;
GRANT EXECUTE ON FUNCTION fleetscale.generations_of(bigint[]) TO fleetscale_mapper;
