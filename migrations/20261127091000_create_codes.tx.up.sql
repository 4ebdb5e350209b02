-- Codes that were mailed, to be typed where they were asked for: in the browser that has
-- the secret, or by the signed-in user, whose codes have no browser. A new one replaces the
-- others of its user and purpose.
CREATE TABLE codes (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose      TEXT NOT NULL,
    email        TEXT NOT NULL,
    browser_hash BYTEA,
    code_hash    TEXT NOT NULL,
    next         TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT codes_user_id_purpose UNIQUE (user_id, purpose)
);

--bun:split

CREATE INDEX codes_browser_hash ON codes (browser_hash);

--bun:split

CREATE INDEX codes_expires_at ON codes (expires_at);
