-- The operator who did it as the actor; NULL for everything else.
ALTER TABLE events ADD COLUMN operator_id UUID;
