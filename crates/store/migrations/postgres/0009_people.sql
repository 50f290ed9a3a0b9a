-- How humans sign up and in. What names a browser or a device is the hash of its cookie.

-- Changed with every change to how a person signs in: whoever changes it holds this row first.
ALTER TABLE people ADD COLUMN changed_at BIGINT;
-- Moved when sessions end together: who proved themselves before begins none after.
ALTER TABLE people ADD COLUMN sessions_epoch BIGINT NOT NULL DEFAULT 0;

-- The first of a person's addresses is the one that is shown.
CREATE INDEX person_emails_primary ON person_emails (person_id, verified_at, email_key)
    WHERE verified_at IS NOT NULL;

-- One-time codes on their way, and what giving them opened. A flow is asked for, proved, used.
CREATE TABLE code_flows (
    id         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    browser    BYTEA    NOT NULL,
    purpose    TEXT COLLATE "C"    NOT NULL CHECK (purpose IN ('sign_in', 'reset', 'address')),
    email      TEXT COLLATE "C"    NOT NULL,
    -- Who asked, if they were signed in.
    person_id  TEXT COLLATE "C"    REFERENCES people (id),
    code_mac   BYTEA    NOT NULL,
    attempts   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    proved_at  BIGINT,
    used_at    BIGINT
);
CREATE INDEX code_flows_expiry ON code_flows (expires_at);

CREATE TABLE passkeys (
    id              TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    person_id       TEXT COLLATE "C"    NOT NULL REFERENCES people (id),
    credential_id   BYTEA    NOT NULL UNIQUE,
    public_key      BYTEA    NOT NULL,
    sign_count      BIGINT NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up BOOLEAN NOT NULL,
    aaguid          BYTEA    NOT NULL,
    transports      TEXT COLLATE "C"    NOT NULL,
    name            TEXT COLLATE "C"    NOT NULL,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT
);
CREATE INDEX passkeys_of_person ON passkeys (person_id, id);

-- Taken by deleting. The person may be one who is only about to be.
CREATE TABLE passkey_challenges (
    challenge  BYTEA    NOT NULL PRIMARY KEY,
    browser    BYTEA    NOT NULL,
    purpose    TEXT COLLATE "C"    NOT NULL CHECK (purpose IN ('add', 'sign_in', 'sign_up')),
    person_id  TEXT COLLATE "C",
    expires_at BIGINT NOT NULL
);
CREATE INDEX passkey_challenges_expiry ON passkey_challenges (expires_at);

-- How far ahead of now somebody has used up what they may do.
CREATE TABLE throttles (
    id       BYTEA    NOT NULL PRIMARY KEY,
    until_at BIGINT NOT NULL
);
CREATE INDEX throttles_until ON throttles (until_at);

-- Where a person has signed in before.
CREATE TABLE known_devices (
    device     BYTEA    NOT NULL PRIMARY KEY,
    person_id  TEXT COLLATE "C"    NOT NULL REFERENCES people (id),
    expires_at BIGINT NOT NULL
);
CREATE INDEX known_devices_of_person ON known_devices (person_id);
CREATE INDEX known_devices_expiry ON known_devices (expires_at);

-- Letters on their way; to whom and what, sealed. Those that are void go nowhere: they cost what others cost.
CREATE TABLE mails (
    id         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    sealed     BYTEA    NOT NULL,
    state      TEXT COLLATE "C"    NOT NULL CHECK (state IN ('queued', 'kept', 'void')),
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL
);
CREATE INDEX mails_queue ON mails (next_at, id) WHERE state = 'queued';

-- A person is one user in a company that made them.
CREATE UNIQUE INDEX users_linked ON users (person_id, home_company_id)
    WHERE person_id IS NOT NULL AND home_company_id IS NOT NULL;
