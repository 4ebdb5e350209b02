-- Apps that show a new code every 30 seconds (RFC 6238). The secret is encrypted by the
-- key that key_id names. A code counts once: its step must be later than last_step.
CREATE TABLE authenticators (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    secret     BYTEA NOT NULL,
    key_id     TEXT NOT NULL,
    last_step  BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);

--bun:split

CREATE INDEX authenticators_user_id ON authenticators (user_id);

--bun:split

-- Codes that each work once in place of an app. A used one is deleted.
CREATE TABLE recovery_codes (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash  BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
