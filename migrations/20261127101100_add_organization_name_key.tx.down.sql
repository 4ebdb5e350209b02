ALTER TABLE organizations DROP COLUMN name_key;
