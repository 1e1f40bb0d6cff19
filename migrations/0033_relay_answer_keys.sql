-- 'relays': the seed of an Ed25519 key that signs what coordinators answer relays. Told to relays from its row's birth until valid_until; the newest that may signs.
ALTER TABLE fleetscale.serverkeys DROP CONSTRAINT serverkeys_kind_check,
	ADD CONSTRAINT serverkeys_kind_check CHECK (kind IN ('noise', 'identity', 'relays'));
