-- A suspended tailnet's nodes get no relay either.
CREATE OR REPLACE FUNCTION fleetscale.may_relay(key bytea) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM fleetscale.nodes n JOIN fleetscale.tailnets t ON t.id = n.tailnet_id
		WHERE n.node_key = key AND n.approved AND NOT t.suspended AND (n.expiry IS NULL OR n.expiry > now()));
END $$;
