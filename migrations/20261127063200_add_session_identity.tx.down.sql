ALTER TABLE sessions DROP COLUMN provider_session;

--bun:split

ALTER TABLE sessions DROP COLUMN identity_id;
