-- What a throttle counts, and a hash of whom, so that operators can find and lift it.
ALTER TABLE throttles ADD COLUMN kind TEXT NOT NULL DEFAULT '';

--bun:split

ALTER TABLE throttles ADD COLUMN subject TEXT NOT NULL DEFAULT '';

--bun:split

-- The wait in which an attempt was refused and recorded. NULL means none.
ALTER TABLE throttles ADD COLUMN noted_until TIMESTAMPTZ;

--bun:split

CREATE INDEX throttles_subject ON throttles (subject);
