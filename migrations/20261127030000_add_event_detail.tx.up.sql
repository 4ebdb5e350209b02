-- Whom and what an event is about, in JSON. NULL means that there is nothing to say, or
-- that it was erased.
ALTER TABLE events ADD COLUMN detail TEXT;

--bun:split

-- The address in the detail, in the form of users.email_key, so that it can be erased.
ALTER TABLE events ADD COLUMN email_key TEXT;
