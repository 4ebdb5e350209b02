-- Links that people wait for go before notices and invitations, and one domain's mail
-- leaves room for that of others.
ALTER TABLE mails ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;

--bun:split

ALTER TABLE mails ADD COLUMN domain TEXT NOT NULL DEFAULT '';

--bun:split

CREATE INDEX mails_priority ON mails (priority, next_at, id);

--bun:split

-- Mail that nobody tries to send any more, without its text and its link.
CREATE TABLE refused_mails (
    id         UUID PRIMARY KEY,
    kind       TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    user_id    UUID,
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    refused_at TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX refused_mails_refused_at ON refused_mails (refused_at);

--bun:split

CREATE INDEX refused_mails_user_id ON refused_mails (user_id);
