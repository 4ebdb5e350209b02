-- Operators read the audit log by kind, and by who did something to others. What operators
-- did is little of it. See EventFilter in models/event.go, whose conditions these are. The
-- kind stands in an expression because SQLite would prefer it to the user of an event.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_kind ON events ((kind || ''), id);

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_actor_id ON events (actor_id, id) WHERE actor_id IS DISTINCT FROM user_id;

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS events_by_operators ON events (id)
    WHERE operator_role IS NOT NULL OR actor_id IS NULL AND ip = '' AND kind <> 'unconfirmed-deleted';
