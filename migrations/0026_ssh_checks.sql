-- Checks of SSH rules: a destination asked, somebody must sign in at the source anew; and the sign-ins that are remembered.

CREATE TABLE fleetscale.ssh_checks (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	-- Hash of the random id in its URL.
	hash bytea NOT NULL CONSTRAINT ssh_checks_hash UNIQUE CHECK (length(hash) = 32),
	source_id bigint NOT NULL REFERENCES fleetscale.nodes ON DELETE CASCADE,
	destination_id bigint NOT NULL REFERENCES fleetscale.nodes ON DELETE CASCADE,
	-- Whose the source was; NULL: it was tagged.
	user_id bigint,
	local_user text NOT NULL CHECK (octet_length(local_user) BETWEEN 1 AND 255),
	created timestamptz NOT NULL DEFAULT now(),
	ends timestamptz NOT NULL,
	answered timestamptz,
	-- NULL when answered: approved.
	refusal text
);
-- One index alone begins with the tailnet's rows that wait (see 0005).
CREATE INDEX ssh_checks_waiting ON fleetscale.ssh_checks (tailnet_id, id) WHERE answered IS NULL;
CREATE INDEX ssh_checks_source ON fleetscale.ssh_checks (source_id);
CREATE INDEX ssh_checks_destination ON fleetscale.ssh_checks (destination_id);
CREATE INDEX ssh_checks_ends ON fleetscale.ssh_checks (ends);

-- The last sign-in at a source. It counts while the node is still that user's.
CREATE TABLE fleetscale.ssh_signins (
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	node_id bigint PRIMARY KEY REFERENCES fleetscale.nodes ON DELETE CASCADE,
	user_id bigint,
	at timestamptz NOT NULL
);
CREATE INDEX ssh_signins_tailnet ON fleetscale.ssh_signins (tailnet_id);
CREATE INDEX ssh_signins_at ON fleetscale.ssh_signins (at);

ALTER TABLE fleetscale.ssh_checks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleetscale.ssh_signins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.ssh_checks USING (tailnet_id + 0 = fleetscale.current_tailnet());
CREATE POLICY own ON fleetscale.ssh_signins USING (tailnet_id + 0 = fleetscale.current_tailnet());
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.ssh_checks, fleetscale.ssh_signins TO fleetscale_coordinator;
GRANT SELECT, DELETE ON fleetscale.ssh_checks, fleetscale.ssh_signins TO fleetscale_lookup;

-- The tailnet of a machine's node, when that node is in good standing there; NULL otherwise.
CREATE FUNCTION fleetscale.ssh_destination(wanted bigint, machine bytea) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT n.tailnet_id FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		WHERE n.id = wanted AND n.machine_key = machine AND n.approved AND NOT t.suspended AND (n.expiry IS NULL OR n.expiry > now()));
END $$;

-- FS001: a node is gone. FS005: many wait already, from that source to that destination, for that destination, or in the tailnet.
CREATE FUNCTION fleetscale.ssh_check_begin(check_hash bytea, source bigint, destination bigint, login text, lifetime_ms bigint, most_pair bigint,
	most_node bigint, most bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	of_pair bigint;
	of_node bigint;
BEGIN
	-- Two that begin at once at one destination come one after the other.
	PERFORM 1 FROM fleetscale.nodes n WHERE n.id = destination FOR NO KEY UPDATE;
	PERFORM fleetscale.want(FOUND AND EXISTS (SELECT FROM fleetscale.nodes n WHERE n.id = source), 'FS001', 'no such node');
	SELECT count(*) FILTER (WHERE k.source_id = source), count(*) INTO of_pair, of_node
	FROM fleetscale.ssh_checks k WHERE k.destination_id = destination AND k.answered IS NULL AND k.ends > now();
	PERFORM fleetscale.want(of_pair < most_pair, 'FS005', 'too many sign-ins from this machine to that one wait already');
	PERFORM fleetscale.want(of_node < most_node, 'FS005', 'too many sign-ins for this machine wait already');
	PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.ssh_checks k WHERE k.tailnet_id = mine AND k.answered IS NULL AND k.ends > now()) < most,
		'FS005', 'too many sign-ins wait in this tailnet');
	INSERT INTO fleetscale.ssh_checks (tailnet_id, hash, source_id, destination_id, user_id, local_user, ends)
	SELECT mine, check_hash, source, destination, n.user_id, login, now() + lifetime_ms * interval '1 millisecond'
	FROM fleetscale.nodes n WHERE n.id = source;
