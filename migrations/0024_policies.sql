-- Policies: what a tailnet allows, as text with its history; and what rules may name: roles and outer groups of users, domains of a tailnet,
-- attributes of nodes.

CREATE TABLE fleetscale.policies (
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	-- The greatest is in force. A tailnet without any is open.
	version bigint NOT NULL CHECK (version > 0),
	text text NOT NULL CHECK (octet_length(text) <= 10485760),
	-- Who wrote it: the kind of credential, and its prefix.
	author text NOT NULL DEFAULT '',
	note text NOT NULL DEFAULT '' CHECK (octet_length(note) <= 1024),
	created timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tailnet_id, version)
);

ALTER TABLE fleetscale.users
	ADD role text NOT NULL DEFAULT 'member'
		CHECK (role IN ('owner', 'admin', 'network-admin', 'it-admin', 'billing-admin', 'auditor', 'member'));
CREATE UNIQUE INDEX users_owner ON fleetscale.users (tailnet_id) WHERE role = 'owner';

-- Groups that a sign-in provider, or an administrator, says the user is in.
CREATE TABLE fleetscale.user_groups (
	tailnet_id bigint NOT NULL,
	user_id bigint NOT NULL,
	name text NOT NULL CHECK (name LIKE 'group:_%' AND octet_length(name) <= 255),
	PRIMARY KEY (user_id, name),
	FOREIGN KEY (tailnet_id, user_id) REFERENCES fleetscale.users (tailnet_id, id) ON DELETE CASCADE
);
CREATE INDEX user_groups_tailnet ON fleetscale.user_groups (tailnet_id, user_id);

-- E-mail domains whose users rules may select as a whole.
ALTER TABLE fleetscale.tailnets ADD domains text[] NOT NULL DEFAULT '{}';

-- Mappers read those of a whole tailnet.
CREATE INDEX node_attributes_tailnet ON fleetscale.node_attributes (tailnet_id);

ALTER TABLE fleetscale.policies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleetscale.user_groups ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.policies USING (tailnet_id + 0 = fleetscale.current_tailnet());
CREATE POLICY own ON fleetscale.user_groups USING (tailnet_id + 0 = fleetscale.current_tailnet());
GRANT SELECT, INSERT, DELETE ON fleetscale.policies, fleetscale.user_groups TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.policies, fleetscale.user_groups, fleetscale.node_attributes TO fleetscale_mapper;

