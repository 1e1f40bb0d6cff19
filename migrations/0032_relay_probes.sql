-- Relays probe each other: by which key each is a client of the others, and what they found.

ALTER TABLE fleetscale.relays
	-- Of the process that announced last.
	ADD probe_key bytea;
CREATE INDEX relays_probe_key ON fleetscale.relays (probe_key) WHERE probe_key IS NOT NULL;

-- The last probe of each by each. Not logged: the next round brings it anew.
CREATE UNLOGGED TABLE fleetscale.relay_probes (
	from_id bigint NOT NULL REFERENCES fleetscale.relays ON DELETE CASCADE,
	to_id bigint NOT NULL REFERENCES fleetscale.relays ON DELETE CASCADE,
	at timestamptz NOT NULL,
	-- What came of it: 'ok', or what failed; empty: not measured.
	relay text NOT NULL,
	stun text NOT NULL,
	mesh text NOT NULL,
	-- Microseconds.
	connect_us bigint,
	trip_us bigint,
	stun_us bigint,
	mesh_us bigint,
	PRIMARY KEY (from_id, to_id)
);
CREATE INDEX relay_probes_to ON fleetscale.relay_probes (to_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.relay_probes TO fleetscale_coordinator;

-- The relay's key is this one from now on, and these are its newest figures; 0: not measured. Relays that have gone are passed over.
CREATE FUNCTION fleetscale.relay_probed(token bigint, said text, key bytea, targets bigint[], ages_ms bigint[], relay_kinds text[], stun_kinds text[],
	mesh_kinds text[], connects bigint[], trips bigint[], stuns bigint[], meshes bigint[])
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint;
BEGIN
	SELECT r.id INTO mine FROM fleetscale.relay_tokens t JOIN fleetscale.relays r ON r.id = t.relay_id OR (t.relay_id IS NULL AND r.name = said)
	WHERE t.id = token;
	UPDATE fleetscale.relays r SET probe_key = key WHERE r.id = mine AND r.probe_key IS DISTINCT FROM key;
	IF cardinality(targets) = 0 THEN
		RETURN;
	END IF;
	DELETE FROM fleetscale.relay_probes p WHERE p.from_id = mine AND p.at < now() - interval '1 day';
	INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh, connect_us, trip_us, stun_us, mesh_us)
	SELECT DISTINCT ON (f.target) mine, f.target, now() - f.age * interval '1 millisecond', f.relay, f.stun, f.mesh,
		NULLIF(f.connects, 0), NULLIF(f.trips, 0), NULLIF(f.stuns, 0), NULLIF(f.meshes, 0)
	FROM unnest(targets, ages_ms, relay_kinds, stun_kinds, mesh_kinds, connects, trips, stuns, meshes)
		AS f (target, age, relay, stun, mesh, connects, trips, stuns, meshes)
	WHERE f.target <> mine AND EXISTS (SELECT FROM fleetscale.relays r WHERE r.id = f.target)
	ORDER BY f.target
	ON CONFLICT (from_id, to_id) DO UPDATE SET at = EXCLUDED.at, relay = EXCLUDED.relay, stun = EXCLUDED.stun, mesh = EXCLUDED.mesh,
		connect_us = EXCLUDED.connect_us, trip_us = EXCLUDED.trip_us, stun_us = EXCLUDED.stun_us, mesh_us = EXCLUDED.mesh_us;
END $$;

-- As in 0030, and the probers of relays in life, which are of no tailnet.
GRANT SELECT (id, probe_key, last_seen, deleted, revoked, token_id) ON fleetscale.relays TO fleetscale_lookup;
GRANT SELECT (id, revoked) ON fleetscale.relay_tokens TO fleetscale_lookup;
CREATE OR REPLACE FUNCTION fleetscale.relay_standing(key bytea, region integer)
RETURNS TABLE (tailnet bigint, rate bigint, burst bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT t.id, t.relay_rate, t.relay_burst FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		WHERE n.node_key = relay_standing.key AND fleetscale.may_relay_in(relay_standing.key, relay_standing.region) LIMIT 1;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 0::bigint, 0::bigint, 0::bigint FROM fleetscale.relays r
			WHERE r.probe_key = relay_standing.key AND r.deleted IS NULL AND r.revoked IS NULL AND r.last_seen > now() - interval '2 minutes'
			AND NOT EXISTS (SELECT FROM fleetscale.relay_tokens t WHERE t.id = r.token_id AND t.revoked IS NOT NULL) LIMIT 1;
	END IF;
END $$;