END $$;

-- Of several answers the first wins; NULL approves. Others that wait at the same source are told too. FS001, FS003.
CREATE FUNCTION fleetscale.ssh_check_answer(check_hash bytea, reason text) RETURNS SETOF bytea
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.ssh_checks;
BEGIN
	SELECT * INTO held FROM fleetscale.ssh_checks k WHERE k.hash = check_hash FOR UPDATE;
	IF held.answered IS NOT NULL THEN
		PERFORM fleetscale.refuse('FS003', 'the login was answered already');
	ELSIF held.id IS NULL OR held.ends <= now() THEN
		PERFORM fleetscale.refuse('FS001', 'no such pending login: unknown, or it has ended');
	END IF;
	UPDATE fleetscale.ssh_checks k SET answered = now(), refusal = reason WHERE k.id = held.id;
	IF reason IS NULL THEN
		INSERT INTO fleetscale.ssh_signins AS s (tailnet_id, node_id, user_id, at) VALUES (held.tailnet_id, held.source_id, held.user_id, now())
		ON CONFLICT (node_id) DO UPDATE SET user_id = excluded.user_id, at = greatest(s.at, excluded.at);
	END IF;
	RETURN QUERY SELECT k.hash FROM fleetscale.ssh_checks k WHERE k.source_id = held.source_id
		AND (k.id = held.id OR (reason IS NULL AND k.answered IS NULL AND k.ends > now()));
END $$;

-- A check by the hash of its id, whatever tailnet it belongs to, for people: who knows the id began it, or was shown it.
CREATE FUNCTION fleetscale.ssh_check_find(check_hash bytea)
RETURNS TABLE (found fleetscale.ssh_checks, left_ms bigint, source text, destination text, owner text, network text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT k, (extract(epoch FROM k.ends - clock_timestamp()) * 1000)::bigint, s.label, d.label,
		coalesce((SELECT u.name FROM fleetscale.users u WHERE u.id = k.user_id), array_to_string(s.tags, ', ')), t.display_name
	FROM fleetscale.ssh_checks k JOIN fleetscale.nodes s ON s.id = k.source_id JOIN fleetscale.nodes d ON d.id = k.destination_id
		JOIN fleetscale.tailnets t ON t.id = k.tailnet_id
	WHERE k.hash = check_hash;
END $$;

-- Removes checks that ended some time ago, and sign-ins that no rule may remember any more. FS007: another process does it.
CREATE FUNCTION fleetscale.ssh_checks_prune(kept_ms bigint, remembered_ms bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	removed bigint;
BEGIN
	PERFORM fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty 6 0', 0)), 'FS007', 'another process prunes the checks');
	DELETE FROM fleetscale.ssh_checks k WHERE k.ends < now() - kept_ms * interval '1 millisecond';
	GET DIAGNOSTICS removed = ROW_COUNT;
	DELETE FROM fleetscale.ssh_signins s WHERE s.at < now() - remembered_ms * interval '1 millisecond';
	RETURN removed;
END $$;

GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.ssh_destination(bigint, bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.ssh_check_find(bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.ssh_checks_prune(bigint, bigint) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.ssh_destination(bigint, bytea), fleetscale.ssh_check_find(bytea), fleetscale.ssh_checks_prune(bigint, bigint),
	fleetscale.ssh_check_begin(bytea, bigint, bigint, text, bigint, bigint, bigint, bigint), fleetscale.ssh_check_answer(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.ssh_destination(bigint, bytea), fleetscale.ssh_check_find(bytea), fleetscale.ssh_checks_prune(bigint, bigint),
	fleetscale.ssh_check_begin(bytea, bigint, bigint, text, bigint, bigint, bigint, bigint), fleetscale.ssh_check_answer(bytea, text)
	TO fleetscale_coordinator;

ALTER FUNCTION fleetscale.audit_state(text, bigint, text) RENAME TO audit_state_before_checks;
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF kind <> 'sshcheck' THEN
		RETURN fleetscale.audit_state_before_checks(kind, subject, name);
	END IF;
	RETURN (SELECT jsonb_build_object('id', k.id, 'sourceId', k.source_id::text, 'destinationId', k.destination_id::text, 'userId', k.user_id::text,
			'localUser', k.local_user, 'answered', k.answered, 'refusal', k.refusal, 'createdAt', k.created)
		FROM fleetscale.ssh_checks k WHERE encode(k.hash, 'hex') = name OR k.id = subject);
END $$;
