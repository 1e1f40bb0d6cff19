-- Regions and relays: of the installation. Being alive is a lease elsewhere; being in the relay map is a row.

CREATE TABLE fleetscale.regions (
	id integer PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
	code text NOT NULL,
	name text NOT NULL,
	latitude double precision NOT NULL DEFAULT 0,
	longitude double precision NOT NULL DEFAULT 0,
	no_measure_no_home boolean NOT NULL DEFAULT false
);

CREATE TABLE fleetscale.relays (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	region_id integer NOT NULL CONSTRAINT relays_region REFERENCES fleetscale.regions,
	name text NOT NULL CONSTRAINT relays_name UNIQUE,
	prefix text NOT NULL CONSTRAINT relays_prefix UNIQUE,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	host_name text NOT NULL DEFAULT '',
	cert_name text NOT NULL DEFAULT '',
	ipv4 text NOT NULL DEFAULT '',
	ipv6 text NOT NULL DEFAULT '',
	stun_port integer NOT NULL DEFAULT 0,
	relay_port integer NOT NULL DEFAULT 0,
	stun_only boolean NOT NULL DEFAULT false,
	insecure_for_tests boolean NOT NULL DEFAULT false,
	can_port80 boolean NOT NULL DEFAULT false,
	version text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	-- Its last announcement; without one it is not in the map.
	last_seen timestamptz,
	revoked timestamptz
) WITH (fillfactor = 70);
CREATE INDEX relays_region_id ON fleetscale.relays (region_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON fleetscale.regions, fleetscale.relays TO fleetscale_coordinator;
GRANT SELECT ON fleetscale.regions TO fleetscale_mapper;
-- What the map shows, and whether it shows it; not the token.
GRANT SELECT (id, region_id, name, host_name, cert_name, ipv4, ipv6, stun_port, relay_port, stun_only, insecure_for_tests, can_port80, last_seen, revoked)
	ON fleetscale.relays TO fleetscale_mapper;

-- How a relay is reached, as it says itself. A line only when the map shows something else now.
CREATE FUNCTION fleetscale.relay_announce(relay bigint, host_name text, cert_name text, ipv4 text, ipv6 text, stun_port integer, relay_port integer, stun_only boolean,
	insecure_for_tests boolean, can_port80 boolean, version text)
RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	held fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = relay AND r.revoked IS NULL FOR UPDATE;
	IF held.id IS NULL THEN
		PERFORM fleetscale.refuse('FS001', 'no such relay');
	END IF;
	UPDATE fleetscale.relays r SET host_name = host_name, cert_name = cert_name, ipv4 = ipv4, ipv6 = ipv6, stun_port = stun_port, relay_port = relay_port,
		stun_only = stun_only, insecure_for_tests = insecure_for_tests, can_port80 = can_port80, version = version, last_seen = now()
	WHERE r.id = relay;
	IF held.last_seen IS NULL OR (held.host_name, held.cert_name, held.ipv4, held.ipv6, held.stun_port, held.relay_port, held.stun_only, held.insecure_for_tests,
		held.can_port80) IS DISTINCT FROM (host_name, cert_name, ipv4, ipv6, stun_port, relay_port, stun_only, insecure_for_tests, can_port80) THEN
		PERFORM fleetscale.note('relays', relay);
	END IF;
END $$;
