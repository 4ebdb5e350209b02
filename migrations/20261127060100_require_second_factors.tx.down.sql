ALTER TABLE sessions DROP COLUMN second_factor;

--bun:split

ALTER TABLE organizations DROP COLUMN no_trust;

--bun:split

ALTER TABLE organizations DROP COLUMN second_factor_from;
