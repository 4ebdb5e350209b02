-- Operators look organizations up by the beginning of a name or an address, as they do
-- people.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS organizations_name_start ON organizations ((coalesce(name_key, lower(name))){{if .Postgres}} COLLATE "C"{{end}}, id);

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS organizations_slug_start ON organizations (slug{{if .Postgres}} COLLATE "C"{{end}}, id);
