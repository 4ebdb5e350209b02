DROP TABLE browsers;

--bun:split

DROP TABLE mails;

--bun:split

DROP TABLE tokens;
