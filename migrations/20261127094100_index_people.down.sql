DROP INDEX IF EXISTS users_not_verified;
--bun:split
DROP INDEX IF EXISTS users_operators;
--bun:split
DROP INDEX IF EXISTS users_disabled;
--bun:split
DROP INDEX IF EXISTS users_last_name_start;
--bun:split
DROP INDEX IF EXISTS users_name_start;
--bun:split
DROP INDEX IF EXISTS users_email_start;
--bun:split
DROP INDEX IF EXISTS users_username_start;
