-- Accounts elsewhere by which people sign in. The issuer and the subject say whose it is;
-- the name is how its owner knows it, and may change.
CREATE TABLE identities (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider     TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    name         TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    CONSTRAINT identities_issuer_subject UNIQUE (issuer, subject)
);

--bun:split

CREATE INDEX identities_user_id ON identities (user_id);

--bun:split

-- Requests to a provider that wait for its answer. Each is deleted when it is read, and
-- only the browser that began it may bring the answer. If a sign-up then waits for what the
-- provider doesn't say, claims has what it said.
CREATE TABLE authorizations (
    state_hash   BYTEA PRIMARY KEY,
    browser_hash BYTEA NOT NULL,
    provider     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    user_id      UUID REFERENCES users (id) ON DELETE CASCADE,
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,
    next         TEXT NOT NULL,
    claims       TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX authorizations_browser_hash ON authorizations (browser_hash);

--bun:split

CREATE INDEX authorizations_user_id ON authorizations (user_id);

--bun:split

CREATE INDEX authorizations_expires_at ON authorizations (expires_at);
