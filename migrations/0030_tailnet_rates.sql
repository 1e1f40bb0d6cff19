-- What all clients of one tailnet together may send through one relay: by region, and otherwise for a tailnet of its own.

ALTER TABLE fleetscale.regions
	-- Bytes a second and bytes at once; 0: no limit.
	ADD tailnet_rate bigint NOT NULL DEFAULT 0 CHECK (tailnet_rate >= 0),
	ADD tailnet_burst bigint NOT NULL DEFAULT 0 CHECK (tailnet_burst >= 0);

ALTER TABLE fleetscale.tailnets
	-- Instead of the region's; 0: the region's.
	ADD relay_rate bigint NOT NULL DEFAULT 0 CHECK (relay_rate >= 0),
	ADD relay_burst bigint NOT NULL DEFAULT 0 CHECK (relay_burst >= 0);

-- A row when the key may use a relay of this region: whose it is, and its tailnet's own rate.
CREATE FUNCTION fleetscale.relay_standing(key bytea, region integer)
RETURNS TABLE (tailnet bigint, rate bigint, burst bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT t.id, t.relay_rate, t.relay_burst FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		WHERE n.node_key = relay_standing.key AND fleetscale.may_relay_in(relay_standing.key, relay_standing.region) LIMIT 1;
END $$;
GRANT CREATE ON SCHEMA fleetscale TO fleetscale_lookup;
ALTER FUNCTION fleetscale.relay_standing(bytea, integer) OWNER TO fleetscale_lookup;
REVOKE CREATE ON SCHEMA fleetscale FROM fleetscale_lookup;
REVOKE ALL ON FUNCTION fleetscale.relay_standing(bytea, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleetscale.relay_standing(bytea, integer) TO fleetscale_coordinator;

-- Relays learn it by asking about the tailnet's keys again.
CREATE TRIGGER recheck_rated AFTER UPDATE OF relay_rate, relay_burst ON fleetscale.tailnets FOR EACH ROW
	WHEN (OLD.relay_rate <> NEW.relay_rate OR OLD.relay_burst <> NEW.relay_burst) EXECUTE FUNCTION fleetscale.tailnet_recheck();

ALTER FUNCTION fleetscale.audit_state(text, bigint, text) RENAME TO audit_state_before_rates;
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
	found jsonb := fleetscale.audit_state_before_rates(kind, subject, name);
BEGIN
	CASE kind
	WHEN 'region' THEN
		SELECT found || jsonb_build_object('tailnetBytesPerSecond', g.tailnet_rate, 'tailnetBurstBytes', g.tailnet_burst)
		INTO found FROM fleetscale.regions g WHERE g.id = subject;
	WHEN 'tailnet' THEN
		SELECT found || jsonb_build_object('relayBytesPerSecond', t.relay_rate, 'relayBurstBytes', t.relay_burst)
		INTO found FROM fleetscale.tailnets t WHERE t.id = (found->>'id')::bigint;
	ELSE
	END CASE;
	RETURN found;
END $$;
