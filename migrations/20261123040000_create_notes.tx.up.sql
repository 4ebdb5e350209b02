CREATE TABLE notes (
    id              UUID PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    author_id       UUID REFERENCES users (id) ON DELETE SET NULL,
    title           TEXT NOT NULL,
    body            TEXT NOT NULL,
    search_key      TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX notes_organization_id ON notes (organization_id, id);

--bun:split

CREATE INDEX notes_author_id ON notes (author_id);
