-- Audits with credential, request, outcome, and what the deed changed: states before and after, of members that people may see.

ALTER TABLE fleetscale.audits
	-- Prefix of the key that asked.
	ADD credential text NOT NULL DEFAULT '',
	-- Id of the exchange, as logs have it.
	ADD request text NOT NULL DEFAULT '',
	ADD outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'refused')),
	-- Only members that differ. A creation has no state before, a deletion none after.
	ADD before_state jsonb,
	ADD after_state jsonb;
-- Lines of older programs say "KIND:PREFIX", also those that they write from now on: who reads takes them apart.

-- What people may see of a subject, by id or by its name among its kind; NULL when there is none. Never a hash or a secret: members are named one by one.
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
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
			'provider', u.provider, 'createdAt', u.created)
		INTO found FROM fleetscale.users u WHERE u.id = subject OR (subject IS NULL AND u.name = name AND u.tailnet_id = mine);
	WHEN 'authkey' THEN
		SELECT jsonb_build_object('id', a.id, 'prefix', a.prefix, 'userId', a.user_id::text, 'description', a.description, 'reusable', a.reusable,
			'ephemeral', a.ephemeral, 'preapproved', a.preapproved, 'tags', a.tags, 'expiration', a.expiry, 'revoked', a.revoked,
			'usedBy', a.used_by::text, 'createdAt', a.created)
		INTO found FROM fleetscale.authkeys a WHERE a.id = subject OR (subject IS NULL AND a.prefix = name);
	WHEN 'apikey' THEN
		SELECT jsonb_build_object('id', k.id, 'prefix', k.prefix, 'description', k.description, 'expiration', k.expiry, 'revoked', k.revoked,
			'createdAt', k.created)
		INTO found FROM fleetscale.apikeys k WHERE k.id = subject OR (subject IS NULL AND k.prefix = name);
	WHEN 'tailnet' THEN
		SELECT jsonb_build_object('id', t.id, 'name', t.name, 'domain', t.domain, 'displayName', t.display_name, 'ipv4Range', t.range4,
			'ipv6Range', t.range6, 'frozen', t.frozen, 'suspended', t.suspended, 'nodeLimit', t.node_limit, 'userLimit', t.user_limit,
			'loginHost', coalesce(t.login_host, ''), 'deviceApproval', t.device_approval, 'keyLifetimeSeconds', t.key_lifetime_ms / 1000,
			'fileSharing', t.file_sharing, 'ssh', t.ssh, 'autoUpdate', t.auto_update, 'randomClientPort', t.random_client_port,
			'clientLogs', t.client_logs, 'notice', t.notice, 'createdAt', t.created)
			|| jsonb_build_object('dns.magicDns', t.magic_dns, 'dns.overrideLocalDns', t.dns_override, 'dns.resolvers', t.dns_resolvers,
			'dns.split', t.dns_split, 'dns.searchDomains', t.dns_search, 'dns.records', t.dns_records, 'dns.exitNodeFiltered', t.dns_exit_filtered)
		INTO found FROM fleetscale.tailnets t WHERE t.id = subject OR (subject IS NULL AND t.name = name);
	WHEN 'relay' THEN
		SELECT jsonb_build_object('id', r.id, 'name', r.name, 'prefix', r.prefix, 'regionId', r.region_id, 'regionCode', g.code, 'regionName', g.name,
			'latitude', g.latitude, 'longitude', g.longitude, 'createdAt', r.created)
		INTO found FROM fleetscale.relays r JOIN fleetscale.regions g ON g.id = r.region_id
		WHERE r.id = subject OR (subject IS NULL AND r.name = name);
	WHEN 'login' THEN
		SELECT jsonb_build_object('id', l.id, 'name', l.label, 'address', l.address, 'machineKey', 'mkey:' || encode(l.machine_key, 'hex'),
			'nodeKey', 'nodekey:' || encode(l.node_key, 'hex'), 'answered', l.answered, 'nodeId', l.node_id::text, 'refusal', l.refusal,
			'createdAt', l.created)
		INTO found FROM fleetscale.logins l WHERE l.id = subject OR (subject IS NULL AND encode(l.hash, 'hex') = name);
	ELSE
		found := NULL;
	END CASE;
	RETURN found;
END $$;

-- Begins a line before its deed: notes the state and holds the subject, so that this state is what the deed finds. Nodes before all else.
CREATE FUNCTION fleetscale.audit_open(actor text, credential text, request text, action text, subject bigint, name text, detail text) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	kind text := split_part(action, '.', 1);
BEGIN
	IF kind = 'settings' THEN
		kind := 'tailnet';
	END IF;
	IF subject IS NOT NULL THEN
		CASE kind
		WHEN 'node' THEN PERFORM 1 FROM fleetscale.nodes n WHERE n.id = subject FOR NO KEY UPDATE;
		WHEN 'user' THEN PERFORM 1 FROM fleetscale.users u WHERE u.id = subject FOR NO KEY UPDATE;
		WHEN 'apikey' THEN PERFORM 1 FROM fleetscale.apikeys k WHERE k.id = subject FOR NO KEY UPDATE;
		ELSE NULL;
		END CASE;
	END IF;
	PERFORM set_config('fleetscale.audits', (coalesce(NULLIF(current_setting('fleetscale.audits', true), ''), '[]')::jsonb
		|| jsonb_build_object('actor', actor, 'credential', credential, 'request', request, 'action', action, 'kind', kind, 'subject', subject,
			'name', name, 'detail', detail, 'before', fleetscale.audit_state(kind, subject, name)))::text, true);
END $$;

-- Writes the lines that were begun, as the last thing before the generation.
CREATE FUNCTION fleetscale.audit_close() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	line jsonb;
	was jsonb;
	became jsonb;
	number bigint;
BEGIN
	FOR line IN SELECT * FROM jsonb_array_elements(coalesce(NULLIF(current_setting('fleetscale.audits', true), ''), '[]')::jsonb) LOOP
		was := NULLIF(line -> 'before', 'null');
		became := fleetscale.audit_state(line ->> 'kind', (line ->> 'subject')::bigint, line ->> 'name');
		number := coalesce(line ->> 'subject', became ->> 'id', was ->> 'id')::bigint;
		IF was IS NOT NULL AND became IS NOT NULL THEN
			SELECT coalesce(jsonb_object_agg(w.key, w.value), '{}'), coalesce(jsonb_object_agg(w.key, became -> w.key), '{}') INTO was, became
			FROM jsonb_each(was) AS w WHERE w.value IS DISTINCT FROM became -> w.key;
		END IF;
		INSERT INTO fleetscale.audits (tailnet_id, actor, credential, request, action, subject, detail, before_state, after_state)
		VALUES (fleetscale.current_tailnet(), line ->> 'actor', line ->> 'credential', line ->> 'request', line ->> 'action', number,
			coalesce(line ->> 'detail', ''), was - 'id', became - 'id');
	END LOOP;
	PERFORM set_config('fleetscale.audits', '', true);
END $$;
