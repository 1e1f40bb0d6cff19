-- Relays that leave wait for those at home there while nobody can say how many they are; regions that are closed to a tailnet have its keys asked about again.

-- As in 0029, but that what is not certain is not nobody.
CREATE OR REPLACE FUNCTION fleetscale.relays_step(heard bigint[], at_home bigint[], certain boolean, settle_ms bigint, patience_ms bigint, dead_ms bigint, steady_ms bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	g record;
	moved bigint := 0;
	age interval;
	settle interval := settle_ms * interval '1 millisecond';
BEGIN
	IF certain THEN
		UPDATE fleetscale.relays r SET silent_since = now(), back_since = NULL
		WHERE r.silent_since IS NULL AND r.last_seen IS NOT NULL AND NOT r.by_hand AND r.id <> ALL (heard);
		UPDATE fleetscale.relays r SET silent_since = NULL, back_since = now() WHERE r.silent_since IS NOT NULL AND r.id = ANY (heard);
	END IF;
	DELETE FROM fleetscale.relays r WHERE r.deleted IS NOT NULL AND NOT r.shown;
	FOR g IN
		SELECT w.region_id AS id, w.stage, w.stage_since, count(*) FILTER (WHERE w.wanted) AS wanted, count(*) FILTER (WHERE w.shown) AS shown,
			count(*) FILTER (WHERE w.wanted AND NOT w.shown) AS coming,
			count(*) FILTER (WHERE w.shown AND NOT w.wanted AND NOT w.lingers) AS leaving,
			sum(w.homes) AS homes, sum(count(*) FILTER (WHERE w.wanted)) OVER () AS wanted_in_all
		FROM (SELECT r.region_id, e.stage, e.stage_since, r.shown, fleetscale.relay_is_wanted(r, dead_ms, steady_ms) AS wanted,
				-- A relay that empties itself beside others: those that try it first go on to the next.
				r.deleted IS NULL AND r.revoked IS NULL AND (r.wish = 'drain' OR r.draining)
					AND (r.silent_since IS NULL OR r.silent_since > now() - dead_ms * interval '1 millisecond') AS lingers,
				coalesce((SELECT max(h.homes) FROM unnest(heard, at_home) AS h (id, homes) WHERE h.id = r.id), 0) AS homes
			FROM fleetscale.relays r JOIN fleetscale.regions e ON e.id = r.region_id) AS w
		GROUP BY w.region_id, w.stage, w.stage_since ORDER BY w.region_id
	LOOP
		age := now() - g.stage_since;
		IF g.wanted > 0 THEN
			CONTINUE WHEN g.coming = 0 AND g.leaving = 0 AND g.stage = 0;
			UPDATE fleetscale.regions e SET stage = 0, stage_since = now() WHERE e.id = g.id AND e.stage > 0;
			UPDATE fleetscale.relays r SET shown = fleetscale.relay_is_wanted(r, dead_ms, steady_ms)
			WHERE r.region_id = g.id AND r.shown <> fleetscale.relay_is_wanted(r, dead_ms, steady_ms)
				AND NOT (r.shown AND r.deleted IS NULL AND r.revoked IS NULL AND (r.wish = 'drain' OR r.draining)
					AND (r.silent_since IS NULL OR r.silent_since > now() - dead_ms * interval '1 millisecond'));
		ELSE
			CONTINUE WHEN g.shown = 0 OR g.wanted_in_all = 0;
			CONTINUE WHEN g.stage > 0 AND (age < settle OR ((g.homes > 0 OR NOT certain) AND age < patience_ms * interval '1 millisecond'));
			IF g.stage < 2 THEN
				UPDATE fleetscale.regions e SET stage = g.stage + 1, stage_since = now() WHERE e.id = g.id;
			ELSE
				UPDATE fleetscale.relays r SET shown = false WHERE r.region_id = g.id AND r.shown;
			END IF;
		END IF;
		moved := moved + 1;
		PERFORM fleetscale.note('relays', g.id);
	END LOOP;
	DELETE FROM fleetscale.relay_rechecks c WHERE c.at < now() - interval '10 minutes';
	RETURN moved;
END $$;

-- More than relays can be told by name are all of them.
CREATE FUNCTION fleetscale.region_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key) SELECT n.node_key FROM fleetscale.nodes n
	WHERE n.tailnet_id <> ALL (NEW.tailnets) AND (OLD.tailnets IS NULL OR n.tailnet_id = ANY (OLD.tailnets)) LIMIT 1001;
	RETURN NULL;
END $$;
GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.region_recheck() OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.region_recheck() FROM PUBLIC;
CREATE TRIGGER recheck_closed AFTER UPDATE OF tailnets ON fleetscale.regions FOR EACH ROW
	WHEN (NEW.tailnets IS NOT NULL AND OLD.tailnets IS DISTINCT FROM NEW.tailnets) EXECUTE FUNCTION fleetscale.region_recheck();
