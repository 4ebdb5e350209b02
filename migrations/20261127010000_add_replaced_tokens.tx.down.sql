DROP INDEX sessions_previous_token_hash;

--bun:split

ALTER TABLE sessions DROP COLUMN replaced_at;

--bun:split

ALTER TABLE sessions DROP COLUMN previous_token_hash;
