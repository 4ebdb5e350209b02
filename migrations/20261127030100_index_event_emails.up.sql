-- Few events hold an address. These find them, to erase it.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_email_key ON events (email_key) WHERE email_key IS NOT NULL;

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_email_user_id ON events (user_id) WHERE email_key IS NOT NULL;

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_email_organization_id ON events (organization_id) WHERE email_key IS NOT NULL;
