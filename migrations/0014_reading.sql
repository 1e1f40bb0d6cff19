-- What a keeper reads of the journal, as functions: their plans are made once per connection, which statements without names never are, and a reading
-- stands behind every change of a calm tailnet. They run with the caller's rights.

CREATE FUNCTION fleetscale.journal_stand(known bigint) RETURNS TABLE (generation bigint, stamp bigint, stamp_then bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT g.generation,
		(SELECT j.stamp FROM fleetscale.journal j WHERE j.tailnet_id = g.tailnet_id AND j.generation = g.generation LIMIT 1),
		(SELECT j.stamp FROM fleetscale.journal j WHERE j.tailnet_id = g.tailnet_id AND j.generation = known LIMIT 1)
	FROM fleetscale.generations g WHERE g.tailnet_id = fleetscale.current_tailnet();
END $$;

CREATE FUNCTION fleetscale.journal_lines(known bigint, most bigint) RETURNS TABLE (generation bigint, kind text, subject bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT j.generation, j.kind, j.subject FROM fleetscale.journal j
	WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known ORDER BY j.generation, j.seq LIMIT most;
END $$;

-- The rows that lines after `known` name. Subjects first, then rows by key: one plan fits a tailnet of any size.
CREATE FUNCTION fleetscale.journal_nodes(known bigint) RETURNS SETOF fleetscale.nodes
LANGUAGE plpgsql STABLE AS $$
DECLARE
	subjects bigint[] := ARRAY(SELECT j.subject FROM fleetscale.journal j
		WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind LIKE 'node-%');
BEGIN
	RETURN QUERY SELECT n.* FROM fleetscale.nodes n WHERE n.id = ANY (subjects) ORDER BY n.id;
END $$;

CREATE FUNCTION fleetscale.journal_users(known bigint) RETURNS SETOF fleetscale.users
LANGUAGE plpgsql STABLE AS $$
DECLARE
	subjects bigint[] := ARRAY(SELECT j.subject FROM fleetscale.journal j
		WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind = 'user');
BEGIN
	IF cardinality(subjects) > 0 THEN
		RETURN QUERY SELECT u.* FROM fleetscale.users u WHERE u.id = ANY (subjects) ORDER BY u.id;
	END IF;
END $$;

CREATE FUNCTION fleetscale.journal_tailnet(known bigint) RETURNS SETOF fleetscale.tailnets
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF EXISTS (SELECT FROM fleetscale.journal j WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind = 'tailnet') THEN
		RETURN QUERY SELECT t.* FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet();
	END IF;
END $$;
