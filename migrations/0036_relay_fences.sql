-- What a relay hears of tailnets is of those that its region admits; a node is never taken for a prober; a token of a region does not make relays without end.

ALTER TABLE fleetscale.relay_rechecks
	-- Whose key it is, for relays that admit that tailnet; NULL: for all.
	ADD owner bigint,
	-- For relays of this region alone, which has been closed to the key.
	ADD region integer;
GRANT SELECT (node_key, owner) ON fleetscale.relay_rechecks TO fleetscale_lookup;

CREATE OR REPLACE FUNCTION fleetscale.node_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, owner) VALUES (OLD.node_key, OLD.tailnet_id);
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION fleetscale.tailnet_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, owner) SELECT n.node_key, n.tailnet_id FROM fleetscale.nodes n WHERE n.tailnet_id = NEW.id;
	RETURN NULL;
END $$;

-- More than relays can be told by name are all of them. Keys that relays of this region would have been told about before it was closed are told anew.
CREATE OR REPLACE FUNCTION fleetscale.region_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key, region) SELECT k.node_key, NEW.id FROM (
		SELECT n.node_key, n.tailnet_id AS owner FROM fleetscale.nodes n UNION ALL SELECT c.node_key, c.owner FROM fleetscale.relay_rechecks c) AS k
	WHERE k.owner <> ALL (NEW.tailnets) AND (OLD.tailnets IS NULL OR k.owner = ANY (OLD.tailnets)) LIMIT 1001;
	RETURN NULL;
END $$;

-- As in 0032. The key of a node that may not is nobody else's.
CREATE OR REPLACE FUNCTION fleetscale.relay_standing(key bytea, region integer)
RETURNS TABLE (tailnet bigint, rate bigint, burst bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT t.id, t.relay_rate, t.relay_burst FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		WHERE n.node_key = relay_standing.key AND fleetscale.may_relay_in(relay_standing.key, relay_standing.region) LIMIT 1;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 0::bigint, 0::bigint, 0::bigint FROM fleetscale.relays r
			WHERE r.probe_key = relay_standing.key AND r.deleted IS NULL AND r.revoked IS NULL AND r.last_seen > now() - interval '2 minutes'
			AND NOT EXISTS (SELECT FROM fleetscale.relay_tokens t WHERE t.id = r.token_id AND t.revoked IS NOT NULL)
			AND NOT EXISTS (SELECT FROM fleetscale.nodes n WHERE n.node_key = relay_standing.key) LIMIT 1;
	END IF;
END $$;

-- As in 0029, but that a region holds no more relays than its cap.
CREATE OR REPLACE FUNCTION fleetscale.relay_of_token(token bigint, said text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.relay_tokens;
	mine fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relay_tokens t WHERE t.id = token AND t.revoked IS NULL FOR SHARE;
	PERFORM fleetscale.want(held.id IS NOT NULL, 'FS001', 'this relay token is no more');
	IF held.relay_id IS NOT NULL THEN
		RETURN held.relay_id;
	END IF;
	PERFORM fleetscale.want(said <> '', 'FS004', 'the token is one of a region: the relay must say its name (relay.name)');
	SELECT * INTO mine FROM fleetscale.relays r WHERE r.name = said;
	IF mine.id IS NULL THEN
		PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.relays r WHERE r.region_id = held.region_id) < 256, 'FS004',
			'the region has 256 relays already: remove those that are no more');
		INSERT INTO fleetscale.relays (region_id, name) VALUES (held.region_id, said) ON CONFLICT (name) DO NOTHING;
		SELECT * INTO mine FROM fleetscale.relays r WHERE r.name = said;
	END IF;
	PERFORM fleetscale.want(mine.region_id = held.region_id, 'FS004', 'a relay of that name is in another region');
	PERFORM fleetscale.want(NOT mine.by_hand, 'FS004', 'a relay of that name is listed by hand');
	RETURN mine.id;
END $$;
