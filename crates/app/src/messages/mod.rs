//! Messages: sending, reading, changing.
//!
//! A send is decided, checked against the channel's rules, and queued in a [lane]; the writing
//! transaction checks again that nothing narrowed since ([`lane::Verdict::Redecide`]), so that
//! whoever loses a right while a message waits does not get it through.

pub mod lane;

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::channel::{ChannelId, Venue};
use hallpass_core::content::{self, BrokenRule, InvalidContent};
use hallpass_core::decision::{self, Action, ChannelKind, Place};
use hallpass_core::entity::{Company, Message, MessageEdit, PollOption};
use hallpass_core::file::FileUse;
use hallpass_core::id::{FileId, MessageId, UserId};
use hallpass_core::reaction::Tally;
use hallpass_core::webhook::EventType;
use hallpass_store::{EventKind, Key, Scan};
use hallpass_token::Reader;

use crate::caller::Caller;
use crate::channels::VenueRef;
use crate::error::AppError;
use crate::files::{Attachment, reader};
use crate::page::{Direction, Page, PageAsk};
use crate::profiles::Shown;
use crate::webhooks::Subject;
use crate::webhooks::told::Told;
use crate::{App, Ticket};
use lane::{Pending, Verdict};

/// How often a send is decided again because rights moved while it waited.
pub(crate) const MAX_DECISIONS: usize = 8;

/// What is to be sent.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Message")]
pub struct SendMessage {
    pub channel: VenueRef,
    pub content: String,
    pub poll: Option<Vec<PollOption>>,
    pub replying_to: Option<MessageId>,
    pub attachments: Vec<FileId>,
}

/// What is changed of a message.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of Message")]
pub struct EditMessage {
    pub content: Option<String>,
    pub pinned: Option<bool>,
    /// Replaces them all.
    pub attachments: Option<Vec<FileId>>,
}

/// A message with its author as the channel's company shows them, and what is counted of it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "three parts, named")]
pub struct MessageWithAuthor {
    pub message: Message,
    pub author: Arc<Shown>,
    pub tallies: Vec<Tally>,
    pub attachments: Vec<Attachment>,
}

impl App {
    /// Sends a message and returns when it is on disk.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a channel out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Forbidden`] (`who_can_post`), [`AppError::Unprocessable`] for a rule of the channel.
    pub async fn send_message(
        &self,
        caller: &Caller,
        ask: SendMessage,
        ticket: Option<Ticket>,
    ) -> Result<MessageWithAuthor, AppError> {
        check_content(&ask.content, !ask.attachments.is_empty())?;
        let mentions = content::mentions(&ask.content);
        let at = self.clock.now();
        let id = MessageId::from_bits(self.bits(ticket));
        let mut caller = caller.clone();
        for _ in 0..MAX_DECISIONS {
            // Before the decision: what narrows later is newer.
            let rev = self.authority.rev();
            let (channel, permit) = self.permit_venue(&caller, Action::SendMessage, ask.channel).await?;
            let rules = channel.rules();
            content::obey(rules, &ask.content, !ask.attachments.is_empty()).map_err(broken_rule)?;
            for option in ask.poll.iter().flatten() {
                content::obey(rules, &option.text, false).map_err(broken_rule)?;
            }
            self.must_be_attachable(&caller, &ask.attachments, &[]).await?;
            if let Some(replied) = ask.replying_to {
                self.must_be_in(&channel, replied).await?;
            }
            self.use_for(id, &ask.attachments).await?;
            let author = self.author(&caller, &channel).await?;
            let mentioned = self.resolve_mentions(&channel, &mentions).await?;
            let message = Message {
                id,
                channel: channel.id(),
                position: 0,
                author,
                content: Some(ask.content.clone()),
                mentions: mentioned,
                mentions_everyone: mentions.everyone,
                poll: ask.poll.clone(),
                replying_to: ask.replying_to,
                created_at: at,
                updated_at: at,
                edited: false,
                pinned: false,
                attachments: ask.attachments.clone(),
                reacted: false,
            };
            let told = self.told(channel.company()).await?;
            let pending = Pending {
                message,
                by_key: match &caller {
                    Caller::Key(live) => Some(live.key.id),
                    Caller::User(_) => None,
                },
                rev,
                subjects: watched(&caller, &channel, &told),
                told,
                // Those who moderate are not slowed down.
                cooldown_secs: rules.cooldown_secs.filter(|_| !permit.moderates),
                may_exist: ticket.is_some_and(|ticket| ticket.is_again()),
                reopens: is_customer(&caller, &channel),
            };
            match self.lanes.send(pending).await? {
                Verdict::Stored(message) => {
                    self.unindexed.note(message.channel);
                    return self.with_author(Some(reader(&caller)), &channel, *message).await;
                }
                Verdict::CoolingDown { retry_after_secs } => {
                    return Err(AppError::Unprocessable {
                        code: "cooldown",
                        param: None,
                        message: format!(
                            "this channel wants a pause; try again in {retry_after_secs} seconds"
                        ),
                        retry_after_secs: Some(retry_after_secs),
                    });
                }
                Verdict::Deleted => return Err(was_deleted()),
                // Rights moved: apply what moved, then decide again.
                Verdict::Redecide { n } => caller = self.renewed(&caller, n).await?,
            }
        }
        Err(AppError::Unavailable("rights change too fast to decide"))
    }

