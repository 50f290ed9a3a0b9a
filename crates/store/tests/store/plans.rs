//! Every statement finds its rows by an index, and lists come in the index's order.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, Row};

use crate::fixtures::{Db, Outsider};

/// Statements on tables that hold a handful of rows, or that are meant to read all there is.
const SMALL: [(&str, &str); 8] = [
    ("FROM search_index WHERE terms @@", "planned under settings of its own, see below"),
    ("FROM signing_keys", "a handful of keys"),
    ("UPDATE signing_keys", "a handful of keys"),
    ("FROM authority_log WHERE kills", "read once, at the start, in the order of its key"),
    ("FROM authority_head", "one row"),
    ("UPDATE authority_head", "one row"),
    ("FROM sqlite_master", "the schema itself"),
    ("FROM webhook_runs ORDER BY n LIMIT", "the beginning of a queue, in the order of its key"),
];
/// Statements that sort what is at most a page or two, however large the tables are.
const SORTS_A_PAGE: [(&str, &str); 7] = [
    ("FROM hits ORDER BY", "what was found by its words; its time is bounded"),
    ("FROM signing_keys", "a handful of keys"),
    ("AS resolved_ones", "two pages, each found in the order of an index, become one"),
    ("UNION SELECT", "two pages, each found in the order of an index, become one"),
    ("u.username_key = $2 AND COALESCE", "at most two users"),
    ("UPDATE channel_heads", "the channels of one batch"),
    ("FROM (SELECT DISTINCT", "the users that were asked for by name, at most a page's worth"),
];

fn exempt(list: &[(&str, &str)], statement: &str) -> bool {
    let flat = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    list.iter().any(|(part, _)| flat.contains(part))
}

