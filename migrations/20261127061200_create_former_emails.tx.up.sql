-- Confirmed email addresses that a person replaced. For a while, whoever reads mail there
-- can undo the change, and nobody else can have the address.
CREATE TABLE former_emails (
    id          UUID PRIMARY KEY,
    user_id     UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email       TEXT NOT NULL,
    email_key   TEXT NOT NULL,
    replaced_at TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX former_emails_user_id ON former_emails (user_id);

--bun:split

CREATE INDEX former_emails_email_key ON former_emails (email_key);

--bun:split

CREATE INDEX former_emails_replaced_at ON former_emails (replaced_at);
