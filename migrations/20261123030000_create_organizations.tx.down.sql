DROP INDEX events_organization_id;

--bun:split

ALTER TABLE events DROP COLUMN organization_id;

--bun:split

ALTER TABLE users DROP COLUMN name_key;

--bun:split

DROP TABLE invitations;

--bun:split

DROP TABLE memberships;

--bun:split

DROP TABLE roles;

--bun:split

DROP TABLE organizations;