#[tokio::test]
async fn sqlite_walks_indexes() {
    let db = Db::sqlite().await;
    let Outsider::Sqlite(mut conn) = db.outsider().await else { unreachable!() };
    let mut complaints = String::new();
    for statement in hallpass_store::statements(false) {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<String> = sqlx::query(explain)
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<String, _>("detail"))
            .collect();
        let scans = plan.iter().any(|step| {
            step.starts_with("SCAN ")
                && !step.contains("VIRTUAL TABLE")
                && !step.contains("CONSTANT ROW")
                && !step.contains("VALUES CLAUSE")
                // What a subquery found, which its own steps speak of.
                && ![
                    "SCAN page",
                    "SCAN member",
                    "SCAN team",
                    "SCAN wanted",
                    "SCAN j",
                    "SCAN open_ones",
                    "SCAN resolved_ones",
                ].contains(&step.as_str())
        });
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE") && step.contains("ORDER BY"));
        if (scans && !exempt(&SMALL, statement)) || (sorts && !exempt(&SORTS_A_PAGE, statement)) {
            writeln!(complaints, "{statement}\n  {}\n", plan.join("\n  ")).unwrap();
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

/// Enough rows that a plan which reads them all looks as bad as it is: company 1 of 400 is large.
const FILL: &str = "
INSERT INTO users (id, username, username_key, created_at, updated_at)
    SELECT 'user_' || lpad(n::text, 26, '0'), n, n, n, n FROM generate_series(1, 20000) n;
INSERT INTO companies (id, parent_id, owner_user_id, title, route, created_at, updated_at)
    SELECT 'biz_' || n, CASE WHEN n > 20 THEN 'biz_' || (n % 20 + 1) END,
           'user_' || lpad((n % 50 + 1)::text, 26, '0'), n, n, n, n FROM generate_series(1, 400) n;
INSERT INTO members (id, company_id, user_id, status, joined_at, created_at, updated_at)
    SELECT 'mber_' || n, 'biz_' || (CASE WHEN n % 2 = 0 THEN 1 ELSE n % 400 + 1 END),
           'user_' || lpad(n::text, 26, '0'), CASE WHEN n % 9 = 0 THEN 'left' ELSE 'joined' END, n, n, n
    FROM generate_series(1, 20000) n;
INSERT INTO authorized_users (id, company_id, user_id, role, created_at, updated_at)
    SELECT 'ausr_' || n, 'biz_' || (n % 400 + 1), 'user_' || lpad(n::text, 26, '0'), 'admin', n, n
    FROM generate_series(1, 2000) n;
INSERT INTO profile_overrides (company_id, user_id, name, updated_at)
    SELECT 'biz_' || (n % 400 + 1), 'user_' || lpad(n::text, 26, '0'), n, n FROM generate_series(1, 5000) n;
INSERT INTO people (id, created_at) SELECT 'person_' || n, n FROM generate_series(1, 3000) n;
UPDATE users SET person_id = 'person_' || (created_at % 3000 + 1) WHERE created_at % 2 = 0;
INSERT INTO apps (id, company_id, name, created_at, updated_at)
    SELECT 'app_' || n, 'biz_' || (n % 20 + 1), n, n, n FROM generate_series(1, 500) n;
INSERT INTO app_installs (app_id, company_id, created_at)
    SELECT 'app_' || (n % 500 + 1), 'biz_' || (n / 500 + 1), n FROM generate_series(1, 5000) n;
INSERT INTO api_keys (id, company_id, secret_hash, hint, rights, created_at)
    SELECT 'apik_' || n, 'biz_' || (n % 400 + 1), sha256(n::text::bytea), '', '', n
    FROM generate_series(1, 10000) n;
INSERT INTO products (company_id, id, title, route, created_at)
    SELECT 'biz_1', 'prod_' || n, n, n, n FROM generate_series(1, 2000) n;
INSERT INTO experiences (id, company_id, app_id, name, is_public, created_at, updated_at)
    SELECT 'exp_' || n, 'biz_' || (n % 20 + 1), 'app_' || (n % 500 + 1), n, n % 2 = 0, n, n
    FROM generate_series(1, 10000) n;
INSERT INTO experience_products (experience_id, company_id, product_id, created_at)
    SELECT 'exp_' || n, 'biz_1', 'prod_' || (n % 2000 + 1), n FROM generate_series(1, 10000) n;
INSERT INTO experience_members (experience_id, user_id, created_at)
    SELECT 'exp_' || n, 'user_' || lpad((n % 500 + 1)::text, 26, '0'), n FROM generate_series(1, 10000) n;
INSERT INTO channels (id, company_id, experience_id, who_can_post, who_can_react, ban_media, ban_urls,
                      banned_words, created_at, updated_at)
    SELECT 'chat_feed_' || n, 'biz_' || (n % 20 + 1), 'exp_' || n, 'everyone', 'everyone', false, false, '[]', n, n
    FROM generate_series(1, 10000) n;
INSERT INTO channel_heads (channel_id, position, seq)
    SELECT 'chat_feed_' || n, 0, 0 FROM generate_series(1, 10000) n;
INSERT INTO feeds (id, company_id, identity, customer_id, key_holder, root_id, is_open, active_at, created_at, updated_at)
    SELECT 'feed_' || n, 'biz_' || (n % 20 + 1), n, CASE WHEN n % 2 = 0 THEN 'user_' || lpad(n::text, 26, '0') END,
           CASE WHEN n % 3 = 0 THEN 'biz_' || (n % 20 + 1) END, 'biz_' || (n % 20 + 1), n % 5 = 0, n, n, n FROM generate_series(1, 10000) n;
INSERT INTO feed_members (id, feed_id, user_id, company_id, is_admin, status, notifications, active_at, created_at, updated_at)
    SELECT 'fmem_' || n || '_' || k, 'feed_' || n, 'user_' || lpad((k * 100 + n % 50)::text, 26, '0'),
           'biz_' || (n % 20 + 1), k = 1, 'accepted', 'all', n, n, n
    FROM generate_series(1, 10000) n, generate_series(1, 3) k;
INSERT INTO message_edits (message_id, n, content, replaced_at)
    SELECT 'post_' || n, k, 'x', n FROM generate_series(1, 5000) n, generate_series(1, 3) k;
INSERT INTO messages (channel_id, position, id, user_id, content, mentions_everyone, created_at, updated_at)
    SELECT 'chat_feed_' || (n % 50 + 1), n, 'post_' || n, 'user_' || n, repeat('x', 50), false, n, n
    FROM generate_series(1, 50000) n;
INSERT INTO reactions (id, message_id, user_id, mark, created_at)
    SELECT 'reac_' || n, 'post_' || (CASE WHEN n % 3 = 0 THEN 1 ELSE n % 5000 + 1 END), 'user_' || n, ':heart:', n
    FROM generate_series(1, 30000) n;
INSERT INTO reaction_counts (message_id, mark, count, first_at)
    SELECT 'post_' || n, ':heart:', 1, n FROM generate_series(1, 5000) n;
INSERT INTO search_docs (n, message_id) SELECT n, 'post_' || n FROM generate_series(1, 50000) n;
INSERT INTO search_index (n, terms)
    SELECT n, CAST('''chat_feed_' || (n % 50 + 1) || ''' ''common'':1 ''word' || n || ''':2' AS TSVECTOR) FROM generate_series(1, 50000) n;
INSERT INTO search_cursors (channel_id, seq) SELECT 'chat_feed_' || n, n FROM generate_series(1, 10000) n;
INSERT INTO reaction_debris (message_id) SELECT 'post_' || n FROM generate_series(1, 5000) n;
INSERT INTO events (channel_id, seq, kind, subject, at)
    SELECT 'chat_feed_' || (n % 50 + 1), n, 'message.created', 'post_' || n, n FROM generate_series(1, 50000) n;
INSERT INTO cooldowns (channel_id, user_id, posted_at)
    SELECT 'chat_feed_' || (n % 50 + 1), 'user_' || n, n FROM generate_series(1, 10000) n;
INSERT INTO idempotency_keys (scope_hash, body_hash, operation, created_at, leased_at)
    SELECT sha256(n::text::bytea), '', '', n, n FROM generate_series(1, 10000) n;
INSERT INTO authority_log (n, kind, subject, scope, kills, at)
    SELECT n, 'user', n, '', n % 2 = 0, n FROM generate_series(1, 20000) n;
INSERT INTO files (id, company_id, filename, visibility, status, due_at, created_at)
    SELECT 'file_' || n, 'biz_' || (n % 400 + 1), n, 'public', 'ready', CASE WHEN n % 10 = 0 THEN n END, n
    FROM generate_series(1, 20000) n;
INSERT INTO file_uses (file_id, kind, subject, check_at, created_at)
    SELECT 'file_' || n, 'message', 'post_' || n, CASE WHEN n % 10 = 0 THEN n END, n FROM generate_series(1, 20000) n;
INSERT INTO blobs (hash, suspect_at) SELECT n, CASE WHEN n % 10 = 0 THEN n END FROM generate_series(1, 20000) n;
INSERT INTO file_blobs (file_id, px, hash, content_type, size_bytes)
    SELECT 'file_' || n, 0, n, 'image/png', n FROM generate_series(1, 20000) n;
INSERT INTO server_facts (name, value) SELECT n, n FROM generate_series(1, 1000) n;
INSERT INTO person_emails (person_id, email_key, email, verified_at, created_at)
    SELECT 'person_' || n, n, n, CASE WHEN n % 10 > 0 THEN n END, n FROM generate_series(1, 3000) n;
INSERT INTO code_flows (id, browser, purpose, email, code_mac, attempts, expires_at)
    SELECT 'flow_' || n, '', 'sign_in', n, '', 0, n FROM generate_series(1, 5000) n;
INSERT INTO passkeys (id, person_id, credential_id, public_key, sign_count, backup_eligible, backed_up, aaguid,
                      transports, name, created_at)
    SELECT 'pkey_' || n, 'person_' || (n % 3000 + 1), sha256(n::text::bytea), '', 0, true, true, '', '[]', n, n
    FROM generate_series(1, 6000) n;
INSERT INTO passkey_challenges (challenge, browser, purpose, expires_at)
    SELECT sha256(n::text::bytea), '', 'sign_in', n FROM generate_series(1, 5000) n;
INSERT INTO throttles (id, until_at) SELECT sha256(n::text::bytea), n FROM generate_series(1, 5000) n;
INSERT INTO known_devices (device, person_id, expires_at)
    SELECT sha256(n::text::bytea), 'person_' || (n % 3000 + 1), n FROM generate_series(1, 6000) n;
INSERT INTO mails (id, sealed, state, attempts, next_at)
    SELECT 'mail_' || n, '', CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'kept' END, 0, n FROM generate_series(1, 5000) n;
INSERT INTO person_passwords (person_id, phc, updated_at) SELECT 'person_' || n, n, n FROM generate_series(1, 3000) n;
INSERT INTO webhooks (id, company_id, url, enabled, events, api_version, child_events, secret, created_at,
                      updated_at, deleted_at, reads)
    SELECT 'hook_' || n, 'biz_' || (n % 400 + 1), '', true, '[]', 'v1', n % 2 = 0, '', n, n,
           CASE WHEN n % 100 = 0 THEN n END, ''
    FROM generate_series(1, 4000) n;
INSERT INTO webhook_states (webhook_id, due_at) SELECT 'hook_' || n, n FROM generate_series(1, 4000) n;
INSERT INTO webhook_runs (webhook_id, event, company_id, at)
    SELECT 'hook_' || (n % 200), '', '', n FROM generate_series(1, 20000) n;
INSERT INTO webhook_deliveries (webhook_id, created_at, id, event, company_id, state, attempts, next_at)
    SELECT 'hook_' || (n % 200), n, 'msg_' || n, '', '', CASE WHEN n % 10 = 0 THEN 'waiting' ELSE 'delivered' END,
           1, n
    FROM generate_series(1, 20000) n;
INSERT INTO sessions (id, person_id, secret_hash, auth_time, amr, user_agent, address, created_at,
                      last_seen_at, idle_expires_at, expires_at)
    SELECT 'sess_' || n, 'person_' || (n % 3000 + 1), sha256(n::text::bytea), n, '[]', '', '', n, n, n, n
    FROM generate_series(1, 10000) n;
INSERT INTO consents (user_id, app_id, company_id, scopes, created_at, updated_at)
    SELECT 'user_' || lpad(n::text, 26, '0'), 'app_' || (n % 500 + 1), '', '', n, n FROM generate_series(1, 10000) n;
INSERT INTO authorization_codes (hash, grant_id, app_id, user_id, session_id, scopes, auth_time, amr,
                                 redirect_uri, created_at, expires_at)
    SELECT sha256(n::text::bytea), n, '', '', '', '', n, '[]', '', n, n FROM generate_series(1, 10000) n;
INSERT INTO grants (id, app_id, user_id, session_id, scopes, auth_time, amr, client_authenticated, number,
                    token_hash, created_at, idle_expires_at, expires_at)
    SELECT 'grant_' || n, 'app_' || (n % 500 + 1), 'user_' || lpad((n % 5000 + 1)::text, 26, '0'),
           'sess_' || (n % 10000 + 1), '', n, '[]', false, 1, '', n, n, n FROM generate_series(1, 20000) n;
ANALYZE;
";

#[tokio::test]
async fn postgres_walks_indexes() {
    let db = Db::postgres().await;
    let Outsider::Postgres(mut conn) = db.outsider().await else { unreachable!() };
    sqlx::raw_sql(FILL).execute(&mut conn).await.unwrap();
    for (setting, value) in hallpass_store::PLANNER {
        sqlx::raw_sql(AssertSqlSafe(format!("SET {setting} = {value}"))).execute(&mut conn).await.unwrap();
    }
    // What a server settles on after five executions: one plan for whatever values come.
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut conn).await.unwrap();
    let mut complaints = String::new();
    for (n, statement) in hallpass_store::statements(true).into_iter().enumerate() {
        sqlx::raw_sql(AssertSqlSafe(format!("PREPARE s{n} AS {statement}")))
            .execute(&mut conn)
            .await
            .unwrap();
        let parameters: i32 = sqlx::query_scalar(
            "SELECT COALESCE(array_length(parameter_types, 1), 0) FROM pg_prepared_statements WHERE name = $1",
        )
        .bind(format!("s{n}"))
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let values = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let plan: Vec<String> = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE s{n}{values}")))
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<String, _>(0))
            .collect();
        let scans = plan.iter().any(|step| step.contains("Seq Scan on "));
        let sorts = plan.iter().any(|step| step.trim_start_matches([' ', '-', '>']).starts_with("Sort "));
        if (scans && !exempt(&SMALL, statement)) || (sorts && !exempt(&SORTS_A_PAGE, statement)) {
            writeln!(complaints, "{statement}\n  {}\n", plan.join("\n  ")).unwrap();
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

/// With the settings of a search, words are found by their index, however common the rest is.
#[tokio::test]
async fn postgres_finds_words_by_their_index() {
    let db = Db::postgres().await;
    let Outsider::Postgres(mut conn) = db.outsider().await else { unreachable!() };
    sqlx::raw_sql(FILL).execute(&mut conn).await.unwrap();
    let statements = hallpass_store::statements(true);
    let searches: Vec<_> = statements.iter().filter(|statement| statement.contains("TSQUERY")).collect();
    assert_eq!(searches.len(), 2);
    for (setting, value) in hallpass_store::PLANNER {
        sqlx::raw_sql(AssertSqlSafe(format!("SET {setting} = {value}"))).execute(&mut conn).await.unwrap();
    }
    sqlx::raw_sql(hallpass_store::BEGIN_SEARCH).execute(&mut conn).await.unwrap();
    for generic in ["force_generic_plan", "force_custom_plan"] {
        let set = format!("SET LOCAL plan_cache_mode = {generic}");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut conn).await.unwrap();
        for (n, statement) in searches.iter().enumerate() {
            let name = format!("{generic}_{n}");
            let prepare = format!("PREPARE {name} AS {statement}");
            sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut conn).await.unwrap();
            for words in ["word77", "common"] {
                let explain = format!("EXPLAIN EXECUTE {name} ('{words}', 40000, 20)");
                let plan: Vec<String> = sqlx::raw_sql(AssertSqlSafe(explain))
                    .fetch_all(&mut conn)
                    .await
                    .unwrap()
                    .iter()
                    .map(|row| row.get::<String, _>(0))
                    .collect();
                let plan = plan.join("\n");
                assert!(plan.contains("Bitmap Index Scan on search_index_by_terms"), "{generic}\n{plan}");
                assert!(!plan.contains("Seq Scan"), "{generic}\n{plan}");
            }
        }
    }
}
