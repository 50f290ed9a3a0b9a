//! Chat channels: finding them, and their rules.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::catalogue::scopes::CHAT_READ;
use hallpass_core::channel::{ChannelId, Venue};
use hallpass_core::decision::{Action, ChannelKind, Facts, Permit, Place, decide};
use hallpass_core::entity::{Channel, Feed};
use hallpass_core::id::{ChatFeedId, CompanyId, ExperienceId, FeedId, ProductId, UserId};
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::Parts;
use hallpass_store::{ChannelFilter, ChannelPatch, EventKind, Key};

use crate::App;
use crate::caller::{Caller, parts_of, rights_on};
use crate::error::AppError;
use crate::page::{Direction, Page, PageAsk};

/// How a request names a chat channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRef {
    /// `chat_feed_…`
    Feed(ChatFeedId),
    /// The experience whose feed it is.
    Experience(ExperienceId),
}

/// How a request names a channel of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueRef {
    /// A chat channel.
    Chat(ChannelRef),
    /// A direct message or support chat, `feed_…`.
    Feed(FeedId),
}

impl VenueRef {
    /// Reads an id of any of the kinds.
    ///
    /// # Errors
    /// [`AppError::Invalid`] naming `param`.
    pub fn parse(param: &'static str, text: &str) -> Result<Self, AppError> {
        match text.parse() {
            Ok(id) => Ok(Self::Feed(id)),
            Err(_) => ChannelRef::parse(param, text).map(Self::Chat),
        }
    }
}

impl From<ChannelId> for VenueRef {
    fn from(id: ChannelId) -> Self {
        match id {
            ChannelId::Chat(id) => Self::Chat(ChannelRef::Feed(id)),
            ChannelId::Feed(id) => Self::Feed(id),
        }
    }
}

impl ChannelRef {
    /// Reads an id of either kind.
    ///
    /// # Errors
    /// [`AppError::Invalid`] naming `param`.
    pub fn parse(param: &'static str, text: &str) -> Result<Self, AppError> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Feed(id));
        }
        text.parse().map(Self::Experience).map_err(|_| {
            AppError::invalid(param, format!("{param} is neither a channel's id nor an experience's"))
        })
    }
}

/// What a credential may read in any of a company's channels: `feeds` in direct messages and support chats,
/// and in chat channels if there are any.
pub(crate) fn anywhere(facts: &Facts, feeds: ScopeSet, parts: &Parts) -> ScopeSet {
    let chats = ScopeSet::of(&[CHAT_READ]);
    match (facts.reaches, *parts == Parts::NONE) {
        (false, _) => ScopeSet::EMPTY,
        (true, true) => feeds.minus(&chats),
        (true, false) => feeds.or(&chats),
    }
}

impl App {
    /// A channel, by cache.
    pub(crate) async fn channel(&self, which: ChannelRef) -> Result<Option<Arc<Channel>>, AppError> {
        let feed = match which {
            ChannelRef::Feed(id) => Some(id),
            ChannelRef::Experience(id) => self.feeds.get(&id),
        };
        if let Some(channel) = feed.and_then(|id| self.channels.get(&id)) {
            return Ok(Some(channel));
        }
        let rev = self.authority.rev();
        let mut conn = self.store.read().await?;
        let found = match which {
            ChannelRef::Feed(id) => conn.find_channel(id).await?,
            ChannelRef::Experience(id) => conn.find_channel_of(id).await?,
        };
        let Some(channel) = found.map(Arc::new) else { return Ok(None) };
        let (own, experience) = (Change::Channel(channel.id.into()), Change::Experience(channel.experience));
        self.channels.put(channel.id, Arc::clone(&channel), rev, [&own, &experience, &experience]);
        self.feeds.put(channel.experience, channel.id, rev, [&experience; 3]);
        Ok(Some(channel))
    }

    /// Finds a channel and decides about an action in it.
    pub(crate) async fn permit_channel(
        &self,
        caller: &Caller,
        action: Action,
        which: ChannelRef,
    ) -> Result<(Arc<Channel>, Permit), AppError> {
        let channel = self.channel(which).await?.ok_or(AppError::NotFound("channel"))?;
        let granted =
            !channel.public && self.has_access(channel.company, channel.experience, caller.user()).await?;
        let place = Place {
            kind: ChannelKind::Channel,
            public: channel.public,
            granted,
            admins_post: channel.rules.admins_post,
        };
        let inner = channel.experience.to_string();
        let permit = self.permit(caller, action, channel.company, Some((place, &inner)), "channel").await?;
        Ok((channel, permit))
    }

