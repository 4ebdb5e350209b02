DROP INDEX IF EXISTS browsers_token_hash;
