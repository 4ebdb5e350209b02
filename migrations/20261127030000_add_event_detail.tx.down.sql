ALTER TABLE events DROP COLUMN email_key;

--bun:split

ALTER TABLE events DROP COLUMN detail;
