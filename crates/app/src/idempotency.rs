//! `Idempotency-Key` on POST: the same key and body within a day replays the answer.
//!
//! A claim is written before the operation, the answer after it. What the operation creates derives
//! its id from the claim, so an attempt that died after its commit is found again by the next one
//! instead of being done twice.

use hallpass_core::clock::draw;
use hallpass_store::{Claim, StoreError, StoredAnswer};
use jiff::Timestamp;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// What a key is bound to, besides its own text.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyScope<'a> {
    /// `POST /messages`
    pub operation: &'a str,
    /// The path with its ids.
    pub path: &'a str,
    /// The key as sent.
    pub key: &'a str,
    /// The body as sent.
    pub body: &'a [u8],
}

/// The answer that was given before.
#[derive(Clone, Debug)]
pub struct Replay {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub answer: String,
}

/// A claimed key.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    scope: [u8; 32],
    operation: u128,
    /// An earlier attempt may have got through to its commit.
    again: bool,
    /// Good as long as the claim is still leased since then.
    leased_at: Timestamp,
}

impl Ticket {
    /// The random bits that ids made by the operation carry.
    pub fn bits(&self) -> u128 {
        self.operation
    }

    /// Whether an earlier attempt may have got through to its commit.
    pub fn is_again(&self) -> bool {
        self.again
    }

    /// What to tell of an attempt that failed.
    pub fn explain(&self, error: AppError) -> AppError {
        match error {
            // Its ids are nobody else's: an earlier attempt was committing. The next one finds them.
            AppError::Conflict { code: "conflict", .. } if self.again => busy(),
            error => error,
        }
    }
}

impl App {
    /// Claims a key: `Ok(Err(answer))` replays.
    ///
    /// # Errors
    /// [`AppError::Conflict`]: permanent for another body or an answer that held a secret, passing
    /// while the first attempt is under way.
    pub async fn claim_idempotency(
        &self,
        caller: &Caller,
        ask: IdempotencyScope<'_>,
    ) -> Result<Result<Ticket, Replay>, AppError> {
        let (company, id) = (caller.home().to_string(), caller.id());
        let parts = [
            company.as_bytes(),
            id.as_bytes(),
            ask.operation.as_bytes(),
            ask.path.as_bytes(),
            ask.key.as_bytes(),
        ];
        let scope = self.idempotency.mac(&parts);
        let body = self.idempotency.mac(&[b"body", ask.body]);
        let at = self.clock.now();
        let operation = hallpass_core::id::ulid(at, &*self.entropy);
        let claim = self
            .store
            .write((scope, body, operation, at), |(scope, body, operation, at), tx| {
                Box::pin(tx.claim_idempotency_key(scope, body, *operation, *at))
            })
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        match claim {
            Claim::Mine { operation, again, leased_at } => {
                Ok(Ok(Ticket { scope, operation, again, leased_at }))
            }
            Claim::Done(StoredAnswer { answer: None, .. }) => Err(secret_is_gone()),
            Claim::Done(StoredAnswer { status, answer: Some(answer) }) => Ok(Err(Replay { status, answer })),
            Claim::OtherBody => Err(AppError::conflict(
                "idempotency_mismatch",
                "this idempotency key was used before with another body",
            )),
            Claim::Busy => Err(busy()),
        }
    }

    /// Keeps the answer for replays; none if it carried a secret. Nothing happens if another attempt
    /// has taken the claim over: it finds what this one did.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn complete_idempotency(
        &self,
        ticket: Ticket,
        status: u16,
        answer: Option<String>,
    ) -> Result<(), AppError> {
        self.store
            .write((ticket, StoredAnswer { status, answer }), |(ticket, answer), tx| {
                Box::pin(tx.complete_idempotency_key(&ticket.scope, ticket.leased_at, answer))
            })
            .await
            .map(drop)
            .map_err(|error: StoreError| AppError::from(error))
    }

    /// Gives a claim back, unless another attempt has taken it over. If nothing was done, by this attempt
    /// or one before it, the next may even have another body; else it takes over under the same
    /// operation id, to find what got through.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release_idempotency(&self, ticket: Ticket, did_nothing: bool) -> Result<(), AppError> {
        self.store
            .write((ticket, did_nothing), |(ticket, did_nothing), tx| {
                Box::pin(async move {
                    if *did_nothing && !ticket.again {
                        tx.release_idempotency_key(&ticket.scope, ticket.leased_at).await
                    } else {
                        tx.relax_idempotency_key(&ticket.scope, ticket.leased_at).await
                    }
                })
            })
            .await
            .map(drop)
            .map_err(|error: StoreError| AppError::from(error))
    }

    /// The bits for a new id: the ticket's, so that a repeated attempt makes the same, or fresh ones.
    pub(crate) fn bits(&self, ticket: Option<Ticket>) -> u128 {
        match ticket {
            Some(ticket) => ticket.bits(),
            None => hallpass_core::id::ulid(self.clock.now(), &*self.entropy),
        }
    }

    /// Randomness for what is not an id.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        draw(&*self.entropy)
    }
}

fn busy() -> AppError {
    AppError::Conflict {
        code: "idempotency_busy",
        message: "the first request with this idempotency key is still under way".to_owned(),
        permanent: false,
    }
}

/// Whoever asks again for a secret.
pub(crate) fn secret_is_gone() -> AppError {
    AppError::conflict(
        "idempotency_secret",
        "the first answer to this idempotency key held a secret and is not kept",
    )
}
