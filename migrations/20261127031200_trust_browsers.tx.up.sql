-- Until when a browser isn't asked for a second factor, and what it is called in the list
-- of those. NULL means it is asked.
ALTER TABLE browsers ADD COLUMN trusted_until TIMESTAMPTZ;

--bun:split

ALTER TABLE browsers ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
