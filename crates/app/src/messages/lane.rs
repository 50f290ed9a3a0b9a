//! Lanes: how sends reach the disk together.
//!
//! 1. A send waits in the lane of its channel. While a batch commits, the next one gathers; before it
//!    closes, it lingers a little for those who were just answered, who tend to come right back.
//! 2. The writing transaction first reads the authority log: a send whose subjects moved since it was
//!    decided is not written but [decided again](Verdict::Redecide).
//! 3. Cooldowns are checked and taken, the counters of all channels move in one statement, the rows
//!    follow.
//! 4. Nobody is answered before the commit. If the batch fails, each send is run alone, so that one
//!    bad one hurts only itself; if the outcome of a commit is unknown, the ids are looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::Clock;
use hallpass_core::authority::Change;
use hallpass_core::channel::ChannelId;
use hallpass_core::entity::Message;
use hallpass_core::id::{ApiKeyId, FeedId, UserId};
use hallpass_core::webhook::EventType;
use hallpass_store::{Append, FeedTouch, HeadBump, NewMessage, NewRun, Store, StoreError, Tx};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::AppError;
use crate::webhooks::told::Told;

/// The most sends in one transaction.
const MAX_BATCH: usize = 512;
/// The most sends that wait in one lane; further ones are told to come back.
const MAX_WAITING: usize = 8192;
/// A batch lingers at most this fraction of what the last one took.
const LINGER: u32 = 8;
/// Lanes on PostgreSQL, where several transactions run at once.
const SHARED_LANES: usize = 2;

/// A send that was decided.
pub(crate) struct Pending {
    pub(crate) message: Message,
    /// The API key that posts it in its author's name.
    pub(crate) by_key: Option<ApiKeyId>,
    /// The authority number before the decision.
    pub(crate) rev: u64,
    /// On what the decision depends.
    pub(crate) subjects: Vec<Change>,
    /// The pause between two posts that this author must keep here.
    pub(crate) cooldown_secs: Option<u32>,
    /// An earlier attempt may have stored it.
    pub(crate) may_exist: bool,
    /// Whose webhooks are told of it; part of the decision.
    pub(crate) told: Arc<Told>,
    /// The customer of a support chat writes: it awaits a response again.
    pub(crate) reopens: bool,
}

/// What became of a send.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// On disk.
    Stored(Box<Message>),
    /// Too soon after the author's last post.
    CoolingDown {
        /// Until then.
        retry_after_secs: u64,
    },
    /// An earlier attempt stored it, and it was deleted since.
    Deleted,
    /// Rights moved while it waited; `n` is how far the log is.
    Redecide {
        /// The log's head.
        n: u64,
    },
}

type Reply = oneshot::Sender<Result<Verdict, AppError>>;

/// The lanes. One on SQLite, whose writer is one; a few on PostgreSQL, chosen by channel.
pub(crate) struct Lanes {
    senders: Vec<mpsc::Sender<(Pending, Reply)>>,
}

impl Lanes {
    /// Starts them; `hint` is given when something was put into the queues of webhooks.
    pub(crate) fn start(store: &Store, clock: &Arc<dyn Clock>, hint: &Arc<Notify>) -> Self {
        let count = if store.is_shared() { SHARED_LANES } else { 1 };
        let senders = (0..count)
            .map(|_| {
                let (sender, waiting) = mpsc::channel(MAX_WAITING);
                tokio::spawn(serve(store.clone(), Arc::clone(clock), Arc::clone(hint), waiting));
                sender
            })
            .collect();
        Self { senders }
    }

    /// How many sends wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.senders.iter().map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }

    /// Queues a send and waits for what becomes of it.
    pub(crate) async fn send(&self, pending: Pending) -> Result<Verdict, AppError> {
        let lanes = self.senders.len() as u128;
        let lane = usize::try_from(pending.message.channel.bits() % lanes).unwrap_or(0);
        let (reply, answer) = oneshot::channel();
        self.senders[lane]
            .try_send((pending, reply))
            .map_err(|_| AppError::Unavailable("too many messages are waiting to be written"))?;
        answer.await.unwrap_or(Err(AppError::Unavailable("the server is shutting down")))
    }
}

