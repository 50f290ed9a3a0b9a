//! Chat channels: the feeds of experiences, with their rules.

use hallpass_core::entity::{Channel, ChannelRules};
use hallpass_core::id::{ChatFeedId, CompanyId, ExperienceId, ProductId, UserId};
use hallpass_core::statement::Parts;
use jiff::Timestamp;

use crate::conn::{Conn, Inner, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{json, parsed, time, to_json};

macro_rules! columns {
    () => {
        "c.id, c.company_id, c.experience_id, e.name AS experience_name, e.is_public, c.who_can_post,
         c.who_can_react, c.ban_media, c.ban_urls, c.banned_words, c.cooldown_secs, c.created_at"
    };
}
macro_rules! from {
    () => {
        " FROM channels c JOIN experiences e ON e.id = c.experience_id "
    };
}
macro_rules! filters {
    () => {
        " AND e.deleted_at IS NULL
          AND ($4 = '' OR EXISTS (SELECT 1 FROM experience_products p
                                  WHERE p.experience_id = e.id AND p.product_id = $4))
          AND ($5 = '' OR e.is_public OR EXISTS (SELECT 1 FROM experience_members x
                                  WHERE x.experience_id = e.id AND x.user_id = $5))
          AND "
    };
}

const FIND: &str = concat!("SELECT ", columns!(), from!(), "WHERE c.id = $1 AND e.deleted_at IS NULL");
const FIND_BY_EXPERIENCE: &str =
    concat!("SELECT ", columns!(), from!(), "WHERE c.experience_id = $1 AND e.deleted_at IS NULL");
macro_rules! lists {
    ($name:ident, $within:expr) => {
        pub(crate) mod $name {
            pub(crate) const DOWN: &str = concat!(
                "SELECT ",
                columns!(),
                from!(),
                "WHERE c.company_id = $1 AND (c.created_at, c.id) < ($2, $3)",
                filters!(),
                $within,
                " ORDER BY c.created_at DESC, c.id DESC LIMIT $6"
            );
            pub(crate) const UP: &str = concat!(
                "SELECT ",
                columns!(),
                from!(),
                "WHERE c.company_id = $1 AND (c.created_at, c.id) > ($2, $3)",
                filters!(),
                $within,
                " ORDER BY c.created_at ASC, c.id ASC LIMIT $6"
            );
            pub(crate) const ALL: &[&str] = &[DOWN, UP];
        }
    };
}
lists!(sqlite, crate::dialect::sqlite_parts!("$7", "$8"));
lists!(postgres, crate::dialect::postgres_parts!("$7", "$8"));
const INSERT: &str =
    "INSERT INTO channels (id, company_id, experience_id, who_can_post, who_can_react, ban_media,
         ban_urls, banned_words, cooldown_secs, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
const UPDATE: &str =
    "UPDATE channels SET who_can_post = $2, who_can_react = $3, ban_media = $4, ban_urls = $5,
         banned_words = $6, cooldown_secs = $7, updated_at = $8
     WHERE id = $1 RETURNING id";

pub(crate) const ALL: &[&str] = &[FIND, FIND_BY_EXPERIENCE, INSERT, UPDATE];

/// What is changed of a channel's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of ChannelRules")]
pub struct ChannelPatch {
    pub admins_post: Option<bool>,
    pub no_reactions: Option<bool>,
    pub ban_media: Option<bool>,
    pub ban_urls: Option<bool>,
    pub banned_words: Option<Vec<String>>,
    pub cooldown_secs: Option<Option<u32>>,
}

impl ChannelPatch {
    /// The rules after the change.
    pub fn apply(&self, rules: &ChannelRules) -> ChannelRules {
        ChannelRules {
            admins_post: self.admins_post.unwrap_or(rules.admins_post),
            no_reactions: self.no_reactions.unwrap_or(rules.no_reactions),
            ban_media: self.ban_media.unwrap_or(rules.ban_media),
            ban_urls: self.ban_urls.unwrap_or(rules.ban_urls),
            banned_words: self.banned_words.clone().unwrap_or_else(|| rules.banned_words.clone()),
            cooldown_secs: self.cooldown_secs.unwrap_or(rules.cooldown_secs),
        }
    }
}

/// Which channels a list shows.
#[derive(Clone, Debug, Default)]
pub struct ChannelFilter {
    /// Of experiences attached to this product only.
    pub product: Option<ProductId>,
    /// As this user sees them; none for those who see private ones too.
    pub viewer: Option<UserId>,
    /// Of these experiences only.
    pub parts: Parts,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    experience_id: String,
    experience_name: String,
    is_public: bool,
    who_can_post: String,
    who_can_react: String,
    ban_media: bool,
    ban_urls: bool,
    banned_words: String,
    cooldown_secs: Option<i64>,
    created_at: i64,
}

const TABLE: &str = "channels";

impl TryFrom<Row> for Channel {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: row.id.clone() };
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            experience: parsed(TABLE, "experience_id", &row.id, &row.experience_id)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            public: row.is_public,
            rules: ChannelRules {
                admins_post: row.who_can_post == "admins",
                no_reactions: row.who_can_react == "no_one",
                ban_media: row.ban_media,
                ban_urls: row.ban_urls,
                banned_words: json(TABLE, "banned_words", &row.id, &row.banned_words)?,
                cooldown_secs: row
                    .cooldown_secs
                    .map(|secs| u32::try_from(secs).map_err(|_| corrupt("cooldown_secs")))
                    .transpose()?,
            },
            experience_name: row.experience_name,
        })
    }
}

