-- Tailnets, and beside them in narrow tables what moves often: the generation and the address cursors.

CREATE TABLE fleetscale.tailnets (
	id bigint PRIMARY KEY DEFAULT nextval('fleetscale.ids'),
	name text NOT NULL CONSTRAINT tailnets_name UNIQUE,
	domain text NOT NULL CONSTRAINT tailnets_domain UNIQUE,
	display_name text NOT NULL DEFAULT '',
	range4 cidr NOT NULL CHECK (family(range4) = 4),
	range6 cidr NOT NULL CHECK (family(range6) = 6),
	magic_dns boolean NOT NULL DEFAULT true,
	-- Key expiry of untagged nodes; 0: never.
	key_lifetime_ms bigint NOT NULL DEFAULT 15552000000 CHECK (key_lifetime_ms >= 0),
	-- Admits no machine at present.
	frozen boolean NOT NULL DEFAULT false,
	created timestamptz NOT NULL DEFAULT now()
);

-- Referenced by nothing and bumped as the last statement of a transaction: docs/decisions/generation-table.md. Tailnet 0 is the installation.
CREATE TABLE fleetscale.generations (
	tailnet_id bigint PRIMARY KEY,
	generation bigint NOT NULL
) WITH (fillfactor = 10);

-- The offset in its range from which on each family's next address is looked for. After the end, freed ones are looked for.
CREATE TABLE fleetscale.cursors (
	tailnet_id bigint PRIMARY KEY REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	next4 bigint NOT NULL DEFAULT 1,
	next6 bigint NOT NULL DEFAULT 1,
	wrapped4 boolean NOT NULL DEFAULT false,
	wrapped6 boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10);

ALTER TABLE fleetscale.tailnets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleetscale.generations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleetscale.cursors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.tailnets USING (id = fleetscale.current_tailnet() OR fleetscale.current_tailnet() = 0);
CREATE POLICY own ON fleetscale.generations USING (tailnet_id = fleetscale.current_tailnet());
CREATE POLICY own ON fleetscale.cursors USING (tailnet_id = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.tailnets, fleetscale.generations, fleetscale.cursors TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.tailnets, fleetscale.generations TO fleetscale_mapper;
GRANT SELECT ON fleetscale.tailnets, fleetscale.generations TO fleetscale_lookup;
GRANT SELECT, UPDATE ON fleetscale.cursors TO fleetscale_lookup;

-- Waits for every earlier commit of the tailnet and holds back the later ones.
CREATE FUNCTION fleetscale.lock_tailnet() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM fleetscale.generations WHERE tailnet_id = fleetscale.current_tailnet() FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM fleetscale.refuse('FS001', 'no such tailnet');
	END IF;
END $$;