    /// A message that the caller sent, for whoever asks again whether it was.
    ///
    /// # Errors
    /// [`AppError::NotFound`] or [`AppError::MissingScopes`] for a channel where the caller may no longer
    /// send, [`AppError::Conflict`] if the message was deleted.
    pub async fn sent_message(
        &self,
        caller: &Caller,
        channel: VenueRef,
        id: MessageId,
    ) -> Result<MessageWithAuthor, AppError> {
        let (channel, _) = self.permit_venue(caller, Action::SendMessage, channel).await?;
        let message = self.store.read().await?.find_message(id).await?.ok_or_else(was_deleted)?;
        self.with_author(Some(reader(caller)), &channel, message).await
    }

    /// A message with what its view needs besides; private files have no address without a reader.
    pub(crate) async fn with_author(
        &self,
        reader: Option<Reader>,
        channel: &Venue,
        message: Message,
    ) -> Result<MessageWithAuthor, AppError> {
        let author = self.shown(channel.company(), message.author).await?;
        let tallies = self.tallies(std::slice::from_ref(&message)).await?.remove(&message.id);
        let tallies = tallies.unwrap_or_default();
        let mut item = MessageWithAuthor { message, author, tallies, attachments: Vec::new() };
        self.attach(reader, std::slice::from_mut(&mut item)).await?;
        Ok(item)
    }

    /// As whom a message is sent: the user, or for a key the owner of the channel's company.
    pub(crate) async fn author(&self, caller: &Caller, channel: &Venue) -> Result<UserId, AppError> {
        match caller.user() {
            Some(user) => Ok(user),
            None => Ok(self.company_of(channel).await?.owner),
        }
    }

    /// Whether the caller wrote a message: the user did, or for a key one of the same company's keys, or of
    /// the same app's.
    async fn is_own(&self, caller: &Caller, message: &Message) -> Result<bool, AppError> {
        let key = match caller {
            Caller::User(user) => return Ok(user.user() == message.author),
            Caller::Key(live) => &live.key,
        };
        let Some(id) = self.store.read().await?.find_posting_key(message.id).await? else { return Ok(false) };
        let author = self.api_key(id).await?;
        Ok(author.is_some_and(|author| author.holder() == key.holder()))
    }

    /// Whether it is the team that speaks, in a support chat.
    async fn answers_customers(&self, caller: &Caller, channel: &Venue) -> Result<bool, AppError> {
        Ok(channel.kind() == ChannelKind::Support && self.is_support_team(caller, channel.company()).await?)
    }

