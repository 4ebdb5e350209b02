-- Operators see who must wait, longest first, however many attempts are counted.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS throttles_until ON throttles (until, key);
