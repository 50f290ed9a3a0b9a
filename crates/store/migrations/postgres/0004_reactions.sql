-- Reactions to messages and votes in their polls: each emoji once a user, one vote a user. What is
-- unique of a vote is that it is one.
CREATE TABLE reactions (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    message_id    TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    mark          TEXT COLLATE "C" NOT NULL,
    option_id     TEXT COLLATE "C",
    posted_by_key TEXT COLLATE "C",
    created_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX reactions_by_user ON reactions (message_id, user_id, mark);
CREATE INDEX reactions_by_creation ON reactions (message_id, created_at, id);

-- How many there are of each, kept in the same transaction: nobody counts.
CREATE TABLE reaction_counts (
    message_id TEXT COLLATE "C" NOT NULL,
    mark       TEXT COLLATE "C" NOT NULL,
    count      BIGINT NOT NULL CHECK (count > 0),
    first_at   BIGINT NOT NULL,
    PRIMARY KEY (message_id, mark)
);

-- Deleted messages that had more reactions than one transaction deletes.
CREATE TABLE reaction_debris (
    message_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
