//! Direct messages and support chats: what is in common, and who is in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::catalogue::scopes::SUPPORT_CHAT_CREATE;
use hallpass_core::decision::{Action, Actor, ChannelKind, Permit, Place};
use hallpass_core::entity::{Feed, FeedMember, FeedSeat, FeedStatus, Notifications};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use hallpass_store::{EventKind, Key, Tx};
use jiff::Timestamp;

use crate::caller::Caller;
use crate::error::AppError;
use crate::page::{Direction, Page, PageAsk};
use crate::{App, Ticket};

/// The most people in a direct message, its beginner among them.
pub const MAX_MEMBERS: usize = 50;

/// Stands for any feed where statements of keys are asked about one: they cannot name a single one.
pub(crate) const ANY_FEED: &str = "feed_";

/// A feed that the caller may do something in.
pub(crate) struct Inside {
    pub(crate) feed: Arc<Feed>,
    /// As whom the caller speaks.
    pub(crate) voice: UserId,
    pub(crate) permit: Permit,
}

/// A place of a kind, as if the caller were in it.
pub(crate) const fn within(kind: ChannelKind) -> Place {
    Place { kind, public: false, granted: true, admins_post: false }
}

/// Whether a caller who speaks as `voice` is in a feed. A key never enters what people began among
/// themselves, its company's owner included, nor what another holder's keys began.
pub(crate) fn takes_part(caller: &Caller, voice: UserId, feed: &Feed) -> bool {
    let holder = caller.key_holder();
    feed.seat(voice).is_some() && (holder.is_none() || feed.key_holder == holder)
}

impl App {
    /// As whom a caller speaks in a company: the user, or for a key the company's owner.
    pub(crate) async fn voice(&self, caller: &Caller, company: CompanyId) -> Result<UserId, AppError> {
        match caller.user() {
            Some(user) => Ok(user),
            None => Ok(self.company(company).await?.ok_or(AppError::NotFound("company"))?.owner),
        }
    }

    /// Finds a feed, of one kind or of either, and decides about an action in it.
    pub(crate) async fn permit_feed(
        &self,
        caller: &Caller,
        action: impl Fn(ChannelKind) -> Action,
        id: FeedId,
        only: Option<ChannelKind>,
    ) -> Result<Inside, AppError> {
        let not_found = || AppError::NotFound("channel");
        let feed = self.feed(id, caller.user()).await?.ok_or_else(not_found)?;
        let kind = feed.kind();
        if only.is_some_and(|only| only != kind) {
            return Err(not_found());
        }
        let voice = self.voice(caller, feed.company).await?;
        let seat = feed.seat(voice);
        let place = Place { granted: takes_part(caller, voice, &feed), ..within(kind) };
        let inner = id.to_string();
        let mut permit =
            self.permit(caller, action(kind), feed.company, Some((place, &inner)), "channel").await?;
        // Whoever moderates the company's channels has no say in a conversation between others.
        if kind == ChannelKind::DirectMessage {
            permit.moderates = seat.is_some_and(|seat| seat.admin);
        }
        Ok(Inside { feed, voice, permit })
    }

    /// Whether the caller answers a company's customers.
    pub(crate) async fn is_support_team(
        &self,
        caller: &Caller,
        company: CompanyId,
    ) -> Result<bool, AppError> {
        Ok(match self.facts(caller, company, None).await?.actor {
            Actor::Key => true,
            Actor::User { standing, .. } => standing.scopes().contains(SUPPORT_CHAT_CREATE),
        })
    }

    /// A feed as it is now: what was said last, and whether it is resolved, move without the log.
    pub(crate) async fn current_feed(&self, id: FeedId) -> Result<Feed, AppError> {
        self.store.read().await?.find_feed(id).await?.ok_or(AppError::NotFound("channel"))
    }

