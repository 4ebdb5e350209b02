-- Operators who use the site as somebody else now. Each is bound to the operator's own
-- session, but outlives it until its end was recorded and told, so session_id has no
-- foreign key.
CREATE TABLE impersonations (
    session_id  UUID PRIMARY KEY,
    operator_id UUID NOT NULL,
    user_id     UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    writes      BOOLEAN NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX impersonations_user_id ON impersonations (user_id);
