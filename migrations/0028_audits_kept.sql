-- Audits end: what is older than the installation wants to keep goes, some at a time.

-- Ids are as old as their lines, but for those of transactions that overlapped.
CREATE FUNCTION fleetscale.audits_prune(kept_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	removed bigint;
BEGIN
	PERFORM fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty 7 0', 0)), 'FS007', 'another process prunes the audits');
	DELETE FROM fleetscale.audits a
		USING (SELECT o.id, o.at FROM fleetscale.audits o ORDER BY o.id LIMIT most) old
		WHERE a.id = old.id AND old.at < now() - kept_ms * interval '1 millisecond';
	GET DIAGNOSTICS removed = ROW_COUNT;
	RETURN removed;
END $$;

GRANT SELECT, DELETE ON fleetscale.audits TO fleetscale_lookup;
GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.audits_prune(bigint, bigint) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.audits_prune(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.audits_prune(bigint, bigint) TO fleetscale_coordinator;
