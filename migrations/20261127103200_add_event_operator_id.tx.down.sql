ALTER TABLE events DROP COLUMN operator_id;
