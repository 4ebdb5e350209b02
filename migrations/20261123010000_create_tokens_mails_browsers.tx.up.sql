-- A right that a mailed link gives once: to verify an address, or to set a new
-- password. As with sessions, only the hash is stored.
CREATE TABLE tokens (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    email      TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT tokens_token_hash UNIQUE (token_hash)
);

--bun:split

CREATE INDEX tokens_user_id ON tokens (user_id);

--bun:split

CREATE INDEX tokens_expires_at ON tokens (expires_at);

--bun:split

-- The queue of mail to send. It has no foreign key: a notice outlives the
-- account that it speaks of.
CREATE TABLE mails (
    id         UUID PRIMARY KEY,
    kind       TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    user_id    UUID,
    name       TEXT NOT NULL,
    detail     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX mails_next_at ON mails (next_at);

--bun:split

-- The browsers from which a user has signed in.
CREATE TABLE browsers (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash BYTEA NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, token_hash)
);

--bun:split

CREATE INDEX browsers_seen_at ON browsers (seen_at);
