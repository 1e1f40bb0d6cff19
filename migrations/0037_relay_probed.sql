-- As in 0032. A relay that goes meanwhile takes this one's figures along until the next round, not its lease.
CREATE OR REPLACE FUNCTION fleetscale.relay_probed(token bigint, said text, key bytea, targets bigint[], ages_ms bigint[], relay_kinds text[], stun_kinds text[],
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
	BEGIN
		INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh, connect_us, trip_us, stun_us, mesh_us)
		SELECT DISTINCT ON (f.target) mine, f.target, now() - f.age * interval '1 millisecond', f.relay, f.stun, f.mesh,
			NULLIF(f.connects, 0), NULLIF(f.trips, 0), NULLIF(f.stuns, 0), NULLIF(f.meshes, 0)
		FROM unnest(targets, ages_ms, relay_kinds, stun_kinds, mesh_kinds, connects, trips, stuns, meshes)
			AS f (target, age, relay, stun, mesh, connects, trips, stuns, meshes)
		WHERE f.target <> mine AND EXISTS (SELECT FROM fleetscale.relays r WHERE r.id = f.target)
		ORDER BY f.target
		ON CONFLICT (from_id, to_id) DO UPDATE SET at = EXCLUDED.at, relay = EXCLUDED.relay, stun = EXCLUDED.stun, mesh = EXCLUDED.mesh,
			connect_us = EXCLUDED.connect_us, trip_us = EXCLUDED.trip_us, stun_us = EXCLUDED.stun_us, mesh_us = EXCLUDED.mesh_us;
	EXCEPTION WHEN foreign_key_violation THEN
		NULL;
	END;
END $$;
