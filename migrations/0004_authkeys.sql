-- Auth keys: prefix and hash, never the secret.

CREATE TABLE fleetscale.authkeys (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	tailnet_id bigint NOT NULL REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	user_id bigint,
	prefix text NOT NULL CONSTRAINT authkeys_prefix UNIQUE,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	description text NOT NULL DEFAULT '',
	reusable boolean NOT NULL DEFAULT false,
	ephemeral boolean NOT NULL DEFAULT false,
	preapproved boolean NOT NULL DEFAULT false,
	tags text[] NOT NULL DEFAULT '{}',
	created timestamptz NOT NULL DEFAULT now(),
	expiry timestamptz,
	revoked timestamptz,
	-- The node that a one-shot key let in. Stays when the node goes: the key is used up.
	used_by bigint,
	used_at timestamptz,
	UNIQUE (tailnet_id, id),
	CONSTRAINT authkeys_user FOREIGN KEY (tailnet_id, user_id) REFERENCES fleetscale.users (tailnet_id, id) ON DELETE CASCADE,
	CONSTRAINT authkeys_owner CHECK (user_id IS NOT NULL OR cardinality(tags) > 0)
);
CREATE INDEX authkeys_user_id ON fleetscale.authkeys (user_id);

ALTER TABLE fleetscale.authkeys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.authkeys USING (tailnet_id + 0 = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.authkeys TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.authkeys TO fleetscale_lookup;
