DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS events_email_organization_id;

--bun:split

DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS events_email_user_id;

--bun:split

DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS events_email_key;