    async fn company_of(&self, channel: &Venue) -> Result<Arc<Company>, AppError> {
        self.company(channel.company()).await?.ok_or(AppError::NotFound("company"))
    }

    async fn must_be_in(&self, channel: &Venue, replied: MessageId) -> Result<(), AppError> {
        let found = self.store.read().await?.find_message(replied).await?;
        match found {
            Some(message) if message.channel == channel.id() => Ok(()),
            _ => Err(AppError::unprocessable(
                "reply_not_found",
                "replying_to_message_id",
                "the message replied to is not in this channel",
            )),
        }
    }

    /// Those of the mentioned who may see the channel.
    async fn resolve_mentions(
        &self,
        channel: &Venue,
        mentions: &content::Mentions,
    ) -> Result<Vec<UserId>, AppError> {
        let mut users = mentions.ids.clone();
        for name in &mentions.usernames {
            if let Some(user) =
                self.store.read().await?.find_user_by_username(channel.company(), name).await?
                && !users.contains(&user.id)
            {
                users.push(user.id);
            }
        }
        let mut seeing = Vec::with_capacity(users.len());
        for user in users {
            if self.may_see(channel, user).await? {
                seeing.push(user);
            }
        }
        Ok(seeing)
    }

    async fn may_see(&self, channel: &Venue, user: UserId) -> Result<bool, AppError> {
        let standing = self.standing(channel.company(), user).await?;
        let (public, granted) = match channel {
            Venue::Chat(chat) if chat.public => (true, false),
            Venue::Chat(chat) => (false, self.has_access(chat.company, chat.experience, Some(user)).await?),
            Venue::Feed(feed) => (false, feed.seat(user).is_some()),
        };
        let place = Place { kind: channel.kind(), public, granted, admins_post: false };
        Ok(decision::may_see(standing, place))
    }

    /// A channel's messages, newest first unless asked otherwise.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a channel out of reach, [`AppError::MissingScopes`].
    pub async fn list_messages(
        &self,
        caller: &Caller,
        channel: VenueRef,
        page: &PageAsk,
    ) -> Result<Page<MessageWithAuthor>, AppError> {
        let (channel, _) = self.permit_venue(caller, Action::ReadMessages, channel).await?;
        let filter = channel.id().to_string();
        let plan = page.plan(self, "messages.list", channel.company(), &[&filter], (Direction::Desc, 100))?;
        let key = |message: &Message| Key { at: message.position, id: String::new() };
        let feed = channel.id();
        let list = |scan: Scan| async move {
            let from = scan.from.map(|key| key.at);
            self.store.list_messages(feed, scan.descending, from, scan.limit).await
        };
        let page = plan.fetch(self, key, list).await?;
        let (found, page) = page.take();
        let mut tallies = self.tallies(&found).await?;
        let mut items: Vec<MessageWithAuthor> = Vec::with_capacity(found.len());
        for message in found {
            let author = match items.last() {
                // People write several in a row.
                Some(before) if before.message.author == message.author => Arc::clone(&before.author),
                _ => self.shown(channel.company(), message.author).await?,
            };
            let tallies = tallies.remove(&message.id).unwrap_or_default();
            items.push(MessageWithAuthor { message, author, tallies, attachments: Vec::new() });
        }
        self.attach(Some(reader(caller)), &mut items).await?;
        Ok(page.fill(items))
    }

    /// One message.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, without access, or deleted.
    pub async fn retrieve_message(
        &self,
        caller: &Caller,
        id: MessageId,
    ) -> Result<MessageWithAuthor, AppError> {
        let (message, channel, _) = self.permit_message(caller, Action::ReadMessages, id).await?;
        self.with_author(Some(reader(caller)), &channel, message).await
    }

