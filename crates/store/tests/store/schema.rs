//! The two schemas are one schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sqlx::{AssertSqlSafe, Row};

use crate::fixtures::{Db, Outsider};

fn migrations(engine: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn migrations_come_in_pairs() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (index, name) in sqlite.keys().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)), "{name}: numbered without gaps");
    }
}

#[test]
fn every_sqlite_table_is_strict_and_every_postgres_text_is_ordered_by_bytes() {
    for (name, text) in migrations("sqlite") {
        let tables = text.matches("CREATE TABLE").count();
        assert_eq!(tables, text.matches(") STRICT").count(), "{name}");
    }
    for (name, text) in migrations("postgres") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
            assert_eq!(line.contains(" TEXT"), line.contains("COLLATE \"C\""), "{name}: {line}");
        }
    }
}

/// A schema as both engines can tell it, without the index over words, which each has in its own way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schema {
    /// `table.column kind null|not null`.
    columns: BTreeSet<String>,
    /// `table (column, column) unique|plain [partial]`, primary keys being unique ones.
    indexes: BTreeSet<String>,
    /// `table.column -> table`.
    references: BTreeSet<String>,
}

fn kind(declared: &str, name: &str) -> &'static str {
    match declared {
        "TEXT" | "text" => "text",
        "BLOB" | "bytea" => "bytes",
        "boolean" => "bool",
        // SQLite has no other spelling; which integers are booleans its CHECKs say.
        "INTEGER" if name.starts_with("bool ") => "bool",
        "INTEGER" | "bigint" => "integer",
        other => panic!("a type of neither engine's list: {other}"),
    }
}

async fn sqlite_schema(db: &Db) -> Schema {
    let Outsider::Sqlite(mut conn) = db.outsider().await else { unreachable!() };
    let mut schema = Schema::default();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         AND name <> '_sqlx_migrations' AND name NOT LIKE 'search_index%'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, sql) in tables {
        let pragma = |what: &str| AssertSqlSafe(format!("SELECT * FROM pragma_{what}('{table}')"));
        for row in sqlx::query(pragma("table_info")).fetch_all(&mut conn).await.unwrap() {
            let (name, declared): (String, String) = (row.get("name"), row.get("type"));
            let bool = if sql.contains(&format!("CHECK ({name} IN (0, 1))")) { "bool " } else { "" };
            let null = if row.get::<bool, _>("notnull") { "not null" } else { "null" };
            schema
                .columns
                .insert(format!("{table}.{name} {} {null}", kind(&declared, &format!("{bool}{name}"))));
        }
        let mut indexes = Vec::new();
        for row in sqlx::query(pragma("index_list")).fetch_all(&mut conn).await.unwrap() {
            indexes.push((
                row.get::<String, _>("name"),
                row.get::<bool, _>("unique"),
                row.get::<bool, _>("partial"),
            ));
        }
        for (index, unique, partial) in indexes {
            let columns: Vec<Option<String>> = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT name FROM pragma_index_info('{index}') ORDER BY seqno"
            )))
            .fetch_all(&mut conn)
            .await
            .unwrap();
            schema.indexes.insert(index_line(&table, columns, unique, partial));
        }
        // A sole INTEGER PRIMARY KEY is the row's number and no index.
        let keys: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"
        )))
        .fetch_all(&mut conn)
        .await
        .unwrap();
        schema.indexes.insert(index_line(&table, keys.into_iter().map(Some).collect(), true, false));
        for row in sqlx::query(pragma("foreign_key_list")).fetch_all(&mut conn).await.unwrap() {
            let (from, to): (String, String) = (row.get("from"), row.get("table"));
            schema.references.insert(format!("{table}.{from} -> {to}"));
        }
    }
    schema
}

fn index_line(table: &str, columns: Vec<Option<String>>, unique: bool, partial: bool) -> String {
    let columns: Vec<String> =
        columns.into_iter().map(|column| column.unwrap_or_else(|| "expression".to_owned())).collect();
    format!(
        "{table} ({}) {}{}",
        columns.join(", "),
        if unique { "unique" } else { "plain" },
        if partial { " partial" } else { "" }
    )
}

async fn postgres_schema(db: &Db) -> Schema {
    let Outsider::Postgres(mut conn) = db.outsider().await else { unreachable!() };
    let columns: Vec<(String, String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, collation_name::text
         FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' AND table_name <> 'search_index'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut schema = Schema::default();
    for (table, column, declared, nullable, collation) in columns {
        assert!(declared != "text" || collation.as_deref() == Some("C"), "{table}.{column}");
        let null = if nullable == "YES" { "null" } else { "not null" };
        schema.columns.insert(format!("{table}.{column} {} {null}", kind(&declared, &column)));
    }
    let indexes: Vec<(String, Vec<Option<String>>, bool, bool)> = sqlx::query_as(
        "SELECT t.relname::text,
                ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (n, o)
                      LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.n AND k.n > 0 ORDER BY k.o),
                i.indisunique, i.indpred IS NOT NULL
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace
         WHERE s.nspname = 'public' AND t.relname <> '_sqlx_migrations' AND t.relname <> 'search_index'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, columns, unique, partial) in indexes {
        schema.indexes.insert(index_line(&table, columns, unique, partial));
    }
    let references: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT t.relname::text, a.attname::text, f.relname::text
         FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'f'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, column, target) in references {
        schema.references.insert(format!("{table}.{column} -> {target}"));
    }
    schema
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let sqlite = sqlite_schema(&Db::sqlite().await).await;
    let postgres = postgres_schema(&Db::postgres().await).await;
    assert_eq!(sqlite.columns, postgres.columns);
    assert_eq!(sqlite.indexes, postgres.indexes);
    assert_eq!(sqlite.references, postgres.references);
    assert!(sqlite.columns.len() > 100 && sqlite.indexes.len() > 30 && sqlite.references.len() > 15);
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    for db in [Db::sqlite().await, Db::postgres().await] {
        db.users([1]).await;
        let again = hallpass_store::Store::open(&db.database).await.unwrap();
        let found = again.read().await.unwrap().find_user(crate::fixtures::user(1)).await.unwrap();
        assert!(found.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_migrate_once() {
    let url = crate::postgres::fresh_database();
    let database = hallpass_store::Database::Postgres { url, max_connections: 2 };
    let opened = futures_util::future::join_all((0..6).map(|_| hallpass_store::Store::open(&database))).await;
    assert!(opened.into_iter().all(|store| store.is_ok()));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    for db in [Db::sqlite().await, Db::postgres().await] {
        db.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
        let refused = hallpass_store::Store::open(&db.database).await.err();
        assert!(matches!(refused, Some(hallpass_store::StoreError::Migrate(_))), "{refused:?}");
    }
}
