-- Removals of a lost second factor that wait. A person has one at most. It waits until
-- ready_at, and can then be finished until expires_at.
CREATE TABLE recoveries (
    user_id    UUID PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    ready_at   TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

--bun:split

CREATE INDEX recoveries_expires_at ON recoveries (expires_at);