async fn serve(
    store: Store,
    clock: Arc<dyn Clock>,
    hint: Arc<Notify>,
    mut waiting: mpsc::Receiver<(Pending, Reply)>,
) {
    let mut arrived = Vec::with_capacity(MAX_BATCH);
    let (mut answered, mut took) = (0, Duration::ZERO);
    while waiting.recv_many(&mut arrived, MAX_BATCH).await > 0 {
        // Without this, two halves of the clients take turns, each waiting out the other's commit.
        let started = clock.monotonic();
        let expected = (arrived.len() + answered).min(MAX_BATCH);
        while answered > 1
            && arrived.len() < expected
            && clock.monotonic().saturating_sub(started) < took / LINGER
        {
            tokio::task::yield_now().await;
            while arrived.len() < expected
                && let Ok(next) = waiting.try_recv()
            {
                arrived.push(next);
            }
        }
        let started = clock.monotonic();
        answered = arrived.len();
        let (batch, replies): (Vec<Pending>, Vec<Reply>) = arrived.drain(..).unzip();
        let told = batch.iter().any(|pending| !pending.told.of_messages.is_empty());
        for (reply, verdict) in replies.into_iter().zip(run(&store, batch).await) {
            // A caller that went away does not need the answer; the message stands.
            let _gone = reply.send(verdict);
        }
        if told {
            hint.notify_one();
        }
        took = clock.monotonic().saturating_sub(started);
    }
}

/// Writes a batch; one verdict each, in order.
async fn run(store: &Store, batch: Vec<Pending>) -> Vec<Result<Verdict, AppError>> {
    let size = batch.len();
    let batch = Arc::new(batch);
    match write(store, Arc::clone(&batch)).await {
        Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
        Err(StoreError::Unknown(source)) => {
            tracing::warn!(error = ?source, messages = size, "a batch of messages has an unknown outcome");
            look_up(store, &batch).await
        }
        Err(StoreError::Unavailable(source)) => {
            tracing::warn!(error = ?source, messages = size, "a batch of messages was not written");
            let refused = || Err(AppError::Unavailable("the database is not available"));
            (0..size).map(|_| refused()).collect()
        }
        Err(error) if size == 1 => vec![Err(error.into())],
        Err(error) => {
            // Something about one of them: each alone.
            tracing::warn!(error = %error, messages = size, "a batch of messages is run one by one");
            let Some(batch) = Arc::into_inner(batch) else {
                return (0..size).map(|_| Err(AppError::Unavailable("a write is still under way"))).collect();
            };
            let mut verdicts = Vec::with_capacity(size);
            for pending in batch {
                verdicts.extend(Box::pin(run(store, vec![pending])).await);
            }
            verdicts
        }
    }
}

async fn write(store: &Store, batch: Arc<Vec<Pending>>) -> Result<Vec<Verdict>, StoreError> {
    store.append(batch, |batch, tx| Box::pin(write_all(tx, batch))).await
}

