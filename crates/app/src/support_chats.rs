//! Support chats: one per customer and company, with the company's team.
//!
//! A support chat awaits a response until the team resolves it; the customer's next message reopens it, in
//! the transaction that stores the message. What the team says does neither.

use std::sync::Arc;

use hallpass_core::catalogue::scopes::SUPPORT_CHAT_READ;
use hallpass_core::decision::{Action, ChannelKind};
use hallpass_core::entity::{Feed, FeedSeat, FeedStatus};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use hallpass_core::scope::ScopeSet;
use hallpass_store::{EventKind, Key, NewFeed, Scan, StoreError, SupportFilter};

use crate::caller::Caller;
use crate::error::AppError;
use crate::feeds::{ANY_FEED, within};
use crate::page::{Direction, Page, PageAsk};
use crate::profiles::Shown;
use crate::{App, Ticket};

const SUPPORT: ChannelKind = ChannelKind::Support;

/// What support chat is to be opened.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of SupportChannel")]
pub struct CreateSupportChat {
    pub company: CompanyId,
    /// The customer: an id or a username.
    pub user: String,
    pub custom_name: Option<String>,
}

/// As whom support chats are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportView {
    /// As whatever the caller is.
    All,
    /// As the team.
    Admin,
    /// As the customer.
    Customer,
}

/// Which support chats a list shows.
#[derive(Clone, Debug)]
pub struct ListSupportChats {
    /// Of this company; none for the caller's.
    pub company: Option<CompanyId>,
    /// Those that await a response, or those that are resolved.
    pub open: Option<bool>,
    /// As whom.
    pub view: SupportView,
    /// By creation instead of last activity.
    pub by_creation: bool,
    /// Which page.
    pub page: PageAsk,
}

/// A support chat with its customer as the company shows them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "two parts, named")]
pub struct SupportChat {
    pub feed: Feed,
    pub customer: Option<Arc<Shown>>,
}

/// Whose support chats a caller looks at.
#[derive(Clone, Copy)]
enum Whose {
    Companys { with_accounts: bool },
    Customers(UserId),
    Nobodys,
}

impl App {
    /// Opens a customer's support chat, or finds the one there is.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company or user out of reach, [`AppError::MissingScopes`].
    pub async fn create_support_chat(
        &self,
        caller: &Caller,
        ask: CreateSupportChat,
        ticket: Option<Ticket>,
    ) -> Result<SupportChat, AppError> {
        let company = ask.company;
        let place = Some((within(SUPPORT), ANY_FEED));
        self.permit(caller, Action::CreateSupportChat, company, place, "company").await?;
        let people = self.resolve_people(caller, company, &[ask.user]).await?;
        let customer = people.into_iter().next().ok_or(AppError::NotFound("user"))?;
        let at = self.clock.now();
        let new = NewFeed {
            id: FeedId::from_bits(self.bits(ticket)),
            company,
            identity: identity(customer),
            customer: Some(customer),
            custom_name: ask.custom_name,
            key_holder: None,
        };
        let seat = (FeedMemberId::generate(at, &*self.entropy), FeedSeat { user: customer, admin: false });
        let id = self
            .store
            .write((new, seat, at), |(new, (id, seat), at), tx| {
                Box::pin(async move {
                    if tx.insert_feed(new, *at).await? {
                        let place = (new.id, new.company);
                        tx.insert_feed_member(place, *id, *seat, FeedStatus::Accepted, *at).await?;
                        return Ok(new.id);
                    }
                    let found = tx.find_feed_about(new.company, &new.identity).await?;
                    found.ok_or(AppError::Unavailable("this support chat was deleted just now"))
                })
            })
            .await?;
        self.shown_support_chat(id).await
    }

    /// A support chat that the caller opened, for whoever asks again whether it was.
    ///
    /// # Errors
    /// As for [`create_support_chat`](Self::create_support_chat).
    pub async fn created_support_chat(&self, caller: &Caller, id: FeedId) -> Result<SupportChat, AppError> {
        self.permit_feed(caller, |_| Action::CreateSupportChat, id, Some(SUPPORT)).await?;
        self.shown_support_chat(id).await
    }

