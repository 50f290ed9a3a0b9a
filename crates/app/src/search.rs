//! Searching messages, and the index that follows behind them.
//!
//! What may be searched is decided as reading is, channel by channel, each time; the index is then asked
//! about those channels alone. It is about a second behind, and longer where more is sent than it
//! follows; what it gives is held against the messages as
//! they are now, so that nothing deleted or said otherwise since is shown.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ahash::AHashSet;
use futures_util::future::try_join_all;
use hallpass_core::catalogue::scopes::CHAT_READ;
use hallpass_core::channel::ChannelId;
use hallpass_core::decision::{Action, ChannelKind, Facts, Place, decide};
use hallpass_core::entity::Message;
use hallpass_core::id::CompanyId;
use hallpass_core::search::{InvalidQuery, Query};
use hallpass_store::{Key, Scan, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::App;
use crate::caller::{Caller, parts_of, rights_on};
use crate::channels::{VenueRef, anywhere};
use crate::error::AppError;
use crate::feeds::{ANY_FEED, takes_part};
use crate::files::reader;
use crate::messages::MessageWithAuthor;
use crate::page::{Direction, Page, PageAsk, Stretch};

/// The most channels of a kind that one search looks into, the newest or the most active.
const MAX_CHANNELS: i64 = 500;
/// How often a page that has something is filled up after what was found is no longer so.
const MAX_ROUNDS: usize = 4;
/// How often a page that is still empty then is gone on with: clients take an empty page for the last.
const MAX_WALKS: usize = 8;
/// How much one such round looks at, at most.
const MAX_ROUND: i64 = 400;
/// How often what is new is indexed.
const PACE: Duration = Duration::from_millis(500);
/// How many times as long as a batch took nothing is indexed after it while messages are sent: it gets a
/// tenth of the writer, and lags if that is not enough.
const RESTS: u32 = 9;
/// How many events a batch has, and of how many channels.
const BATCH: i64 = 200;
const AT_ONCE: usize = 16;
const AT_ONCE_SHARED: usize = 2;
/// How many rounds there are from one walk over all channels to the next.
const BETWEEN_WALKS: u64 = 10;
/// How many channels of a walk a round looks at.
const STRETCH: i64 = 1000;

/// What to search for, and where.
#[derive(Clone, Debug)]
pub struct SearchMessages {
    /// As typed.
    pub query: String,
    /// In this channel only.
    pub channel: Option<VenueRef>,
    /// In all channels of this company that the caller may read; none for the caller's.
    pub company: Option<CompanyId>,
    /// Which page.
    pub page: PageAsk,
}

/// Channels that this node has written to since they were indexed.
#[derive(Default)]
pub(crate) struct Unindexed {
    channels: Mutex<AHashSet<ChannelId>>,
    /// How often there was something to note.
    sent: AtomicU64,
    /// How far the walk over all channels is; empty if none is under way.
    at: Mutex<String>,
    /// Tells of the end of each round.
    done: Notify,
}

impl Unindexed {
    pub(crate) fn note(&self, channel: ChannelId) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.channels.lock().insert(channel);
    }
}

/// Something found, at its place in time.
struct Hit {
    n: i64,
    message: Message,
}