/// The transaction: steps 2 and 3.
async fn write_all(mut tx: Append<'_>, batch: &[Pending]) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts: Vec<Option<Verdict>> = vec![None; batch.len()];
    redecide(&mut tx, batch, &mut verdicts).await?;
    find_existing(&mut tx, batch, &mut verdicts).await?;
    cool_down(&mut tx, batch, &mut verdicts).await?;

    let mut counts: BTreeMap<ChannelId, i64> = BTreeMap::new();
    for (pending, _) in batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()) {
        *counts.entry(pending.message.channel).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(verdicts.into_iter().flatten().collect());
    }
    let bumps: Vec<HeadBump> = counts
        .iter()
        .map(|(channel, messages)| HeadBump { channel: *channel, messages: *messages })
        .collect();
    // The heads say where each channel's run of this batch ends; count down to where it starts.
    let mut next: HashMap<ChannelId, (i64, i64)> = tx
        .bump_heads(&bumps)
        .await?
        .into_iter()
        .map(|(channel, position, seq)| {
            let count = counts.get(&channel).copied().unwrap_or(0);
            (channel, (position - count, seq - count))
        })
        .collect();
    let mut rows = Vec::with_capacity(batch.len());
    let mut touches: BTreeMap<FeedId, FeedTouch> = BTreeMap::new();
    for (pending, verdict) in batch.iter().zip(&mut verdicts).filter(|(_, verdict)| verdict.is_none()) {
        let message = &pending.message;
        let place = next.get_mut(&message.channel).ok_or(StoreError::Corrupt {
            table: "channel_heads",
            column: "channel_id",
            id: message.channel.to_string(),
        })?;
        place.0 += 1;
        place.1 += 1;
        rows.push(NewMessage {
            id: message.id,
            channel: message.channel,
            position: place.0,
            seq: place.1,
            author: message.author,
            posted_by_key: pending.by_key,
            content: message.content.clone().unwrap_or_default(),
            mentions: message.mentions.clone(),
            mentions_everyone: message.mentions_everyone,
            poll: message.poll.as_ref().and_then(|poll| serde_json::to_string(poll).ok()),
            replying_to: message.replying_to,
            attachments: message.attachments.clone(),
            at: message.created_at,
        });
        if let ChannelId::Feed(feed) = message.channel {
            touch(&mut touches, feed, pending, place.0);
        }
        *verdict = Some(Verdict::Stored(Box::new(Message { position: place.0, ..message.clone() })));
    }
    tx.insert_messages(&rows).await?;
    let runs = runs(batch, &rows);
    if !runs.is_empty() {
        tx.insert_webhook_runs(&runs).await?;
    }
    // Chat channels are not touched, and most batches have nothing else.
    if !touches.is_empty() {
        tx.touch_feeds(&touches.into_values().collect::<Vec<_>>()).await?;
    }
    Ok(verdicts.into_iter().flatten().collect())
}

/// The outbox of a batch: for each of its channels, a row per webhook that is told.
fn runs(batch: &[Pending], rows: &[NewMessage]) -> Vec<NewRun> {
    let mut spans: BTreeMap<ChannelId, (i64, i64)> = BTreeMap::new();
    let told: BTreeMap<ChannelId, &Arc<Told>> = batch
        .iter()
        .filter(|pending| !pending.told.of_messages.is_empty())
        .map(|pending| (pending.message.channel, &pending.told))
        .collect();
    if told.is_empty() {
        return Vec::new();
    }
    for row in rows {
        let span = spans.entry(row.channel).or_insert((row.seq, row.seq));
        *span = (span.0.min(row.seq), span.1.max(row.seq));
    }
    let mut runs = Vec::new();
    for (channel, (from_seq, to_seq)) in spans {
        let Some(told) = told.get(&channel) else { continue };
        let at =
            rows.iter().rev().find(|row| row.channel == channel).map_or(Timestamp::UNIX_EPOCH, |row| row.at);
        runs.extend(told.of_messages.iter().map(|webhook| NewRun {
            webhook: *webhook,
            event: EventType::ChatMessageCreated,
            company: told.company,
            channel,
            from_seq,
            to_seq,
            at,
        }));
    }
    runs
}

/// Notes what a message does to its feed.
fn touch(touches: &mut BTreeMap<FeedId, FeedTouch>, feed: FeedId, pending: &Pending, position: i64) {
    let at = pending.message.created_at;
    let touch = touches.entry(feed).or_insert(FeedTouch { feed, at, reopens: false, readers: Vec::new() });
    touch.at = touch.at.max(at);
    touch.reopens |= pending.reopens;
    let author = pending.message.author;
    touch.readers.retain(|(user, _)| *user != author);
    touch.readers.push((author, position));
}

