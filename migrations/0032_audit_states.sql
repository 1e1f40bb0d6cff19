-- The states that audits tell, in one function for all kinds of subjects.

-- What people may see of a subject, by id or by its name among its kind; NULL when there is none. Members are named one by one: never a hash or a secret, and
-- never the text of a policy, to which its version leads.
CREATE OR REPLACE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
	mine bigint := fleetscale.current_tailnet();
	found jsonb;
BEGIN
	CASE kind
	WHEN 'node' THEN
		SELECT jsonb_build_object('id', n.id, 'name', n.label, 'renamed', n.renamed, 'userId', n.user_id::text, 'tags', n.tags, 'expiry', n.expiry,
			'approved', n.approved, 'ephemeral', n.ephemeral, 'ipAddresses', jsonb_build_array(host(n.ip4), host(n.ip6)),
			'availableRoutes', n.routes_advertised, 'approvedRoutes', n.routes_approved, 'machineKey', 'mkey:' || encode(n.machine_key, 'hex'),
			'nodeKey', 'nodekey:' || encode(n.node_key, 'hex'), 'createdAt', n.created)
		INTO found FROM fleetscale.nodes n WHERE n.id = subject;
	WHEN 'user' THEN
		SELECT jsonb_build_object('id', u.id, 'name', u.name, 'displayName', u.display_name, 'email', u.email, 'profilePicUrl', u.picture_url,
			'provider', u.provider, 'role', u.role, 'createdAt', u.created, 'groups', coalesce(
				(SELECT jsonb_agg(g.name ORDER BY g.name) FROM fleetscale.user_groups g WHERE g.user_id = u.id), '[]'))
		INTO found FROM fleetscale.users u WHERE u.id = subject OR (subject IS NULL AND u.name = name AND u.tailnet_id = mine);
	WHEN 'authkey' THEN
		SELECT jsonb_build_object('id', a.id, 'prefix', a.prefix, 'userId', a.user_id::text, 'description', a.description, 'reusable', a.reusable,
			'ephemeral', a.ephemeral, 'preapproved', a.preapproved, 'tags', a.tags, 'expiration', a.expiry, 'revoked', a.revoked,
			'usedBy', a.used_by::text, 'createdAt', a.created)
		INTO found FROM fleetscale.authkeys a WHERE a.id = subject OR (subject IS NULL AND a.prefix = name);
	WHEN 'apikey' THEN
		SELECT jsonb_build_object('id', k.id, 'prefix', k.prefix, 'description', k.description, 'scopes', k.scopes, 'expiration', k.expiry,
			'revoked', k.revoked, 'createdAt', k.created)
		INTO found FROM fleetscale.apikeys k WHERE k.id = subject OR (subject IS NULL AND k.prefix = name);
	WHEN 'tailnet' THEN
		SELECT jsonb_build_object('id', t.id, 'name', t.name, 'domain', t.domain, 'domains', t.domains, 'displayName', t.display_name, 'ipv4Range', t.range4,
			'ipv6Range', t.range6, 'frozen', t.frozen, 'suspended', t.suspended, 'nodeLimit', t.node_limit, 'userLimit', t.user_limit,
			'loginHost', coalesce(t.login_host, ''), 'deviceApproval', t.device_approval, 'keyLifetimeSeconds', t.key_lifetime_ms / 1000,
			'fileSharing', t.file_sharing, 'ssh', t.ssh, 'autoUpdate', t.auto_update, 'randomClientPort', t.random_client_port,
			'clientLogs', t.client_logs, 'notice', t.notice, 'createdAt', t.created)
			|| jsonb_build_object('dns.magicDns', t.magic_dns, 'dns.overrideLocalDns', t.dns_override, 'dns.resolvers', t.dns_resolvers,
			'dns.split', t.dns_split, 'dns.searchDomains', t.dns_search, 'dns.records', t.dns_records, 'dns.exitNodeFiltered', t.dns_exit_filtered)
			|| jsonb_build_object('relays.fence', t.relay_fence::text[], 'relays.omit', t.relay_omit::text[], 'relays.noHome', t.relay_no_home::text[],
			'relays.omitShared', t.relay_omit_shared, 'relayBytesPerSecond', t.relay_rate, 'relayBurstBytes', t.relay_burst)
		INTO found FROM fleetscale.tailnets t WHERE t.id = subject OR (subject IS NULL AND t.name = name);
	WHEN 'policy' THEN
		SELECT jsonb_build_object('id', p.tailnet_id, 'version', p.version, 'note', p.note)
		INTO found FROM fleetscale.policies p WHERE p.tailnet_id = mine ORDER BY p.version DESC LIMIT 1;
	WHEN 'login' THEN
		SELECT jsonb_build_object('id', l.id, 'name', l.label, 'address', l.address, 'machineKey', 'mkey:' || encode(l.machine_key, 'hex'),
			'nodeKey', 'nodekey:' || encode(l.node_key, 'hex'), 'answered', l.answered, 'nodeId', l.node_id::text, 'refusal', l.refusal,
			'createdAt', l.created)
		INTO found FROM fleetscale.logins l WHERE l.id = subject OR (subject IS NULL AND encode(l.hash, 'hex') = name);
	WHEN 'sshcheck' THEN
		SELECT jsonb_build_object('id', k.id, 'sourceId', k.source_id::text, 'destinationId', k.destination_id::text, 'userId', k.user_id::text,
			'localUser', k.local_user, 'answered', k.answered, 'refusal', k.refusal, 'createdAt', k.created)
		INTO found FROM fleetscale.ssh_checks k WHERE k.id = subject OR encode(k.hash, 'hex') = name;
	WHEN 'region' THEN
		SELECT jsonb_build_object('id', g.id, 'code', g.code, 'name', g.name, 'latitude', g.latitude, 'longitude', g.longitude,
			'noMeasureNoHome', g.no_measure_no_home, 'score', g.score, 'tailnets', g.tailnets, 'clientBytesPerSecond', g.client_rate,
			'clientBurstBytes', g.client_burst, 'tailnetBytesPerSecond', g.tailnet_rate, 'tailnetBurstBytes', g.tailnet_burst,
			'meshKeyRotatedAt', k.rotated)
		INTO found FROM fleetscale.regions g LEFT JOIN fleetscale.region_keys k ON k.region_id = g.id WHERE g.id = subject;
	WHEN 'relay' THEN
		SELECT jsonb_build_object('id', r.id, 'name', r.name, 'hostName', r.host_name, 'regionId', r.region_id, 'regionCode', g.code, 'regionName', g.name,
			'latitude', g.latitude, 'longitude', g.longitude, 'wish', r.wish, 'foreign', r.by_hand, 'mesh', r.mesh, 'removed', r.deleted,
			'createdAt', r.created)
		INTO found FROM fleetscale.relays r JOIN fleetscale.regions g ON g.id = r.region_id
		WHERE r.id = subject OR (subject IS NULL AND r.name = name);
	WHEN 'relaytoken' THEN
		SELECT jsonb_build_object('id', t.id, 'prefix', t.prefix, 'regionId', t.region_id, 'relayId', t.relay_id::text, 'description', t.description,
			'revoked', t.revoked, 'createdAt', t.created)
		INTO found FROM fleetscale.relay_tokens t WHERE t.id = subject OR (subject IS NULL AND t.prefix = name);
	ELSE
		found := NULL;
	END CASE;
	RETURN found;
END $$;

DROP FUNCTION fleetscale.audit_state_before_fleet(text, bigint, text), fleetscale.audit_state_before_checks(text, bigint, text),
	fleetscale.audit_state_before_policies(text, bigint, text), fleetscale.audit_state_of_others(text, bigint, text), fleetscale.audit_apikey(bigint, text),
	fleetscale.audit_more(text, jsonb), fleetscale.audit_policy();
