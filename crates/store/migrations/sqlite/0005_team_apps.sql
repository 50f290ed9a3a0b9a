-- Teams and members in the orders that lists have.
CREATE INDEX authorized_users_by_creation ON authorized_users (company_id, created_at, id);
CREATE INDEX members_by_action ON members (company_id, updated_at, id);

-- What makes an app an OAuth client. Lists of texts are JSON; redirect URIs are kept byte for byte, because
-- they are compared so. The app's own secrets are sealed, its client secret is a hash.
ALTER TABLE apps ADD COLUMN creator_user_id TEXT REFERENCES users (id);
ALTER TABLE apps ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN description TEXT;
ALTER TABLE apps ADD COLUMN status TEXT NOT NULL DEFAULT 'unlisted';
ALTER TABLE apps ADD COLUMN app_type TEXT NOT NULL DEFAULT 'b2b_app';
ALTER TABLE apps ADD COLUMN base_url TEXT;
ALTER TABLE apps ADD COLUMN route TEXT;
ALTER TABLE apps ADD COLUMN dashboard_path TEXT;
ALTER TABLE apps ADD COLUMN discover_path TEXT;
ALTER TABLE apps ADD COLUMN experience_path TEXT;
ALTER TABLE apps ADD COLUMN openapi_path TEXT;
ALTER TABLE apps ADD COLUMN skills_path TEXT;
ALTER TABLE apps ADD COLUMN oauth_client_type TEXT;
ALTER TABLE apps ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '[]';
ALTER TABLE apps ADD COLUMN requested_permissions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE apps ADD COLUMN secrets BLOB;
ALTER TABLE apps ADD COLUMN client_secret_hash BLOB;
ALTER TABLE apps ADD COLUMN client_secret_at INTEGER;
ALTER TABLE apps ADD COLUMN icon_file_id TEXT;
UPDATE apps SET name_key = LOWER(name);
-- The new index begins with what the old one was.
DROP INDEX apps_by_company;
CREATE INDEX apps_by_creation ON apps (company_id, created_at, id);
CREATE UNIQUE INDEX apps_by_route ON apps (route);
