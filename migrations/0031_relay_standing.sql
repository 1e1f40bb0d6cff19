-- Who may use a relay, how much one tailnet may send through it, and what relays hear of keys that may not any more.

ALTER TABLE fleetscale.regions
	-- What all clients of one tailnet together may send through one relay: bytes a second and bytes at once; 0: no limit.
	ADD tailnet_rate bigint NOT NULL DEFAULT 0 CHECK (tailnet_rate >= 0),
	ADD tailnet_burst bigint NOT NULL DEFAULT 0 CHECK (tailnet_burst >= 0);

ALTER TABLE fleetscale.tailnets
	-- Instead of the region's; 0: the region's.
	ADD relay_rate bigint NOT NULL DEFAULT 0 CHECK (relay_rate >= 0),
	ADD relay_burst bigint NOT NULL DEFAULT 0 CHECK (relay_burst >= 0);

ALTER TABLE fleetscale.relay_rechecks
	-- Whose key it is, for relays that admit that tailnet; NULL: for all.
	ADD owner bigint,
	-- For relays of this region alone, which has been closed to the key.
	ADD region integer;

GRANT SELECT (node_key, owner) ON fleetscale.relay_rechecks TO fleetscale_lookup;
GRANT SELECT (id, region_id, probe_key, last_seen, deleted, revoked, token_id) ON fleetscale.relays TO fleetscale_lookup;
GRANT SELECT (id, revoked) ON fleetscale.relay_tokens TO fleetscale_lookup;
GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;

-- --- what is asked about again ----------------------------------------------------------------------------------------------------------------------------

-- A node's key may not any more, or means something else.
CREATE OR REPLACE FUNCTION fleetscale.node_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, owner) VALUES (OLD.node_key, OLD.tailnet_id);
	RETURN NULL;
END $$;

-- All keys of a tailnet. More than relays can be told by name (1000) are all of them.
CREATE OR REPLACE FUNCTION fleetscale.tailnet_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, owner) SELECT n.node_key, n.tailnet_id FROM fleetscale.nodes n WHERE n.tailnet_id = NEW.id LIMIT 1001;
	RETURN NULL;
END $$;
CREATE TRIGGER recheck_rated AFTER UPDATE OF relay_rate, relay_burst ON fleetscale.tailnets FOR EACH ROW
	WHEN (OLD.relay_rate <> NEW.relay_rate OR OLD.relay_burst <> NEW.relay_burst) EXECUTE FUNCTION fleetscale.tailnet_recheck();

-- A region is closed to tailnets: their keys, and those that its relays would have been told about before, are told anew, for it is not told of theirs otherwise.
CREATE FUNCTION fleetscale.region_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, region) SELECT k.node_key, NEW.id FROM (
		SELECT n.node_key, n.tailnet_id AS owner FROM fleetscale.nodes n UNION ALL SELECT c.node_key, c.owner FROM fleetscale.relay_rechecks c) AS k
	WHERE k.owner <> ALL (NEW.tailnets) AND (OLD.tailnets IS NULL OR k.owner = ANY (OLD.tailnets)) LIMIT 1001;
	RETURN NULL;
END $$;
ALTER FUNCTION fleetscale.region_recheck() OWNER TO fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.region_recheck() FROM PUBLIC;
CREATE TRIGGER recheck_closed AFTER UPDATE OF tailnets ON fleetscale.regions FOR EACH ROW
	WHEN (NEW.tailnets IS NOT NULL AND OLD.tailnets IS DISTINCT FROM NEW.tailnets) EXECUTE FUNCTION fleetscale.region_recheck();

-- --- who may ----------------------------------------------------------------------------------------------------------------------------------------------

-- Whether relays of two regions probe each other: not when no tailnet has both in its map, for what belongs to one is not told to, nor opened to, another's.
CREATE FUNCTION fleetscale.regions_meet(a fleetscale.regions, b fleetscale.regions) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT a.id = b.id OR a.tailnets IS NULL OR b.tailnets IS NULL OR a.tailnets && b.tailnets
$$;

-- A row when the key may use a relay of this region: whose it is, and its tailnet's own rate. Probers of relays in life may too, where the regions meet, and are of
-- no tailnet; the key of a node that may not is nobody else's.
CREATE FUNCTION fleetscale.relay_standing(key bytea, region integer)
RETURNS TABLE (tailnet bigint, rate bigint, burst bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM fleetscale.nodes n WHERE n.node_key = relay_standing.key) THEN
		RETURN QUERY SELECT t.id, t.relay_rate, t.relay_burst FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
			WHERE n.node_key = relay_standing.key AND fleetscale.may_relay_in(relay_standing.key, relay_standing.region);
	ELSE
		RETURN QUERY SELECT 0::bigint, 0::bigint, 0::bigint FROM fleetscale.relays r JOIN fleetscale.regions theirs ON theirs.id = r.region_id
			JOIN fleetscale.regions asked ON asked.id = relay_standing.region AND fleetscale.regions_meet(theirs, asked)
			WHERE r.probe_key = relay_standing.key AND r.deleted IS NULL AND r.revoked IS NULL AND r.last_seen > now() - interval '2 minutes'
			AND NOT EXISTS (SELECT FROM fleetscale.relay_tokens t WHERE t.id = r.token_id AND t.revoked IS NOT NULL) LIMIT 1;
	END IF;
END $$;
ALTER FUNCTION fleetscale.relay_standing(bytea, integer) OWNER TO fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.relay_standing(bytea, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.relay_standing(bytea, integer) TO fleetscale_coordinator;

REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
