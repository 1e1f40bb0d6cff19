-- The ground: the number of all ids, who is asking, and how statements refuse.

-- One sequence for nodes and users of all tailnets: on the wire a tagged node's user is its own id, so the two kinds must never meet.
CREATE SEQUENCE fleetscale.ids AS bigint;
GRANT USAGE ON SEQUENCE fleetscale.ids TO fleetscale_coordinator;

-- What the installation as a whole was told once. One row.
CREATE TABLE fleetscale.installation (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	base_domain text NOT NULL
);
GRANT SELECT ON fleetscale.installation TO fleetscale_coordinator;

-- The tailnet that this transaction is about. On pooled sessions an unset value reads as ''.
CREATE FUNCTION fleetscale.current_tailnet() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('fleetscale.tailnet', true), '')::bigint;

-- Nothing branches inside a pipeline: what must hold is said, and raises when it does not.
-- Codes: FS001 not found, FS002 exists, FS003 conflict, FS004 denied, FS005 exhausted, FS006 malformed, FS007 another process does it.
CREATE FUNCTION fleetscale.refuse(code text, sentence text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = code, MESSAGE = sentence;
END $$;

CREATE FUNCTION fleetscale.want(holds boolean, code text, sentence text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	IF holds IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = sentence;
	END IF;
	RETURN true;
END $$;
