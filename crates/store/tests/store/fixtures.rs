//! Databases, ids, times and things for the tests.

use std::fmt::Display;

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::ChannelRules;
use hallpass_core::id::*;
use hallpass_store::{
    Conn, Database, Key, NewCompany, NewExperience, NewMessage, NewUser, Scan, Store, StoreError,
};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres;

/// A store on a database of its own.
pub(crate) struct Db {
    pub(crate) store: Store,
    pub(crate) database: Database,
    _folder: Option<TempDir>,
}

impl Db {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::at(Database::Sqlite(folder.path().join("hallpass.db")), Some(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        let url = postgres::fresh_database();
        Self::at(Database::Postgres { url, max_connections: 8 }, None).await
    }

    async fn at(database: Database, folder: Option<TempDir>) -> Self {
        Self { store: Store::open(&database).await.unwrap(), database, _folder: folder }
    }

    pub(crate) async fn read(&self) -> Conn {
        self.store.read().await.unwrap()
    }

    /// Runs statements behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.outsider().await {
            Outsider::Sqlite(mut conn) => drop(sqlx::raw_sql(sql).execute(&mut conn).await.unwrap()),
            Outsider::Postgres(mut conn) => drop(sqlx::raw_sql(sql).execute(&mut conn).await.unwrap()),
        }
    }

    /// Reads a number behind the store's back.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.outsider().await {
            Outsider::Sqlite(mut conn) => sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap(),
            Outsider::Postgres(mut conn) => sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap(),
        }
    }

    /// Reads a column of texts behind the store's back.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.outsider().await {
            Outsider::Sqlite(mut conn) => sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap(),
            Outsider::Postgres(mut conn) => sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap(),
        }
    }

    /// A connection that is none of the store's.
    pub(crate) async fn outsider(&self) -> Outsider {
        match &self.database {
            Database::Sqlite(path) => Outsider::Sqlite(
                SqliteConnection::connect_with(
                    &sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false),
                )
                .await
                .unwrap(),
            ),
            Database::Postgres { url, .. } => Outsider::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }
}

pub(crate) enum Outsider {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
}
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(crate) fn biz(n: u128) -> CompanyId {
    CompanyId::from_bits(n)
}
pub(crate) fn user(n: u128) -> UserId {
    UserId::from_bits(n)
}
pub(crate) fn exp(n: u128) -> ExperienceId {
    ExperienceId::from_bits(n)
}
pub(crate) fn feed(n: u128) -> ChatFeedId {
    ChatFeedId::from_bits(n)
}
pub(crate) fn chat(n: u128) -> ChannelId {
    feed(n).into()
}
pub(crate) fn post(n: u128) -> MessageId {
    MessageId::from_bits(n)
}
pub(crate) fn app() -> AppId {
    AppId::from_bits(1)
}

/// Everything from the beginning of a walk.
pub(crate) fn scan(descending: bool, limit: i64) -> Scan {
    Scan { descending, from: None, limit }
}
pub(crate) fn scan_from(descending: bool, at: Timestamp, id: impl Display, limit: i64) -> Scan {
    Scan { descending, from: Some(Key { at: at.as_millisecond(), id: format!("{id}") }), limit }
}

pub(crate) fn new_user(n: u128, home: Option<CompanyId>) -> NewUser {
    NewUser {
        id: user(n),
        person: None,
        home,
        username: format!("User{n}"),
        name: Some(format!("Name {n}")),
        email: None,
    }
}

pub(crate) fn new_company(n: u128, owner: UserId, parent: Option<CompanyId>) -> NewCompany {
    NewCompany {
        id: biz(n),
        parent,
        owner,
        title: format!("Company {n}"),
        route: format!("company-{n}"),
        description: None,
        metadata: None,
        country: None,
        send_customer_emails: true,
        explicit_scopes: false,
        open_enrolment: false,
    }
}

pub(crate) fn new_experience(n: u128, company: CompanyId, public: bool) -> NewExperience {
    NewExperience {
        id: exp(n),
        company,
        app: app(),
        name: format!("Experience {n}"),
        public,
        sort_order: None,
    }
}

