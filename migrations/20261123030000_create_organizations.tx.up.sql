CREATE TABLE organizations (
    id         UUID PRIMARY KEY,
    name       TEXT NOT NULL,
    slug       TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT organizations_slug UNIQUE (slug)
);

--bun:split

-- The roles of each organization: owner, admin and member, whose permissions
-- are in the program, and those that its owners make.
CREATE TABLE roles (
    id              UUID PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL,
    name            TEXT NOT NULL,
    name_key        TEXT NOT NULL,
    permissions     TEXT NOT NULL,
    CONSTRAINT roles_name_key UNIQUE (organization_id, name_key),
    CONSTRAINT roles_organization_id UNIQUE (organization_id, id)
);

--bun:split

-- The foreign key of two columns keeps a role to its own organization.
CREATE TABLE memberships (
    id              UUID PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id         UUID NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT memberships_user_id UNIQUE (user_id, organization_id),
    CONSTRAINT memberships_role_id FOREIGN KEY (organization_id, role_id) REFERENCES roles (organization_id, id)
);

--bun:split

CREATE INDEX memberships_organization_id ON memberships (organization_id, id);

--bun:split

CREATE INDEX memberships_organization_role ON memberships (organization_id, role_id);

--bun:split

CREATE TABLE invitations (
    id              UUID PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role_id         UUID NOT NULL,
    inviter_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email           TEXT NOT NULL,
    email_key       TEXT NOT NULL,
    token_hash      BYTEA,
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT invitations_email_key UNIQUE (organization_id, email_key),
    CONSTRAINT invitations_token_hash UNIQUE (token_hash),
    CONSTRAINT invitations_role_id FOREIGN KEY (organization_id, role_id) REFERENCES roles (organization_id, id)
);

--bun:split

CREATE INDEX invitations_inviter_id ON invitations (inviter_id);

--bun:split

CREATE INDEX invitations_expires_at ON invitations (expires_at);

--bun:split

-- What the search for members looks at: the full name, folded in Go. This
-- folds the names that are there already, as well as SQL can.
ALTER TABLE users ADD COLUMN name_key TEXT NOT NULL DEFAULT '';

--bun:split

UPDATE users SET name_key = lower(first_name || ' ' || last_name);

--bun:split

-- The organization in which it happened. As with users, there is no foreign key.
ALTER TABLE events ADD COLUMN organization_id UUID;

--bun:split

CREATE INDEX events_organization_id ON events (organization_id, id);