const fn who_can_post(rules: &ChannelRules) -> &'static str {
    if rules.admins_post { "admins" } else { "everyone" }
}
const fn who_can_react(rules: &ChannelRules) -> &'static str {
    if rules.no_reactions { "no_one" } else { "everyone" }
}

/// The two parameters of [`sqlite_parts`](crate::dialect::sqlite_parts): whether only these are shown, or all
/// but these; and their ids in JSON.
pub(crate) fn bounds(parts: &Parts) -> (bool, String) {
    match parts {
        Parts::AllBut(hidden) => (false, to_json(hidden)),
        Parts::Only(shown) => (true, to_json(shown)),
    }
}

impl Conn {
    /// A channel whose experience is not deleted.
    pub async fn find_channel(&mut self, id: ChatFeedId) -> Result<Option<Channel>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Channel::try_from).transpose()
    }

    /// The channel of an experience.
    pub async fn find_channel_of(&mut self, id: ExperienceId) -> Result<Option<Channel>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_BY_EXPERIENCE)
            .bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Channel::try_from).transpose()
    }

    /// A company's channels by creation time.
    pub async fn list_channels(
        &mut self,
        company: CompanyId,
        filter: &ChannelFilter,
        scan: &Scan,
    ) -> Result<Vec<Channel>, StoreError> {
        let (at, id) = scan.start();
        let statement = match (&self.0, scan.descending) {
            (Inner::Postgres(_), true) => postgres::DOWN,
            (Inner::Postgres(_), false) => postgres::UP,
            (_, true) => sqlite::DOWN,
            (_, false) => sqlite::UP,
        };
        let (only, parts) = bounds(&filter.parts);
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id)
            .bind(filter.product.map(|id| id.to_string()).unwrap_or_default())
            .bind(filter.viewer.map(|id| id.to_string()).unwrap_or_default())
            .bind(scan.limit).bind(only).bind(parts).fetch_all(c).await)?;
        rows.into_iter().map(Channel::try_from).collect()
    }
}

impl Tx {
    /// Stores a channel with its counters at zero.
    pub async fn insert_channel(
        &mut self,
        id: ChatFeedId,
        company: CompanyId,
        experience: ExperienceId,
        rules: &ChannelRules,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(id.to_string()).bind(company.to_string()).bind(experience.to_string())
            .bind(who_can_post(rules)).bind(who_can_react(rules)).bind(rules.ban_media).bind(rules.ban_urls)
            .bind(to_json(&rules.banned_words)).bind(rules.cooldown_secs.map(i64::from))
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        self.insert_head(id.into()).await
    }

    /// Replaces a channel's rules.
    pub async fn update_channel_rules(
        &mut self,
        id: ChatFeedId,
        rules: &ChannelRules,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(UPDATE)
            .bind(id.to_string()).bind(who_can_post(rules)).bind(who_can_react(rules))
            .bind(rules.ban_media).bind(rules.ban_urls).bind(to_json(&rules.banned_words))
            .bind(rules.cooldown_secs.map(i64::from)).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }
}
