-- Relays as a fleet: regions with score and stage, tokens per relay or region, wishes, relays listed by hand, the keys of meshes; what relays ask again.

ALTER TABLE fleetscale.regions
	-- Clients multiply measured times by it: more is farther.
	ADD score double precision NOT NULL DEFAULT 1 CHECK (score > 0 AND score <= 1000000),
	-- Whose maps show it, and whose nodes its relays admit; NULL: all.
	ADD tailnets bigint[],
	-- What one client may send; 0: no limit.
	ADD client_rate bigint NOT NULL DEFAULT 0 CHECK (client_rate >= 0),
	ADD client_burst bigint NOT NULL DEFAULT 0 CHECK (client_burst >= 0),
	-- How far it has left the map: 0 not at all, 1 scored away, 2 nobody's home. relays_step moves it.
	ADD stage smallint NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND 2),
	ADD stage_since timestamptz NOT NULL DEFAULT now();

-- Relays of a region prove themselves to each other by it. Not readable by mappers.
CREATE TABLE fleetscale.region_keys (
	region_id integer PRIMARY KEY REFERENCES fleetscale.regions ON DELETE CASCADE,
	mesh_key bytea NOT NULL DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) CHECK (length(mesh_key) = 32),
	-- Good beside it until then.
	before bytea CHECK (length(before) = 32),
	before_until timestamptz,
	rotated timestamptz NOT NULL DEFAULT now()
);
INSERT INTO fleetscale.region_keys (region_id) SELECT id FROM fleetscale.regions;

-- One token is for one relay, or for any that says its name in a region.
CREATE TABLE fleetscale.relay_tokens (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	region_id integer NOT NULL CONSTRAINT relay_tokens_region REFERENCES fleetscale.regions ON DELETE CASCADE,
	relay_id bigint CONSTRAINT relay_tokens_relay REFERENCES fleetscale.relays ON DELETE CASCADE,
	prefix text NOT NULL CONSTRAINT relay_tokens_prefix UNIQUE,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	description text NOT NULL DEFAULT '' CHECK (octet_length(description) <= 255),
	created timestamptz NOT NULL DEFAULT now(),
	revoked timestamptz
);
CREATE INDEX relay_tokens_of_relay ON fleetscale.relay_tokens (relay_id);
CREATE INDEX relay_tokens_of_region ON fleetscale.relay_tokens (region_id);
INSERT INTO fleetscale.relay_tokens (region_id, relay_id, prefix, hash, created, revoked)
SELECT region_id, id, prefix, hash, created, revoked FROM fleetscale.relays;

ALTER TABLE fleetscale.relays
	-- Tokens are rows of their own now.
	ALTER prefix DROP NOT NULL,
	ALTER hash DROP NOT NULL,
	-- The one that it announced itself with last.
	ADD token_id bigint REFERENCES fleetscale.relay_tokens ON DELETE SET NULL,
	-- A foreign relay that never announces itself: an administrator says how it is reached.
	ADD by_hand boolean NOT NULL DEFAULT false,
	-- Whether it is a member of its region's mesh.
	ADD mesh boolean NOT NULL DEFAULT true,
	ADD wish text NOT NULL DEFAULT 'serve' CHECK (wish IN ('serve', 'drain')),
	-- It said itself that it is about to end.
	ADD draining boolean NOT NULL DEFAULT false,
	-- In the relay map. relays_step moves it.
	ADD shown boolean NOT NULL DEFAULT false,
	-- No lease since then; a lease again since then.
	ADD silent_since timestamptz,
	ADD back_since timestamptz,
	-- It goes when the map does not show it any more.
	ADD deleted timestamptz;
UPDATE fleetscale.relays r SET shown = r.last_seen IS NOT NULL AND r.revoked IS NULL, token_id = t.id
FROM fleetscale.relay_tokens t WHERE t.relay_id = r.id;

