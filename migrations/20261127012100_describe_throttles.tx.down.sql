DROP INDEX throttles_subject;

--bun:split

ALTER TABLE throttles DROP COLUMN noted_until;

--bun:split

ALTER TABLE throttles DROP COLUMN subject;

--bun:split

ALTER TABLE throttles DROP COLUMN kind;
