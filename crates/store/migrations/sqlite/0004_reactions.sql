-- Reactions to messages and votes in their polls: each emoji once a user, one vote a user. What is
-- unique of a vote is that it is one.
CREATE TABLE reactions (
    id            TEXT    NOT NULL PRIMARY KEY,
    message_id    TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    mark          TEXT    NOT NULL,
    option_id     TEXT   ,
    posted_by_key TEXT   ,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX reactions_by_user ON reactions (message_id, user_id, mark);
CREATE INDEX reactions_by_creation ON reactions (message_id, created_at, id);

-- How many there are of each, kept in the same transaction: nobody counts.
CREATE TABLE reaction_counts (
    message_id TEXT    NOT NULL,
    mark       TEXT    NOT NULL,
    count      INTEGER NOT NULL CHECK (count > 0),
    first_at   INTEGER NOT NULL,
    PRIMARY KEY (message_id, mark)
) STRICT, WITHOUT ROWID;

-- Deleted messages that had more reactions than one transaction deletes.
CREATE TABLE reaction_debris (
    message_id TEXT    NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