-- The next version, if the one in force is still `expected` (NULL: whatever it is). FS003: it is not. Keeps the last `most`.
CREATE FUNCTION fleetscale.put_policy(expected bigint, wanted text, writer text, remark text, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	mine bigint := fleetscale.current_tailnet();
	stands bigint;
BEGIN
	PERFORM fleetscale.want(EXISTS (SELECT FROM fleetscale.tailnets t WHERE t.id = mine), 'FS001', 'no such tailnet');
	-- Who comes second waits at the primary key for the first. Each round that fails is a write of somebody else.
	FOR round IN 1..100 LOOP
		SELECT coalesce(max(p.version), 0) INTO stands FROM fleetscale.policies p WHERE p.tailnet_id = mine;
		EXIT WHEN stands IS DISTINCT FROM coalesce(expected, stands);
		INSERT INTO fleetscale.policies (tailnet_id, version, text, author, note) VALUES (mine, stands + 1, wanted, writer, remark)
		ON CONFLICT DO NOTHING;
		IF FOUND THEN
			DELETE FROM fleetscale.policies p WHERE p.tailnet_id = mine AND p.version <= stands + 1 - most;
			PERFORM fleetscale.note('policy', mine);
			RETURN stands + 1;
		END IF;
	END LOOP;
	PERFORM fleetscale.refuse('FS003', 'the policy was changed meanwhile: read it again');
END $$;

-- A tailnet has one owner: whoever was it before becomes an administrator. FS001: no such user.
CREATE FUNCTION fleetscale.set_user_role(wanted bigint, become text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	PERFORM 1 FROM fleetscale.users u WHERE u.id = wanted OR (become = 'owner' AND u.role = 'owner' AND u.tailnet_id = fleetscale.current_tailnet())
	ORDER BY u.id FOR NO KEY UPDATE;
	PERFORM fleetscale.want(EXISTS (SELECT FROM fleetscale.users u WHERE u.id = wanted), 'FS001', 'no such user');
	IF become = 'owner' THEN
		UPDATE fleetscale.users u SET role = 'admin'
		WHERE u.tailnet_id = fleetscale.current_tailnet() AND u.role = 'owner' AND u.id <> wanted RETURNING u.id INTO before;
		IF before IS NOT NULL THEN
			PERFORM fleetscale.note('user', before);
		END IF;
	END IF;
	UPDATE fleetscale.users u SET role = become WHERE u.id = wanted AND u.role <> become;
	IF FOUND THEN
		PERFORM fleetscale.note('user', wanted);
	END IF;
END $$;

-- All groups of the user. FS001: no such user.
CREATE FUNCTION fleetscale.set_user_groups(wanted bigint, names text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	gone bigint;
	come bigint;
BEGIN
	PERFORM 1 FROM fleetscale.users u WHERE u.id = wanted FOR NO KEY UPDATE;
	PERFORM fleetscale.want(FOUND, 'FS001', 'no such user');
	DELETE FROM fleetscale.user_groups g WHERE g.user_id = wanted AND g.name <> ALL (names);
	GET DIAGNOSTICS gone = ROW_COUNT;
	INSERT INTO fleetscale.user_groups (tailnet_id, user_id, name) SELECT fleetscale.current_tailnet(), wanted, n FROM unnest(names) AS n
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS come = ROW_COUNT;
	IF gone + come > 0 THEN
		PERFORM fleetscale.note('user', wanted);
	END IF;
END $$;

-- As in 0020, and what differs is told: rules may ask for it.
CREATE OR REPLACE FUNCTION fleetscale.set_node_attributes(wanted bigint, keys text[], vals text[], most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	gone bigint;
	come bigint;
BEGIN
	PERFORM fleetscale.hold_node(wanted);
	DELETE FROM fleetscale.node_attributes a USING unnest(keys, vals) AS u (k, v) WHERE a.node_id = wanted AND a.key = u.k AND u.v = '';
	GET DIAGNOSTICS gone = ROW_COUNT;
	INSERT INTO fleetscale.node_attributes AS a (tailnet_id, node_id, key, value)
	SELECT fleetscale.current_tailnet(), wanted, u.k, u.v FROM unnest(keys, vals) AS u (k, v) WHERE u.v <> ''
	ON CONFLICT (node_id, key) DO UPDATE SET value = excluded.value, updated = now() WHERE a.value <> excluded.value;
	GET DIAGNOSTICS come = ROW_COUNT;
	PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.node_attributes a WHERE a.node_id = wanted) <= most, 'FS005',
		format('a node has at most %s attributes', most));
	IF gone + come > 0 THEN
		PERFORM fleetscale.note('node-attributes', wanted);
	END IF;
END $$;

REVOKE ALL ON FUNCTION fleetscale.put_policy(bigint, text, text, text, bigint), fleetscale.set_user_role(bigint, text),
	fleetscale.set_user_groups(bigint, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.put_policy(bigint, text, text, text, bigint), fleetscale.set_user_role(bigint, text),
	fleetscale.set_user_groups(bigint, text[]) TO fleetscale_coordinator;

-- For keepers, as those of 0014.
CREATE FUNCTION fleetscale.journal_policy(known bigint) RETURNS SETOF fleetscale.policies
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF EXISTS (SELECT FROM fleetscale.journal j WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind = 'policy') THEN
		RETURN QUERY SELECT p.* FROM fleetscale.policies p WHERE p.tailnet_id = fleetscale.current_tailnet() ORDER BY p.version DESC LIMIT 1;
	END IF;
END $$;

CREATE FUNCTION fleetscale.journal_attributes(known bigint) RETURNS SETOF fleetscale.node_attributes
LANGUAGE plpgsql STABLE AS $$
DECLARE
	subjects bigint[] := ARRAY(SELECT j.subject FROM fleetscale.journal j
		WHERE j.tailnet_id = fleetscale.current_tailnet() AND j.generation > known AND j.kind LIKE 'node-%');
BEGIN
	RETURN QUERY SELECT a.* FROM fleetscale.node_attributes a WHERE a.node_id = ANY (subjects) ORDER BY a.node_id, a.key COLLATE "C";
END $$;

-- What the audits tell besides, of kinds that have more to tell now. Never the text of a policy: its version leads to it.
CREATE FUNCTION fleetscale.audit_more(kind text, state jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
	number bigint := (state ->> 'id')::bigint;
BEGIN
	IF kind = 'user' THEN
		RETURN state || (SELECT jsonb_build_object('role', u.role, 'groups', coalesce(
				(SELECT jsonb_agg(g.name ORDER BY g.name) FROM fleetscale.user_groups g WHERE g.user_id = u.id), '[]'))
			FROM fleetscale.users u WHERE u.id = number);
	ELSIF kind = 'tailnet' THEN
		RETURN state || (SELECT jsonb_build_object('domains', t.domains) FROM fleetscale.tailnets t WHERE t.id = number);
	END IF;
	RETURN state;
END $$;

CREATE FUNCTION fleetscale.audit_policy() RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('id', p.tailnet_id, 'version', p.version, 'note', p.note) FROM fleetscale.policies p
		WHERE p.tailnet_id = fleetscale.current_tailnet() ORDER BY p.version DESC LIMIT 1);
END $$;

ALTER FUNCTION fleetscale.audit_state(text, bigint, text) RENAME TO audit_state_before_policies;
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE kind WHEN 'policy' THEN fleetscale.audit_policy()
		ELSE fleetscale.audit_more(kind, fleetscale.audit_state_before_policies(kind, subject, name)) END;
END $$;
