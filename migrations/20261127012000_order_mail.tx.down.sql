DROP TABLE refused_mails;

--bun:split

DROP INDEX mails_priority;

--bun:split

ALTER TABLE mails DROP COLUMN domain;

--bun:split

ALTER TABLE mails DROP COLUMN priority;
