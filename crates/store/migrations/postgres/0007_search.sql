-- The messages that are searched. `n` grows with their time: the order of what is found.
CREATE TABLE search_docs (
    n          BIGINT NOT NULL PRIMARY KEY,
    message_id TEXT COLLATE "C"    NOT NULL UNIQUE
);

-- Their words, which the server makes, and the id of their channel as one more.
CREATE TABLE search_index (
    n     BIGINT   NOT NULL PRIMARY KEY,
    terms TSVECTOR NOT NULL
);
CREATE INDEX search_index_by_terms ON search_index USING gin (terms);

-- Up to which of its events each channel is indexed.
CREATE TABLE search_cursors (
    channel_id TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    seq        BIGINT NOT NULL
);

-- The support chats of a company, for its team.
CREATE INDEX feeds_of_company ON feeds (company_id, created_at, id)
    WHERE customer_id IS NOT NULL AND deleted_at IS NULL;
