DROP TABLE passkey_ceremonies;

--bun:split

DROP TABLE passkeys;

--bun:split

DROP TABLE passkey_accounts;
