-- Endpoints of others that are told of events. Secrets are sealed, because they must sign.
CREATE TABLE webhooks (
    id               TEXT    NOT NULL PRIMARY KEY,
    company_id       TEXT    NOT NULL REFERENCES companies (id),
    url              TEXT    NOT NULL,
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    events           TEXT    NOT NULL,
    api_version      TEXT    NOT NULL,
    -- Told of the company's connected accounts, not of itself.
    child_events     INTEGER NOT NULL CHECK (child_events IN (0, 1)),
    secret           BLOB    NOT NULL,
    -- The one before, until it has run out.
    old_secret       BLOB,
    old_secret_until INTEGER,
    -- What whoever made or last changed it might read: it is told of nothing else.
    reads            TEXT    NOT NULL,
    key_holder       TEXT,
    disabled_at      INTEGER,
    disabled_reason  TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    deleted_at       INTEGER
) STRICT;
CREATE INDEX webhooks_by_company ON webhooks (company_id, created_at, id);
CREATE INDEX webhooks_deleted ON webhooks (deleted_at) WHERE deleted_at IS NOT NULL;

-- Who delivers to an endpoint, and how it goes.
CREATE TABLE webhook_states (
    webhook_id    TEXT    NOT NULL PRIMARY KEY,
    lease_owner   TEXT,
    lease_until   INTEGER NOT NULL DEFAULT 0,
    -- Nothing is attempted before; at the end of time while it is switched off.
    not_before    INTEGER NOT NULL DEFAULT 0,
    -- When a delivery that stepped aside is due; at the end of time if there is none.
    due_at        INTEGER NOT NULL,
    -- Attempts in a row that failed, and those of them on the event at the head of the queue.
    failures      INTEGER NOT NULL DEFAULT 0,
    head_attempts INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER
) STRICT;
CREATE INDEX webhook_states_by_due ON webhook_states (due_at);

-- The outbox, and each endpoint's queue: written with the change itself. A row of a channel is a run of
-- its events; any other names its subject. `n` follows the order of writing.
CREATE TABLE webhook_runs (
    n          INTEGER NOT NULL PRIMARY KEY,
    webhook_id TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    company_id TEXT    NOT NULL,
    channel_id TEXT,
    from_seq   INTEGER,
    to_seq     INTEGER,
    subject    TEXT,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_runs_by_webhook ON webhook_runs (webhook_id, n);

-- The delivery log, and what is to be tried again. It points at what to tell, and never copies it.
CREATE TABLE webhook_deliveries (
    webhook_id   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    id           TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    company_id   TEXT    NOT NULL,
    channel_id   TEXT,
    seq          INTEGER,
    subject      TEXT,
    state        TEXT    NOT NULL,
    attempts     INTEGER NOT NULL,
    status       INTEGER,
    error        TEXT,
    attempted_at INTEGER,
    next_at      INTEGER,
    PRIMARY KEY (webhook_id, created_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