    /// Whom ids, usernames and addresses mean inside a company. Each costs one look-up, found or not, and
    /// an address that the caller may not resolve costs that of an unknown one.
    pub(crate) async fn resolve_people(
        &self,
        caller: &Caller,
        company: CompanyId,
        names: &[String],
    ) -> Result<BTreeSet<UserId>, AppError> {
        let addresses = self.permit(caller, Action::ResolveAddresses, company, None, "company").await.is_ok();
        let mut people = BTreeSet::new();
        let mut all_found = true;
        let mut conn = self.store.read().await?;
        for name in names {
            let found = if let Ok(id) = name.parse::<UserId>() {
                conn.find_enrolled_user(company, id).await?
            } else if name.contains('@') {
                conn.find_user_by_address(company, if addresses { name } else { "@" }).await?
            } else {
                conn.find_user_by_username(company, name).await?
            };
            match found.filter(|user| !user.deactivated) {
                Some(user) => drop(people.insert(user.id)),
                None => all_found = false,
            }
        }
        // One answer for whichever of them it is.
        if all_found { Ok(people) } else { Err(AppError::NotFound("user")) }
    }

    /// Who is in a direct message, in the order they came; of a support chat the customer.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a channel out of reach, [`AppError::MissingScopes`].
    pub async fn list_feed_members(
        &self,
        caller: &Caller,
        feed: FeedId,
        page: &PageAsk,
    ) -> Result<Page<FeedMember>, AppError> {
        let inside = self.permit_feed(caller, Action::ReadFeed, feed, None).await?;
        let filter = feed.to_string();
        let plan =
            page.plan(self, "dm_members.list", inside.feed.company, &[&filter], (Direction::Asc, 100))?;
        let key =
            |member: &FeedMember| Key { at: member.created_at.as_millisecond(), id: member.id.to_string() };
        let list = |scan| async move { self.store.read().await?.list_feed_members(feed, &scan).await };
        plan.fetch(self, key, list).await
    }

    async fn permit_member(
        &self,
        caller: &Caller,
        action: impl Fn(ChannelKind) -> Action,
        id: FeedMemberId,
    ) -> Result<(FeedMember, Inside), AppError> {
        let not_found = || AppError::NotFound("member");
        let member = self.store.read().await?.find_feed_member(id).await?.ok_or_else(not_found)?;
        let inside =
            self.permit_feed(caller, action, member.feed, None).await.map_err(|error| match error {
                AppError::NotFound(_) => not_found(),
                error => error,
            })?;
        Ok((member, inside))
    }

