-- From when an organization requires a second factor of its members; NULL if it requires
-- none.
ALTER TABLE organizations ADD COLUMN second_factor_from TIMESTAMPTZ;

--bun:split

-- Whether it accepts no trusted browser in place of the second factor.
ALTER TABLE organizations ADD COLUMN no_trust BOOLEAN NOT NULL DEFAULT FALSE;

--bun:split

-- The second factor that was proved in a session, and when, in JSON. NULL means that the
-- session has one factor, as far as is known.
ALTER TABLE sessions ADD COLUMN second_factor TEXT;
