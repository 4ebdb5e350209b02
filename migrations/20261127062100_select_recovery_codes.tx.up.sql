-- The first letter of a recovery code, which finds its hash. Empty for codes of an earlier
-- version, whose code_hash is a SHA-256 instead of a password's hash.
ALTER TABLE recovery_codes ADD COLUMN selector TEXT NOT NULL DEFAULT '';
