ALTER TABLE users DROP COLUMN operator_role;
