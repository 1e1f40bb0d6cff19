-- API keys of tailnets, and of the operator (no tailnet).

CREATE TABLE fleetscale.apikeys (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	tailnet_id bigint REFERENCES fleetscale.tailnets ON DELETE CASCADE,
	prefix text NOT NULL CONSTRAINT apikeys_prefix UNIQUE,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	description text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	expiry timestamptz,
	revoked timestamptz,
	last_used timestamptz
);
CREATE INDEX apikeys_tailnet ON fleetscale.apikeys (tailnet_id);

ALTER TABLE fleetscale.apikeys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.apikeys USING (coalesce(tailnet_id, 0) = fleetscale.current_tailnet());

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.apikeys TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.apikeys TO fleetscale_lookup;

CREATE FUNCTION fleetscale.apikey_of_prefix(key_prefix text) RETURNS SETOF fleetscale.apikeys
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM fleetscale.apikeys a WHERE a.prefix = key_prefix;
END $$;

GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.apikey_of_prefix(text) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.apikey_of_prefix(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.apikey_of_prefix(text) TO fleetscale_coordinator;
