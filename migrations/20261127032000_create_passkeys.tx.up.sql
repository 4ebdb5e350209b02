-- What a person's passkeys have in common: the random id by which authenticators know
-- the account (WebAuthn's user handle), and when the site offered to add one.
CREATE TABLE passkey_accounts (
    user_id    UUID PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    handle     BYTEA NOT NULL,
    offered_at TIMESTAMPTZ,
    CONSTRAINT passkey_accounts_handle UNIQUE (handle)
);

--bun:split

-- Public keys (WebAuthn's credential records). Nothing in them is secret.
CREATE TABLE passkeys (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BYTEA NOT NULL,
    public_key      BYTEA NOT NULL,
    aaguid          UUID NOT NULL,
    sign_count      BIGINT NOT NULL,
    transports      TEXT NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up       BOOLEAN NOT NULL,
    name            TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    last_used_at    TIMESTAMPTZ,
    CONSTRAINT passkeys_credential_id UNIQUE (credential_id)
);

--bun:split

CREATE INDEX passkeys_user_id ON passkeys (user_id);

--bun:split

-- Challenges that wait for an authenticator's answer. Each is deleted when it is read,
-- and only the browser that asked for it may answer.
CREATE TABLE passkey_ceremonies (
    challenge    TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    browser_hash BYTEA NOT NULL,
    user_id      UUID REFERENCES users (id) ON DELETE CASCADE,
    state        TEXT NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX passkey_ceremonies_expires_at ON passkey_ceremonies (expires_at);

--bun:split

CREATE INDEX passkey_ceremonies_user_id ON passkey_ceremonies (user_id);
