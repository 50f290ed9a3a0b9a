-- Uploaded files.
CREATE TABLE files (
    id           TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    company_id   TEXT COLLATE "C"    NOT NULL REFERENCES companies (id),
    user_id      TEXT COLLATE "C"    REFERENCES users (id),
    key_id       TEXT COLLATE "C"    REFERENCES api_keys (id),
    filename     TEXT COLLATE "C"    NOT NULL,
    visibility   TEXT COLLATE "C"    NOT NULL CHECK (visibility IN ('public', 'private')),
    status       TEXT COLLATE "C"    NOT NULL CHECK (status IN ('pending', 'processing', 'ready', 'failed')),
    content_type TEXT COLLATE "C",
    size_bytes   BIGINT,
    -- The draft in some node's quarantine.
    draft        TEXT COLLATE "C",
    -- When it must be looked at again: forgotten, or taken up where a node stopped. None: it is in use.
    due_at       BIGINT,
    -- When its last use ended.
    released_at  BIGINT,
    created_at   BIGINT NOT NULL
);
CREATE INDEX files_due ON files (due_at) WHERE due_at IS NOT NULL;

-- What a file is used for. The last use gone, the file is.
CREATE TABLE file_uses (
    file_id    TEXT COLLATE "C"    NOT NULL REFERENCES files (id),
    kind       TEXT COLLATE "C"    NOT NULL,
    subject    TEXT COLLATE "C"    NOT NULL,
    -- Written before what it speaks of, which is to be looked for then.
    check_at   BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, kind, subject)
);
CREATE INDEX file_uses_by_subject ON file_uses (kind, subject, file_id);
CREATE INDEX file_uses_unchecked ON file_uses (check_at) WHERE check_at IS NOT NULL;

-- The immutable copies: one a content, whoever uploaded it.
CREATE TABLE blobs (
    hash       TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    -- From when on to look whether anybody uses it.
    suspect_at BIGINT,
    -- It is being removed since then, and nobody may begin to use it.
    doomed_at  BIGINT
);
CREATE INDEX blobs_suspect ON blobs (suspect_at) WHERE suspect_at IS NOT NULL;

-- The forms in which a file's content is kept: 0 as uploaded, else a picture's size in pixels.
CREATE TABLE file_blobs (
    file_id      TEXT COLLATE "C"    NOT NULL REFERENCES files (id),
    px           BIGINT NOT NULL,
    hash         TEXT COLLATE "C"    NOT NULL REFERENCES blobs (hash),
    content_type TEXT COLLATE "C"    NOT NULL,
    size_bytes   BIGINT NOT NULL,
    PRIMARY KEY (file_id, px)
);
CREATE INDEX file_blobs_by_hash ON file_blobs (hash);

-- The uses keep these files; a reference would read the whole table for each file that goes.
ALTER TABLE users ADD COLUMN picture_id TEXT COLLATE "C";
ALTER TABLE profile_overrides ADD COLUMN picture_id TEXT COLLATE "C";
ALTER TABLE companies ADD COLUMN logo_id TEXT COLLATE "C";
ALTER TABLE companies ADD COLUMN banner_id TEXT COLLATE "C";
ALTER TABLE experiences ADD COLUMN picture_id TEXT COLLATE "C";