    /// One seat.
    ///
    /// # Errors
    /// [`AppError::NotFound`] in a channel out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_feed_member(
        &self,
        caller: &Caller,
        id: FeedMemberId,
    ) -> Result<FeedMember, AppError> {
        Ok(self.permit_member(caller, Action::ReadFeed, id).await?.0)
    }

    /// A seat that the caller gave somebody, for whoever asks again whether it was.
    ///
    /// # Errors
    /// As for [`add_feed_member`](Self::add_feed_member).
    pub async fn added_feed_member(&self, caller: &Caller, id: FeedMemberId) -> Result<FeedMember, AppError> {
        let (member, inside) = self.permit_member(caller, Action::AddFeedMember, id).await?;
        if inside.permit.moderates { Ok(member) } else { Err(not_admin()) }
    }

    /// Seats somebody in a direct message: by its admins. Who has a seat keeps it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a channel or user out of reach, [`AppError::Forbidden`] for others than
    /// admins, [`AppError::Unprocessable`] for a support chat or a crowd.
    pub async fn add_feed_member(
        &self,
        caller: &Caller,
        feed: FeedId,
        user: String,
        ticket: Option<Ticket>,
    ) -> Result<FeedMember, AppError> {
        let inside = self.permit_feed(caller, Action::AddFeedMember, feed, None).await?;
        must_be_direct(&inside.feed)?;
        if !inside.permit.moderates {
            return Err(not_admin());
        }
        let people = self.resolve_people(caller, inside.feed.company, &[user]).await?;
        let user = people.into_iter().next().ok_or(AppError::NotFound("user"))?;
        if let Some(member) = self.store.read().await?.find_feed_member_of(feed, user).await? {
            return Ok(member);
        }
        let ask = Seating {
            feed,
            company: inside.feed.company,
            by: inside.voice,
            user,
            id: FeedMemberId::from_bits(self.bits(ticket)),
            at: self.clock.now(),
        };
        let (member, n) = self.store.write(ask, |ask, tx| Box::pin(seat(tx, ask))).await?;
        self.settle(n).await?;
        Ok(member)
    }

    /// Changes where the caller keeps a conversation, and of what they want to hear there.
    ///
    /// # Errors
    /// [`AppError::NotFound`] in a channel out of reach, [`AppError::Forbidden`] for somebody else's seat.
    pub async fn update_feed_member(
        &self,
        caller: &Caller,
        id: FeedMemberId,
        status: Option<FeedStatus>,
        notifications: Option<Notifications>,
    ) -> Result<FeedMember, AppError> {
        let (member, inside) = self.permit_member(caller, |_| Action::UpdateFeedMember, id).await?;
        if member.user != inside.voice {
            return Err(AppError::Forbidden {
                code: "not_own_membership",
                message: "only a member sets their own status and notifications".to_owned(),
            });
        }
        if status.is_none() && notifications.is_none() {
            return Ok(member);
        }
        self.store
            .write((id, status, notifications, self.clock.now()), |(id, status, notifications, at), tx| {
                Box::pin(async move {
                    let done = tx.update_feed_member(*id, *status, *notifications, *at).await?;
                    if !done {
                        return Err(AppError::NotFound("member"));
                    }
                    tx.find_feed_member(*id).await?.ok_or(AppError::NotFound("member"))
                })
            })
            .await
    }

    /// Takes somebody's seat in a direct message, by its admins, or the caller's own. The last admin hands
    /// on to whoever came first; the last member ends it if they may, else leaves it empty.
    ///
    /// # Errors
    /// [`AppError::NotFound`] in a channel out of reach, [`AppError::Forbidden`] for somebody else's seat,
    /// [`AppError::Unprocessable`] in a support chat.
    pub async fn remove_feed_member(&self, caller: &Caller, id: FeedMemberId) -> Result<(), AppError> {
        let (member, inside) = self.permit_member(caller, Action::LeaveFeed, id).await?;
        must_be_direct(&inside.feed)?;
        let also = async |action| {
            let (company, inner) = (inside.feed.company, member.feed.to_string());
            let place = Place { granted: true, ..within(ChannelKind::DirectMessage) };
            self.permit(caller, action, company, Some((place, &inner)), "member").await
        };
        if member.user != inside.voice {
            also(Action::RemoveFeedMember).await?;
            if !inside.permit.moderates {
                return Err(not_admin());
            }
        }
        let owner = self.company(inside.feed.company).await?.map(|company| company.owner);
        if inside.feed.key_holder.is_some() && Some(member.user) == owner {
            return Err(AppError::unprocessable(
                "owner_stays",
                "id",
                "keys speak in this conversation as the company's owner, who cannot leave it; delete it instead",
            ));
        }
        let ends = match also(Action::DeleteFeed(ChannelKind::DirectMessage)).await {
            Ok(_) => true,
            Err(AppError::MissingScopes(_)) => false,
            Err(error) => return Err(error),
        };
        let at = self.clock.now();
        let ask = Unseating { feed: member.feed, by: inside.voice, user: member.user, ends, at };
        let n = self.store.write(ask, |ask, tx| Box::pin(unseat(tx, ask))).await?;
        self.settle(n).await
    }

    /// Notes how far the caller has read in a direct message or support chat, and when. It never goes back,
    /// and not beyond the last message. Of the team in a support chat nothing is noted.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a channel out of reach, [`AppError::MissingScopes`].
    pub async fn mark_feed_read(&self, caller: &Caller, feed: FeedId, position: i64) -> Result<(), AppError> {
        let inside = self.permit_feed(caller, Action::ReadMessages, feed, None).await?;
        if inside.feed.seat(inside.voice).is_none() {
            return Ok(());
        }
        let ask = (feed, inside.voice, position, self.clock.now());
        self.store
            .write(ask, |(feed, user, position, at), tx| {
                Box::pin(async move {
                    let end = tx.find_head((*feed).into()).await?.map_or(0, |(end, _)| end);
                    tx.mark_feed_read(*feed, *user, (*position).clamp(0, end), *at).await?;
                    Ok::<_, AppError>(())
                })
            })
            .await
    }
}

struct Seating {
    feed: FeedId,
    company: CompanyId,
    by: UserId,
    user: UserId,
    id: FeedMemberId,
    at: Timestamp,
}

