DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS throttles_until;
