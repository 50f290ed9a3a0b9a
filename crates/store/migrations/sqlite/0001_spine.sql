-- Conventions: ids TEXT, times INTEGER Unix milliseconds, JSON as TEXT, booleans INTEGER 0/1.

-- What the server must remember about itself: mode, master-key check value, the built-in app.
CREATE TABLE server_facts (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The authority log. The head row is locked until commit, so numbers appear in order and without gaps.
CREATE TABLE authority_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL,
    pruned INTEGER NOT NULL
) STRICT;
INSERT INTO authority_head (id, n, pruned) VALUES (1, 0, 0);

CREATE TABLE authority_log (
    n       INTEGER NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    scope   TEXT    NOT NULL,
    kills   INTEGER NOT NULL CHECK (kills IN (0, 1)),
    at      INTEGER NOT NULL
) STRICT;

CREATE TABLE signing_keys (
    kid        TEXT    NOT NULL PRIMARY KEY,
    state      TEXT    NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'gone')),
    public_jwk TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
-- One key signs, one waits.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state IN ('active', 'next');

-- Humans who sign in.
CREATE TABLE people (
    id         TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE person_emails (
    person_id   TEXT    NOT NULL REFERENCES people (id),
    email_key   TEXT    NOT NULL,
    email       TEXT    NOT NULL,
    verified_at INTEGER,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, email_key)
) STRICT;
CREATE UNIQUE INDEX person_emails_verified ON person_emails (email_key) WHERE verified_at IS NOT NULL;

