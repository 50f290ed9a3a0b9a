//! Reactions to messages, and votes in their polls.
//!
//! Whoever may read a message may react to it, unless its channel says that nobody does; voting is
//! answering, not reacting, and is always open. A reaction is decided as a message is: once before it is
//! queued, and again inside the writing transaction if rights moved since.

use std::collections::HashMap;
use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::channel::{ChannelId, Venue};
use hallpass_core::decision::Action;
use hallpass_core::entity::Message;
use hallpass_core::id::{ApiKeyId, MessageId, ReactionId};
use hallpass_core::reaction::{MAX_EMOJI, Mark, Reacted, Reaction, Tally};
use hallpass_core::webhook::EventType;
use hallpass_store::{EventKind, Key, Store, StoreError, Tx};
use tokio::sync::Semaphore;

use crate::caller::Caller;
use crate::error::AppError;
use crate::messages::lane::moved_since;
use crate::messages::{MAX_DECISIONS, watched};
use crate::page::{Direction, Page, PageAsk};
use crate::profiles::Shown;
use crate::webhooks::Subject;
use crate::webhooks::told::Told;
use crate::{App, Ticket};

/// The most transactions in which a round of housekeeping deletes what deleted messages left behind.
const MAX_SWEEPS: usize = 50;

/// The most that are written at once on PostgreSQL: each waits for its channel's head on a connection, and
/// a message that everybody likes must leave some to others.
const SHARED_AT_ONCE: usize = 3;

pub(crate) fn at_once(store: &Store) -> usize {
    // On SQLite the writer takes them together.
    if store.is_shared() { SHARED_AT_ONCE } else { Semaphore::MAX_PERMITS }
}

/// A reaction with its user as the channel's company shows them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "two parts, named")]
pub struct ReactionWithUser {
    pub reaction: Reaction,
    pub user: Arc<Shown>,
}

/// Which reaction is to be taken back.
#[derive(Clone, Debug)]
pub enum WhichReaction {
    /// This one.
    Id(ReactionId),
    /// The caller's own with this mark.
    Own(MessageId, Mark),
}

/// A reaction, decided at `rev`.
struct Decided {
    new: Reaction,
    posted_by_key: Option<ApiKeyId>,
    channel: ChannelId,
    told: Arc<Told>,
    rev: u64,
    subjects: Vec<Change>,
}

/// A reaction to be taken back, decided at `rev`.
struct Withdrawn {
    reaction: Reaction,
    channel: ChannelId,
    rev: u64,
    subjects: Vec<Change>,
    at: jiff::Timestamp,
}

enum Outcome<T> {
    Done(T),
    Redecide { n: u64 },
}

