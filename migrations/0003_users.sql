-- Users: owners of nodes and auth keys.

CREATE TABLE fleetscale.users (
	id bigint PRIMARY KEY DEFAULT nextval('fleetscale.ids'),
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	name text NOT NULL,
	display_name text NOT NULL DEFAULT '',
	email text NOT NULL DEFAULT '',
	picture_url text NOT NULL DEFAULT '',
	provider text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT users_name UNIQUE (name, tailnet_id),
	-- Target of references that must not leave the tailnet.
	UNIQUE (tailnet_id, id)
);

ALTER TABLE fleetscale.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- (+ 0: a barrier, not a way to find rows: 0005_nodes.sql.)
CREATE POLICY own ON fleetscale.users USING (tailnet_id + 0 = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.users TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.users TO fleetscale_mapper, fleetscale_lookup;
