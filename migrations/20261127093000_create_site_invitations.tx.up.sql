-- Invitations to the site itself, by operators. Those to an organization are in
-- invitations, each with an inviter and a role, which these don't have.
CREATE TABLE site_invitations (
    id         UUID PRIMARY KEY,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    token_hash BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT site_invitations_email_key UNIQUE (email_key),
    CONSTRAINT site_invitations_token_hash UNIQUE (token_hash)
);

--bun:split

CREATE INDEX site_invitations_expires_at ON site_invitations (expires_at);
