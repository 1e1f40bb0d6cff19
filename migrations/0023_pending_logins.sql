-- Nobody fills the line of pending logins alone, and a tailnet goes with the routers that are left in it.

ALTER TABLE fleetscale.logins
	-- Who is counted as one: its address, of IPv6 the /64. NULL: unknown.
	ADD caller inet;
CREATE INDEX logins_caller ON fleetscale.logins (caller) WHERE node_id IS NULL AND refusal IS NULL;

-- As in 0016, and an address has at most a tenth of `most`.
CREATE OR REPLACE FUNCTION fleetscale.login_begin(login_hash bytea, machine bytea, key bytea, old_key bytea, locking bytea, base text, info text, version integer,
	offered cidr[], wanted timestamptz, passing boolean, origin text, host text, lifetime_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t fleetscale.tailnets;
	made bigint;
	here inet := NULLIF(origin, '');
BEGIN
	IF family(here) = 6 THEN
		here := network(set_masklen(here, 64));
	END IF;
	SELECT * INTO t FROM fleetscale.tailnets a WHERE a.login_host = host;
	IF t.suspended THEN
		PERFORM fleetscale.refuse('FS004', 'this tailnet is suspended');
	ELSIF t.frozen THEN
		PERFORM fleetscale.refuse('FS004', 'this tailnet admits no machine at present');
	END IF;
	DELETE FROM fleetscale.logins l WHERE l.node_id IS NULL AND l.refusal IS NULL AND l.id IN (
		SELECT b.id FROM fleetscale.logins b WHERE b.machine_key = machine AND b.node_id IS NULL AND b.refusal IS NULL ORDER BY b.id DESC OFFSET 3);
	IF (SELECT count(*) FROM (SELECT FROM fleetscale.logins l WHERE l.node_id IS NULL AND l.refusal IS NULL AND l.ends > now() LIMIT most) AS waiting) >= most THEN
		PERFORM fleetscale.refuse('FS005', 'too many logins wait for an answer');
	ELSIF (SELECT count(*) FROM fleetscale.logins l WHERE l.caller = here AND l.node_id IS NULL AND l.refusal IS NULL AND l.ends > now())
		>= greatest(most / 10, 100) THEN
		PERFORM fleetscale.refuse('FS005', 'too many logins from this address wait for an answer');
	END IF;
	INSERT INTO fleetscale.logins (tailnet_id, hash, machine_key, node_key, old_node_key, lock_key, label, hostinfo, capver, routes, wanted_expiry, ephemeral,
		address, caller, ends)
	VALUES (t.id, login_hash, machine, key, old_key, locking, base, info, version, offered, wanted, passing, origin, here,
		now() + lifetime_ms * interval '1 millisecond')
	RETURNING id INTO made;
	RETURN made;
END $$;

-- delete_tailnet (0021) fires the triggers of primaries (0017).
GRANT INSERT ON fleetscale.primaries TO fleetscale_lookup;
GRANT UPDATE (routes_primary) ON fleetscale.nodes TO fleetscale_lookup;
