//! Direct messages and support chats, and who is in them.
//!
//! What was last said is written on the feed and again on every seat, so that each list is a walk along an
//! index. Whoever changes more than one seat of a feed holds its head row, by an event or a message, and
//! takes it first: so two of them do not wait for each other.

use hallpass_core::entity::{Feed, FeedMember, FeedSeat, FeedStatus, KeyHolder, Notifications};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Inner, Tx, on};
use crate::dialect::postgres;
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{parsed, parsed_opt, time, to_json};

macro_rules! columns {
    ($active_at:literal) => {
        concat!(
            "f.id, f.company_id, f.customer_id, f.custom_name, f.key_holder, f.resolved_at, f.last_message_at, ",
            $active_at,
            ", f.created_at"
        )
    };
}
macro_rules! seat {
    () => {
        "SELECT id, feed_id, user_id, is_admin, status, notifications, read_position, last_viewed_at, created_at
         FROM feed_members "
    };
}

const FIND: &str =
    concat!("SELECT ", columns!("f.active_at"), " FROM feeds f WHERE f.id = $1 AND f.deleted_at IS NULL");
const FIND_BY_IDENTITY: &str = "SELECT id FROM feeds WHERE company_id = $1 AND identity = $2";
const SEATS: &str =
    "SELECT user_id, is_admin FROM feed_members WHERE feed_id = $1 ORDER BY feed_id, created_at, id";
const FIND_MEMBER: &str = concat!(seat!(), "WHERE id = $1");
const FIND_MEMBER_OF: &str = concat!(seat!(), "WHERE feed_id = $1 AND user_id = $2");
const MEMBERS_DOWN: &str = concat!(
    seat!(),
    "WHERE feed_id = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"
);
const MEMBERS_UP: &str = concat!(
    seat!(),
    "WHERE feed_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at ASC, id ASC LIMIT $4"
);

macro_rules! of_user {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!("s.active_at"),
            " FROM feed_members s JOIN feeds f ON f.id = s.feed_id
              WHERE s.user_id = $1 AND s.company_id = $2 AND (s.active_at, s.feed_id) ",
            $beyond,
            " ($3, $4) ORDER BY s.active_at ",
            $order,
            ", s.feed_id ",
            $order,
            " LIMIT $5"
        )
    };
}
const OF_USER_DOWN: &str = of_user!("<", "DESC");
const OF_USER_UP: &str = of_user!(">", "ASC");

macro_rules! by_key {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!("f.active_at"),
            " FROM feeds f
              WHERE f.company_id = $1 AND f.key_holder = $6 AND f.customer_id IS NULL AND f.deleted_at IS NULL
                AND EXISTS (SELECT 1 FROM feed_members s WHERE s.feed_id = f.id AND s.user_id = $2)
                AND (f.active_at, f.id) ",
            $beyond,
            " ($3, $4) ORDER BY f.active_at ",
            $order,
            ", f.id ",
            $order,
            " LIMIT $5"
        )
    };
}
const BY_KEY_DOWN: &str = by_key!("<", "DESC");
const BY_KEY_UP: &str = by_key!(">", "ASC");

macro_rules! in_state {
    ($of:literal, $state:literal, $wanted:literal, $key:literal, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            columns!("f.active_at"),
            " FROM feeds f WHERE f.customer_id IS NOT NULL AND f.deleted_at IS NULL AND f.",
            $of,
            " = $1 AND f.is_open = ",
            $state,
            " AND ",
            $wanted,
            " AND (f.",
            $key,
            ", f.id) ",
            $beyond,
            " ($4, $5) ORDER BY f.",
            $key,
            " ",
            $order,
            ", f.id ",
            $order,
            " LIMIT $6)"
        )
    };
}
// Two walks, of what is open ($2: if wanted) and of what is resolved ($3), become one page.
macro_rules! support {
    ($of:literal, $key:literal, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT page.* FROM (",
            in_state!($of, "TRUE", "$2", $key, $beyond, $order),
            " AS open_ones UNION ALL ",
            in_state!($of, "FALSE", "$3", $key, $beyond, $order),
            " AS resolved_ones) AS page ORDER BY page.",
            $key,
            " ",
            $order,
            ", page.id ",
            $order,
            " LIMIT $6"
        )
    };
}
const OF_COMPANY_CREATED_DOWN: &str = support!("company_id", "created_at", "<", "DESC");
const OF_COMPANY_CREATED_UP: &str = support!("company_id", "created_at", ">", "ASC");
const OF_COMPANY_ACTIVE_DOWN: &str = support!("company_id", "active_at", "<", "DESC");
const OF_COMPANY_ACTIVE_UP: &str = support!("company_id", "active_at", ">", "ASC");
const OF_ROOT_CREATED_DOWN: &str = support!("root_id", "created_at", "<", "DESC");
const OF_ROOT_CREATED_UP: &str = support!("root_id", "created_at", ">", "ASC");
const OF_ROOT_ACTIVE_DOWN: &str = support!("root_id", "active_at", "<", "DESC");
const OF_ROOT_ACTIVE_UP: &str = support!("root_id", "active_at", ">", "ASC");

