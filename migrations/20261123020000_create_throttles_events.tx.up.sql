-- How often something was tried, for all processes together.
CREATE TABLE throttles (
    key       TEXT PRIMARY KEY,
    tries     BIGINT NOT NULL,
    until     TIMESTAMPTZ NOT NULL,
    forget_at TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX throttles_forget_at ON throttles (forget_at);

--bun:split

-- The audit log. It has no foreign keys: what happened stays on record when the
-- account has gone.
CREATE TABLE events (
    id         UUID PRIMARY KEY,
    kind       TEXT NOT NULL,
    user_id    UUID,
    actor_id   UUID,
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX events_user_id ON events (user_id, id);

--bun:split

CREATE INDEX events_created_at ON events (created_at);