/// The log first: it is held alone, so that who is in the feed stays what is read here. Then the head.
async fn seat(tx: &mut Tx, ask: &Seating) -> Result<(FeedMember, u64), AppError> {
    let n = App::note(tx, &[(Change::Channel(ask.feed.into()), false)], ask.at).await?;
    let feed = tx.find_feed(ask.feed).await?.ok_or(AppError::NotFound("channel"))?;
    must_administer(&feed, ask.by)?;
    // Un-enrolled in between.
    if !tx.find_standing(ask.company, ask.user).await?.enrolled() {
        return Err(AppError::NotFound("user"));
    }
    if feed.seat(ask.user).is_none() {
        if feed.members.len() >= MAX_MEMBERS {
            return Err(too_many("user_id"));
        }
        tx.insert_event(ask.feed.into(), EventKind::MemberAdded, &ask.user.to_string(), ask.at).await?;
        let seat = FeedSeat { user: ask.user, admin: false };
        let place = (ask.feed, ask.company);
        tx.insert_feed_member(place, ask.id, seat, FeedStatus::Accepted, ask.at).await?;
    }
    let member = tx.find_feed_member_of(ask.feed, ask.user).await?.ok_or(AppError::NotFound("member"))?;
    Ok((member, n))
}

struct Unseating {
    feed: FeedId,
    by: UserId,
    user: UserId,
    /// Whether the last one's leaving ends it.
    ends: bool,
    at: Timestamp,
}

async fn unseat(tx: &mut Tx, ask: &Unseating) -> Result<u64, AppError> {
    let n = App::note(tx, &[(Change::Channel(ask.feed.into()), false)], ask.at).await?;
    let feed = tx.find_feed(ask.feed).await?.ok_or(AppError::NotFound("member"))?;
    if feed.seat(ask.user).is_none() {
        return Err(AppError::NotFound("member"));
    }
    if ask.user != ask.by {
        must_administer(&feed, ask.by)?;
    }
    let id = ask.feed.into();
    let rest: Vec<FeedSeat> = feed.members.iter().copied().filter(|seat| seat.user != ask.user).collect();
    if rest.is_empty() && ask.ends {
        tx.insert_event(id, EventKind::ChannelDeleted, &ask.feed.to_string(), ask.at).await?;
        tx.delete_feed(ask.feed, ask.at).await?;
        return Ok(n);
    }
    tx.insert_event(id, EventKind::MemberRemoved, &ask.user.to_string(), ask.at).await?;
    tx.revoke_feed_member(ask.feed, ask.user).await?;
    if !rest.is_empty() && !rest.iter().any(|seat| seat.admin) {
        let heir = heir(tx, feed.company, &rest).await?;
        tx.insert_event(id, EventKind::MemberUpdated, &heir.to_string(), ask.at).await?;
        tx.update_feed_admin(ask.feed, heir, ask.at).await?;
    }
    Ok(n)
}

/// Who came first of those who can still act on it; if nobody can, whoever came first.
async fn heir(tx: &mut Tx, company: CompanyId, rest: &[FeedSeat]) -> Result<UserId, AppError> {
    for seat in rest {
        if tx.find_standing(company, seat.user).await?.enrolled() {
            return Ok(seat.user);
        }
    }
    rest.first().map(|seat| seat.user).ok_or(AppError::NotFound("member"))
}

pub(crate) fn must_administer(feed: &Feed, user: UserId) -> Result<(), AppError> {
    match feed.seat(user) {
        Some(seat) if seat.admin => Ok(()),
        Some(_) => Err(not_admin()),
        None => Err(AppError::NotFound("channel")),
    }
}

fn must_be_direct(feed: &Feed) -> Result<(), AppError> {
    match feed.kind() {
        ChannelKind::Support => Err(AppError::unprocessable(
            "support_members",
            "channel_id",
            "in a support chat are its customer and the company's team; nobody joins or leaves",
        )),
        ChannelKind::DirectMessage | ChannelKind::Channel => Ok(()),
    }
}

pub(crate) fn not_admin() -> AppError {
    AppError::Forbidden { code: "not_admin", message: "only an admin of the channel does this".to_owned() }
}

pub(crate) fn too_many(param: &'static str) -> AppError {
    AppError::unprocessable(
        "too_many_members",
        param,
        format!("a direct message has at most {MAX_MEMBERS} members"),
    )
}