pub(crate) fn new_message(n: u128, channel: ChannelId, place: i64, author: UserId) -> NewMessage {
    NewMessage {
        id: post(n),
        channel,
        position: place,
        seq: place,
        author,
        posted_by_key: None,
        content: format!("message {n}"),
        mentions: Vec::new(),
        mentions_everyone: false,
        poll: None,
        replying_to: None,
        attachments: Vec::new(),
        at: at(i64::try_from(n).unwrap()),
    }
}

impl Db {
    /// Persons' own users of these numbers.
    pub(crate) async fn users(&self, numbers: impl IntoIterator<Item = u128>) {
        let new: Vec<NewUser> = numbers.into_iter().map(|n| new_user(n, None)).collect();
        self.store
            .write(new, |new, tx| {
                Box::pin(async move {
                    for user in new {
                        assert!(tx.insert_user(user, at(0)).await?);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    /// A company, its owner being an existing user.
    pub(crate) async fn company(&self, n: u128, owner: u128, parent: Option<u128>) -> CompanyId {
        let new = new_company(n, user(owner), parent.map(biz));
        self.store
            .write(new, move |new, tx| {
                Box::pin(async move {
                    tx.insert_app(app(), None, "Chat", at(0)).await?;
                    tx.insert_company(new, at(i64::try_from(n).unwrap())).await
                })
            })
            .await
            .unwrap();
        biz(n)
    }

    /// A user and a company of number 1.
    pub(crate) async fn acme(&self) -> CompanyId {
        self.users([1]).await;
        self.company(1, 1, None).await
    }

    /// An experience, made at the time that is its number.
    pub(crate) async fn experience(&self, n: u128, company: CompanyId, public: bool) {
        let new = new_experience(n, company, public);
        self.store
            .write(new, move |new, tx| Box::pin(tx.insert_experience(new, at(i64::try_from(n).unwrap()))))
            .await
            .unwrap();
    }

    /// A public experience and its channel, of the same number.
    pub(crate) async fn channel(&self, n: u128, company: CompanyId) -> ChannelId {
        self.experience(n, company, true).await;
        self.channel_of(n, company).await
    }

    /// The channel of an experience.
    pub(crate) async fn channel_of(&self, n: u128, company: CompanyId) -> ChannelId {
        self.store
            .write(ChannelRules::default(), move |rules, tx| {
                Box::pin(tx.insert_channel(feed(n), company, exp(n), rules, at(i64::try_from(n).unwrap())))
            })
            .await
            .unwrap();
        chat(n)
    }

    /// Makes users members, each at the time of their number.
    pub(crate) async fn join(&self, company: CompanyId, users: impl IntoIterator<Item = u128>) {
        let users: Vec<u128> = users.into_iter().collect();
        self.store
            .write(users, move |users, tx| {
                Box::pin(async move {
                    for n in users {
                        let time = at(i64::try_from(*n).unwrap());
                        let id = MemberId::from_bits(company.bits() * 1_000_000 + n);
                        assert!(tx.insert_member(id, company, user(*n), time).await?);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}

/// Writes the same tests for both engines: `on_both! { a, b }` makes `sqlite::a`, `postgres::a`, …
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::fixtures::Db::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::fixtures::Db::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// `commit!(db, tx => expression)`: the expression's future in a transaction of its own, unwrapped.
/// What it names must be `Copy`, or come in as data: `commit!(db, data, tx => …)`.
macro_rules! commit {
    ($db:expr, $tx:ident => $run:expr) => {
        $db.store.write((), move |(), $tx| Box::pin(async move { $run.await })).await.unwrap()
    };
    ($db:expr, $data:ident, $tx:ident => $run:expr) => {
        $db.store.write($data, move |$data, $tx| Box::pin(async move { $run.await })).await.unwrap()
    };
}
pub(crate) use commit;

/// The same in a transaction that sends.
macro_rules! append {
    ($db:expr, $tx:ident => $run:expr) => {
        $db.store.append((), move |(), mut $tx| Box::pin(async move { $run.await })).await.unwrap()
    };
}
pub(crate) use append;
