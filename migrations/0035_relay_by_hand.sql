-- The token of a relay that is listed by hand asks about keys alone: it stands in a URL of somebody else's program, and how that is reached an administrator says.

CREATE OR REPLACE FUNCTION fleetscale.relay_announce_as(instance text, token bigint, said text, host_name text, cert_name text, ipv4 text, ipv6 text,
	stun_port integer, relay_port integer, insecure_for_tests boolean, can_port80 boolean, version text, draining boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	mine bigint := fleetscale.relay_of_token(token, said);
	held fleetscale.relays;
BEGIN
	SELECT * INTO held FROM fleetscale.relays r WHERE r.id = mine FOR NO KEY UPDATE;
	PERFORM fleetscale.want(held.by_hand IS NOT TRUE, 'FS004', 'this relay is listed by hand: its token is for questions about keys');
	IF held.instance <> '' AND held.instance <> instance AND NOT held.draining AND held.last_seen > now() - interval '45 seconds' THEN
		PERFORM fleetscale.want(NOT draining, 'FS004', 'another process is this relay now');
		PERFORM fleetscale.want((held.host_name, held.ipv4, held.ipv6, held.relay_port) IS NOT DISTINCT FROM (host_name, ipv4, ipv6, relay_port), 'FS004',
			format('the relay %s is alive already, at %s: each needs a name of its own, or waits until that one is silent for 45 s', held.name, held.host_name));
	END IF;
	IF held.instance <> instance THEN
		UPDATE fleetscale.relays r SET instance = instance WHERE r.id = mine;
	END IF;
	RETURN fleetscale.relay_announce_by(token, said, host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests, can_port80, version, draining);
END $$;
