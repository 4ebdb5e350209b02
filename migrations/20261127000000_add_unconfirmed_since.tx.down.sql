DROP INDEX users_unconfirmed;

--bun:split

ALTER TABLE users DROP COLUMN unconfirmed_since;
