-- Auth keys that are good for so many machines. A machine counts once, however often it comes back with the key.

ALTER TABLE fleetscale.authkeys
	ADD uses integer NOT NULL DEFAULT 0,
	-- 0: no limit. Uses are counted only where there is one, so that a storm does not queue up at the row of its key.
	ADD uses_most integer NOT NULL DEFAULT 0 CHECK (uses_most >= 0);

CREATE FUNCTION fleetscale.authkey_count() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	used integer;
	most integer;
BEGIN
	UPDATE fleetscale.authkeys a SET uses = a.uses + 1 WHERE a.id = NEW.authkey_id AND a.uses_most > 0 RETURNING a.uses, a.uses_most INTO used, most;
	IF used > most THEN
		PERFORM fleetscale.refuse('FS005', format('invalid key: it was good for %s machines and is used up', most));
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER authkey_count_new AFTER INSERT ON fleetscale.nodes FOR EACH ROW WHEN (NEW.authkey_id IS NOT NULL) EXECUTE FUNCTION fleetscale.authkey_count();
CREATE TRIGGER authkey_count_other AFTER UPDATE OF authkey_id ON fleetscale.nodes FOR EACH ROW
	WHEN (NEW.authkey_id IS NOT NULL AND OLD.authkey_id IS DISTINCT FROM NEW.authkey_id) EXECUTE FUNCTION fleetscale.authkey_count();
