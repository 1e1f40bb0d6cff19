-- Tenancy: changing and deleting tailnets, and how many users one may have.

-- The tailnet of this transaction is still as it was read, and stays so until the end: settings are checked as a whole before they are written.
CREATE FUNCTION fleetscale.tailnet_hold(version text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	held text;
BEGIN
	SELECT t.xmin::text INTO held FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet() FOR NO KEY UPDATE;
	IF held IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	ELSIF held <> version THEN
		PERFORM fleetscale.refuse('FS003', 'the tailnet was changed meanwhile: ask again');
	END IF;
END $$;

-- Before a user is made. Takes the tailnet's row only where there is a limit.
CREATE FUNCTION fleetscale.want_user_room() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	most integer;
BEGIN
	IF NOT EXISTS (SELECT FROM fleetscale.tailnets t WHERE t.id = mine AND t.user_limit > 0) THEN
		RETURN;
	END IF;
	SELECT t.user_limit INTO most FROM fleetscale.tailnets t WHERE t.id = mine FOR NO KEY UPDATE;
	IF most > 0 AND (SELECT count(*) FROM fleetscale.users u WHERE u.tailnet_id = mine) >= most THEN
		PERFORM fleetscale.refuse('FS005', format('this tailnet may have %s, and it has them', CASE most WHEN 1 THEN '1 user' ELSE most || ' users' END));
	END IF;
END $$;

-- The first step of deleting with all that is in it: nobody comes in any more, and all nodes go, with lines so that those who serve them tell them.
-- Gives how many.
CREATE FUNCTION fleetscale.tailnet_clear() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	removed bigint;
	lines text;
BEGIN
	UPDATE fleetscale.tailnets t SET frozen = true, suspended = true WHERE t.id = mine;
	IF NOT FOUND THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
	PERFORM fleetscale.note('tailnet', mine);
	-- In order of ids, as all who take many nodes.
	PERFORM 1 FROM fleetscale.nodes n WHERE n.tailnet_id = mine ORDER BY n.id FOR UPDATE;
	WITH gone AS (DELETE FROM fleetscale.nodes n WHERE n.tailnet_id = mine RETURNING n.id)
	SELECT count(*), string_agg('node-removed:' || gone.id || ',', '' ORDER BY gone.id) INTO removed, lines FROM gone;
	-- All at once: note() copies what was collected.
	PERFORM set_config('fleetscale.lines', current_setting('fleetscale.lines', true) || coalesce(lines, ''), true);
	RETURN removed;
END $$;

-- The tailnet and everything of it. In a transaction of tailnet 0. Gives the generation that would have been its next, to ring with: whoever
-- follows it finds it gone. Rows are taken in the order in which joins take them.
CREATE FUNCTION fleetscale.delete_tailnet(doomed bigint, forced boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remaining bigint;
	reached bigint;
BEGIN
	PERFORM fleetscale.want(fleetscale.current_tailnet() = 0, 'FS004', 'only the installation deletes tailnets');
	PERFORM 1 FROM fleetscale.cursors c WHERE c.tailnet_id = doomed FOR UPDATE;
	PERFORM 1 FROM fleetscale.tailnets t WHERE t.id = doomed FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
	SELECT count(*) INTO remaining FROM fleetscale.nodes n WHERE n.tailnet_id = doomed;
	IF remaining > 0 AND NOT forced THEN
		PERFORM fleetscale.refuse('FS003', format('the tailnet still has %s: delete them first, or delete all together with force=true',
			CASE remaining WHEN 1 THEN '1 node' ELSE remaining || ' nodes' END));
	END IF;
	-- Nodes hold users; all else goes by cascade.
	DELETE FROM fleetscale.nodes n WHERE n.tailnet_id = doomed;
	DELETE FROM fleetscale.tailnets t WHERE t.id = doomed;
	DELETE FROM fleetscale.generations g WHERE g.tailnet_id = doomed RETURNING g.generation INTO reached;
	DELETE FROM fleetscale.journal j WHERE j.tailnet_id = doomed;
	RETURN reached + 1;
END $$;

GRANT DELETE ON fleetscale.tailnets, fleetscale.nodes, fleetscale.generations TO fleetscale_lookup;
-- FOR UPDATE asks for the right to update some column.
GRANT UPDATE (display_name) ON fleetscale.tailnets TO fleetscale_lookup;
GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.delete_tailnet(bigint, boolean) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.delete_tailnet(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.delete_tailnet(bigint, boolean) TO fleetscale_coordinator;
