-- The role in which an operator did it on the operator's pages; NULL for everything else.
ALTER TABLE events ADD COLUMN operator_role TEXT;