const INSERT: &str = "INSERT INTO feeds (id, company_id, identity, customer_id, custom_name, key_holder,
         root_id, is_open, active_at, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(parent_id, id) FROM companies WHERE id = $2),
         TRUE, $7, $7, $7)
     ON CONFLICT (company_id, identity) DO NOTHING RETURNING id";
const INSERT_MEMBER: &str = "INSERT INTO feed_members (id, feed_id, user_id, company_id, is_admin, status,
         notifications, active_at, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'all', $7, $7, $7)
     ON CONFLICT (feed_id, user_id) DO NOTHING RETURNING id";
const RELEASE_IDENTITY: &str = "UPDATE feeds SET identity = NULL WHERE id = $1";
const RENAME: &str =
    "UPDATE feeds SET custom_name = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL";
const RESOLVE: &str = "UPDATE feeds SET resolved_at = $2, is_open = $3, updated_at = $4
     WHERE id = $1 AND is_open <> $3 AND deleted_at IS NULL RETURNING id";
const UPDATE_MEMBER: &str = "UPDATE feed_members SET status = COALESCE($2, status),
         notifications = COALESCE($3, notifications), updated_at = $4
     WHERE id = $1 RETURNING id";
const PROMOTE: &str =
    "UPDATE feed_members SET is_admin = TRUE, updated_at = $3 WHERE feed_id = $1 AND user_id = $2";
const REMOVE_MEMBER: &str = "DELETE FROM feed_members WHERE feed_id = $1 AND user_id = $2 RETURNING id";
const DELETE: &str = "UPDATE feeds SET deleted_at = $2, updated_at = $2, identity = NULL, custom_name = NULL
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const REMOVE_MEMBERS: &str = "DELETE FROM feed_members WHERE feed_id = $1";
// In the order of the numbers, which is all that direct calls go by.
const MARK_READ: &str = "UPDATE feed_members SET
         read_position = CASE WHEN read_position < $1 THEN $1 ELSE read_position END,
         last_viewed_at = CASE WHEN COALESCE(last_viewed_at, 0) < $2 THEN $2 ELSE last_viewed_at END
     WHERE feed_id = $3 AND user_id = $4 AND (read_position < $1 OR COALESCE(last_viewed_at, 0) < $2)
     RETURNING id";

pub(crate) const ALL: &[&str] = &[
    FIND,
    FIND_BY_IDENTITY,
    SEATS,
    FIND_MEMBER,
    FIND_MEMBER_OF,
    MEMBERS_DOWN,
    MEMBERS_UP,
    OF_USER_DOWN,
    OF_USER_UP,
    BY_KEY_DOWN,
    BY_KEY_UP,
    OF_COMPANY_CREATED_DOWN,
    OF_COMPANY_CREATED_UP,
    OF_COMPANY_ACTIVE_DOWN,
    OF_COMPANY_ACTIVE_UP,
    OF_ROOT_CREATED_DOWN,
    OF_ROOT_CREATED_UP,
    OF_ROOT_ACTIVE_DOWN,
    OF_ROOT_ACTIVE_UP,
    INSERT,
    INSERT_MEMBER,
    RELEASE_IDENTITY,
    RENAME,
    RESOLVE,
    UPDATE_MEMBER,
    PROMOTE,
    REMOVE_MEMBER,
    DELETE,
    REMOVE_MEMBERS,
    MARK_READ,
];

/// A direct message or support chat to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Feed")]
pub struct NewFeed {
    pub id: FeedId,
    pub company: CompanyId,
    /// What it is about, once per company.
    pub identity: String,
    pub customer: Option<UserId>,
    pub custom_name: Option<String>,
    pub key_holder: Option<KeyHolder>,
}

