//! Letters: queued in the transaction that causes them, sealed at rest, sent by a worker beside the requests.
//!
//! A letter is tried for a day and then given up. Where nothing sends them they stay for a day, to be looked
//! at ([`Post::Outbox`]), or are written to the log ([`Post::Log`]).

use std::time::Duration;

use hallpass_core::id::MailId;
use hallpass_core::locale::Locale;
use hallpass_core::mail::Letter;
pub use hallpass_mail::Mailer;
use hallpass_mail::Unsent;
use hallpass_store::{MailState, SealedMail, Tx};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::App;
use crate::error::AppError;

/// How long a letter is tried, and kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long one node has a letter to itself: longer than sending takes.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// How many are taken at once.
const AT_ONCE: i64 = 8;
/// How often the queue is looked at if nobody calls.
const LOOK: Duration = Duration::from_secs(2);

/// Where letters go.
#[derive(Debug)]
pub enum Post {
    /// Nowhere: they are kept, for [`App::list_mails`]. What `hallpass dev` and tests do.
    Outbox,
    /// Into the log, codes and all, under the target `hallpass::mail`: a server without configuration.
    Log,
    /// Nowhere; the log says so, and not what they said.
    Nowhere,
    /// By SMTP.
    Smtp(Mailer),
}

/// A letter with its words.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// To whom.
    pub to: String,
    /// In which language.
    pub locale: Locale,
    /// What it is about.
    pub letter: Letter,
    /// When it was written.
    pub at: Timestamp,
}

/// Shows neither whose it is nor what it says.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail({}, {:?})", self.id, self.letter)
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Envelope {
    to: String,
    locale: String,
    letter: Letter,
}

fn place(id: MailId) -> Vec<u8> {
    format!("mails/sealed/{id}").into_bytes()
}

/// How long after a failed attempt the next one is made: a minute, two, four, … an hour.
fn back_off(attempts: i64) -> SignedDuration {
    let minutes = 1_i64 << attempts.clamp(1, 7) >> 1;
    SignedDuration::from_mins(minutes.min(60))
}

impl App {
    /// Queues a letter.
    pub(crate) async fn post(
        &self,
        tx: &mut Tx,
        to: &str,
        locale: Locale,
        letter: &Letter,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let state = if matches!(self.mail.post, Post::Outbox) { MailState::Kept } else { MailState::Queued };
        self.put(tx, to, locale, letter, state, at).await
    }

    /// Does the work of queueing a letter that goes nowhere.
    pub(crate) async fn post_void(
        &self,
        tx: &mut Tx,
        to: &str,
        locale: Locale,
        letter: &Letter,
        at: Timestamp,
    ) -> Result<(), AppError> {
        self.put(tx, to, locale, letter, MailState::Void, at).await
    }

    async fn put(
        &self,
        tx: &mut Tx,
        to: &str,
        locale: Locale,
        letter: &Letter,
        state: MailState,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let id = MailId::generate(at, &*self.entropy);
        let envelope =
            Envelope { to: to.to_owned(), locale: locale.tag().to_owned(), letter: letter.clone() };
        let plain = Zeroizing::new(serde_json::to_vec(&envelope).expect("texts serialise"));
        let sealed = self.mail.seal.seal(&*self.entropy, &place(id), &plain);
        tx.insert_mail(id, &sealed, state, at).await?;
        Ok(())
    }

    /// The newest letters that were written and not sent, newest first.
    ///
    /// # Errors
    /// Those of the store, also for a letter that does not open.
    pub async fn list_mails(&self, limit: i64) -> Result<Vec<Mail>, AppError> {
        let sealed = self.store.read().await?.list_mails(limit).await?;
        sealed.iter().map(|mail| self.open_mail(mail)).collect()
    }

    fn open_mail(&self, mail: &SealedMail) -> Result<Mail, AppError> {
        let corrupt = || {
            AppError::Internal(hallpass_store::StoreError::Corrupt {
                table: "mails",
                column: "sealed",
                id: mail.id.to_string(),
            })
        };
        let plain = self.mail.seal.open(&place(mail.id), &mail.sealed).map_err(|_| corrupt())?;
        let Envelope { to, locale, letter } = serde_json::from_slice(&plain).map_err(|_| corrupt())?;
        let locale = Locale::parse(&locale).ok_or_else(corrupt)?;
        let at = Timestamp::from_millisecond(mail.id.millis()).map_err(|_| corrupt())?;
        Ok(Mail { id: mail.id, to, locale, letter, at })
    }

