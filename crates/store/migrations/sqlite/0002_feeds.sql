-- Direct messages and support chats. What is in common with chat channels — heads, messages, events —
-- lies in the same tables, under the id of the feed.
CREATE TABLE feeds (
    id              TEXT    NOT NULL PRIMARY KEY,
    company_id      TEXT    NOT NULL REFERENCES companies (id),
    -- What it is about, once per company: the set of people of a direct message, the customer of a
    -- support chat. None for what is deleted.
    identity        TEXT,
    customer_id     TEXT    REFERENCES users (id),
    custom_name     TEXT,
    -- Whose keys began it: a company's or an app's id. None if people did.
    key_holder      TEXT,
    resolved_at     INTEGER,
    last_message_at INTEGER,
    -- The company, or the one whose connected account it is.
    root_id         TEXT    NOT NULL,
    -- Not resolved.
    is_open         INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    -- When something was last said, or it began: the order of lists.
    active_at       INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX feeds_identity ON feeds (company_id, identity);
-- The direct messages that keys began, which only keys list.
CREATE INDEX feeds_by_key ON feeds (company_id, key_holder, active_at, id)
    WHERE key_holder IS NOT NULL AND customer_id IS NULL AND deleted_at IS NULL;
-- The team's inbox: of a company, and of a platform with its connected accounts.
CREATE INDEX feeds_by_creation ON feeds (company_id, is_open, created_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX feeds_by_activity ON feeds (company_id, is_open, active_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX feeds_of_root_by_creation ON feeds (root_id, is_open, created_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX feeds_of_root_by_activity ON feeds (root_id, is_open, active_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE feed_members (
    id              TEXT    NOT NULL PRIMARY KEY,
    feed_id         TEXT    NOT NULL REFERENCES feeds (id),
    user_id         TEXT    NOT NULL REFERENCES users (id),
    company_id      TEXT    NOT NULL,
    is_admin        INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    status          TEXT    NOT NULL CHECK (status IN ('requested', 'accepted', 'hidden', 'closed', 'archived')),
    notifications   TEXT    NOT NULL CHECK (notifications IN ('all', 'mentions', 'none')),
    -- The position up to which they have read, and when they said so.
    read_position   INTEGER NOT NULL DEFAULT 0,
    last_viewed_at  INTEGER,
    -- The feed's last activity, again: the order of their list.
    active_at       INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (feed_id, user_id)
) STRICT;
CREATE INDEX feed_members_by_activity ON feed_members (user_id, company_id, active_at, feed_id);
CREATE INDEX feed_members_by_creation ON feed_members (feed_id, created_at, id);

-- Ids of files, in JSON, and whether anybody ever reacted or voted.
ALTER TABLE messages ADD COLUMN attachments TEXT;
ALTER TABLE messages ADD COLUMN reacted INTEGER NOT NULL DEFAULT 0 CHECK (reacted IN (0, 1));

-- What messages said before they were edited, in order.
CREATE TABLE message_edits (
    message_id  TEXT NOT NULL,
    n           INTEGER NOT NULL,
    content     TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (message_id, n)
) STRICT, WITHOUT ROWID;
