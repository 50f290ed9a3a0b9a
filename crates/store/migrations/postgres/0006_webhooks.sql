-- Endpoints of others that are told of events. Secrets are sealed, because they must sign.
CREATE TABLE webhooks (
    id               TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id       TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    url              TEXT COLLATE "C"    NOT NULL,
    enabled          BOOLEAN NOT NULL,
    events           TEXT COLLATE "C"    NOT NULL,
    api_version      TEXT COLLATE "C"    NOT NULL,
    -- Told of the company's connected accounts, not of itself.
    child_events     BOOLEAN NOT NULL,
    secret           BYTEA    NOT NULL,
    -- The one before, until it has run out.
    old_secret       BYTEA,
    old_secret_until BIGINT,
    -- What whoever made or last changed it might read: it is told of nothing else.
    reads            TEXT COLLATE "C" NOT NULL,
    key_holder       TEXT COLLATE "C",
    disabled_at      BIGINT,
    disabled_reason  TEXT COLLATE "C",
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT
);
CREATE INDEX webhooks_by_company ON webhooks (company_id, created_at, id);
CREATE INDEX webhooks_deleted ON webhooks (deleted_at) WHERE deleted_at IS NOT NULL;

-- Who delivers to an endpoint, and how it goes.
CREATE TABLE webhook_states (
    webhook_id    TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    lease_owner   TEXT COLLATE "C",
    lease_until   BIGINT NOT NULL DEFAULT 0,
    -- Nothing is attempted before; at the end of time while it is switched off.
    not_before    BIGINT NOT NULL DEFAULT 0,
    -- When a delivery that stepped aside is due; at the end of time if there is none.
    due_at        BIGINT NOT NULL,
    -- Attempts in a row that failed, and those of them on the event at the head of the queue.
    failures      BIGINT NOT NULL DEFAULT 0,
    head_attempts BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT
);
CREATE INDEX webhook_states_by_due ON webhook_states (due_at);

-- The outbox, and each endpoint's queue: written with the change itself. A row of a channel is a run of
-- its events; any other names its subject. `n` follows the order of writing.
CREATE TABLE webhook_runs (
    n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id TEXT COLLATE "C"    NOT NULL,
    event      TEXT COLLATE "C"    NOT NULL,
    company_id TEXT COLLATE "C"    NOT NULL,
    channel_id TEXT COLLATE "C",
    from_seq   BIGINT,
    to_seq     BIGINT,
    subject    TEXT COLLATE "C",
    at         BIGINT NOT NULL
);
CREATE INDEX webhook_runs_by_webhook ON webhook_runs (webhook_id, n);

-- The delivery log, and what is to be tried again. It points at what to tell, and never copies it.
CREATE TABLE webhook_deliveries (
    webhook_id   TEXT COLLATE "C"    NOT NULL,
    created_at   BIGINT NOT NULL,
    id           TEXT COLLATE "C"    NOT NULL,
    event        TEXT COLLATE "C"    NOT NULL,
    company_id   TEXT COLLATE "C"    NOT NULL,
    channel_id   TEXT COLLATE "C",
    seq          BIGINT,
    subject      TEXT COLLATE "C",
    state        TEXT COLLATE "C"    NOT NULL,
    attempts     BIGINT NOT NULL,
    status       BIGINT,
    error        TEXT COLLATE "C",
    attempted_at BIGINT,
    next_at      BIGINT,
    PRIMARY KEY (webhook_id, created_at, id)
);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
