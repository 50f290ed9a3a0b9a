//! Direct messages: conversations between members of a company.
//!
//! What one is about, its identity, is the company and the set of people it began with. Who begins one with
//! the same people again gets the same one, as long as they are in it. Who left it, or was removed, is not
//! put back: they begin a new one, which from then on is the one about these people, and the others keep
//! the old one.

use std::collections::BTreeSet;

use hallpass_core::authority::Change;
use hallpass_core::decision::{Action, ChannelKind};
use hallpass_core::entity::{Feed, FeedSeat, FeedStatus, KeyHolder};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use hallpass_store::{EventKind, Key, NewFeed, Scan, Tx};
use hallpass_token::SecretHash;
use jiff::Timestamp;

use crate::caller::Caller;
use crate::error::AppError;
use crate::feeds::{ANY_FEED, MAX_MEMBERS, must_administer, not_admin, too_many, within};
use crate::page::{Direction, Page, PageAsk};
use crate::{App, Ticket, hex};

/// How often to look again for a feed that others make and give up at the same time.
const MAX_LOOKS: usize = 8;

/// What direct message is to be begun.
#[derive(Clone, Debug)]
pub struct CreateDirectMessage {
    /// In this company; none for the caller's.
    pub company: Option<CompanyId>,
    /// With these: ids, usernames or addresses.
    pub with: Vec<String>,
    /// Shown instead of the members' names.
    pub custom_name: Option<String>,
}

struct Beginning {
    new: NewFeed,
    voice: UserId,
    members: Vec<(FeedMemberId, UserId)>,
    at: Timestamp,
}

impl App {
    /// Begins a direct message, or finds the one there is.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company or anybody out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Unprocessable`] for a crowd, or nobody else.
    pub async fn create_direct_message(
        &self,
        caller: &Caller,
        ask: CreateDirectMessage,
        ticket: Option<Ticket>,
    ) -> Result<Feed, AppError> {
        let company = ask.company.unwrap_or_else(|| caller.home());
        let place = within(ChannelKind::DirectMessage);
        self.permit(caller, Action::CreateDirectMessage, company, Some((place, ANY_FEED)), "company").await?;
        let voice = self.voice(caller, company).await?;
        let mut people = self.resolve_people(caller, company, &ask.with).await?;
        people.insert(voice);
        if people.len() < 2 {
            let message = "a direct message needs somebody else";
            return Err(AppError::unprocessable("no_other_member", "with_user_ids", message));
        }
        if people.len() > MAX_MEMBERS {
            return Err(too_many("with_user_ids"));
        }
        let at = self.clock.now();
        let key_holder = caller.key_holder();
        let beginning = Beginning {
            new: NewFeed {
                id: FeedId::from_bits(self.bits(ticket)),
                company,
                identity: identity(key_holder, &people),
                customer: None,
                custom_name: ask.custom_name,
                key_holder,
            },
            voice,
            members: people
                .into_iter()
                .map(|user| (FeedMemberId::generate(at, &*self.entropy), user))
                .collect(),
            at,
        };
        let id = self.store.write(beginning, |beginning, tx| Box::pin(begin(tx, beginning))).await?;
        self.current_feed(id).await
    }

    /// A direct message that the caller began, for whoever asks again whether it was.
    ///
    /// # Errors
    /// [`AppError::NotFound`] or [`AppError::MissingScopes`] for who may no longer begin it.
    pub async fn created_direct_message(&self, caller: &Caller, id: FeedId) -> Result<Feed, AppError> {
        self.permit_feed(caller, |_| Action::CreateDirectMessage, id, None).await?;
        self.current_feed(id).await
    }