    /// One support chat.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_support_chat(&self, caller: &Caller, id: FeedId) -> Result<SupportChat, AppError> {
        self.permit_feed(caller, Action::ReadMessages, id, Some(SUPPORT)).await?;
        self.shown_support_chat(id).await
    }

    async fn shown_support_chat(&self, id: FeedId) -> Result<SupportChat, AppError> {
        let feed = self.current_feed(id).await?;
        self.with_customer(feed).await
    }

    async fn with_customer(&self, feed: Feed) -> Result<SupportChat, AppError> {
        let customer = match feed.customer {
            Some(customer) => Some(self.shown(feed.company, customer).await?),
            None => None,
        };
        Ok(SupportChat { feed, customer })
    }

    /// A company's support chats that the caller may see; for its key those of its connected accounts too.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_support_chats(
        &self,
        caller: &Caller,
        ask: ListSupportChats,
    ) -> Result<Page<SupportChat>, AppError> {
        let company = ask.company.unwrap_or_else(|| caller.home());
        let action = Action::ReadMessages(SUPPORT);
        self.permit(caller, action, company, Some((within(SUPPORT), ANY_FEED)), "company").await?;
        let team = self.is_support_team(caller, company).await?;
        let whose = match (ask.view, team, caller.user()) {
            (SupportView::All | SupportView::Admin, true, _) => {
                Whose::Companys { with_accounts: self.sees_accounts(caller, company).await? }
            }
            (SupportView::All | SupportView::Customer, _, Some(user)) => Whose::Customers(user),
            _ => Whose::Nobodys,
        };
        // One list for whoever looks at it as a team, another for each customer.
        let who = match whose {
            Whose::Companys { with_accounts } => format!("team {with_accounts}"),
            Whose::Customers(user) => user.to_string(),
            Whose::Nobodys => String::new(),
        };
        let filters = format!("{:?} {}", ask.open, ask.by_creation);
        let plan = ask.page.plan(
            self,
            "support_channels.list",
            company,
            &[&filters, &who],
            (Direction::Desc, 100),
        )?;
        let by_activity = !ask.by_creation;
        let key = |feed: &Feed| Key {
            at: if by_activity { feed.active_at } else { feed.created_at }.as_millisecond(),
            id: feed.id.to_string(),
        };
        let open = ask.open;
        let list = |scan: Scan| async move {
            match whose {
                Whose::Companys { with_accounts } => {
                    let filter = SupportFilter { company, with_accounts, open, by_activity };
                    self.store.read().await?.list_support_feeds(filter, &scan).await
                }
                Whose::Customers(user) => self.own_support_chat(company, user, open, &key, &scan).await,
                Whose::Nobodys => Ok(Vec::new()),
            }
        };
        let (found, page) = plan.fetch(self, key, list).await?.take();
        let mut chats = Vec::with_capacity(found.len());
        for feed in found {
            chats.push(self.with_customer(feed).await?);
        }
        Ok(page.fill(chats))
    }

    /// Whether the caller sees the support chats of a company's connected accounts with its own. A key
    /// that is denied something somewhere by name is asked company by company.
    async fn sees_accounts(&self, caller: &Caller, company: CompanyId) -> Result<bool, AppError> {
        if caller.user().is_some() {
            return Ok(false);
        }
        // A connected account has none of its own.
        let is_root = self.company(company).await?.is_some_and(|company| company.parent.is_none());
        let key = self.key_of(caller).await?;
        let wanted = ScopeSet::of(&[SUPPORT_CHAT_READ]);
        Ok(is_root && key.company == company && !key.rights.denies_a_company(&wanted))
    }

    /// A customer's support chat as a list of at most one.
    async fn own_support_chat(
        &self,
        company: CompanyId,
        user: UserId,
        open: Option<bool>,
        key: &impl Fn(&Feed) -> Key,
        scan: &Scan,
    ) -> Result<Vec<Feed>, StoreError> {
        let mut conn = self.store.read().await?;
        let Some(id) = conn.find_feed_about(company, &identity(user)).await? else { return Ok(Vec::new()) };
        let found = conn.find_feed(id).await?.filter(|feed| {
            let key = key(feed);
            let (key, from) = ((key.at, key.id), scan.from.as_ref().map(|from| (from.at, from.id.clone())));
            let beyond = from.is_none_or(|from| if scan.descending { key < from } else { key > from });
            beyond && open.is_none_or(|open| open == feed.resolved_at.is_none())
        });
        Ok(found.into_iter().collect())
    }

    /// Resolves a support chat, or reopens it: by the team (extension).
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Forbidden`] for the
    /// customer.
    pub async fn resolve_support_chat(
        &self,
        caller: &Caller,
        id: FeedId,
        resolved: bool,
    ) -> Result<SupportChat, AppError> {
        self.may_resolve_support_chat(caller, id).await?;
        if self.current_feed(id).await?.resolved_at.is_some() != resolved {
            self.store
                .write((id, resolved, self.clock.now()), |(id, resolved, at), tx| {
                    Box::pin(async move {
                        // The head first, as whoever sends holds it when they reopen.
                        let kind = EventKind::ChannelUpdated;
                        tx.insert_event((*id).into(), kind, &id.to_string(), *at).await?;
                        tx.update_feed_resolved(*id, *resolved, *at).await?;
                        Ok::<_, AppError>(())
                    })
                })
                .await?;
        }
        self.shown_support_chat(id).await
    }

    /// Whether the caller may resolve a support chat.
    ///
    /// # Errors
    /// As for doing it.
    pub async fn may_resolve_support_chat(&self, caller: &Caller, id: FeedId) -> Result<(), AppError> {
        let inside = self.permit_feed(caller, |_| Action::ResolveSupportChat, id, Some(SUPPORT)).await?;
        if self.is_support_team(caller, inside.feed.company).await? {
            return Ok(());
        }
        Err(AppError::Forbidden {
            code: "not_team",
            message: "only the company's team resolves and reopens support chats".to_owned(),
        })
    }
}

/// What a support chat is about.
fn identity(customer: UserId) -> String {
    format!("support:{customer}")
}
