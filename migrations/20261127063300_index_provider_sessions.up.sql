-- A provider may say which of its sessions has ended without saying whose it was.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS sessions_provider_session ON sessions (provider_session) WHERE provider_session IS NOT NULL;
