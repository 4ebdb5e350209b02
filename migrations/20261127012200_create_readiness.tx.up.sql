-- A row that /readyz writes, to learn whether the database can be written.
CREATE TABLE readiness (
    id      INTEGER PRIMARY KEY,
    at      TIMESTAMPTZ NOT NULL,
    padding BYTEA NOT NULL
);
