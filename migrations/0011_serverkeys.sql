-- The server's own keys. Old and new are valid together for a while. Not readable by mappers.

CREATE TABLE fleetscale.serverkeys (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	kind text NOT NULL CHECK (kind IN ('noise')),
	private_key bytea NOT NULL CHECK (length(private_key) = 32),
	valid_from timestamptz NOT NULL DEFAULT now(),
	valid_until timestamptz
);

GRANT SELECT ON fleetscale.serverkeys TO fleetscale_coordinator;