impl App {
    /// What is counted of messages: one query if one of them was ever marked, none otherwise.
    pub(crate) async fn tallies(
        &self,
        messages: &[Message],
    ) -> Result<HashMap<MessageId, Vec<Tally>>, AppError> {
        let marked: Vec<MessageId> =
            messages.iter().filter(|message| message.reacted).map(|message| message.id).collect();
        if marked.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.store.read().await?.list_tallies(&marked).await?)
    }

    /// Reacts to a message or votes in its poll. The same again answers what is there; another vote moves
    /// the one that is there.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a message out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Forbidden`] (`who_can_react`), [`AppError::Unprocessable`] for a vote without such an
    /// option, or one emoji too many.
    pub async fn react(
        &self,
        caller: &Caller,
        message: MessageId,
        mark: Mark,
        ticket: Option<Ticket>,
    ) -> Result<ReactionWithUser, AppError> {
        let id = ReactionId::from_bits(self.bits(ticket));
        let created_at = self.clock.now();
        let mut caller = caller.clone();
        for _ in 0..MAX_DECISIONS {
            let rev = self.authority.rev();
            let (found, channel, _) = self.permit_message(&caller, Action::ReadMessages, message).await?;
            may_mark(&channel, &found, &mark)?;
            let user = self.author(&caller, &channel).await?;
            let posted_by_key = match &caller {
                Caller::Key(live) => Some(live.key.id),
                Caller::User(_) => None,
            };
            let by_key = posted_by_key.is_some();
            let told = self.told(channel.company()).await?;
            let any_told = told.any;
            let decided = Decided {
                new: Reaction { id, message, user, mark: mark.clone(), by_key, created_at },
                posted_by_key,
                channel: channel.id(),
                rev,
                subjects: watched(&caller, &channel, &told),
                told,
            };
            let turn = self.reacting.acquire().await;
            let outcome = self.store.write(decided, |decided, tx| Box::pin(add(decided, tx))).await?;
            drop(turn);
            match outcome {
                Outcome::Done(reaction) => {
                    if any_told {
                        self.hooks.wake();
                    }
                    return self.with_user(&channel, reaction).await;
                }
                Outcome::Redecide { n } => caller = self.renewed(&caller, n).await?,
            }
        }
        Err(AppError::Unavailable("rights change too fast to decide"))
    }

    /// A reaction that the caller made, for whoever asks again whether it was.
    ///
    /// # Errors
    /// As for [`react`](Self::react); [`AppError::Conflict`] if it was taken back.
    pub async fn made_reaction(&self, caller: &Caller, id: ReactionId) -> Result<ReactionWithUser, AppError> {
        match self.retrieve_reaction(caller, id).await {
            Err(AppError::NotFound(_)) => Err(AppError::conflict(
                "reaction_deleted",
                "an earlier attempt stored this reaction, and it was taken back since",
            )),
            found => found,
        }
    }

    /// A message's reactions and votes, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a message out of reach, [`AppError::MissingScopes`].
    pub async fn list_reactions(
        &self,
        caller: &Caller,
        message: MessageId,
        page: &PageAsk,
    ) -> Result<Page<ReactionWithUser>, AppError> {
        let (_, channel, _) = self.permit_message(caller, Action::ReadMessages, message).await?;
        let filter = message.to_string();
        let plan =
            page.plan(self, "reactions.list", channel.company(), &[&filter], (Direction::Desc, 100))?;
        let key = |reaction: &Reaction| Key {
            at: reaction.created_at.as_millisecond(),
            id: reaction.id.to_string(),
        };
        let list = |scan| async move { self.store.read().await?.list_reactions(message, &scan).await };
        let (found, page) = plan.fetch(self, key, list).await?.take();
        let mut items = Vec::with_capacity(found.len());
        for reaction in found {
            items.push(self.with_user(&channel, reaction).await?);
        }
        Ok(page.fill(items))
    }

    /// One reaction or vote.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach or taken back, [`AppError::MissingScopes`].
    pub async fn retrieve_reaction(
        &self,
        caller: &Caller,
        id: ReactionId,
    ) -> Result<ReactionWithUser, AppError> {
        let (reaction, channel, _) = self.permit_reaction(caller, id).await?;
        self.with_user(&channel, reaction).await
    }

    async fn permit_reaction(
        &self,
        caller: &Caller,
        id: ReactionId,
    ) -> Result<(Reaction, Venue, bool), AppError> {
        let gone = || AppError::NotFound("reaction");
        let reaction = self.store.read().await?.find_reaction(id).await?.ok_or_else(gone)?;
        let permitted = self.permit_message(caller, Action::ReadMessages, reaction.message).await;
        let (_, channel, moderates) = permitted.map_err(|error| match error {
            AppError::NotFound(_) => gone(),
            error => error,
        })?;
        Ok((reaction, channel, moderates))
    }

    pub(crate) async fn with_user(
        &self,
        channel: &Venue,
        reaction: Reaction,
    ) -> Result<ReactionWithUser, AppError> {
        let user = self.shown(channel.company(), reaction.user).await?;
        Ok(ReactionWithUser { reaction, user })
    }

    /// Takes a reaction or vote back: whose it is, or those who moderate the channel.
    ///
    /// # Errors
    /// [`AppError::Forbidden`] for somebody else's, [`AppError::NotFound`] if there is none.
    pub async fn delete_reaction(&self, caller: &Caller, which: WhichReaction) -> Result<(), AppError> {
        let mut caller = caller.clone();
        for _ in 0..MAX_DECISIONS {
            let rev = self.authority.rev();
            let (reaction, channel, moderates) = match &which {
                WhichReaction::Id(id) => self.permit_reaction(&caller, *id).await?,
                WhichReaction::Own(message, mark) => self.own_reaction(&caller, *message, mark).await?,
            };
            // The company's keys take back what its keys made, not what its owner did by hand.
            let own = caller.user().map_or(reaction.by_key, |user| user == reaction.user);
            if !own && !moderates {
                return Err(AppError::Forbidden {
                    code: "not_author",
                    message: "only whose it is or those who moderate the channel take a reaction back"
                        .to_owned(),
                });
            }
            let told = self.told(channel.company()).await?;
            let withdrawn = Withdrawn {
                reaction,
                channel: channel.id(),
                rev,
                subjects: watched(&caller, &channel, &told),
                at: self.clock.now(),
            };
            let turn = self.reacting.acquire().await;
            let outcome =
                self.store.write(withdrawn, |withdrawn, tx| Box::pin(withdraw(withdrawn, tx))).await?;
            drop(turn);
            match outcome {
                Outcome::Done(()) => return Ok(()),
                Outcome::Redecide { n } => caller = self.renewed(&caller, n).await?,
            }
        }
        Err(AppError::Unavailable("rights change too fast to decide"))
    }

    async fn own_reaction(
        &self,
        caller: &Caller,
        message: MessageId,
        mark: &Mark,
    ) -> Result<(Reaction, Venue, bool), AppError> {
        let (_, channel, moderates) = self.permit_message(caller, Action::ReadMessages, message).await?;
        let user = self.author(caller, &channel).await?;
        let found = self.store.read().await?.find_own_reaction(message, user, mark).await?;
        match found {
            Some(reaction) if reaction.mark == *mark => Ok((reaction, channel, moderates)),
            _ => Err(AppError::NotFound("reaction")),
        }
    }

    /// Deletes what deleted messages left behind; part of the housekeeping.
    pub(crate) async fn sweep_reactions(&self) -> Result<(), AppError> {
        for _ in 0..MAX_SWEEPS {
            let more: Result<bool, StoreError> =
                self.store.write((), |(), tx| Box::pin(tx.sweep_reactions())).await;
            if !more? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether the channel and the message take such a mark.
fn may_mark(channel: &Venue, message: &Message, mark: &Mark) -> Result<(), AppError> {
    match mark {
        Mark::Emoji(_) if channel.rules().no_reactions => Err(AppError::Forbidden {
            code: "who_can_react",
            message: "nobody may react in this channel".to_owned(),
        }),
        Mark::Vote(option) if !has_option(message, option) => Err(AppError::unprocessable(
            "poll_option_not_found",
            "poll_option_id",
            "the message has no poll with this option",
        )),
        _ => Ok(()),
    }
}

fn has_option(message: &Message, option: &str) -> bool {
    message.poll.iter().flatten().any(|known| known.id == option)
}

/// The transaction of a reaction or vote.
async fn add(decided: &Decided, tx: &mut Tx) -> Result<Outcome<Reaction>, AppError> {
    if let Some(n) = moved_since(tx, decided.rev, &decided.subjects).await? {
        return Ok(Outcome::Redecide { n });
    }
    let new = &decided.new;
    let mut before = tx.find_own_reaction(new.message, new.user, &new.mark).await?;
    // What a key did in the owner's name becomes the owner's when they do it by hand, never the other way.
    if let Some(before) = before.as_mut().filter(|before| before.by_key && !new.by_key) {
        tx.take_over_reaction(before.id).await?;
        before.by_key = false;
    }
    if let Some(before) = before.as_ref().filter(|before| before.mark == new.mark) {
        return Ok(Outcome::Done(before.clone()));
    }
    if new.by_key && before.as_ref().is_some_and(|before| !before.by_key) {
        return Err(AppError::Forbidden {
            code: "not_author",
            message: "the company's owner has voted by hand, and only they move that vote".to_owned(),
        });
    }
    tx.mark_reacted(new.message).await?;
    let kind = match new.mark {
        Mark::Emoji(_) => EventKind::ReactionCreated,
        Mark::Vote(_) => EventKind::VoteCast,
    };
    let reaction = before.as_ref().map_or(new.id, |before| before.id);
    let subject = Reacted { message: new.message, reaction }.to_string();
    tx.insert_event(decided.channel, kind, &subject, new.created_at).await?;
    // The head is held: from here on nobody else marks or deletes anything in this channel.
    if tx.find_message(new.message).await?.is_none() {
        return Err(AppError::NotFound("message"));
    }
    let (done, stored) = match (before, &new.mark) {
        (Some(vote), Mark::Vote(option)) => {
            let done = tx.move_vote(&vote, option, new.created_at).await?;
            (done, Reaction { mark: new.mark.clone(), ..vote })
        }
        _ => (tx.insert_reaction(new, decided.posted_by_key).await?, new.clone()),
    };
    if !done {
        // The same user at the same time on another node: once more, with what they did in sight.
        return Err(StoreError::Serialization.into());
    }
    if tx.count_emoji(new.message).await? > MAX_EMOJI {
        return Err(AppError::unprocessable(
            "too_many_emoji",
            "emoji",
            format!("a message takes at most {MAX_EMOJI} different emoji"),
        ));
    }
    if decided.told.any {
        let subject = Subject::Reaction { message: stored.message, reaction: stored.id };
        let event = EventType::ChatReactionCreated;
        App::tell(tx, decided.told.company, event, &subject, new.created_at).await?;
    }
    Ok(Outcome::Done(stored))
}

/// The transaction that takes one back.
async fn withdraw(withdrawn: &Withdrawn, tx: &mut Tx) -> Result<Outcome<()>, AppError> {
    if let Some(n) = moved_since(tx, withdrawn.rev, &withdrawn.subjects).await? {
        return Ok(Outcome::Redecide { n });
    }
    let Reaction { id, message, mark, .. } = &withdrawn.reaction;
    let kind = match mark {
        Mark::Emoji(_) => EventKind::ReactionDeleted,
        Mark::Vote(_) => EventKind::VoteWithdrawn,
    };
    let subject = Reacted { message: *message, reaction: *id }.to_string();
    tx.insert_event(withdrawn.channel, kind, &subject, withdrawn.at).await?;
    // Of a deleted message the rest is swept, not taken back.
    if tx.find_message(*message).await?.is_none() || !tx.delete_reaction(*id).await? {
        return Err(AppError::NotFound("reaction"));
    }
    Ok(Outcome::Done(()))
}
