-- Since when an account has waited for its email address to be confirmed. It is NULL
-- for the accounts that are there already, and for those that the previous version
-- creates: the purge sets it, so each of them gets the full time too.
ALTER TABLE users ADD COLUMN unconfirmed_since TIMESTAMPTZ;

--bun:split

-- The accounts that never confirmed an address, for the purge.
CREATE INDEX users_unconfirmed ON users (unconfirmed_since, id) WHERE verified_at IS NULL;
