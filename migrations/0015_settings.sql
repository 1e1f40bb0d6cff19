-- What administrators may set for a tailnet: who may join, what clients are told to do, and its DNS.

ALTER TABLE fleetscale.tailnets
	-- Admission. A suspended tailnet keeps everything, and its nodes see nobody until it is resumed.
	ADD suspended boolean NOT NULL DEFAULT false,
	ADD device_approval boolean NOT NULL DEFAULT false,
	-- 0: no limit.
	ADD node_limit integer NOT NULL DEFAULT 0 CHECK (node_limit >= 0),
	ADD user_limit integer NOT NULL DEFAULT 0 CHECK (user_limit >= 0),
	-- Interactive logins that began under this host name of the login server are this tailnet's alone.
	ADD login_host text CONSTRAINT tailnets_login_host UNIQUE CHECK (login_host = lower(login_host)),
	-- Features of clients.
	ADD file_sharing boolean NOT NULL DEFAULT true,
	ADD ssh boolean NOT NULL DEFAULT true,
	ADD auto_update boolean NOT NULL DEFAULT false,
	ADD random_client_port boolean NOT NULL DEFAULT false,
	ADD client_logs boolean NOT NULL DEFAULT false,
	-- Shown by every client as a message from its administrators.
	ADD notice text NOT NULL DEFAULT '' CHECK (octet_length(notice) <= 1024),
	-- DNS beside magic_dns. Words divided by one space: a resolver is "ADDRESS" or "ADDRESS exit" (also used with an exit node);
	-- split is "DOMAIN" (answered by the client itself) or "DOMAIN RESOLVER"; a record is "NAME TYPE VALUE".
	ADD dns_override boolean NOT NULL DEFAULT false,
	ADD dns_resolvers text[] NOT NULL DEFAULT '{}',
	ADD dns_split text[] NOT NULL DEFAULT '{}',
	ADD dns_search text[] NOT NULL DEFAULT '{}',
	ADD dns_records text[] NOT NULL DEFAULT '{}',
	ADD dns_exit_filtered text[] NOT NULL DEFAULT '{}';