impl App {
    /// Messages that match a query, newest first, of the channels that the caller may read now.
    ///
    /// # Errors
    /// [`AppError::Unprocessable`] for no query, [`AppError::NotFound`] for a channel or company out of
    /// reach, [`AppError::MissingScopes`].
    pub async fn search_messages(
        &self,
        caller: &Caller,
        ask: SearchMessages,
    ) -> Result<Page<MessageWithAuthor>, AppError> {
        let query = Query::parse(&ask.query).map_err(invalid_query)?;
        let (company, channels, place) = if let Some(which) = ask.channel {
            let (channel, _) = self.permit_venue(caller, Action::ReadMessages, which).await?;
            if ask.company.is_some_and(|company| company != channel.company()) {
                return Err(AppError::NotFound("channel"));
            }
            (channel.company(), vec![channel.id()], channel.id().to_string())
        } else {
            let company = ask.company.unwrap_or_else(|| caller.home());
            (company, self.readable_channels(caller, company).await?, String::new())
        };
        let filters = [place.as_str(), ask.query.as_str()];
        let plan = ask.page.plan(self, "messages.search", company, &filters, (Direction::Desc, 100))?;
        let key = |hit: &Hit| Key { at: hit.n, id: String::new() };
        let late = AtomicBool::new(false);
        let walks = AtomicUsize::new(0);
        let (channels, query, late, walks) = (&channels, &query, &late, &walks);
        let list = |scan| async move {
            let found = match walks.fetch_add(1, Ordering::Relaxed) {
                ..MAX_WALKS => self.find_hits(channels, query, scan).await?,
                _ => None,
            };
            late.fetch_or(found.is_none(), Ordering::Relaxed);
            Ok(found.unwrap_or(Stretch { items: Vec::new(), stopped: None }))
        };
        let (hits, page) = plan.fetch_stretch(self, key, list).await?.take();
        if late.load(Ordering::Relaxed) {
            return Err(AppError::unprocessable(
                "search_too_broad",
                "query",
                "this finds too much to be put in order; search for more words, or in one channel",
            ));
        }
        let messages: Vec<Message> = hits.into_iter().map(|hit| hit.message).collect();
        let mut tallies = self.tallies(&messages).await?;
        let mut items = Vec::with_capacity(messages.len());
        for message in messages {
            let author = self.shown(company, message.author).await?;
            let tallies = tallies.remove(&message.id).unwrap_or_default();
            items.push(MessageWithAuthor { message, author, tallies, attachments: Vec::new() });
        }
        self.attach(Some(reader(caller)), &mut items).await?;
        Ok(page.fill(items))
    }

    /// The channels of a company in which the caller may read, decided one by one.
    async fn readable_channels(
        &self,
        caller: &Caller,
        company: CompanyId,
    ) -> Result<Vec<ChannelId>, AppError> {
        let mut facts = self.facts(caller, company, None).await?;
        let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let key = self.key_of(caller).await?;
        // Whoever may read in one channel of the company, of any kind, searches it.
        let parts = parts_of(&key, &record, CHAT_READ);
        facts.credential = anywhere(&facts, rights_on(&key, &record, Some(ANY_FEED)), &parts);
        decide(Action::SearchMessages, &facts).map_err(|refusal| AppError::refused(refusal, "company"))?;
        let may_read = |kind, public, granted, inner: &str| {
            let place = Some(Place { kind, public, granted, admins_post: false });
            let facts = Facts { credential: rights_on(&key, &record, Some(inner)), place, ..facts };
            decide(Action::ReadMessages(kind), &facts).is_ok()
        };
        // Who enters every channel is not asked for a grant.
        let viewer = self.viewer(caller, company).await?;
        let mut channels = Vec::new();
        let places = self.store.read().await?.list_chat_places(company, viewer, &parts, MAX_CHANNELS).await?;
        for chat in places {
            let granted = viewer.is_some() && !chat.public;
            if may_read(ChannelKind::Channel, chat.public, granted, &chat.experience.to_string()) {
                channels.push(ChannelId::from(chat.channel));
            }
        }
        let mut feeds = match caller.user() {
            Some(user) => self.store.read().await?.list_seated(user, company, MAX_CHANNELS).await?,
            None => Vec::new(),
        };
        // What is open to the company's team and keys, if these are such.
        if may_read(ChannelKind::Support, false, false, ANY_FEED) {
            feeds.extend(
                self.store.read().await?.list_open_feeds(company, caller.key_holder(), MAX_CHANNELS).await?,
            );
        }
        let voice = self.voice(caller, company).await?;
        let mut seen = AHashSet::new();
        for id in feeds.into_iter().filter(|id| seen.insert(*id)) {
            let Some(feed) = self.feed(id, caller.user()).await? else { continue };
            let granted = takes_part(caller, voice, &feed);
            if feed.company == company && may_read(feed.kind(), false, granted, &id.to_string()) {
                channels.push(id.into());
            }
        }
        Ok(channels)
    }