    /// Finds a message and decides about an action in its channel; whether the caller moderates there.
    pub(crate) async fn permit_message(
        &self,
        caller: &Caller,
        action: impl Fn(ChannelKind) -> Action,
        id: MessageId,
    ) -> Result<(Message, Venue, bool), AppError> {
        let found = self.store.read().await?.find_message(id).await?;
        let message = found.ok_or(AppError::NotFound("message"))?;
        let (channel, permit) =
            self.permit_venue(caller, action, message.channel.into()).await.map_err(|error| match error {
                AppError::NotFound(_) => AppError::NotFound("message"),
                error => error,
            })?;
        Ok((message, channel, permit.moderates))
    }

    /// Changes a message: its text by its author; its pin by those who moderate the channel, in a support
    /// chat by the team.
    ///
    /// # Errors
    /// As for sending; [`AppError::Forbidden`] for somebody else's message.
    pub async fn edit_message(
        &self,
        caller: &Caller,
        id: MessageId,
        edit: EditMessage,
    ) -> Result<MessageWithAuthor, AppError> {
        let mut caller = caller.clone();
        for _ in 0..MAX_DECISIONS {
            let rev = self.authority.rev();
            let (message, channel, moderates) = self.permit_message(&caller, Action::SendMessage, id).await?;
            let own = self.is_own(&caller, &message).await?;
            if (edit.content.is_some() || edit.attachments.is_some()) && !own {
                return Err(AppError::Forbidden {
                    code: "not_author",
                    message: "only its author edits a message".to_owned(),
                });
            }
            let pins = edit.pinned.is_some_and(|pinned| pinned != message.pinned);
            if (pins || !own) && !moderates && !self.answers_customers(&caller, &channel).await? {
                return Err(AppError::Forbidden {
                    code: "not_moderator",
                    message: "only those who moderate the channel pin a message".to_owned(),
                });
            }
            let attachments = edit.attachments.as_ref().unwrap_or(&message.attachments);
            if edit.content.is_some() || edit.attachments.is_some() {
                let text = edit.content.as_ref().or(message.content.as_ref()).map_or("", String::as_str);
                check_content(text, !attachments.is_empty())?;
                // What was there before a rule stays.
                let added = edit.attachments.as_ref().is_some_and(|files| !files.is_empty());
                content::obey(channel.rules(), text, added).map_err(broken_rule)?;
            }
            self.must_be_attachable(&caller, attachments, &message.attachments).await?;
            let mentions = edit.content.as_deref().map(content::mentions).unwrap_or_default();
            let mentioned = self.resolve_mentions(&channel, &mentions).await?;
            let told = self.told(channel.company()).await?;
            let change = Decided {
                id,
                rev,
                subjects: watched(&caller, &channel, &told),
                told,
                channel: channel.id(),
                at: self.clock.now(),
                what: What::Edit {
                    content: edit.content.clone(),
                    mentioned,
                    everyone: mentions.everyone,
                    pinned: edit.pinned,
                    attachments: edit.attachments.clone(),
                },
            };
            match self.change(change).await? {
                Changed::Done => return self.retrieve_own(&caller, &channel, id).await,
                Changed::Redecide { n } => caller = self.renewed(&caller, n).await?,
            }
        }
        Err(AppError::Unavailable("rights change too fast to decide"))
    }

    /// What a message said before its edits, the latest first: for its author and those who moderate the
    /// channel (extension).
    ///
    /// # Errors
    /// As for [`retrieve_message`](Self::retrieve_message); [`AppError::Forbidden`] for others.
    pub async fn list_message_edits(
        &self,
        caller: &Caller,
        id: MessageId,
        page: &PageAsk,
    ) -> Result<Page<MessageEdit>, AppError> {
        let (message, channel, moderates) = self.permit_message(caller, Action::ReadMessages, id).await?;
        if !moderates && !self.is_own(caller, &message).await? {
            return Err(AppError::Forbidden {
                code: "not_author",
                message: "only its author or those who moderate the channel see what a message said before"
                    .to_owned(),
            });
        }
        let filter = id.to_string();
        let plan =
            page.plan(self, "messages.edits", channel.company(), &[&filter], (Direction::Desc, 100))?;
        let key = |edit: &MessageEdit| Key { at: edit.n, id: String::new() };
        let list = |scan: Scan| async move {
            let from = scan.from.map(|key| key.at);
            self.store.read().await?.list_message_edits(id, scan.descending, from, scan.limit).await
        };
        plan.fetch(self, key, list).await
    }

