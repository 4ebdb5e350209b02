-- Each sign-in replaces the mark of its browser, whoever uses it.
CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS browsers_token_hash ON browsers (token_hash);
