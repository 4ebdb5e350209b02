-- Since when a person has chosen that a mailed code is enough of a way in: the last other
-- one may go.
ALTER TABLE users ADD COLUMN mail_sign_in_at TIMESTAMPTZ;