    /// A direct message or support chat, by cache. Who is not in it as cached may have been let in since:
    /// for them the store is asked.
    pub(crate) async fn feed(&self, id: FeedId, user: Option<UserId>) -> Result<Option<Arc<Feed>>, AppError> {
        if let Some(feed) = self.seated.get(&id)
            && user.is_none_or(|user| feed.seat(user).is_some())
        {
            return Ok(Some(feed));
        }
        let rev = self.authority.rev();
        let Some(feed) = self.store.read().await?.find_feed(id).await?.map(Arc::new) else { return Ok(None) };
        self.seated.put(id, Arc::clone(&feed), rev, [&Change::Channel(id.into()); 3]);
        Ok(Some(feed))
    }

    /// Finds a channel of any kind and decides about an action in it; its kind chooses the action's
    /// family of scopes.
    pub(crate) async fn permit_venue(
        &self,
        caller: &Caller,
        action: impl Fn(ChannelKind) -> Action,
        which: VenueRef,
    ) -> Result<(Venue, Permit), AppError> {
        let id = match which {
            VenueRef::Chat(which) => {
                let action = action(ChannelKind::Channel);
                let (channel, permit) = self.permit_channel(caller, action, which).await?;
                return Ok((Venue::Chat(channel), permit));
            }
            VenueRef::Feed(id) => id,
        };
        let inside = self.permit_feed(caller, action, id, None).await?;
        Ok((Venue::Feed(inside.feed), inside.permit))
    }

    /// One channel, and whether the caller moderates it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach or without access, [`AppError::MissingScopes`].
    pub async fn retrieve_channel(
        &self,
        caller: &Caller,
        which: ChannelRef,
    ) -> Result<(Arc<Channel>, bool), AppError> {
        let (channel, permit) = self.permit_channel(caller, Action::ReadChannel, which).await?;
        Ok((channel, permit.moderates))
    }

    /// A company's channels that the caller may read, newest first, each with whether the caller
    /// moderates it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_channels(
        &self,
        caller: &Caller,
        company: CompanyId,
        product: Option<ProductId>,
        page: &PageAsk,
    ) -> Result<Page<(Channel, bool)>, AppError> {
        let action = Action::ReadChannel;
        let mut facts = self.facts(caller, company, None).await?;
        let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let key = self.key_of(caller).await?;
        // Whoever may read one channel of the company sees it.
        let parts = parts_of(&key, &record, CHAT_READ);
        facts.credential = anywhere(&facts, ScopeSet::EMPTY, &parts);
        decide(action, &facts).map_err(|refusal| AppError::refused(refusal, "company"))?;
        let viewer = self.viewer(caller, company).await?;
        let filter = ChannelFilter { product, viewer, parts };
        let filters = format!("{product:?}");
        let plan = page.plan(self, "chat_channels.list", company, &[&filters], (Direction::Desc, 100))?;
        let order =
            |channel: &Channel| Key { at: channel.created_at.as_millisecond(), id: channel.id.to_string() };
        let filter = &filter;
        let list = |scan| async move { self.store.read().await?.list_channels(company, filter, &scan).await };
        let (channels, page) = plan.fetch(self, order, list).await?.take();
        let mut moderated = |channel: Channel| {
            facts.credential = rights_on(&key, &record, Some(&channel.experience.to_string()));
            let moderates = decide(action, &facts).is_ok_and(|permit| permit.moderates);
            (channel, moderates)
        };
        Ok(page.fill(channels.into_iter().map(&mut moderated).collect()))
    }

    /// Changes a channel's rules.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach or without access, [`AppError::MissingScopes`].
    pub async fn update_channel(
        &self,
        caller: &Caller,
        which: ChannelRef,
        patch: ChannelPatch,
    ) -> Result<(Arc<Channel>, bool), AppError> {
        let (channel, permit) = self.permit_channel(caller, Action::UpdateChannel, which).await?;
        if patch == ChannelPatch::default() {
            return Ok((channel, permit.moderates));
        }
        let id = channel.id;
        let n = self
            .store
            .write((id, patch, self.clock.now()), |(id, patch, at), tx| {
                Box::pin(async move {
                    // The log first, because one at a time appends to it: of two patches none is lost. And
                    // because senders hold the log before they hold the channel's head.
                    let n = App::note(tx, &[(Change::Channel((*id).into()), false)], *at).await?;
                    tx.insert_event((*id).into(), EventKind::ChannelUpdated, &id.to_string(), *at).await?;
                    let channel = tx.find_channel(*id).await?.ok_or(AppError::NotFound("channel"))?;
                    tx.update_channel_rules(*id, &patch.apply(&channel.rules), *at).await?;
                    Ok::<_, AppError>(n)
                })
            })
            .await?;
        self.settle(n).await?;
        let channel = self.channel(ChannelRef::Feed(id)).await?.ok_or(AppError::NotFound("channel"))?;
        Ok((channel, permit.moderates))
    }
}
