-- The role of an operator of the site; NULL for everybody else.
ALTER TABLE users ADD COLUMN operator_role TEXT;
