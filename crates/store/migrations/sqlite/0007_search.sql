-- The messages that are searched. `n` grows with their time: the order of what is found.
CREATE TABLE search_docs (
    n          INTEGER NOT NULL PRIMARY KEY,
    message_id TEXT    NOT NULL UNIQUE
) STRICT;

-- Their words, which the server makes, and the id of their channel as one more. Only spaces separate.
CREATE VIRTUAL TABLE search_index USING fts5 (
    terms, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* S* P* C*'"
);

-- Up to which of its events each channel is indexed.
CREATE TABLE search_cursors (
    channel_id TEXT    NOT NULL PRIMARY KEY,
    seq        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The support chats of a company, for its team.
CREATE INDEX feeds_of_company ON feeds (company_id, created_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;
