//! Direct messages and support chats, and who is in them.

use hallpass_core::entity::{Feed, FeedSeat};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{parsed, parsed_opt, time};

macro_rules! columns {
    () => {
        "id, company_id, customer_id, custom_name, by_key, resolved_at, last_message_at, created_at"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM feeds WHERE id = $1 AND deleted_at IS NULL");
const SEATS: &str =
    "SELECT user_id, is_admin FROM feed_members WHERE feed_id = $1 ORDER BY feed_id, created_at, id";

const INSERT: &str = "INSERT INTO feeds (id, company_id, identity, customer_id, custom_name, by_key,
         created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
     ON CONFLICT (company_id, identity) DO NOTHING RETURNING id";
const INSERT_MEMBER: &str = "INSERT INTO feed_members (id, feed_id, user_id, company_id, is_admin, status,
         notifications, active_at, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'all', $7, $7, $7)
     ON CONFLICT (feed_id, user_id) DO NOTHING RETURNING id";

pub(crate) const ALL: &[&str] = &[FIND, SEATS, INSERT, INSERT_MEMBER];

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
    pub by_key: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    customer_id: Option<String>,
    custom_name: Option<String>,
    by_key: bool,
    resolved_at: Option<i64>,
    last_message_at: Option<i64>,
    created_at: i64,
}

const TABLE: &str = "feeds";

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
            created_at: time(TABLE, "created_at", id, row.created_at)?,
            by_key: row.by_key,
            custom_name: row.custom_name,
            members: Vec::new(),
        })
    }
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
            let user = parsed("feed_members", "user_id", &id.to_string(), &user)?;
            feed.members.push(FeedSeat { user, admin });
        }
        Ok(Some(feed))
    }
}

impl Tx {
    /// Stores a direct message or support chat with its counters at zero and nobody in it; `false` if
    /// its company has one about the same.
    pub async fn insert_feed(&mut self, new: &NewFeed, at: Timestamp) -> Result<bool, StoreError> {
        let made: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(new.id.to_string()).bind(new.company.to_string()).bind(&new.identity)
            .bind(new.customer.map(|id| id.to_string())).bind(&new.custom_name).bind(new.by_key)
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
        status: &'static str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let made: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT_MEMBER)
            .bind(id.to_string()).bind(feed.to_string()).bind(seat.user.to_string())
            .bind(company.to_string()).bind(seat.admin).bind(status).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(made.is_some())
    }
}
