//! Sessions: a person signed in on one browser or device.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{PersonId, SessionId};

/// How somebody proved who they are (RFC 8176, the `amr` claim).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amr {
    /// A password.
    Pwd,
    /// A one-time code, sent by e-mail.
    Otp,
    /// A key that did not leave its holder: a passkey.
    Pop,
    /// The device made sure of its user, by fingerprint, face or PIN.
    User,
}

impl Amr {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
            Self::Otp => "otp",
            Self::Pop => "pop",
            Self::User => "user",
        }
    }
}

/// A session that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// Who.
    pub person: PersonId,
    /// When they last proved it.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<Amr>,
    /// As the browser called itself.
    pub user_agent: String,
    /// From where it was last used.
    pub address: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends by itself, unless it is used.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}
