-- Conventions: ids TEXT COLLATE "C", times BIGINT Unix milliseconds, JSON as TEXT COLLATE "C", booleans native.

-- What the server must remember about itself: mode, master-key check value, the built-in app.
CREATE TABLE server_facts (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- The authority log. The head row is locked until commit, so numbers appear in order and without gaps.
CREATE TABLE authority_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    n  BIGINT NOT NULL,
    pruned BIGINT NOT NULL
);
INSERT INTO authority_head (id, n, pruned) VALUES (1, 0, 0);

CREATE TABLE authority_log (
    n       BIGINT NOT NULL PRIMARY KEY,
    kind    TEXT COLLATE "C"    NOT NULL,
    subject TEXT COLLATE "C"    NOT NULL,
    scope   TEXT COLLATE "C"    NOT NULL,
    kills   BOOLEAN NOT NULL,
    at      BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    kid        TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    state      TEXT COLLATE "C"    NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'gone')),
    public_jwk TEXT COLLATE "C"    NOT NULL,
    sealed     BYTEA    NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
-- One key signs, one waits.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state IN ('active', 'next');

-- Humans who sign in.
CREATE TABLE people (
    id         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE person_emails (
    person_id   TEXT COLLATE "C"    NOT NULL REFERENCES people (id),
    email_key   TEXT COLLATE "C"    NOT NULL,
    email       TEXT COLLATE "C"    NOT NULL,
    verified_at BIGINT,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (person_id, email_key)
);
CREATE UNIQUE INDEX person_emails_verified ON person_emails (email_key) WHERE verified_at IS NOT NULL;

CREATE TABLE person_passwords (
    person_id  TEXT COLLATE "C"    NOT NULL PRIMARY KEY REFERENCES people (id),
    phc        TEXT COLLATE "C"    NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Columns ending in _key hold the same in lower case, for comparing; made by us, because the engines'
-- LOWER knows ASCII only.

-- Who speaks in chat: made by a company (home_company_id) or a person's own.
CREATE TABLE users (
    id              TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    person_id       TEXT COLLATE "C"    REFERENCES people (id),
    home_company_id TEXT COLLATE "C",
    username        TEXT COLLATE "C"    NOT NULL,
    username_key    TEXT COLLATE "C"    NOT NULL,
    name            TEXT COLLATE "C",
    name_key        TEXT COLLATE "C",
    bio             TEXT COLLATE "C",
    email           TEXT COLLATE "C",
    email_key       TEXT COLLATE "C",
    deactivated_at  BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_username ON users (COALESCE(home_company_id, ''), username_key);
CREATE UNIQUE INDEX users_local_email ON users (home_company_id, email_key);
CREATE INDEX users_person ON users (person_id, id);

CREATE TABLE companies (
    id                      TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    parent_id               TEXT COLLATE "C"    REFERENCES companies (id),
    owner_user_id           TEXT COLLATE "C"    NOT NULL REFERENCES users (id),
    title                   TEXT COLLATE "C"    NOT NULL,
    route                   TEXT COLLATE "C"    NOT NULL UNIQUE,
    description             TEXT COLLATE "C",
    metadata                TEXT COLLATE "C",
    country                 TEXT COLLATE "C",
    target_audience         TEXT COLLATE "C",
    affiliate_instructions  TEXT COLLATE "C",
    social_links            TEXT COLLATE "C"    NOT NULL DEFAULT '[]',
    send_customer_emails    BOOLEAN NOT NULL DEFAULT true,
    explicit_scopes         BOOLEAN NOT NULL DEFAULT false,
    open_enrolment          BOOLEAN NOT NULL DEFAULT false,
    member_count            BIGINT NOT NULL DEFAULT 0,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL
);
CREATE INDEX companies_by_parent ON companies (parent_id, created_at, id);
CREATE INDEX companies_by_owner ON companies (owner_user_id, created_at, id);

CREATE TABLE members (
    id         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    user_id    TEXT COLLATE "C"    NOT NULL REFERENCES users (id),
    status     TEXT COLLATE "C"    NOT NULL CHECK (status IN ('joined', 'left')),
    joined_at  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (company_id, user_id)
);
CREATE INDEX members_by_creation ON members (company_id, created_at, id);
CREATE INDEX members_by_joining ON members (company_id, joined_at, id);
CREATE INDEX members_by_user ON members (user_id);

-- A company's team.
CREATE TABLE authorized_users (
    id            TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id    TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    user_id       TEXT COLLATE "C"    NOT NULL REFERENCES users (id),
    role          TEXT COLLATE "C"    NOT NULL,
    custom_scopes TEXT COLLATE "C"    NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    UNIQUE (company_id, user_id)
);
CREATE INDEX authorized_users_by_user ON authorized_users (user_id);

-- Name and picture as shown in one company only.
CREATE TABLE profile_overrides (
    company_id TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    user_id    TEXT COLLATE "C"    NOT NULL REFERENCES users (id),
    name       TEXT COLLATE "C",
    name_key   TEXT COLLATE "C",
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, user_id)
);

CREATE TABLE apps (
    id         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id TEXT COLLATE "C"    REFERENCES companies (id),
    name       TEXT COLLATE "C"    NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX apps_by_company ON apps (company_id);

CREATE TABLE app_installs (
    app_id     TEXT COLLATE "C"    NOT NULL REFERENCES apps (id),
    company_id TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, company_id)
);
CREATE INDEX app_installs_by_company ON app_installs (company_id);

CREATE TABLE api_keys (
    id           TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id   TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    app_id       TEXT COLLATE "C"    REFERENCES apps (id),
    secret_hash  BYTEA    NOT NULL UNIQUE,
    hint         TEXT COLLATE "C"    NOT NULL,
    name         TEXT COLLATE "C",
    rights       TEXT COLLATE "C"    NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at   BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_by_company ON api_keys (company_id, created_at, id);

-- Products are known by their id only. Each company has its own, so that none learns of another's.
CREATE TABLE products (
    company_id TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    id         TEXT COLLATE "C"    NOT NULL,
    title      TEXT COLLATE "C"    NOT NULL,
    route      TEXT COLLATE "C"    NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, id)
);

CREATE TABLE experiences (
    id           TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id   TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    app_id       TEXT COLLATE "C"    NOT NULL REFERENCES apps (id),
    name         TEXT COLLATE "C"    NOT NULL,
    is_public    BOOLEAN NOT NULL,
    sort_order   TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    deleted_at   BIGINT
);
CREATE INDEX experiences_by_company ON experiences (company_id, created_at, id);

-- Whose accounts recorded one.
CREATE INDEX products_by_id ON products (id, company_id);
CREATE TABLE experience_products (
    experience_id TEXT COLLATE "C"    NOT NULL REFERENCES experiences (id),
    company_id    TEXT COLLATE "C"    NOT NULL,
    product_id    TEXT COLLATE "C"    NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (experience_id, product_id),
    FOREIGN KEY (company_id, product_id) REFERENCES products (company_id, id)
);
CREATE INDEX experience_products_by_creation ON experience_products (experience_id, created_at, product_id);
CREATE INDEX experience_products_by_product ON experience_products (company_id, product_id, experience_id);

-- Who is let into a private experience.
CREATE TABLE experience_members (
    experience_id TEXT COLLATE "C"    NOT NULL REFERENCES experiences (id),
    user_id       TEXT COLLATE "C"    NOT NULL REFERENCES users (id),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (experience_id, user_id)
);
CREATE INDEX experience_members_by_user ON experience_members (user_id, experience_id);

CREATE TABLE channels (
    id            TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id    TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    experience_id TEXT COLLATE "C"    NOT NULL UNIQUE REFERENCES experiences (id),
    who_can_post  TEXT COLLATE "C"    NOT NULL CHECK (who_can_post IN ('everyone', 'admins')),
    who_can_react TEXT COLLATE "C"    NOT NULL CHECK (who_can_react IN ('everyone', 'no_one')),
    ban_media     BOOLEAN NOT NULL,
    ban_urls      BOOLEAN NOT NULL,
    banned_words  TEXT COLLATE "C"    NOT NULL,
    cooldown_secs BIGINT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX channels_by_company ON channels (company_id, created_at, id);

-- The two counters of a channel, apart from its settings so that the locked row stays narrow.
CREATE TABLE channel_heads (
    channel_id TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    position   BIGINT NOT NULL,
    seq        BIGINT NOT NULL
);

-- Messages lie in the order they are read.
CREATE TABLE messages (
    channel_id        TEXT COLLATE "C"    NOT NULL,
    position          BIGINT NOT NULL,
    id                TEXT COLLATE "C"    NOT NULL,
    user_id           TEXT COLLATE "C"    NOT NULL,
    content           TEXT COLLATE "C",
    mentions          TEXT COLLATE "C",
    mentions_everyone BOOLEAN NOT NULL,
    poll              TEXT COLLATE "C",
    replying_to       TEXT COLLATE "C",
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    edited_at         BIGINT,
    pinned_at         BIGINT,
    deleted_at        BIGINT,
    posted_by_key     TEXT COLLATE "C",
    PRIMARY KEY (channel_id, position)
);
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- Every durable change of a channel, in order, pointing at what changed.
CREATE TABLE events (
    channel_id TEXT COLLATE "C"    NOT NULL,
    seq        BIGINT NOT NULL,
    kind       TEXT COLLATE "C"    NOT NULL,
    subject    TEXT COLLATE "C"    NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (channel_id, seq)
);

-- When a user last posted, where a cooldown holds.
CREATE TABLE cooldowns (
    channel_id TEXT COLLATE "C"    NOT NULL,
    user_id    TEXT COLLATE "C"    NOT NULL,
    posted_at  BIGINT NOT NULL,
    PRIMARY KEY (channel_id, user_id)
);

CREATE TABLE idempotency_keys (
    scope_hash BYTEA    NOT NULL PRIMARY KEY,
    body_hash  BYTEA    NOT NULL,
    operation  TEXT COLLATE "C"    NOT NULL,
    status     BIGINT,
    answer     TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    leased_at  BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
