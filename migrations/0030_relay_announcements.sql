-- Relays announce themselves: which process is a relay, what relays find when they probe each other, the keys that sign what they are answered.
--
-- The order in which the statements about relays take their rows; who follows it waits for nobody who waits for him:
--  1. relays. An announcement and what it found of others hold the one that speaks and no other; so does who removes one or says its wish. relays_step alone
--     holds many, under the lock of its duty.
--  2. regions. Who else changes one or removes it holds no relay, and waits for none. (A new relay only keeps its region from being removed.)
--  3. tokens, the keys of meshes, probes. A relay's own are touched by who holds the relay, a region's by who holds the region, or each alone.
--  4. the generation, last.

ALTER TABLE fleetscale.relays
	-- The key by which it is a client of the others when it probes them. Of the process that announced last.
	ADD probe_key bytea,
	-- Of the process that announced last; random, made at its start.
	ADD instance text NOT NULL DEFAULT '' CHECK (octet_length(instance) <= 64),
	-- How far what it said of itself has been followed: each change that the map shows moves it on by the time that one may take.
	ADD changes_until timestamptz NOT NULL DEFAULT '-infinity',
	-- What it said last is not followed.
	ADD held_back boolean NOT NULL DEFAULT false;
CREATE INDEX relays_probe_key ON fleetscale.relays (probe_key) WHERE probe_key IS NOT NULL;

-- Tokens stay when they are revoked; each announcement asks for those of many relays whether they are.
CREATE INDEX relay_tokens_revoked ON fleetscale.relay_tokens (id) WHERE revoked IS NOT NULL;

