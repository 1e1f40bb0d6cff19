-- Primary routers: which one of several nodes serves a subnet route. A route that a node serves alone is its own at once; between several a coordinator's duty
-- elects. Triggers keep the rows true to the nodes, whatever moved them, and nodes.routes_primary true to the rows: that column is all that readers need.

CREATE TABLE fleetscale.primaries (
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	prefix cidr NOT NULL,
	node_id bigint NOT NULL REFERENCES fleetscale.nodes ON DELETE CASCADE,
	since timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tailnet_id, prefix)
);
CREATE INDEX primaries_node_id ON fleetscale.primaries (node_id);

ALTER TABLE fleetscale.primaries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.primaries USING (tailnet_id + 0 = fleetscale.current_tailnet());
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.primaries TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.primaries TO fleetscale_lookup;

ALTER TABLE fleetscale.nodes
	ADD routes_primary cidr[] NOT NULL DEFAULT '{}',
	-- It does not answer the reachability question, though its map stream stands.
	ADD unreachable boolean NOT NULL DEFAULT false;
CREATE INDEX nodes_routers ON fleetscale.nodes (id) WHERE routes_approved <> '{}';

-- The subnet routes that a node serves, if it is in the state to: advertised and approved. Exit routes are everybody's own, nobody is elected for them.
CREATE FUNCTION fleetscale.routes_served(n fleetscale.nodes) RETURNS cidr[]
LANGUAGE sql STABLE
RETURN CASE WHEN n.approved AND (n.expiry IS NULL OR n.expiry > now())
	THEN ARRAY(SELECT DISTINCT r FROM unnest(n.routes_approved) AS a (r) WHERE masklen(r) > 0 AND r = ANY (n.routes_advertised)) ELSE '{}' END;

-- Gives up what the node serves no longer, and claims what it serves and nobody has.
CREATE FUNCTION fleetscale.routes_settle() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	served cidr[] := fleetscale.routes_served(NEW);
BEGIN
	DELETE FROM fleetscale.primaries p WHERE p.node_id = NEW.id AND p.prefix <> ALL (served);
	INSERT INTO fleetscale.primaries (tailnet_id, prefix, node_id) SELECT NEW.tailnet_id, r, NEW.id FROM unnest(served) AS s (r) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER routes_settle AFTER UPDATE OF routes_advertised, routes_approved, approved, expiry, expiry_told ON fleetscale.nodes FOR EACH ROW
	WHEN ((OLD.routes_approved <> '{}' OR NEW.routes_approved <> '{}') AND
		(OLD.routes_advertised, OLD.routes_approved, OLD.approved, OLD.expiry, OLD.expiry_told) IS DISTINCT FROM
		(NEW.routes_advertised, NEW.routes_approved, NEW.approved, NEW.expiry, NEW.expiry_told))
	EXECUTE FUNCTION fleetscale.routes_settle();

-- A route without a router goes to the reachable one that was made first; whether it is online, the duty sees.
CREATE FUNCTION fleetscale.routes_succeed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fleetscale.primaries (tailnet_id, prefix, node_id)
	SELECT OLD.tailnet_id, OLD.prefix, n.id FROM fleetscale.nodes n
	WHERE n.routes_approved <> '{}' AND n.tailnet_id = OLD.tailnet_id AND n.id <> OLD.node_id AND OLD.prefix = ANY (fleetscale.routes_served(n))
	ORDER BY n.unreachable, n.created, n.id LIMIT 1
	ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER routes_succeed AFTER DELETE ON fleetscale.primaries FOR EACH ROW EXECUTE FUNCTION fleetscale.routes_succeed();

-- Both sides of what moved hear of it.
CREATE FUNCTION fleetscale.routes_show() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	router bigint;
BEGIN
	FOR router IN SELECT DISTINCT r FROM unnest(ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN OLD.node_id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.node_id END]) AS a (r)
		WHERE r IS NOT NULL ORDER BY r
	LOOP
		UPDATE fleetscale.nodes n SET routes_primary = ARRAY(SELECT p.prefix FROM fleetscale.primaries p WHERE p.node_id = router ORDER BY p.prefix) WHERE n.id = router;
		IF FOUND THEN
			PERFORM fleetscale.note('node-routes', router);
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
CREATE TRIGGER routes_show AFTER INSERT OR UPDATE OR DELETE ON fleetscale.primaries FOR EACH ROW EXECUTE FUNCTION fleetscale.routes_show();

-- The duty moves a route from the router that it saw to the one that it chose. FS003: it saw what is no more.
CREATE FUNCTION fleetscale.primary_move(route cidr, was bigint, chosen bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM fleetscale.nodes n WHERE n.id = chosen AND route = ANY (fleetscale.routes_served(n)) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		PERFORM fleetscale.refuse('FS003', 'the router does not serve the route any more');
	END IF;
	UPDATE fleetscale.primaries p SET node_id = chosen, since = now() WHERE p.tailnet_id = fleetscale.current_tailnet() AND p.prefix = route AND p.node_id = was;
	IF NOT FOUND THEN
		PERFORM fleetscale.refuse('FS003', 'the route has another router meanwhile');
	END IF;
END $$;

-- Every router of a route that has several, over all tailnets.
CREATE FUNCTION fleetscale.routes_contested(most integer)
RETURNS TABLE (tailnet_id bigint, route cidr, node bigint, machine_key bytea, made timestamptz, unreachable boolean, is_primary boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT c.tailnet_id, c.r, c.id, c.machine_key, c.created, c.unreachable, c.r = ANY (c.routes_primary)
	FROM (
		SELECT n.tailnet_id, s.r, n.id, n.machine_key, n.created, n.unreachable, n.routes_primary, count(*) OVER (PARTITION BY n.tailnet_id, s.r) AS routers
		FROM fleetscale.nodes n, unnest(fleetscale.routes_served(n)) AS s (r)
		WHERE n.routes_approved <> '{}') AS c
	WHERE c.routers > 1 ORDER BY c.tailnet_id, c.r, c.created, c.id LIMIT most;
END $$;

GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.routes_contested(integer) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.routes_contested(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.routes_contested(integer) TO fleetscale_coordinator;

-- Routers that serve already.
DO $$
DECLARE
	t bigint;
BEGIN
	PERFORM set_config('fleetscale.tailnet', '0', true);
	FOREACH t IN ARRAY ARRAY(SELECT a.id FROM fleetscale.tailnets a ORDER BY a.id) LOOP
		PERFORM set_config('fleetscale.tailnet', t::text, true);
		INSERT INTO fleetscale.primaries (tailnet_id, prefix, node_id)
		SELECT DISTINCT ON (s.r) t, s.r, n.id FROM fleetscale.nodes n, unnest(fleetscale.routes_served(n)) AS s (r)
		WHERE n.tailnet_id = t AND n.routes_approved <> '{}' ORDER BY s.r, n.created, n.id;
		PERFORM fleetscale.commit_changes('{}', '{}');
	END LOOP;
	PERFORM set_config('fleetscale.tailnet', '', true);
END $$;