-- Keys about which relays shall ask again: what they were told may not be so any more.
CREATE TABLE fleetscale.relay_rechecks (
	writer xid8 NOT NULL DEFAULT pg_current_xact_id(),
	node_key bytea NOT NULL,
	at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX relay_rechecks_writer ON fleetscale.relay_rechecks (writer);
CREATE INDEX relay_rechecks_at ON fleetscale.relay_rechecks (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.region_keys, fleetscale.relay_tokens TO fleetscale_coordinator;
GRANT SELECT, INSERT, DELETE ON fleetscale.relay_rechecks TO fleetscale_coordinator;
GRANT INSERT ON fleetscale.relay_rechecks TO fleetscale_lookup;
GRANT SELECT (shown) ON fleetscale.relays TO fleetscale_mapper;

GRANT USAGE, CREATE ON SCHEMA fleetscale TO fleetscale_lookup;

CREATE FUNCTION fleetscale.node_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key) VALUES (OLD.node_key);
	RETURN NULL;
END $$;
ALTER FUNCTION fleetscale.node_recheck() OWNER TO fleetscale_lookup;
CREATE TRIGGER recheck_deleted AFTER DELETE ON fleetscale.nodes FOR EACH ROW EXECUTE FUNCTION fleetscale.node_recheck();
CREATE TRIGGER recheck_changed AFTER UPDATE OF node_key, approved, expiry, expiry_told ON fleetscale.nodes FOR EACH ROW
	WHEN (OLD.node_key <> NEW.node_key OR OLD.approved <> NEW.approved OR OLD.expiry IS DISTINCT FROM NEW.expiry OR OLD.expiry_told IS DISTINCT FROM NEW.expiry_told)
	EXECUTE FUNCTION fleetscale.node_recheck();

CREATE FUNCTION fleetscale.tailnet_recheck() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO fleetscale.relay_rechecks (node_key) SELECT n.node_key FROM fleetscale.nodes n WHERE n.tailnet_id = NEW.id;
	RETURN NULL;
END $$;
ALTER FUNCTION fleetscale.tailnet_recheck() OWNER TO fleetscale_lookup;
CREATE TRIGGER recheck_suspended AFTER UPDATE OF suspended ON fleetscale.tailnets FOR EACH ROW
	WHEN (NEW.suspended AND NOT OLD.suspended) EXECUTE FUNCTION fleetscale.tailnet_recheck();

-- May the key use a relay of this region?
CREATE FUNCTION fleetscale.may_relay_in(key bytea, region integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		JOIN fleetscale.regions g ON g.id = region AND (g.tailnets IS NULL OR n.tailnet_id = ANY (g.tailnets))
		WHERE n.node_key = key AND n.approved AND NOT t.suspended AND (n.expiry IS NULL OR n.expiry > now()));
END $$;
ALTER FUNCTION fleetscale.may_relay_in(bytea, integer) OWNER TO fleetscale_lookup;
GRANT SELECT ON fleetscale.regions TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.may_relay_in(bytea, integer), fleetscale.node_recheck(), fleetscale.tailnet_recheck() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.may_relay_in(bytea, integer) TO fleetscale_coordinator;

-- --- announcements ----------------------------------------------------------------------------------------------------------------------------------------

-- The relay that this token speaks for: its own, or the one of that name in its region, which is made when it is not there.
CREATE FUNCTION fleetscale.relay_of_token(token bigint, said text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.relay_tokens;
	mine fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relay_tokens t WHERE t.id = token AND t.revoked IS NULL FOR SHARE;
	PERFORM fleetscale.want(held.id IS NOT NULL, 'FS001', 'this relay token is no more');
	IF held.relay_id IS NOT NULL THEN
		RETURN held.relay_id;
	END IF;
	PERFORM fleetscale.want(said <> '', 'FS004', 'the token is one of a region: the relay must say its name (relay.name)');
	INSERT INTO fleetscale.relays (region_id, name) VALUES (held.region_id, said) ON CONFLICT (name) DO NOTHING;
	SELECT * INTO mine FROM fleetscale.relays r WHERE r.name = said;
	PERFORM fleetscale.want(mine.region_id = held.region_id, 'FS004', 'a relay of that name is in another region');
	PERFORM fleetscale.want(NOT mine.by_hand, 'FS004', 'a relay of that name is listed by hand');
	RETURN mine.id;
END $$;

-- As relay_announce in 0010, by token; last_seen moves each half minute only, for being alive is a lease elsewhere.
CREATE FUNCTION fleetscale.relay_announce_by(token bigint, said text, host_name text, cert_name text, ipv4 text, ipv6 text, stun_port integer,
	relay_port integer, insecure_for_tests boolean, can_port80 boolean, version text, draining boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	mine bigint := fleetscale.relay_of_token(token, said);
	held fleetscale.relays;
	differs boolean;
BEGIN
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = mine AND r.revoked IS NULL AND r.deleted IS NULL;
	PERFORM fleetscale.want(held.id IS NOT NULL, 'FS001', 'this relay was removed');
	differs := (held.host_name, held.cert_name, held.ipv4, held.ipv6, held.stun_port, held.relay_port, held.insecure_for_tests, held.can_port80)
		IS DISTINCT FROM (host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests, can_port80);
	IF differs OR held.version <> version OR held.draining <> draining OR held.token_id IS DISTINCT FROM token
		OR held.last_seen IS NULL OR held.last_seen < now() - interval '30 seconds' THEN
		UPDATE fleetscale.relays r SET host_name = host_name, cert_name = cert_name, ipv4 = ipv4, ipv6 = ipv6, stun_port = stun_port,
			relay_port = relay_port, insecure_for_tests = insecure_for_tests, can_port80 = can_port80, version = version, draining = draining,
			token_id = token, last_seen = now(), shown = r.shown OR (r.last_seen IS NULL AND r.wish = 'serve')
		WHERE r.id = mine;
		IF held.last_seen IS NULL OR (differs AND held.shown) THEN
			UPDATE fleetscale.regions g SET stage = 0, stage_since = now() WHERE g.id = held.region_id AND g.stage > 0 AND held.last_seen IS NULL;
			PERFORM fleetscale.note('relays', mine);
		END IF;
	END IF;
	RETURN mine;
END $$;

-- Whether the map shall show it, apart from what else its region has.
CREATE FUNCTION fleetscale.relay_is_wanted(r fleetscale.relays, dead_ms bigint, steady_ms bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT r.last_seen IS NOT NULL AND r.deleted IS NULL AND r.revoked IS NULL AND r.wish = 'serve' AND NOT r.draining
		AND NOT EXISTS (SELECT FROM fleetscale.relay_tokens t WHERE t.id = r.token_id AND t.revoked IS NOT NULL)
		AND (r.silent_since IS NULL OR r.silent_since > now() - dead_ms * interval '1 millisecond')
		AND (r.shown OR r.back_since IS NULL OR r.back_since <= now() - steady_ms * interval '1 millisecond')
$$;

-- Moves the map one step towards what is wanted. `heard`: relays with a lease, `at_home`: the clients that each is home of, as far as it said; `certain`: leases
-- can be read. A region that leaves is scored away first, then nobody's home, then gone; each stage lasts `settle`, and up to `patience` while it is
-- some client's home. The last region stays. Returns the regions that moved.
CREATE FUNCTION fleetscale.relays_step(heard bigint[], at_home bigint[], certain boolean, settle_ms bigint, patience_ms bigint, dead_ms bigint, steady_ms bigint)
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
			CONTINUE WHEN g.stage > 0 AND (age < settle OR (g.homes > 0 AND age < patience_ms * interval '1 millisecond'));
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

-- --- administrators ---------------------------------------------------------------------------------------------------------------------------------------

-- Leaves the map in order, then goes. Asked a second time, or never shown: at once.
CREATE FUNCTION fleetscale.relay_remove(wanted bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = wanted FOR UPDATE;
	PERFORM fleetscale.want(held.id IS NOT NULL, 'FS001', 'no such relay');
	IF held.shown AND held.deleted IS NULL THEN
		UPDATE fleetscale.relays r SET deleted = now() WHERE r.id = wanted;
		UPDATE fleetscale.relay_tokens t SET revoked = now() WHERE t.relay_id = wanted AND t.revoked IS NULL;
	ELSE
		DELETE FROM fleetscale.relays r WHERE r.id = wanted;
	END IF;
	PERFORM fleetscale.note('relays', wanted);
END $$;

-- The next key of a mesh (NULL: a random one); the one before stays good for a while.
CREATE FUNCTION fleetscale.region_rotate(wanted integer, following bytea, overlap_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM fleetscale.want(EXISTS (SELECT FROM fleetscale.regions g WHERE g.id = wanted), 'FS001', 'no such region');
	INSERT INTO fleetscale.region_keys (region_id) VALUES (wanted) ON CONFLICT DO NOTHING;
	UPDATE fleetscale.region_keys k SET before = k.mesh_key, before_until = now() + overlap_ms * interval '1 millisecond', rotated = now(),
		mesh_key = coalesce(following, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
	WHERE k.region_id = wanted;
END $$;

ALTER FUNCTION fleetscale.audit_state(text, bigint, text) RENAME TO audit_state_before_fleet;
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
	found jsonb;
BEGIN
	CASE kind
	WHEN 'relay' THEN
		found := fleetscale.audit_state_before_fleet(kind, subject, name) - 'prefix';
		SELECT found || jsonb_build_object('wish', r.wish, 'foreign', r.by_hand, 'mesh', r.mesh, 'removed', r.deleted, 'hostName', r.host_name)
		INTO found FROM fleetscale.relays r WHERE r.id = subject OR (subject IS NULL AND r.name = name);
	WHEN 'region' THEN
		SELECT jsonb_build_object('id', g.id, 'code', g.code, 'name', g.name, 'latitude', g.latitude, 'longitude', g.longitude,
			'noMeasureNoHome', g.no_measure_no_home, 'score', g.score, 'tailnets', g.tailnets, 'clientBytesPerSecond', g.client_rate,
			'clientBurstBytes', g.client_burst, 'meshKeyRotatedAt', k.rotated)
		INTO found FROM fleetscale.regions g LEFT JOIN fleetscale.region_keys k ON k.region_id = g.id WHERE g.id = subject;
	WHEN 'relaytoken' THEN
		SELECT jsonb_build_object('id', t.id, 'prefix', t.prefix, 'regionId', t.region_id, 'relayId', t.relay_id::text, 'description', t.description,
			'revoked', t.revoked, 'createdAt', t.created)
		INTO found FROM fleetscale.relay_tokens t WHERE t.id = subject OR (subject IS NULL AND t.prefix = name);
	ELSE
		found := fleetscale.audit_state_before_fleet(kind, subject, name);
	END CASE;
	RETURN found;
END $$;

-- --- what a tailnet's map shows ---------------------------------------------------------------------------------------------------------------------------

ALTER TABLE fleetscale.tailnets
	-- Regions by number. The fence: these alone; empty: no fence.
	ADD relay_fence integer[] NOT NULL DEFAULT '{}',
	ADD relay_omit integer[] NOT NULL DEFAULT '{}',
	-- Shown, but never measured and nobody's home.
	ADD relay_no_home integer[] NOT NULL DEFAULT '{}',
	-- Only regions that are this tailnet's own (regions.tailnets).
	ADD relay_omit_shared boolean NOT NULL DEFAULT false;
