-- Identity of nodes: keys that sign their tokens, and what a node tells of itself beside its reports: attributes, and its client's warnings.

-- 'identity': a P-256 scalar, big endian. A key is published from its row's birth until valid_until and signs from valid_from on (the newest that may).
ALTER TABLE fleetscale.serverkeys DROP CONSTRAINT serverkeys_kind_check, ADD CONSTRAINT serverkeys_kind_check CHECK (kind IN ('noise', 'identity'));

CREATE TABLE fleetscale.node_attributes (
	tailnet_id bigint NOT NULL,
	node_id bigint NOT NULL REFERENCES fleetscale.nodes ON DELETE CASCADE,
	key text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 64),
	-- JSON: a text, a number or a boolean.
	value text NOT NULL CHECK (octet_length(value) BETWEEN 1 AND 1024),
	updated timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (node_id, key)
);

-- What a client says is wrong with it, by its subsystem.
CREATE TABLE fleetscale.node_health (
	tailnet_id bigint NOT NULL,
	node_id bigint NOT NULL REFERENCES fleetscale.nodes ON DELETE CASCADE,
	subsystem text NOT NULL CHECK (octet_length(subsystem) BETWEEN 1 AND 64),
	message text NOT NULL CHECK (octet_length(message) BETWEEN 1 AND 1024),
	since timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (node_id, subsystem)
);
CREATE INDEX node_health_tailnet ON fleetscale.node_health (tailnet_id);

ALTER TABLE fleetscale.node_attributes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleetscale.node_health ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.node_attributes USING (tailnet_id + 0 = fleetscale.current_tailnet());
CREATE POLICY own ON fleetscale.node_health USING (tailnet_id + 0 = fleetscale.current_tailnet());
GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.node_attributes, fleetscale.node_health TO fleetscale_coordinator;

-- The node's row is held, so that two updates of one node come one after the other and counts are true. FS001: it is gone.
CREATE FUNCTION fleetscale.hold_node(wanted bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM fleetscale.nodes n WHERE n.id = wanted FOR NO KEY UPDATE;
	PERFORM fleetscale.want(FOUND, 'FS001', 'no such node');
END $$;

-- An empty value deletes. FS005: more than `most` would stand.
CREATE FUNCTION fleetscale.set_node_attributes(wanted bigint, keys text[], vals text[], most integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM fleetscale.hold_node(wanted);
	DELETE FROM fleetscale.node_attributes a USING unnest(keys, vals) AS u (k, v) WHERE a.node_id = wanted AND a.key = u.k AND u.v = '';
	INSERT INTO fleetscale.node_attributes AS a (tailnet_id, node_id, key, value)
	SELECT fleetscale.current_tailnet(), wanted, u.k, u.v FROM unnest(keys, vals) AS u (k, v) WHERE u.v <> ''
	ON CONFLICT (node_id, key) DO UPDATE SET value = excluded.value, updated = now() WHERE a.value <> excluded.value;
	PERFORM fleetscale.want((SELECT count(*) FROM fleetscale.node_attributes a WHERE a.node_id = wanted) <= most, 'FS005',
		format('a node has at most %s attributes', most));
END $$;

-- An empty message clears. Past `most` subsystems further ones are passed over: what a client says first tells most.
CREATE FUNCTION fleetscale.set_node_health(wanted bigint, subsys text, said text, most integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF said = '' THEN
		DELETE FROM fleetscale.node_health h WHERE h.node_id = wanted AND h.subsystem = subsys;
		RETURN;
	END IF;
	PERFORM fleetscale.hold_node(wanted);
	INSERT INTO fleetscale.node_health AS h (tailnet_id, node_id, subsystem, message)
	SELECT fleetscale.current_tailnet(), wanted, subsys, said
	WHERE EXISTS (SELECT FROM fleetscale.node_health o WHERE o.node_id = wanted AND o.subsystem = subsys)
		OR (SELECT count(*) FROM fleetscale.node_health o WHERE o.node_id = wanted) < most
	ON CONFLICT (node_id, subsystem) DO UPDATE SET message = excluded.message, since = now() WHERE h.message <> excluded.message;
END $$;

REVOKE ALL ON FUNCTION fleetscale.hold_node(bigint), fleetscale.set_node_attributes(bigint, text[], text[], integer),
	fleetscale.set_node_health(bigint, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.hold_node(bigint), fleetscale.set_node_attributes(bigint, text[], text[], integer),
	fleetscale.set_node_health(bigint, text, text, integer) TO fleetscale_coordinator;
