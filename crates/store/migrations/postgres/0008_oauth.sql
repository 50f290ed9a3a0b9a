-- Sessions: a person signed in on one browser or device. The cookie's secret is a hash.
CREATE TABLE sessions (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    person_id       TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    secret_hash     BYTEA NOT NULL UNIQUE,
    auth_time       BIGINT NOT NULL,
    amr             TEXT COLLATE "C" NOT NULL,
    user_agent      TEXT COLLATE "C" NOT NULL,
    address         TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    ended_at        BIGINT
);
CREATE INDEX sessions_by_person ON sessions (person_id, created_at, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What users allowed apps, remembered. No company: ''.
CREATE TABLE consents (
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    app_id     TEXT COLLATE "C" NOT NULL REFERENCES apps (id),
    company_id TEXT COLLATE "C" NOT NULL,
    scopes     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, app_id, company_id)
);

-- Codes are kept until they would have expired, used or not: a second use is known for one.
CREATE TABLE authorization_codes (
    hash           BYTEA NOT NULL PRIMARY KEY,
    grant_id       TEXT COLLATE "C" NOT NULL,
    app_id         TEXT COLLATE "C" NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL,
    company_id     TEXT COLLATE "C",
    session_id     TEXT COLLATE "C" NOT NULL,
    scopes         TEXT COLLATE "C" NOT NULL,
    auth_time      BIGINT NOT NULL,
    amr            TEXT COLLATE "C" NOT NULL,
    redirect_uri   TEXT COLLATE "C" NOT NULL,
    code_challenge TEXT COLLATE "C",
    nonce          TEXT COLLATE "C",
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    consumed_at    BIGINT
);
CREATE INDEX authorization_codes_by_user ON authorization_codes (user_id, app_id);
CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

-- One row a grant, however often its refresh token was rotated: the token names its grant and number.
CREATE TABLE grants (
    id                   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app_id               TEXT COLLATE "C" NOT NULL REFERENCES apps (id),
    user_id              TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    company_id           TEXT COLLATE "C",
    session_id           TEXT COLLATE "C" NOT NULL REFERENCES sessions (id),
    scopes               TEXT COLLATE "C" NOT NULL,
    auth_time            BIGINT NOT NULL,
    amr                  TEXT COLLATE "C" NOT NULL,
    client_authenticated BOOLEAN NOT NULL,
    number               BIGINT NOT NULL,
    token_hash           BYTEA NOT NULL,
    previous_hash        BYTEA,
    successor            BYTEA,
    rotated_at           BIGINT,
    created_at           BIGINT NOT NULL,
    idle_expires_at      BIGINT NOT NULL,
    expires_at           BIGINT NOT NULL,
    revoked_at           BIGINT,
    revoked_for          TEXT COLLATE "C"
);
CREATE INDEX grants_by_user ON grants (user_id, app_id, id);
CREATE INDEX grants_by_session ON grants (session_id, id);
CREATE INDEX grants_by_end ON grants (idle_expires_at);

-- By which key an app speaks for itself.
CREATE INDEX api_keys_by_app ON api_keys (app_id, created_at, id) WHERE app_id IS NOT NULL;