    /// One direct message or support chat.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_direct_message(&self, caller: &Caller, id: FeedId) -> Result<Feed, AppError> {
        self.permit_feed(caller, Action::ReadFeed, id, None).await?;
        self.current_feed(id).await
    }

    /// The caller's direct messages in a company, and the support chat whose customer they are, the last
    /// active first. A key's are those that keys of the same holder began.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_direct_messages(
        &self,
        caller: &Caller,
        company: Option<CompanyId>,
        page: &PageAsk,
    ) -> Result<Page<Feed>, AppError> {
        let company = company.unwrap_or_else(|| caller.home());
        let kind = ChannelKind::DirectMessage;
        self.permit(caller, Action::ReadFeed(kind), company, Some((within(kind), ANY_FEED)), "company")
            .await?;
        let (voice, holder) = (self.voice(caller, company).await?, caller.key_holder());
        let filters = [voice.to_string(), holder.map(|holder| holder.to_string()).unwrap_or_default()];
        let filters = [filters[0].as_str(), filters[1].as_str()];
        let plan = page.plan(self, "dm_channels.list", company, &filters, (Direction::Desc, 100))?;
        let key = |feed: &Feed| Key { at: feed.active_at.as_millisecond(), id: feed.id.to_string() };
        let list = |scan: Scan| async move {
            let mut conn = self.store.read().await?;
            match holder {
                Some(holder) => conn.list_feeds_by_key(company, (holder, voice), &scan).await,
                None => conn.list_feeds_of(voice, company, &scan).await,
            }
        };
        plan.fetch(self, key, list).await
    }

    /// Renames a direct message, by its admins, or a support chat, by the team.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Forbidden`] for others.
    pub async fn rename_direct_message(
        &self,
        caller: &Caller,
        id: FeedId,
        custom_name: Option<Option<String>>,
    ) -> Result<Feed, AppError> {
        let inside = self.permit_feed(caller, |_| Action::UpdateFeed, id, None).await?;
        let direct = inside.feed.kind() == ChannelKind::DirectMessage;
        let may = if direct {
            inside.permit.moderates
        } else {
            self.is_support_team(caller, inside.feed.company).await?
        };
        if !may {
            return Err(not_admin());
        }
        let feed = self.current_feed(id).await?;
        let Some(name) = custom_name.filter(|name| *name != feed.custom_name) else { return Ok(feed) };
        let ask = (id, name, direct.then_some(inside.voice), self.clock.now());
        self.store
            .write(ask, |(id, name, admin, at), tx| {
                Box::pin(async move {
                    tx.insert_event((*id).into(), EventKind::ChannelUpdated, &id.to_string(), *at).await?;
                    // Under the head: who administers it stays so until the commit.
                    let feed = tx.find_feed(*id).await?.ok_or(AppError::NotFound("channel"))?;
                    if let Some(admin) = admin {
                        must_administer(&feed, *admin)?;
                    }
                    tx.update_feed_name(*id, name.as_deref(), *at).await?;
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        self.current_feed(id).await
    }

    /// Ends a direct message with all that was said in it, by its admins; a support chat, by the team.
    ///
    /// # Errors
    /// As for [`rename_direct_message`](Self::rename_direct_message).
    pub async fn delete_direct_message(&self, caller: &Caller, id: FeedId) -> Result<(), AppError> {
        let inside = self.permit_feed(caller, Action::DeleteFeed, id, None).await?;
        let direct = inside.feed.kind() == ChannelKind::DirectMessage;
        if direct && !inside.permit.moderates {
            return Err(not_admin());
        }
        let ask = (id, direct.then_some(inside.voice), self.clock.now());
        let n = self
            .store
            .write(ask, |(id, admin, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Channel((*id).into()), false)], *at).await?;
                    let feed = tx.find_feed(*id).await?.ok_or(AppError::NotFound("channel"))?;
                    if let Some(admin) = admin {
                        must_administer(&feed, *admin)?;
                    }
                    tx.insert_event((*id).into(), EventKind::ChannelDeleted, &id.to_string(), *at).await?;
                    tx.delete_feed(*id, *at).await?;
                    Ok::<_, AppError>(n)
                })
            })
            .await?;
        self.settle(n).await
    }
}

/// Finds or makes the feed. Whoever makes the same at once waits here for the other, then finds it.
async fn begin(tx: &mut Tx, ask: &Beginning) -> Result<FeedId, AppError> {
    let new = &ask.new;
    for _ in 0..MAX_LOOKS {
        if let Some(id) = tx.find_feed_about(new.company, &new.identity).await? {
            match tx.find_feed(id).await? {
                Some(feed) if ask.members.iter().all(|(_, user)| feed.seat(*user).is_some()) => {
                    return Ok(id);
                }
                // Somebody left: what is said there would not reach them.
                Some(_) => tx.release_feed_identity(id).await?,
                None => {}
            }
        }
        if tx.insert_feed(new, ask.at).await? {
            for (id, user) in &ask.members {
                let seat = FeedSeat { user: *user, admin: *user == ask.voice };
                tx.insert_feed_member((new.id, new.company), *id, seat, FeedStatus::Accepted, ask.at).await?;
            }
            return Ok(new.id);
        }
    }
    Err(AppError::Unavailable("this direct message is begun and left too fast"))
}

/// What a direct message is about. Keys' are apart from those of the people they speak as, and from those of
/// other holders' keys.
fn identity(holder: Option<KeyHolder>, people: &BTreeSet<UserId>) -> String {
    let people: Vec<String> = people.iter().map(ToString::to_string).collect();
    let people = people.join(" ");
    match holder {
        None => format!("people:{}", hex(&SecretHash::of(&people).0)),
        Some(holder) => format!("key:{}", hex(&SecretHash::of(&format!("{holder} {people}")).0)),
    }
}
