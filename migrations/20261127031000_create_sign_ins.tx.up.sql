-- What a browser has proved while policy asks for more before a session begins. As with
-- sessions, only the hash of the token is stored.
CREATE TABLE sign_ins (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash BYTEA NOT NULL,
    proofs     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT sign_ins_token_hash UNIQUE (token_hash)
);

--bun:split

CREATE INDEX sign_ins_user_id ON sign_ins (user_id);

--bun:split

CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);
