-- The journal: what moved in which generation.

CREATE TABLE fleetscale.journal (
	tailnet_id bigint NOT NULL,
	generation bigint NOT NULL,
	seq integer NOT NULL,
	kind text NOT NULL,
	subject bigint NOT NULL,
	-- Random, one per generation: after a restore the same generation can come again with other content.
	stamp bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tailnet_id, generation, seq)
);

ALTER TABLE fleetscale.journal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.journal USING (tailnet_id = fleetscale.current_tailnet());

GRANT SELECT, INSERT ON fleetscale.journal TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.journal TO fleetscale_mapper;
GRANT SELECT, DELETE ON fleetscale.journal TO fleetscale_lookup;

-- Collects lines that only the database can know (a new id, a row that did differ) until commit_changes. A value of the transaction: a savepoint
-- that is rolled back takes its lines along.
CREATE FUNCTION fleetscale.note(kind text, subject bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('fleetscale.lines', coalesce(current_setting('fleetscale.lines', true), '') || kind || ':' || subject || ',', true);
END $$;

-- The last statement of a transaction: makes the next generation and writes its lines, the caller's and the collected ones, each once.
-- Nothing to tell, no generation: 0.
CREATE FUNCTION fleetscale.commit_changes(kinds text[], subjects bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	collected text := coalesce(current_setting('fleetscale.lines', true), '');
	mine bigint := fleetscale.current_tailnet();
	reached bigint;
	-- 60 random bits.
	stamped bigint := ('x' || right(replace(gen_random_uuid()::text, '-', ''), 15))::bit(60)::bigint;
BEGIN
	IF collected = '' AND cardinality(kinds) = 0 THEN
		RETURN 0;
	END IF;
	UPDATE fleetscale.generations g SET generation = g.generation + 1 WHERE g.tailnet_id = mine RETURNING g.generation INTO reached;
	IF reached IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
	INSERT INTO fleetscale.journal (tailnet_id, generation, seq, kind, subject, stamp)
	SELECT mine, reached, row_number() OVER (ORDER BY min(told.place)), told.kind, told.subject, stamped
	FROM (
		SELECT split_part(line, ':', 1) AS kind, split_part(line, ':', 2)::bigint AS subject, place
		FROM unnest(string_to_array(rtrim(collected, ','), ',')) WITH ORDINALITY AS c (line, place)
		UNION ALL
		SELECT c.kind, c.subject, 1000000000 + c.place FROM unnest(kinds, subjects) WITH ORDINALITY AS c (kind, subject, place)
	) AS told
	GROUP BY told.kind, told.subject;
	PERFORM set_config('fleetscale.lines', '', true);
	RETURN reached;
END $$;

-- The installation's own journal begins.
SELECT set_config('fleetscale.tailnet', '0', true);
INSERT INTO fleetscale.generations (tailnet_id, generation) VALUES (0, 0);
SELECT fleetscale.commit_changes('{relays}', '{0}');

-- A tailnet begins with its generation, its cursors and a first line, so that there is a stamp to hold on to. In a transaction of tailnet 0.
CREATE FUNCTION fleetscale.create_tailnet(name text, domain text, display_name text, range4 cidr, range6 cidr, magic_dns boolean)
RETURNS fleetscale.tailnets
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	made fleetscale.tailnets;
	before text := current_setting('fleetscale.tailnet', true);
	lines text := coalesce(current_setting('fleetscale.lines', true), '');
BEGIN
	INSERT INTO fleetscale.tailnets (name, domain, display_name, range4, range6, magic_dns)
	VALUES (create_tailnet.name,
		coalesce(NULLIF(create_tailnet.domain, ''), create_tailnet.name || '.' || (SELECT base_domain FROM fleetscale.installation)),
		create_tailnet.display_name,
		coalesce(create_tailnet.range4, '100.64.0.0/10'), coalesce(create_tailnet.range6, 'fd7a:115c:a1e0::/48'), create_tailnet.magic_dns)
	RETURNING * INTO made;
	PERFORM set_config('fleetscale.tailnet', made.id::text, true), set_config('fleetscale.lines', '', true);
	INSERT INTO fleetscale.generations (tailnet_id, generation) VALUES (made.id, 0);
	INSERT INTO fleetscale.cursors (tailnet_id) VALUES (made.id);
	PERFORM fleetscale.commit_changes('{tailnet}', ARRAY[made.id]);
	PERFORM set_config('fleetscale.tailnet', before, true), set_config('fleetscale.lines', lines, true);
	RETURN made;
END $$;
