-- Interactive logins: begun before the tailnet is known, answered once inside one. And what a tailnet refuses to joins: frozen, suspended, full.

ALTER TABLE fleetscale.logins
	ADD lock_key bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(lock_key) = 32),
	-- Base of the node's label, and the routes that it offers, as the request told them.
	ADD label text NOT NULL DEFAULT 'node',
	ADD routes cidr[] NOT NULL DEFAULT '{}',
	-- Where it came from, for people.
	ADD address text NOT NULL DEFAULT '',
	ADD answered timestamptz;
CREATE INDEX logins_machine ON fleetscale.logins (machine_key);
CREATE INDEX logins_pending ON fleetscale.logins (ends) WHERE node_id IS NULL AND refusal IS NULL;
CREATE INDEX logins_tailnet ON fleetscale.logins (tailnet_id) WHERE tailnet_id IS NOT NULL;

-- A login begun under a tailnet's login host is that tailnet's alone. A machine has few that wait, the oldest makes room; the installation has at most `most`.
CREATE FUNCTION fleetscale.login_begin(login_hash bytea, machine bytea, key bytea, old_key bytea, locking bytea, base text, info text, version integer,
	offered cidr[], wanted timestamptz, passing boolean, origin text, host text, lifetime_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t fleetscale.tailnets;
	made bigint;
BEGIN
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
	END IF;
	INSERT INTO fleetscale.logins (tailnet_id, hash, machine_key, node_key, old_node_key, lock_key, label, hostinfo, capver, routes, wanted_expiry, ephemeral,
		address, ends)
	VALUES (t.id, login_hash, machine, key, old_key, locking, base, info, version, offered, wanted, passing, origin,
		now() + lifetime_ms * interval '1 millisecond')
	RETURNING id INTO made;
	RETURN made;
END $$;

-- A login by the hash of its id, whatever tailnet it belongs to: who knows the id began it, or was shown it. left_ms: until it ends.
-- renews: the node of the same machine under the old node key.
CREATE FUNCTION fleetscale.login_find(login_hash bytea)
RETURNS TABLE (login fleetscale.logins, left_ms bigint, renews text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT l, (extract(epoch FROM l.ends - clock_timestamp()) * 1000)::bigint,
		(SELECT n.label FROM fleetscale.nodes n WHERE n.node_key = l.old_node_key AND n.machine_key = l.machine_key
			AND (l.tailnet_id IS NULL OR n.tailnet_id = l.tailnet_id))
	FROM fleetscale.logins l WHERE l.hash = login_hash;
END $$;

-- Takes a pending login for the transaction's tailnet: of several that answer at once the first wins. Unknown, expired and foreign look the same.
CREATE FUNCTION fleetscale.login_claim(login_hash bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held fleetscale.logins;
	mine bigint := fleetscale.current_tailnet();
BEGIN
	SELECT * INTO held FROM fleetscale.logins l WHERE l.hash = login_hash FOR UPDATE;
	IF held.id IS NULL OR held.tailnet_id <> mine THEN
		PERFORM fleetscale.refuse('FS001', 'no such pending login');
	ELSIF held.node_id IS NOT NULL OR held.refusal IS NOT NULL THEN
		PERFORM fleetscale.refuse('FS003', 'the login was answered already');
	ELSIF held.ends <= now() THEN
		PERFORM fleetscale.refuse('FS001', 'no such pending login');
	END IF;
	UPDATE fleetscale.logins l SET tailnet_id = mine, answered = now() WHERE l.id = held.id;
	RETURN held.id;
END $$;

-- May this tailnet's machines join? adds: the machine is a new node, so that the limit counts.
CREATE FUNCTION fleetscale.tailnet_admits(adds boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	t record;
BEGIN
	SELECT a.suspended, a.frozen, a.node_limit INTO t FROM fleetscale.tailnets a WHERE a.id = mine;
	IF t.suspended THEN
		PERFORM fleetscale.refuse('FS004', 'this tailnet is suspended');
	ELSIF t.frozen THEN
		PERFORM fleetscale.refuse('FS004', 'this tailnet admits no machine at present');
	ELSIF adds AND t.node_limit > 0 AND (SELECT count(*) FROM fleetscale.nodes n WHERE n.tailnet_id = mine) >= t.node_limit THEN
		PERFORM fleetscale.refuse('FS005', format('this tailnet has reached its limit of %s nodes', t.node_limit));
	END IF;
END $$;

-- As in 0007, and asks whether the tailnet admits it.
CREATE OR REPLACE FUNCTION fleetscale.node_insert(user_id bigint, tags text[], machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text,
	capver integer, routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, authkey bigint, consume boolean, method integer)
RETURNS fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	made fleetscale.nodes;
BEGIN
	PERFORM fleetscale.tailnet_admits(true);
	INSERT INTO fleetscale.nodes AS n (tailnet_id, user_id, tags, machine_key, node_key, lock_key, label, ip4, ip6, hostinfo, capver, routes_advertised, expiry,
		expiry_told, ephemeral, approved, authkey_id, register_method)
	VALUES (fleetscale.current_tailnet(), user_id, tags, machine_key, node_key, lock_key, fleetscale.label_take(base), fleetscale.address_take(4),
		fleetscale.address_take(6), hostinfo, capver, routes, expiry, CASE WHEN expiry <= now() THEN expiry END, ephemeral, approved, authkey, method)
	RETURNING n.* INTO made;
	IF authkey IS NOT NULL THEN
		PERFORM fleetscale.authkey_use(authkey, made.id, consume);
	END IF;
	PERFORM fleetscale.note('node-added', made.id);
	RETURN made;
END $$;

-- As in 0007, and asks whether the tailnet admits it.
CREATE OR REPLACE FUNCTION fleetscale.node_rekey(node bigint, was bytea, user_id bigint, tags text[], node_key bytea, lock_key bytea, hostinfo text,
	capver integer, expiry timestamptz, ephemeral boolean, authkey bigint, consume boolean, method integer)
RETURNS SETOF fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	held fleetscale.nodes;
BEGIN
	PERFORM fleetscale.tailnet_admits(false);
	SELECT * INTO held FROM fleetscale.nodes n WHERE n.id = node FOR UPDATE;
	IF held.id IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such node');
	ELSIF held.node_key <> was THEN
		PERFORM fleetscale.refuse('FS003', 'the node took another key meanwhile');
	END IF;
	IF authkey IS NOT NULL THEN
		PERFORM fleetscale.authkey_use(authkey, node, consume);
	END IF;
	IF held.node_key <> node_key THEN
		PERFORM fleetscale.note('node-key', node);
	END IF;
	IF held.user_id IS DISTINCT FROM user_id OR held.tags <> tags THEN
		PERFORM fleetscale.note('node-owner', node);
	END IF;
	IF held.expiry IS DISTINCT FROM expiry OR held.expiry <= now() THEN
		PERFORM fleetscale.note('node-expiry', node);
	END IF;
	IF held.hostinfo <> hostinfo AND hostinfo <> '' THEN
		PERFORM fleetscale.note('node-hostinfo', node);
	END IF;
	RETURN QUERY UPDATE fleetscale.nodes AS n SET user_id = user_id, tags = tags, node_key = node_key, lock_key = lock_key,
		hostinfo = coalesce(NULLIF(hostinfo, ''), n.hostinfo), capver = CASE WHEN capver > 0 THEN capver ELSE n.capver END, expiry = expiry,
		expiry_told = CASE WHEN expiry <= now() THEN expiry END, ephemeral = ephemeral, authkey_id = authkey,
		register_method = method, first_polled = NULL, last_seen = greatest(n.last_seen, now())
	WHERE n.id = node RETURNING n.*;
END $$;

-- A login becomes a new node. One machine has one node of an owner: two logins of it that are answered at once must not make two.
CREATE FUNCTION fleetscale.login_enroll(login_hash bytea, user_id bigint, machine_key bytea, node_key bytea, lock_key bytea, base text, hostinfo text,
	capver integer, routes cidr[], expiry timestamptz, ephemeral boolean, approved boolean, method integer)
RETURNS SETOF fleetscale.nodes
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	login bigint;
	made fleetscale.nodes;
BEGIN
	login := fleetscale.login_claim(login_hash);
	PERFORM fleetscale.lock_tailnet();
	IF EXISTS (SELECT FROM fleetscale.nodes n WHERE n.machine_key = machine_key AND n.user_id = user_id) THEN
		PERFORM fleetscale.refuse('FS003', 'this machine joined meanwhile');
	END IF;
	made := fleetscale.node_insert(user_id, '{}', machine_key, node_key, lock_key, base, hostinfo, capver, routes, expiry, ephemeral, approved, NULL, false, method);
	UPDATE fleetscale.logins l SET node_id = made.id WHERE l.id = login;
	RETURN NEXT made;
END $$;

-- Removes logins that ended some time ago, answered or not. FS007: another process does it.
CREATE FUNCTION fleetscale.logins_prune(kept_ms bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	removed bigint;
BEGIN
	PERFORM fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty 4 0', 0)), 'FS007', 'another process prunes the logins');
	DELETE FROM fleetscale.logins l WHERE l.ends < now() - kept_ms * interval '1 millisecond';
	GET DIAGNOSTICS removed = ROW_COUNT;
	RETURN removed;
END $$;

GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.login_begin(bytea, bytea, bytea, bytea, bytea, text, text, integer, cidr[], timestamptz, boolean, text, text, bigint, bigint)
	OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.login_find(bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.login_claim(bytea) OWNER TO fleetscale_lookup;
ALTER FUNCTION fleetscale.logins_prune(bigint) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;

REVOKE ALL ON FUNCTION
	fleetscale.login_begin(bytea, bytea, bytea, bytea, bytea, text, text, integer, cidr[], timestamptz, boolean, text, text, bigint, bigint),
	fleetscale.login_find(bytea), fleetscale.login_claim(bytea), fleetscale.logins_prune(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	fleetscale.login_begin(bytea, bytea, bytea, bytea, bytea, text, text, integer, cidr[], timestamptz, boolean, text, text, bigint, bigint),
	fleetscale.login_find(bytea), fleetscale.login_claim(bytea), fleetscale.logins_prune(bigint) TO fleetscale_coordinator;
