-- Operators look people up by the beginning of a name or an address, however many there are.
-- SQLite's unique indexes of usernames and addresses serve that; those of PostgreSQL do only
-- if the database has the collation C.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_username_start ON users (username_key{{if .Postgres}} COLLATE "C"{{end}}, id);

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_email_start ON users (email_key{{if .Postgres}} COLLATE "C"{{end}}, id);

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_name_start ON users (name_key{{if .Postgres}} COLLATE "C"{{end}}, id);

--bun:split

-- What follows the first name.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_last_name_start ON users ((substr(name_key, {{if .Postgres}}strpos{{else}}instr{{end}}(name_key, ' ') + 1)){{if .Postgres}} COLLATE "C"{{end}}, id);

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_disabled ON users (id) WHERE disabled_at IS NOT NULL;

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_operators ON users (id) WHERE operator_role IS NOT NULL;

--bun:split

CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS users_not_verified ON users (id) WHERE verified_at IS NULL;