-- The last probe of each by each. Not logged: the next round brings it anew.
CREATE UNLOGGED TABLE fleetscale.relay_probes (
	from_id bigint NOT NULL REFERENCES fleetscale.relays ON DELETE CASCADE,
	-- No reference, which would hold the other relay's row: whoever reads passes over those that have gone.
	to_id bigint NOT NULL,
	at timestamptz NOT NULL,
	-- What came of it: 'ok', or what failed; empty: not measured.
	relay text NOT NULL,
	stun text NOT NULL,
	mesh text NOT NULL,
	-- Microseconds.
	connect_us bigint,
	trip_us bigint,
	stun_us bigint,
	mesh_us bigint,
	PRIMARY KEY (from_id, to_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.relay_probes TO fleetscale_coordinator;

-- 'relays': the seed of an Ed25519 key that signs what coordinators answer relays. Told to relays from its row's birth until valid_until; the newest that may signs.
ALTER TABLE fleetscale.serverkeys DROP CONSTRAINT serverkeys_kind_check,
	ADD CONSTRAINT serverkeys_kind_check CHECK (kind IN ('noise', 'identity', 'relays'));

-- --- announcements ----------------------------------------------------------------------------------------------------------------------------------------

-- The relay that this token speaks for: its own, or the one of that name in its region, which is made when it is not there. A region holds no more than its cap,
-- for its token may be in wrong hands. FS001: the token is no more; FS004: the name is none for it.
CREATE OR REPLACE FUNCTION fleetscale.relay_of_token(token bigint, said text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	held fleetscale.relay_tokens;
	mine fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relay_tokens t WHERE t.id = token AND t.revoked IS NULL;
	PERFORM fleetscale.want(held.id IS NOT NULL, 'FS001', 'this relay token is no more');
	IF held.relay_id IS NOT NULL THEN
		RETURN held.relay_id;
	END IF;
	PERFORM fleetscale.want(said <> '', 'FS004', 'the token is one of a region: the relay must say its name (relay.name)');
	SELECT * INTO mine FROM fleetscale.relays r WHERE r.name = said;
	IF mine.id IS NULL THEN
		-- One after the other, so that each is counted. Not by the region's row: the name may be one of a relay that is about to go, for which this waits.
		PERFORM pg_advisory_xact_lock(hashtextextended('fleetscale new relay ' || held.region_id, 0));
		PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.relays r WHERE r.region_id = held.region_id) < 256, 'FS004',
			'the region has 256 relays already: remove those that are no more');
		INSERT INTO fleetscale.relays (region_id, name) VALUES (held.region_id, said) ON CONFLICT (name) DO NOTHING;
		SELECT * INTO mine FROM fleetscale.relays r WHERE r.name = said;
	END IF;
	PERFORM fleetscale.want(mine.region_id = held.region_id, 'FS004', 'a relay of that name is in another region');
	PERFORM fleetscale.want(NOT mine.by_hand, 'FS004', 'a relay of that name is listed by hand');
	RETURN mine.id;
END $$;

-- How a relay is reached, as it says itself; its id. Nothing is written or held when nothing differs: last_seen moves each half minute only, for being alive is
-- a lease elsewhere. A line only when the map shows something else now. One that comes for the first time is shown at once, but in a region that leaves the map
-- with the next step (relays_step), which brings the region back.
-- `instance` tells processes apart, NULL: not said. Two that announce themselves as one relay would change the map with each word, hence the one that is there
-- keeps the name while it lives: until its lease has ended (silent_since); or, when nobody can read leases, until last_seen, which is half a minute old at most, is
-- a little older. One that begins anew where it was, and one that follows on one that said it ends, need not wait; one that ends, when another has followed
-- already, has nothing more to say.
-- Each change goes to every client, hence a relay has ten of them at once and one each 20 s, and so has its word that it ends, by which its region may leave the
-- map; what it says of itself beyond that is held back, and the map shows what it said before. That it does not end after all is heard at once.
-- FS001: the token is no more, or the relay. FS004: the name is none for this token or somebody else's, or the relay is listed by hand: that one's token is for
-- questions about keys, for it stands in a URL of somebody else's program, and how that is reached an administrator says.
CREATE FUNCTION fleetscale.relay_announce_as(instance text, token bigint, said text, host_name text, cert_name text, ipv4 text, ipv6 text, stun_port integer,
	relay_port integer, insecure_for_tests boolean, can_port80 boolean, version text, draining boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	mine bigint := fleetscale.relay_of_token(token, said);
	held fleetscale.relays;
	differs boolean;
	restless boolean := false;
	changes CONSTANT integer := 10;
	pace CONSTANT interval := '20 seconds';
	later timestamptz;
BEGIN
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = mine;
	IF held.last_seen >= now() - interval '30 seconds' AND NOT held.held_back AND NOT held.by_hand AND held.revoked IS NULL AND held.deleted IS NULL
		AND (held.host_name, held.cert_name, held.ipv4, held.ipv6, held.stun_port, held.relay_port, held.insecure_for_tests, held.can_port80, held.version,
			held.draining, held.token_id, held.instance) IS NOT DISTINCT FROM (host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests,
			can_port80, version, draining, token, coalesce(instance, held.instance)) THEN
		RETURN mine;
	END IF;
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = mine FOR NO KEY UPDATE;
	PERFORM fleetscale.want(held.id IS NOT NULL AND held.revoked IS NULL AND held.deleted IS NULL, 'FS001', 'this relay was removed');
	PERFORM fleetscale.want(NOT held.by_hand, 'FS004', 'this relay is listed by hand: its token is for questions about keys');
	IF held.instance <> '' AND held.instance <> instance AND NOT held.draining AND held.silent_since IS NULL
		AND held.last_seen > now() - interval '45 seconds' THEN
		PERFORM fleetscale.want(NOT draining, 'FS004', 'another process is this relay now');
		PERFORM fleetscale.want((held.host_name, held.ipv4, held.ipv6, held.relay_port) IS NOT DISTINCT FROM (host_name, ipv4, ipv6, relay_port), 'FS004',
			format('the relay %s is alive already, at %s: each needs a name of its own, or waits until that one is silent', held.name, held.host_name));
	END IF;
	differs := (held.host_name, held.cert_name, held.ipv4, held.ipv6, held.stun_port, held.relay_port, held.insecure_for_tests, held.can_port80)
		IS DISTINCT FROM (host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests, can_port80);
	IF (differs OR (draining AND NOT held.draining)) AND held.shown THEN
		later := greatest(held.changes_until, now()) + pace;
		restless := later > now() + changes * pace;
	END IF;
	IF restless THEN
		later := NULL;
		differs := false;
		host_name := held.host_name;
		cert_name := held.cert_name;
		ipv4 := held.ipv4;
		ipv6 := held.ipv6;
		stun_port := held.stun_port;
		relay_port := held.relay_port;
		insecure_for_tests := held.insecure_for_tests;
		can_port80 := held.can_port80;
		draining := held.draining;
	END IF;
	UPDATE fleetscale.relays r SET host_name = host_name, cert_name = cert_name, ipv4 = ipv4, ipv6 = ipv6, stun_port = stun_port, relay_port = relay_port,
		insecure_for_tests = insecure_for_tests, can_port80 = can_port80, version = version, draining = draining, token_id = token,
		instance = coalesce(instance, r.instance), last_seen = now(), changes_until = coalesce(later, r.changes_until), held_back = restless,
		shown = r.shown OR (r.last_seen IS NULL AND r.wish = 'serve' AND EXISTS (SELECT FROM fleetscale.regions g WHERE g.id = r.region_id AND g.stage = 0))
	WHERE r.id = mine;
	IF held.last_seen IS NULL OR (differs AND held.shown) THEN
		PERFORM fleetscale.note('relays', mine);
	END IF;
	RETURN mine;
END $$;

-- For coordinators of the release before, which do not say which process it is.
CREATE OR REPLACE FUNCTION fleetscale.relay_announce_by(token bigint, said text, host_name text, cert_name text, ipv4 text, ipv6 text, stun_port integer,
	relay_port integer, insecure_for_tests boolean, can_port80 boolean, version text, draining boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	RETURN fleetscale.relay_announce_as(NULL, token, said, host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests, can_port80, version, draining);
END $$;

-- The relay's key is this one from now on, and these are its newest figures; 0: not measured. Relays that have gone are passed over, and one that goes meanwhile
-- stops nobody who probed it. What is a day old goes.
CREATE FUNCTION fleetscale.relay_probed(token bigint, said text, key bytea, targets bigint[], ages_ms bigint[], relay_kinds text[], stun_kinds text[],
	mesh_kinds text[], connects bigint[], trips bigint[], stuns bigint[], meshes bigint[])
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.relay_of_token(token, said);
	known bytea;
BEGIN
	SELECT r.probe_key INTO known FROM fleetscale.relays r WHERE r.id = mine;
	IF known = key AND cardinality(targets) = 0 THEN
		RETURN;
	END IF;
	SELECT r.probe_key INTO known FROM fleetscale.relays r WHERE r.id = mine FOR NO KEY UPDATE;
	PERFORM fleetscale.want(FOUND, 'FS001', 'this relay was removed');
	IF known IS DISTINCT FROM key THEN
		UPDATE fleetscale.relays r SET probe_key = key WHERE r.id = mine;
	END IF;
	DELETE FROM fleetscale.relay_probes p WHERE p.from_id = mine AND p.at < now() - interval '1 day';
	INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh, connect_us, trip_us, stun_us, mesh_us)
	SELECT DISTINCT ON (f.target) mine, f.target, now() - f.age * interval '1 millisecond', f.relay, f.stun, f.mesh,
		NULLIF(f.connects, 0), NULLIF(f.trips, 0), NULLIF(f.stuns, 0), NULLIF(f.meshes, 0)
	FROM unnest(targets, ages_ms, relay_kinds, stun_kinds, mesh_kinds, connects, trips, stuns, meshes)
		AS f (target, age, relay, stun, mesh, connects, trips, stuns, meshes)
	WHERE f.target <> mine AND EXISTS (SELECT FROM fleetscale.relays r WHERE r.id = f.target)
	ORDER BY f.target
	ON CONFLICT (from_id, to_id) DO UPDATE SET at = EXCLUDED.at, relay = EXCLUDED.relay, stun = EXCLUDED.stun, mesh = EXCLUDED.mesh,
		connect_us = EXCLUDED.connect_us, trip_us = EXCLUDED.trip_us, stun_us = EXCLUDED.stun_us, mesh_us = EXCLUDED.mesh_us;
END $$;

-- --- the map ----------------------------------------------------------------------------------------------------------------------------------------------

-- A relay that empties itself beside others stays in the map: clients that try it go on to the next.
CREATE FUNCTION fleetscale.relay_lingers(r fleetscale.relays, dead_ms bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT r.deleted IS NULL AND r.revoked IS NULL AND (r.wish = 'drain' OR r.draining)
		AND (r.silent_since IS NULL OR r.silent_since > now() - dead_ms * interval '1 millisecond')
$$;

-- Moves the map one step towards what is wanted, under the lock of its duty. `heard`: relays with a lease, `at_home`: the clients that each is home of, as far
-- as it said; `certain`: leases can be read, without which nobody falls silent. A region that leaves is scored away first, then nobody's home, then gone; each
-- stage lasts `settle`, and up to `patience` while it is some client's home, or nobody can say whether it is. The last region stays. Returns the regions that
-- moved.
CREATE OR REPLACE FUNCTION fleetscale.relays_step(heard bigint[], at_home bigint[], certain boolean, settle_ms bigint, patience_ms bigint, dead_ms bigint,
	steady_ms bigint)
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
				fleetscale.relay_lingers(r, dead_ms) AS lingers, coalesce(a.homes, 0) AS homes
			FROM fleetscale.relays r JOIN fleetscale.regions e ON e.id = r.region_id
			LEFT JOIN (SELECT h.id, max(h.homes) AS homes FROM unnest(heard, at_home) AS h (id, homes) GROUP BY h.id) AS a ON a.id = r.id) AS w
		GROUP BY w.region_id, w.stage, w.stage_since ORDER BY w.region_id
	LOOP
		age := now() - g.stage_since;
		IF g.wanted > 0 THEN
			CONTINUE WHEN g.coming = 0 AND g.leaving = 0 AND g.stage = 0;
			UPDATE fleetscale.regions e SET stage = 0, stage_since = now() WHERE e.id = g.id AND e.stage > 0;
			UPDATE fleetscale.relays r SET shown = fleetscale.relay_is_wanted(r, dead_ms, steady_ms)
			WHERE r.region_id = g.id AND r.shown <> fleetscale.relay_is_wanted(r, dead_ms, steady_ms)
				AND NOT (r.shown AND fleetscale.relay_lingers(r, dead_ms));
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
