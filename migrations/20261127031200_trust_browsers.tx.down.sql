ALTER TABLE browsers DROP COLUMN user_agent;

--bun:split

ALTER TABLE browsers DROP COLUMN trusted_until;
