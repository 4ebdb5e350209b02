-- The token that the session had before, which is good for a minute more.
ALTER TABLE sessions ADD COLUMN previous_token_hash BYTEA;

--bun:split

ALTER TABLE sessions ADD COLUMN replaced_at TIMESTAMPTZ;

--bun:split

CREATE INDEX sessions_previous_token_hash ON sessions (previous_token_hash) WHERE previous_token_hash IS NOT NULL;