    /// As many hits as the scan asks for, unless there are no more, or too much was found that is no longer so.
    /// None if it took too long.
    async fn find_hits(
        &self,
        channels: &[ChannelId],
        query: &Query,
        mut scan: Scan,
    ) -> Result<Option<Stretch<Hit>>, StoreError> {
        let wanted = usize::try_from(scan.limit).unwrap_or(usize::MAX);
        let mut hits = Vec::new();
        let mut stopped = None;
        for round in 1.. {
            let Some(found) = self.store.search_messages(channels, query, &scan).await? else {
                return Ok(None);
            };
            let more = i64::try_from(found.len()) == Ok(scan.limit);
            scan.from = found.last().map(|(n, _)| Key { at: *n, id: String::new() });
            let mut conn = self.store.read().await?;
            for (n, id) in found {
                // As it is now: the index is behind.
                if let Some(message) = conn.find_message(id).await?
                    && channels.contains(&message.channel)
                    && says(&message, query)
                {
                    hits.push(Hit { n, message });
                }
            }
            if hits.len() >= wanted || !more {
                break;
            }
            if round >= MAX_ROUNDS {
                stopped.clone_from(&scan.from);
                break;
            }
            scan.limit = (scan.limit * 2).min(MAX_ROUND);
        }
        hits.truncate(wanted);
        Ok(Some(Stretch { items: hits, stopped }))
    }

    /// Indexes what is new, twice a second, until the future is dropped.
    pub(crate) async fn keep_indexed(&self) {
        for round in 0_u64.. {
            tokio::time::sleep(PACE).await;
            if let Err(error) = self.index_new(round.is_multiple_of(BETWEEN_WALKS), RESTS).await {
                // What this node wrote meanwhile is met on the next walk.
                tracing::warn!(error = %error, "messages are not indexed; it is tried again");
            }
            self.unindexed.done.notify_waiters();
        }
    }

    /// The end of the round of indexing that is under way or comes next, for tests.
    pub async fn indexed(&self) {
        self.unindexed.done.notified().await;
    }

    /// Indexes all there is, for whoever cannot wait a second.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn index_all(&self) -> Result<(), AppError> {
        self.unindexed.at.lock().clear();
        loop {
            self.index_new(true, 0).await?;
            if self.unindexed.at.lock().is_empty() {
                return Ok(());
            }
        }
    }

    /// Indexes the channels this node wrote to. On a walk, also those of the next stretch of all that are
    /// behind: whoever wrote to them may have stopped before indexing. A walk begun is gone on with.
    async fn index_new(&self, walk: bool, rests: u32) -> Result<(), AppError> {
        let mut channels = std::mem::take(&mut *self.unindexed.channels.lock());
        let after = self.unindexed.at.lock().clone();
        if walk || !after.is_empty() {
            let heads = self.store.read().await?.list_behind(&after, STRETCH).await?;
            let full = i64::try_from(heads.len()) == Ok(STRETCH);
            let at = heads.last().filter(|_| full).map(|last| last.channel.to_string());
            *self.unindexed.at.lock() = at.unwrap_or_default();
            channels.extend(heads.iter().filter(|behind| behind.events > 0).map(|behind| behind.channel));
        }
        let mut waiting: VecDeque<ChannelId> = channels.into_iter().collect();
        while !waiting.is_empty() {
            let (begun, sent) = (Instant::now(), self.unindexed.sent.load(Ordering::Relaxed));
            // On SQLite their writes share a commit; on PostgreSQL each takes a connection.
            let at_once = if self.store.is_shared() { AT_ONCE_SHARED } else { AT_ONCE };
            let some: Vec<ChannelId> = waiting.drain(..waiting.len().min(at_once)).collect();
            let events = BATCH / i64::try_from(some.len()).unwrap_or(BATCH);
            let indexed = some.iter().map(|channel| self.store.index_channel(*channel, events));
            let more = match try_join_all(indexed).await {
                Ok(more) => more,
                Err(error) => {
                    self.unindexed.channels.lock().extend(some.into_iter().chain(waiting));
                    return Err(error.into());
                }
            };
            waiting.extend(some.into_iter().zip(more).filter_map(|(channel, more)| more.then_some(channel)));
            if self.unindexed.sent.load(Ordering::Relaxed) != sent {
                // Whoever sends comes first.
                tokio::time::sleep(begun.elapsed() * rests).await;
            }
        }
        Ok(())
    }
}

/// Whether a message says it: its text, or what its poll asks.
fn says(message: &Message, query: &Query) -> bool {
    let mut text = message.content.clone().unwrap_or_default();
    for option in message.poll.iter().flatten() {
        text.push('\n');
        text.push_str(&option.text);
    }
    query.matches(&text)
}

fn invalid_query(invalid: InvalidQuery) -> AppError {
    let code = match invalid {
        InvalidQuery::TooLong => "query_too_long",
        InvalidQuery::Empty => "query_empty",
        InvalidQuery::ShortPrefix => "prefix_too_short",
    };
    AppError::unprocessable(code, "query", invalid.to_string())
}