    async fn retrieve_own(
        &self,
        caller: &Caller,
        channel: &Venue,
        id: MessageId,
    ) -> Result<MessageWithAuthor, AppError> {
        let found = self.store.read().await?.find_message(id).await?;
        self.with_author(Some(reader(caller)), channel, found.ok_or(AppError::NotFound("message"))?).await
    }

    /// Deletes a message: by its author, or those who moderate the channel.
    ///
    /// # Errors
    /// [`AppError::Forbidden`] for somebody else's message, [`AppError::NotFound`] if it is gone.
    pub async fn delete_message(&self, caller: &Caller, id: MessageId) -> Result<(), AppError> {
        let mut caller = caller.clone();
        for _ in 0..MAX_DECISIONS {
            let rev = self.authority.rev();
            let (message, channel, moderates) =
                self.permit_message(&caller, Action::DeleteMessage, id).await?;
            let own = self.is_own(&caller, &message).await?;
            if !own && !moderates {
                return Err(AppError::Forbidden {
                    code: "not_author",
                    message: "only its author or those who moderate the channel delete a message".to_owned(),
                });
            }
            let told = self.told(channel.company()).await?;
            let change = Decided {
                id,
                rev,
                subjects: watched(&caller, &channel, &told),
                told,
                channel: channel.id(),
                at: self.clock.now(),
                what: What::Delete,
            };
            match self.change(change).await? {
                Changed::Done => return Ok(()),
                Changed::Redecide { n } => caller = self.renewed(&caller, n).await?,
            }
        }
        Err(AppError::Unavailable("rights change too fast to decide"))
    }

    /// Writes one change of a message with its event, unless rights moved since it was decided.
    async fn change(&self, change: Decided) -> Result<Changed, AppError> {
        let (told, channel) = (change.told.any, change.channel);
        self.store
            .write(change, |change, tx| {
                Box::pin(async move {
                    if let Some(n) = lane::moved_since(tx, change.rev, &change.subjects).await? {
                        return Ok(Changed::Redecide { n });
                    }
                    let gone = AppError::NotFound("message");
                    let (id, at) = (change.id, change.at);
                    // The event first: it holds the channel's head, so that of two changes of a message the
                    // second sees what the first did.
                    let (kind, seq) = match &change.what {
                        What::Delete => {
                            let kind = EventKind::MessageDeleted;
                            let seq = tx.insert_event(change.channel, kind, &id.to_string(), at).await?;
                            if !tx.delete_message(id, at).await? {
                                return Err(gone);
                            }
                            // Behind the channel's head: who reacts meanwhile is before this, or too late.
                            tx.delete_reactions_of(id).await?;
                            tx.replace_file_uses(FileUse::Message(id), &[], at).await?;
                            (kind, seq)
                        }
                        What::Edit { content, mentioned, everyone, pinned, attachments } => {
                            let before = tx.find_message(id).await?.ok_or(AppError::NotFound("message"))?;
                            let attachments =
                                attachments.as_ref().filter(|files| **files != before.attachments);
                            let rewritten = content.is_some() && *content != before.content;
                            let edited = rewritten || attachments.is_some();
                            let pinned = pinned.filter(|pinned| *pinned != before.pinned);
                            // What changes nothing is no change: no event, no new time.
                            if !edited && pinned.is_none() {
                                return Ok(Changed::Done);
                            }
                            let text = content
                                .as_deref()
                                .filter(|_| rewritten)
                                .map(|text| (text, mentioned.as_slice(), *everyone));
                            let kind =
                                if edited { EventKind::MessageEdited } else { EventKind::MessagePinned };
                            let seq = tx.insert_event(change.channel, kind, &id.to_string(), at).await?;
                            if rewritten {
                                tx.keep_message_edit(id, at).await?;
                            }
                            if !tx.update_message(id, text, edited, pinned, at).await? {
                                return Err(gone);
                            }
                            if let Some(files) = attachments {
                                let used = FileUse::Message(id);
                                if !tx.replace_file_uses(used, files, at).await? {
                                    return Err(AppError::NotFound("file"));
                                }
                                tx.update_message_attachments(id, files).await?;
                            }
                            (kind, seq)
                        }
                    };
                    if change.told.any {
                        let (event, change_text) = match kind {
                            EventKind::MessageDeleted => (EventType::MessageDeleted, None),
                            EventKind::MessagePinned => {
                                (EventType::MessageUpdated, Some("pinned".to_owned()))
                            }
                            _ => (EventType::MessageUpdated, Some("edited".to_owned())),
                        };
                        let channel = change.channel.to_string();
                        let subject = Subject::Message { message: id, channel, change: change_text, seq };
                        App::tell(tx, change.told.company, event, &subject, at).await?;
                    }
                    Ok(Changed::Done)
                })
            })
            .await
            .inspect(|_| {
                self.unindexed.note(channel);
                if told {
                    self.hooks.wake();
                }
            })
    }
}

