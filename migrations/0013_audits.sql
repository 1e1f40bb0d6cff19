-- Who did what through the admin doors. Only added to; lines outlive what they tell of. Tailnet 0: the operator's own deeds.

CREATE TABLE fleetscale.audits (
	id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	tailnet_id bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL,
	action text NOT NULL,
	subject bigint,
	detail text NOT NULL DEFAULT ''
);
CREATE INDEX audits_tailnet ON fleetscale.audits (tailnet_id, id);

ALTER TABLE fleetscale.audits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fleetscale.audits USING (tailnet_id = fleetscale.current_tailnet());

GRANT SELECT, INSERT ON fleetscale.audits TO fleetscale_coordinator;
