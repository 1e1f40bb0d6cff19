-- Scopes of API keys: what a key may do. Keys made before, and by older programs, may do all.

ALTER TABLE fleetscale.apikeys ADD scopes text[] NOT NULL DEFAULT '{all}' CHECK (cardinality(scopes) > 0);

-- As in 0018, with the scopes of API keys.
CREATE FUNCTION fleetscale.audit_apikey(subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
	RETURN (SELECT jsonb_build_object('id', k.id, 'prefix', k.prefix, 'description', k.description, 'scopes', k.scopes, 'expiration', k.expiry,
			'revoked', k.revoked, 'createdAt', k.created)
		FROM fleetscale.apikeys k WHERE k.id = subject OR (subject IS NULL AND k.prefix = name));
END $$;

ALTER FUNCTION fleetscale.audit_state(text, bigint, text) RENAME TO audit_state_of_others;
CREATE FUNCTION fleetscale.audit_state(kind text, subject bigint, name text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE kind WHEN 'apikey' THEN fleetscale.audit_apikey(subject, name) ELSE fleetscale.audit_state_of_others(kind, subject, name) END;
END $$;
