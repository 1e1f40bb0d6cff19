-- Nodes: one machine's membership in one tailnet.

CREATE TABLE fleetscale.nodes (
	id bigint PRIMARY KEY DEFAULT nextval('fleetscale.ids'),
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	user_id bigint,
	machine_key bytea NOT NULL CHECK (length(machine_key) = 32),
	-- Names one node in the whole installation: clients lose one of two that share it.
	node_key bytea NOT NULL CONSTRAINT nodes_node_key UNIQUE CHECK (length(node_key) = 32),
	disco_key bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(disco_key) = 32),
	lock_key bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(lock_key) = 32),
	label text NOT NULL CHECK (label ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
	renamed boolean NOT NULL DEFAULT false,
	ip4 inet NOT NULL,
	ip6 inet NOT NULL,
	hostinfo text NOT NULL DEFAULT '{}' CHECK (octet_length(hostinfo) <= 32768),
	endpoints text[] NOT NULL DEFAULT '{}',
	home_relay integer NOT NULL DEFAULT 0,
	capver integer NOT NULL DEFAULT 0,
	expiry timestamptz,
	-- The expiry whose passing the journal has told.
	expiry_told timestamptz,
	created timestamptz NOT NULL DEFAULT now(),
	last_seen timestamptz NOT NULL DEFAULT now(),
	first_polled timestamptz,
	approved boolean NOT NULL DEFAULT true,
	ephemeral boolean NOT NULL DEFAULT false,
	tags text[] NOT NULL DEFAULT '{}',
	routes_advertised cidr[] NOT NULL DEFAULT '{}',
	routes_approved cidr[] NOT NULL DEFAULT '{}',
	authkey_id bigint,
	register_method smallint NOT NULL DEFAULT 0,
	-- Number of the Noise connection whose report stands; a later report of an earlier connection loses.
	report_epoch bigint NOT NULL DEFAULT 0,
	CONSTRAINT nodes_label UNIQUE (tailnet_id, label),
	CONSTRAINT nodes_ip4 UNIQUE (ip4, tailnet_id),
	CONSTRAINT nodes_ip6 UNIQUE (ip6, tailnet_id),
	CONSTRAINT nodes_user FOREIGN KEY (tailnet_id, user_id) REFERENCES fleetscale.users (tailnet_id, id),
	CONSTRAINT nodes_authkey FOREIGN KEY (tailnet_id, authkey_id) REFERENCES fleetscale.authkeys (tailnet_id, id) ON DELETE SET NULL (authkey_id),
	CONSTRAINT nodes_owner CHECK ((user_id IS NULL) = (cardinality(tags) > 0))
) WITH (fillfactor = 70);

-- Columns that reports move (last_seen, endpoints, ...) stand in no index, so that those updates stay within their page.
-- One index alone begins with the tailnet (nodes_label): on an empty table all look equally cheap, and functions keep the plan they made then.
CREATE INDEX nodes_machine ON fleetscale.nodes (machine_key);
CREATE INDEX nodes_user_id ON fleetscale.nodes (user_id);
CREATE INDEX nodes_authkey_id ON fleetscale.nodes (authkey_id) WHERE authkey_id IS NOT NULL;
CREATE INDEX nodes_expiring ON fleetscale.nodes (expiry) WHERE expiry IS NOT NULL AND expiry_told IS DISTINCT FROM expiry;
CREATE INDEX nodes_ephemeral ON fleetscale.nodes (id) WHERE ephemeral;

ALTER TABLE fleetscale.nodes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- (+ 0: a barrier, not a way to find rows. Whoever wants the tailnet's nodes by index says so.)
CREATE POLICY own ON fleetscale.nodes USING (tailnet_id + 0 = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.nodes TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.nodes TO fleetscale_mapper, fleetscale_lookup;

-- Numbers of Noise connections.
CREATE SEQUENCE fleetscale.report_epochs AS bigint;
GRANT USAGE ON SEQUENCE fleetscale.report_epochs TO fleetscale_coordinator;