    /// Sends what is due until it is gone; how many letters were sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn send_mails(&self) -> Result<u32, AppError> {
        let mut sent = 0;
        loop {
            let now = self.clock.now();
            let due = self
                .store
                .write(now, |now, tx| {
                    Box::pin(
                        async move { Ok::<_, AppError>(tx.claim_mails(*now, *now + LEASE, AT_ONCE).await?) },
                    )
                })
                .await?;
            if due.is_empty() {
                return Ok(sent);
            }
            for mail in due {
                sent += u32::from(self.send_mail(&mail).await?);
            }
        }
    }

    /// Sends one letter; `false` if it was not sent, now or ever.
    async fn send_mail(&self, sealed: &SealedMail) -> Result<bool, AppError> {
        let id = sealed.id;
        let outcome = match self.open_mail(sealed) {
            Ok(mail) => self.hand_over(&mail).await,
            // Nobody will ever read it.
            Err(_) => Err(Unsent::Never("it does not open".to_owned())),
        };
        let now = self.clock.now();
        let written = Timestamp::from_millisecond(id.millis()).unwrap_or(now);
        let next = now + back_off(sealed.attempts);
        let (again, sent) = match outcome {
            Ok(()) => (None, true),
            Err(Unsent::Later(why)) if next < written + KEPT => {
                tracing::warn!(mail.id = %id, attempts = sealed.attempts, reason = %why, "a mail was not sent; it is tried again");
                (Some(next), false)
            }
            Err(Unsent::Later(why) | Unsent::Never(why)) => {
                tracing::error!(mail.id = %id, attempts = sealed.attempts, reason = %why, "a mail was not sent, and is given up");
                (None, false)
            }
        };
        let outcome = if sent {
            "sent"
        } else if again.is_some() {
            "put_off"
        } else {
            "given_up"
        };
        metrics::counter!("hallpass_mails_total", "outcome" => outcome).increment(1);
        self.store
            .write((id, again), |(id, again), tx| {
                Box::pin(async move {
                    match again {
                        Some(at) => tx.retry_mail(*id, *at).await?,
                        None => tx.delete_mail(*id).await?,
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        Ok(sent)
    }

    async fn hand_over(&self, mail: &Mail) -> Result<(), Unsent> {
        let words = self.words_of(mail);
        match &self.mail.post {
            Post::Outbox | Post::Nowhere => Err(Unsent::Never("no SMTP server is configured".to_owned())),
            // The one place where a code meets the log: there is nowhere else to read it.
            Post::Log => {
                let (to, subject, text) = (&mail.to, words.subject, words.text);
                tracing::info!(target: "hallpass::mail", "to {to}: {subject}\n\n{text}");
                Ok(())
            }
            Post::Smtp(mailer) => mailer.send(&mail.to, &words.subject, &words.text).await,
        }
    }

    /// A letter in words.
    pub fn words_of(&self, mail: &Mail) -> hallpass_pages::letters::Written {
        hallpass_pages::letters::write(&mail.letter, mail.locale, &self.issuer, &self.site())
    }

    /// What this server is called in letters: its host.
    fn site(&self) -> String {
        let host = self.issuer.split_once("://").map_or(&*self.issuer, |(_, host)| host);
        host.to_owned()
    }

    /// Empties the queue again and again. Returns when the future is dropped.
    pub(crate) async fn run_mails(&self) {
        for outcome in ["sent", "put_off", "given_up"] {
            metrics::counter!("hallpass_mails_total", "outcome" => outcome).absolute(0);
        }
        if matches!(self.mail.post, Post::Outbox) {
            return;
        }
        loop {
            if let Err(error) = self.send_mails().await {
                tracing::warn!(error = %error, "the mails that wait could not be looked at; it is tried again");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Forgets letters and steps of signing in that are over.
    pub(crate) async fn clear_people(&self, now: Timestamp) -> Result<(), AppError> {
        self.store
            .write(now, |now, tx| {
                Box::pin(async move {
                    let millis = u128::try_from((*now - KEPT).as_millisecond()).unwrap_or(0);
                    tx.prune_mails(MailId::from_bits(millis << 80)).await?;
                    tx.prune_flows(*now).await?;
                    tx.prune_challenges(*now).await?;
                    tx.prune_throttles(*now).await?;
                    tx.prune_known_devices(*now).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// What letters need.
pub(crate) struct Mails {
    pub(crate) post: Post,
    pub(crate) seal: hallpass_token::PurposeKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_get_rarer() {
        let minutes: Vec<i64> = (1..10).map(|n| back_off(n).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
