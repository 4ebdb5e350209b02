DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS organizations_slug_start;

--bun:split

DROP INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF EXISTS organizations_name_start;