/// Voids what was decided before its subjects moved. What it leaves stays right until the commit.
async fn redecide(
    tx: &mut Append<'_>,
    batch: &[Pending],
    verdicts: &mut [Option<Verdict>],
) -> Result<(), StoreError> {
    let oldest = batch.iter().map(|pending| pending.rev).min().unwrap_or(u64::MAX);
    let moved = tx.list_authority_since(oldest).await?;
    let Some(last) = moved.last() else { return Ok(()) };
    // A full page means more behind it: decide everything again rather than read on in here.
    let all = moved.len() == hallpass_store::AUTHORITY_PAGE;
    for (pending, verdict) in batch.iter().zip(verdicts) {
        let hit = |subject: &Change| moved.iter().any(|e| e.n > pending.rev && e.change == *subject);
        if all || pending.subjects.iter().any(hit) {
            *verdict = Some(Verdict::Redecide { n: last.n });
        }
    }
    Ok(())
}

/// How far the log is, if one of `subjects` moved since `rev`. If none did, none does until the commit.
pub(crate) async fn moved_since(
    tx: &mut Tx,
    rev: u64,
    subjects: &[Change],
) -> Result<Option<u64>, StoreError> {
    tx.hold_authority().await?;
    let moved = tx.list_authority_since(rev).await?;
    let all = moved.len() == hallpass_store::AUTHORITY_PAGE;
    let hit = all || moved.iter().any(|entry| subjects.contains(&entry.change));
    Ok(moved.last().filter(|_| hit).map(|entry| entry.n))
}

/// Finds sends that an earlier attempt stored.
async fn find_existing(
    tx: &mut Append<'_>,
    batch: &[Pending],
    verdicts: &mut [Option<Verdict>],
) -> Result<(), StoreError> {
    for (pending, verdict) in batch.iter().zip(verdicts) {
        if pending.may_exist
            && verdict.is_none()
            && tx.find_message_place(pending.message.id).await?.is_some()
        {
            *verdict = Some(match tx.find_message(pending.message.id).await? {
                Some(message) => Verdict::Stored(Box::new(message)),
                None => Verdict::Deleted,
            });
        }
    }
    Ok(())
}

/// Checks and takes cooldowns, also among the sends of this batch.
async fn cool_down(
    tx: &mut Append<'_>,
    batch: &[Pending],
    verdicts: &mut [Option<Verdict>],
) -> Result<(), StoreError> {
    // In the order of channel and user, so that two nodes take the same rows in the same order.
    let mut waiting: BTreeMap<(ChannelId, UserId), Vec<(usize, u32)>> = BTreeMap::new();
    for (index, pending) in batch.iter().enumerate() {
        if let Some(secs) = pending.cooldown_secs
            && verdicts[index].is_none()
        {
            let key = (pending.message.channel, pending.message.author);
            waiting.entry(key).or_default().push((index, secs));
        }
    }
    for ((channel, user), sends) in waiting {
        // Takes the row before reading it, so that of two nodes the second waits for the first.
        for (index, secs) in sends {
            let now = batch[index].message.created_at;
            let pause = i64::from(secs) * 1000;
            match tx.take_cooldown(channel, user, pause, now).await? {
                None => {}
                Some(posted_at) => {
                    let left = posted_at + pause - now.as_millisecond();
                    let retry_after_secs = u64::try_from((left + 999) / 1000).unwrap_or(1).max(1);
                    verdicts[index] = Some(Verdict::CoolingDown { retry_after_secs });
                }
            }
        }
    }
    Ok(())
}

/// After a commit of unknown outcome: what is there was stored, and is answered as such. What is not
/// there, or cannot be asked, was not acknowledged.
async fn look_up(store: &Store, batch: &[Pending]) -> Vec<Result<Verdict, AppError>> {
    let mut verdicts = Vec::with_capacity(batch.len());
    let patience = tokio::time::timeout(Duration::from_secs(5), store.read()).await;
    let mut conn = match patience {
        Ok(Ok(conn)) => Some(conn),
        _ => None,
    };
    for pending in batch {
        let found = match &mut conn {
            Some(conn) => conn.find_message(pending.message.id).await.ok().flatten(),
            None => None,
        };
        verdicts.push(match found {
            Some(message) => Ok(Verdict::Stored(Box::new(message))),
            None => Err(AppError::Unavailable("the database is not available")),
        });
    }
    verdicts
}