/// A change to a stored message, decided at `rev`.
struct Decided {
    id: MessageId,
    rev: u64,
    subjects: Vec<Change>,
    told: Arc<Told>,
    channel: ChannelId,
    at: jiff::Timestamp,
    what: What,
}

enum What {
    Edit {
        content: Option<String>,
        mentioned: Vec<UserId>,
        everyone: bool,
        pinned: Option<bool>,
        attachments: Option<Vec<FileId>>,
    },
    Delete,
}

enum Changed {
    Done,
    Redecide { n: u64 },
}

/// On what a write in a channel depends: an entry about one of these after the decision voids it.
pub(crate) fn watched(caller: &Caller, channel: &Venue, told: &Told) -> Vec<Change> {
    let mut subjects = vec![Change::Channel(channel.id()), Change::Company(channel.company())];
    subjects.extend(told.subjects());
    let experience = match channel {
        Venue::Chat(channel) => Some(channel.experience),
        Venue::Feed(_) => None,
    };
    subjects.extend(experience.map(Change::Experience));
    match caller {
        Caller::Key(live) => {
            subjects.push(Change::Key(live.key.id));
            subjects.extend(live.key.app.map(Change::App));
        }
        Caller::User(user) => {
            subjects.extend_from_slice(user.subjects());
            subjects.push(Change::Standing(channel.company(), user.user()));
            subjects.extend(experience.map(|experience| Change::Access(experience, user.user())));
        }
    }
    subjects
}

/// Whether it is the customer of a support chat who speaks, and not a key in the name of the same user.
fn is_customer(caller: &Caller, channel: &Venue) -> bool {
    match channel {
        Venue::Chat(_) => false,
        Venue::Feed(feed) => feed.customer.is_some() && feed.customer == caller.user(),
    }
}

fn was_deleted() -> AppError {
    AppError::conflict("message_deleted", "an earlier attempt stored this message, and it was deleted since")
}

/// Checks a text; one with files beside it may be empty.
fn check_content(text: &str, has_attachments: bool) -> Result<(), AppError> {
    if text.is_empty() && has_attachments {
        return Ok(());
    }
    content::check(text).map_err(|invalid| {
        let code = match invalid {
            InvalidContent::Empty => "content_empty",
            InvalidContent::TooLong => "content_too_long",
            InvalidContent::Nul => "nul_character",
        };
        AppError::unprocessable(code, "content", invalid.to_string())
    })
}

fn broken_rule(rule: BrokenRule) -> AppError {
    let (code, message) = match rule {
        BrokenRule::BannedWord => ("banned_word", "the message contains a word that is banned here"),
        BrokenRule::BannedUrl => ("banned_url", "links are banned in this channel"),
        BrokenRule::BannedMedia => ("banned_media", "media is banned in this channel"),
    };
    AppError::unprocessable(code, "content", message)
}
