-- The earlier version could not read these, and would still count them.
DELETE FROM recovery_codes WHERE selector <> '';

--bun:split

ALTER TABLE recovery_codes DROP COLUMN selector;
