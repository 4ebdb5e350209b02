DROP TABLE authorizations;

--bun:split

DROP TABLE identities;
