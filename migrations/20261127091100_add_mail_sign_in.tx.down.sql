ALTER TABLE users DROP COLUMN mail_sign_in_at;
