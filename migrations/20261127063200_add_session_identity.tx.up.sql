-- By which account elsewhere a session began, and in which session there, so that signing
-- out there can end it. NULL means that it began another way.
ALTER TABLE sessions ADD COLUMN identity_id UUID;

--bun:split

ALTER TABLE sessions ADD COLUMN provider_session TEXT;