/// Which support chats a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportFilter {
    /// Of this company.
    pub company: CompanyId,
    /// Of its connected accounts too.
    pub with_accounts: bool,
    /// Only those that are not resolved, or only those that are.
    pub open: Option<bool>,
    /// By last activity instead of creation.
    pub by_activity: bool,
}

/// What messages do to the feed they are sent to.
#[derive(Clone, Debug)]
pub struct FeedTouch {
    /// The feed.
    pub feed: FeedId,
    /// When the last of them was sent.
    pub at: Timestamp,
    /// Whether they reopen it.
    pub reopens: bool,
    /// Who sent them, each with the place of the last: senders have read so far.
    pub readers: Vec<(UserId, i64)>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    customer_id: Option<String>,
    custom_name: Option<String>,
    key_holder: Option<String>,
    resolved_at: Option<i64>,
    last_message_at: Option<i64>,
    active_at: i64,
    created_at: i64,
}

const TABLE: &str = "feeds";
mod seats {
    pub(super) const TABLE: &str = "feed_members";
}

impl TryFrom<Row> for Feed {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.id;
        let at = |column, millis: Option<i64>| millis.map(|at| time(TABLE, column, id, at)).transpose();
        Ok(Self {
            id: parsed(TABLE, "id", id, id)?,
            company: parsed(TABLE, "company_id", id, &row.company_id)?,
            customer: parsed_opt(TABLE, "customer_id", id, row.customer_id.as_deref())?,
            resolved_at: at("resolved_at", row.resolved_at)?,
            last_message_at: at("last_message_at", row.last_message_at)?,
            active_at: time(TABLE, "active_at", id, row.active_at)?,
            created_at: time(TABLE, "created_at", id, row.created_at)?,
            key_holder: parsed_opt(TABLE, "key_holder", id, row.key_holder.as_deref())?,
            custom_name: row.custom_name,
            members: Vec::new(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    id: String,
    feed_id: String,
    user_id: String,
    is_admin: bool,
    status: String,
    notifications: String,
    read_position: i64,
    last_viewed_at: Option<i64>,
    created_at: i64,
}

impl TryFrom<MemberRow> for FeedMember {
    type Error = StoreError;
    fn try_from(row: MemberRow) -> Result<Self, StoreError> {
        let id = &row.id;
        let corrupt = |column| StoreError::Corrupt { table: seats::TABLE, column, id: id.clone() };
        Ok(Self {
            id: parsed(seats::TABLE, "id", id, id)?,
            feed: parsed(seats::TABLE, "feed_id", id, &row.feed_id)?,
            user: parsed(seats::TABLE, "user_id", id, &row.user_id)?,
            admin: row.is_admin,
            status: FeedStatus::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            notifications: Notifications::parse(&row.notifications)
                .ok_or_else(|| corrupt("notifications"))?,
            read_position: row.read_position,
            last_viewed_at: row
                .last_viewed_at
                .map(|at| time(seats::TABLE, "last_viewed_at", id, at))
                .transpose()?,
            created_at: time(seats::TABLE, "created_at", id, row.created_at)?,
        })
    }
}

fn feeds(rows: Vec<Row>) -> Result<Vec<Feed>, StoreError> {
    rows.into_iter().map(Feed::try_from).collect()
}

/// What the touching statements take: `[feed, at, reopens]`, and `[feed, user, position]`.
fn touched(touches: &[FeedTouch]) -> (String, String) {
    let feeds: Vec<_> =
        touches.iter().map(|touch| (touch.feed, touch.at.as_millisecond(), touch.reopens)).collect();
    let readers: Vec<_> = touches
        .iter()
        .flat_map(|touch| touch.readers.iter().map(|(user, position)| (touch.feed, *user, *position)))
        .collect();
    (to_json(&feeds), to_json(&readers))
}

impl Conn {
    /// A direct message or support chat that is not deleted, with all who are in it.
    pub async fn find_feed(&mut self, id: FeedId) -> Result<Option<Feed>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        let Some(row) = row else { return Ok(None) };
        let mut feed = Feed::try_from(row)?;
        let seats: Vec<(String, bool)> =
            on!(self, c => sqlx::query_as(SEATS).bind(id.to_string()).fetch_all(c).await)?;
        for (user, admin) in seats {
            let user = parsed(seats::TABLE, "user_id", &id.to_string(), &user)?;
            feed.members.push(FeedSeat { user, admin });
        }
        Ok(Some(feed))
    }

    /// The feed of a company that is about something.
    pub async fn find_feed_about(
        &mut self,
        company: CompanyId,
        identity: &str,
    ) -> Result<Option<FeedId>, StoreError> {
        let id: Option<String> = on!(self, c => sqlx::query_scalar(FIND_BY_IDENTITY)
            .bind(company.to_string()).bind(identity).fetch_optional(c).await)?;
        id.map(|id| parsed(TABLE, "id", &id, &id)).transpose()
    }

    /// A seat by its id.
    pub async fn find_feed_member(&mut self, id: FeedMemberId) -> Result<Option<FeedMember>, StoreError> {
        let row: Option<MemberRow> =
            on!(self, c => sqlx::query_as(FIND_MEMBER).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(FeedMember::try_from).transpose()
    }

    /// Somebody's seat in a feed.
    pub async fn find_feed_member_of(
        &mut self,
        feed: FeedId,
        user: UserId,
    ) -> Result<Option<FeedMember>, StoreError> {
        let row: Option<MemberRow> = on!(self, c => sqlx::query_as(FIND_MEMBER_OF)
            .bind(feed.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        row.map(FeedMember::try_from).transpose()
    }

    /// Who is in a feed, by when they came.
    pub async fn list_feed_members(
        &mut self,
        feed: FeedId,
        scan: &Scan,
    ) -> Result<Vec<FeedMember>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { MEMBERS_DOWN } else { MEMBERS_UP };
        let rows: Vec<MemberRow> = on!(self, c => sqlx::query_as(statement)
            .bind(feed.to_string()).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(FeedMember::try_from).collect()
    }

    /// The feeds of a company that somebody has a seat in, by last activity; without their seats.
    pub async fn list_feeds_of(
        &mut self,
        user: UserId,
        company: CompanyId,
        scan: &Scan,
    ) -> Result<Vec<Feed>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { OF_USER_DOWN } else { OF_USER_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(user.to_string()).bind(company.to_string()).bind(at).bind(id).bind(scan.limit)
            .fetch_all(c).await)?;
        feeds(rows)
    }

    /// The direct messages of a company that the holder's keys began and `owner` has a seat in, by last
    /// activity; without their seats.
    pub async fn list_feeds_by_key(
        &mut self,
        company: CompanyId,
        (holder, owner): (KeyHolder, UserId),
        scan: &Scan,
    ) -> Result<Vec<Feed>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { BY_KEY_DOWN } else { BY_KEY_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(owner.to_string()).bind(at).bind(id).bind(scan.limit)
            .bind(holder.to_string()).fetch_all(c).await)?;
        feeds(rows)
    }

    /// Support chats, without their seats.
    pub async fn list_support_feeds(
        &mut self,
        filter: SupportFilter,
        scan: &Scan,
    ) -> Result<Vec<Feed>, StoreError> {
        let statement = match (filter.with_accounts, filter.by_activity, scan.descending) {
            (false, false, true) => OF_COMPANY_CREATED_DOWN,
            (false, false, false) => OF_COMPANY_CREATED_UP,
            (false, true, true) => OF_COMPANY_ACTIVE_DOWN,
            (false, true, false) => OF_COMPANY_ACTIVE_UP,
            (true, false, true) => OF_ROOT_CREATED_DOWN,
            (true, false, false) => OF_ROOT_CREATED_UP,
            (true, true, true) => OF_ROOT_ACTIVE_DOWN,
            (true, true, false) => OF_ROOT_ACTIVE_UP,
        };
        let (at, id) = scan.start();
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(filter.company.to_string()).bind(filter.open != Some(false))
            .bind(filter.open != Some(true)).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        feeds(rows)
    }
}

impl Tx {
    /// Stores a direct message or support chat with its counters at zero and nobody in it; `false` if
    /// its company has one about the same.
    pub async fn insert_feed(&mut self, new: &NewFeed, at: Timestamp) -> Result<bool, StoreError> {
        let made: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(new.id.to_string()).bind(new.company.to_string()).bind(&new.identity)
            .bind(new.customer.map(|id| id.to_string()))
            .bind(&new.custom_name).bind(new.key_holder.map(|holder| holder.to_string()))
            .bind(at.as_millisecond()).fetch_optional(c).await)?;
        if made.is_none() {
            return Ok(false);
        }
        self.insert_head(new.id.into()).await?;
        Ok(true)
    }

    /// Seats somebody in a feed of `company`; `false` if they have a seat.
    pub async fn insert_feed_member(
        &mut self,
        (feed, company): (FeedId, CompanyId),
        id: FeedMemberId,
        seat: FeedSeat,
        status: FeedStatus,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let made: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT_MEMBER)
            .bind(id.to_string()).bind(feed.to_string()).bind(seat.user.to_string())
            .bind(company.to_string()).bind(seat.admin).bind(status.name()).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(made.is_some())
    }

    /// Lets another feed be about what this one is about.
    pub async fn release_feed_identity(&mut self, id: FeedId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(RELEASE_IDENTITY).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Gives a feed a name, or none.
    pub async fn update_feed_name(
        &mut self,
        id: FeedId,
        name: Option<&str>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(RENAME).bind(id.to_string()).bind(name).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Resolves or reopens a support chat; `false` if it is that already.
    pub async fn update_feed_resolved(
        &mut self,
        id: FeedId,
        resolved: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(RESOLVE)
            .bind(id.to_string()).bind(resolved.then(|| at.as_millisecond())).bind(!resolved)
            .bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Changes what a seat's holder set; `false` if there is no such seat.
    pub async fn update_feed_member(
        &mut self,
        id: FeedMemberId,
        status: Option<FeedStatus>,
        notifications: Option<Notifications>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(UPDATE_MEMBER)
            .bind(id.to_string()).bind(status.map(FeedStatus::name))
            .bind(notifications.map(Notifications::name)).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Makes somebody an admin of a feed.
    pub async fn update_feed_admin(
        &mut self,
        feed: FeedId,
        user: UserId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PROMOTE)
            .bind(feed.to_string()).bind(user.to_string()).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes somebody's seat; `false` if they had none.
    pub async fn revoke_feed_member(&mut self, feed: FeedId, user: UserId) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(REMOVE_MEMBER)
            .bind(feed.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Ends a feed with all that was said in it, which leaves tombstones without content; `false` if it
    /// is not there.
    pub async fn delete_feed(&mut self, id: FeedId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        if done.is_none() {
            return Ok(false);
        }
        on!(self.0, c => sqlx::query(REMOVE_MEMBERS).bind(id.to_string()).execute(c).await.map(drop))?;
        self.delete_messages_of(id.into(), at).await?;
        Ok(true)
    }

    /// Notes how far somebody has read, and when; neither ever goes back. `false` if nothing moved.
    pub async fn mark_feed_read(
        &mut self,
        feed: FeedId,
        user: UserId,
        position: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(MARK_READ)
            .bind(position).bind(at.as_millisecond()).bind(feed.to_string()).bind(user.to_string())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// As [`Append::touch_feeds`](crate::Append::touch_feeds).
    pub(crate) async fn touch_feeds(&mut self, touches: &[FeedTouch]) -> Result<(), StoreError> {
        let Inner::Postgres(conn) = &mut self.0.0 else {
            // SQLite sends by direct calls.
            return Err(StoreError::Unavailable(None));
        };
        let (feeds, readers) = touched(touches);
        let all = sqlx::query(postgres::TOUCH_FEEDS).bind(feeds).bind(readers);
        Box::pin(all.execute(&mut **conn)).await?;
        Ok(())
    }
}

/// What [`Append`](crate::Append) does on SQLite.
pub(crate) mod direct {
    use rusqlite::Connection;

    use super::*;
    use crate::dialect::sqlite;

    pub(crate) fn touch(conn: &Connection, touches: &[FeedTouch]) -> Result<(), StoreError> {
        let (feeds, _) = touched(touches);
        conn.prepare_cached(sqlite::TOUCH_FEEDS)?.execute((&feeds,))?;
        conn.prepare_cached(sqlite::TOUCH_SEATS)?.execute((&feeds,))?;
        let mut mark = conn.prepare_cached(MARK_READ)?;
        for touch in touches {
            for (user, position) in &touch.readers {
                let (at, feed) = (touch.at.as_millisecond(), touch.feed.to_string());
                let _moved = mark.exists((position, at, feed, user.to_string()))?;
            }
        }
        Ok(())
    }
}
