-- Pending interactive logins. The tailnet is known only when somebody has logged in; until then no transaction of a tailnet sees the row.

CREATE TABLE fleetscale.logins (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	tailnet_id bigint REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	-- Hash of the random id in its URL.
	hash bytea NOT NULL CONSTRAINT logins_hash UNIQUE CHECK (length(hash) = 32),
	machine_key bytea NOT NULL CHECK (length(machine_key) = 32),
	node_key bytea NOT NULL CHECK (length(node_key) = 32),
	old_node_key bytea CHECK (length(old_node_key) = 32),
	hostinfo text NOT NULL DEFAULT '{}' CHECK (octet_length(hostinfo) <= 32768),
	capver integer NOT NULL DEFAULT 0,
	wanted_expiry timestamptz,
	ephemeral boolean NOT NULL DEFAULT false,
	created timestamptz NOT NULL DEFAULT now(),
	ends timestamptz NOT NULL,
	node_id bigint,
	refusal text
);
CREATE INDEX logins_ends ON fleetscale.logins (ends);

ALTER TABLE fleetscale.logins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.logins USING (tailnet_id = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.logins TO fleetscale_coordinator, fleetscale_lookup;
