-- What the operators' search looks at: the name, folded in Go. It is NULL for organizations
-- that were named before, whose names the index folds as well as SQL can.
ALTER TABLE organizations ADD COLUMN name_key TEXT;
