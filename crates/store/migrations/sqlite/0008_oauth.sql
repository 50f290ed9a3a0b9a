-- Sessions: a person signed in on one browser or device. The cookie's secret is a hash.
CREATE TABLE sessions (
    id              TEXT NOT NULL PRIMARY KEY,
    person_id       TEXT NOT NULL REFERENCES people (id),
    secret_hash     BLOB NOT NULL UNIQUE,
    auth_time       INTEGER NOT NULL,
    amr             TEXT NOT NULL,
    user_agent      TEXT NOT NULL,
    address         TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    ended_at        INTEGER
) STRICT;
CREATE INDEX sessions_by_person ON sessions (person_id, created_at, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What users allowed apps, remembered. No company: ''.
CREATE TABLE consents (
    user_id    TEXT NOT NULL REFERENCES users (id),
    app_id     TEXT NOT NULL REFERENCES apps (id),
    company_id TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, app_id, company_id)
) STRICT, WITHOUT ROWID;

-- Codes are kept until they would have expired, used or not: a second use is known for one.
CREATE TABLE authorization_codes (
    hash           BLOB NOT NULL PRIMARY KEY,
    grant_id       TEXT NOT NULL,
    app_id         TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    company_id     TEXT,
    session_id     TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    auth_time      INTEGER NOT NULL,
    amr            TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT,
    nonce          TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    consumed_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_codes_by_user ON authorization_codes (user_id, app_id);
CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

-- One row a grant, however often its refresh token was rotated: the token names its grant and number.
CREATE TABLE grants (
    id                   TEXT NOT NULL PRIMARY KEY,
    app_id               TEXT NOT NULL REFERENCES apps (id),
    user_id              TEXT NOT NULL REFERENCES users (id),
    company_id           TEXT,
    session_id           TEXT NOT NULL REFERENCES sessions (id),
    scopes               TEXT NOT NULL,
    auth_time            INTEGER NOT NULL,
    amr                  TEXT NOT NULL,
    client_authenticated INTEGER NOT NULL CHECK (client_authenticated IN (0, 1)),
    number               INTEGER NOT NULL,
    token_hash           BLOB NOT NULL,
    previous_hash        BLOB,
    successor            BLOB,
    rotated_at           INTEGER,
    created_at           INTEGER NOT NULL,
    idle_expires_at      INTEGER NOT NULL,
    expires_at           INTEGER NOT NULL,
    revoked_at           INTEGER,
    revoked_for          TEXT
) STRICT;
CREATE INDEX grants_by_user ON grants (user_id, app_id, id);
CREATE INDEX grants_by_session ON grants (session_id, id);
CREATE INDEX grants_by_end ON grants (idle_expires_at);

-- By which key an app speaks for itself.
CREATE INDEX api_keys_by_app ON api_keys (app_id, created_at, id) WHERE app_id IS NOT NULL;
