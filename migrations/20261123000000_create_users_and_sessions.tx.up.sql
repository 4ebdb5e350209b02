-- The same statements run on PostgreSQL and on SQLite, which takes any type
-- name. The *_key columns hold what makes a name unique without regard to
-- case; they are computed in Go, because the two databases fold differently.
CREATE TABLE users (
    id            UUID PRIMARY KEY,
    username      TEXT NOT NULL,
    username_key  TEXT NOT NULL,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL,
    first_name    TEXT NOT NULL,
    last_name     TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    verified_at   TIMESTAMPTZ,
    disabled_at   TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT users_username_key UNIQUE (username_key),
    CONSTRAINT users_email_key UNIQUE (email_key)
);

--bun:split

CREATE TABLE sessions (
    id               UUID PRIMARY KEY,
    user_id          UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash       BYTEA NOT NULL,
    ip               TEXT NOT NULL,
    user_agent       TEXT NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    authenticated_at TIMESTAMPTZ NOT NULL,
    last_seen_at     TIMESTAMPTZ NOT NULL,
    expires_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT sessions_token_hash UNIQUE (token_hash)
);

--bun:split

CREATE INDEX sessions_user_id ON sessions (user_id);

--bun:split

CREATE INDEX sessions_expires_at ON sessions (expires_at);