CREATE TABLE person_passwords (
    person_id  TEXT    NOT NULL PRIMARY KEY REFERENCES people (id),
    phc        TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Columns ending in _key hold the same in lower case, for comparing; made by us, because the engines'
-- LOWER knows ASCII only.

-- Who speaks in chat: made by a company (home_company_id) or a person's own.
CREATE TABLE users (
    id              TEXT    NOT NULL PRIMARY KEY,
    person_id       TEXT    REFERENCES people (id),
    home_company_id TEXT,
    username        TEXT    NOT NULL,
    username_key    TEXT    NOT NULL,
    name            TEXT,
    name_key        TEXT,
    bio             TEXT,
    email           TEXT,
    email_key       TEXT,
    deactivated_at  INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_username ON users (COALESCE(home_company_id, ''), username_key);
CREATE UNIQUE INDEX users_local_email ON users (home_company_id, email_key);
CREATE INDEX users_person ON users (person_id, id);

CREATE TABLE companies (
    id                      TEXT    NOT NULL PRIMARY KEY,
    parent_id               TEXT    REFERENCES companies (id),
    owner_user_id           TEXT    NOT NULL REFERENCES users (id),
    title                   TEXT    NOT NULL,
    route                   TEXT    NOT NULL UNIQUE,
    description             TEXT,
    metadata                TEXT,
    country                 TEXT,
    target_audience         TEXT,
    affiliate_instructions  TEXT,
    social_links            TEXT    NOT NULL DEFAULT '[]',
    send_customer_emails    INTEGER NOT NULL DEFAULT 1 CHECK (send_customer_emails IN (0, 1)),
    explicit_scopes         INTEGER NOT NULL DEFAULT 0 CHECK (explicit_scopes IN (0, 1)),
    open_enrolment          INTEGER NOT NULL DEFAULT 0 CHECK (open_enrolment IN (0, 1)),
    member_count            INTEGER NOT NULL DEFAULT 0,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL
) STRICT;
CREATE INDEX companies_by_parent ON companies (parent_id, created_at, id);
CREATE INDEX companies_by_owner ON companies (owner_user_id, created_at, id);

CREATE TABLE members (
    id         TEXT    NOT NULL PRIMARY KEY,
    company_id TEXT    NOT NULL REFERENCES companies (id),
    user_id    TEXT    NOT NULL REFERENCES users (id),
    status     TEXT    NOT NULL CHECK (status IN ('joined', 'left')),
    joined_at  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (company_id, user_id)
) STRICT;
CREATE INDEX members_by_creation ON members (company_id, created_at, id);
CREATE INDEX members_by_joining ON members (company_id, joined_at, id);
CREATE INDEX members_by_user ON members (user_id);

-- A company's team.
CREATE TABLE authorized_users (
    id            TEXT    NOT NULL PRIMARY KEY,
    company_id    TEXT    NOT NULL REFERENCES companies (id),
    user_id       TEXT    NOT NULL REFERENCES users (id),
    role          TEXT    NOT NULL,
    custom_scopes TEXT    NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (company_id, user_id)
) STRICT;
CREATE INDEX authorized_users_by_user ON authorized_users (user_id);

-- Name and picture as shown in one company only.
CREATE TABLE profile_overrides (
    company_id TEXT    NOT NULL REFERENCES companies (id),
    user_id    TEXT    NOT NULL REFERENCES users (id),
    name       TEXT,
    name_key   TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    id         TEXT    NOT NULL PRIMARY KEY,
    company_id TEXT    REFERENCES companies (id),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX apps_by_company ON apps (company_id);

CREATE TABLE app_installs (
    app_id     TEXT    NOT NULL REFERENCES apps (id),
    company_id TEXT    NOT NULL REFERENCES companies (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (app_id, company_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_installs_by_company ON app_installs (company_id);

CREATE TABLE api_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    company_id   TEXT    NOT NULL REFERENCES companies (id),
    app_id       TEXT    REFERENCES apps (id),
    secret_hash  BLOB    NOT NULL UNIQUE,
    hint         TEXT    NOT NULL,
    name         TEXT,
    rights       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_keys_by_company ON api_keys (company_id, created_at, id);

-- Products are known by their id only. Each company has its own, so that none learns of another's.
CREATE TABLE products (
    company_id TEXT    NOT NULL REFERENCES companies (id),
    id         TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    route      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE experiences (
    id           TEXT    NOT NULL PRIMARY KEY,
    company_id   TEXT    NOT NULL REFERENCES companies (id),
    app_id       TEXT    NOT NULL REFERENCES apps (id),
    name         TEXT    NOT NULL,
    is_public    INTEGER NOT NULL CHECK (is_public IN (0, 1)),
    sort_order   TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER
) STRICT;
CREATE INDEX experiences_by_company ON experiences (company_id, created_at, id);

-- Whose accounts recorded one.
CREATE INDEX products_by_id ON products (id, company_id);
CREATE TABLE experience_products (
    experience_id TEXT    NOT NULL REFERENCES experiences (id),
    company_id    TEXT    NOT NULL,
    product_id    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (experience_id, product_id),
    FOREIGN KEY (company_id, product_id) REFERENCES products (company_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX experience_products_by_creation ON experience_products (experience_id, created_at, product_id);
CREATE INDEX experience_products_by_product ON experience_products (company_id, product_id, experience_id);

-- Who is let into a private experience.
CREATE TABLE experience_members (
    experience_id TEXT    NOT NULL REFERENCES experiences (id),
    user_id       TEXT    NOT NULL REFERENCES users (id),
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (experience_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX experience_members_by_user ON experience_members (user_id, experience_id);

CREATE TABLE channels (
    id            TEXT    NOT NULL PRIMARY KEY,
    company_id    TEXT    NOT NULL REFERENCES companies (id),
    experience_id TEXT    NOT NULL UNIQUE REFERENCES experiences (id),
    who_can_post  TEXT    NOT NULL CHECK (who_can_post IN ('everyone', 'admins')),
    who_can_react TEXT    NOT NULL CHECK (who_can_react IN ('everyone', 'no_one')),
    ban_media     INTEGER NOT NULL CHECK (ban_media IN (0, 1)),
    ban_urls      INTEGER NOT NULL CHECK (ban_urls IN (0, 1)),
    banned_words  TEXT    NOT NULL,
    cooldown_secs INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX channels_by_company ON channels (company_id, created_at, id);

-- The two counters of a channel, apart from its settings so that the locked row stays narrow.
CREATE TABLE channel_heads (
    channel_id TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,
    seq        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages lie in the order they are read.
CREATE TABLE messages (
    channel_id        TEXT    NOT NULL,
    position          INTEGER NOT NULL,
    id                TEXT    NOT NULL,
    user_id           TEXT    NOT NULL,
    content           TEXT,
    mentions          TEXT,
    mentions_everyone INTEGER NOT NULL CHECK (mentions_everyone IN (0, 1)),
    poll              TEXT,
    replying_to       TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    edited_at         INTEGER,
    pinned_at         INTEGER,
    deleted_at        INTEGER,
    posted_by_key     TEXT,
    PRIMARY KEY (channel_id, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- Every durable change of a channel, in order, pointing at what changed.
CREATE TABLE events (
    channel_id TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (channel_id, seq)
) STRICT, WITHOUT ROWID;

-- When a user last posted, where a cooldown holds.
CREATE TABLE cooldowns (
    channel_id TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    posted_at  INTEGER NOT NULL,
    PRIMARY KEY (channel_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    scope_hash BLOB    NOT NULL PRIMARY KEY,
    body_hash  BLOB    NOT NULL,
    operation  TEXT    NOT NULL,
    status     INTEGER,
    answer     TEXT,
    created_at INTEGER NOT NULL,
    leased_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
