//! Letters of `hallpass dev`, which are not sent.

use jiff::Timestamp;
use serde::Serialize;

use crate::shell::Page;

/// A letter.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxLetter<'a> {
    /// To whom.
    pub to: &'a str,
    /// When.
    #[serde(serialize_with = "crate::when::serialize")]
    pub at: Timestamp,
    /// Its subject.
    pub subject: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// The latest letters, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Outbox<'a> {
    /// Them.
    pub letters: Vec<OutboxLetter<'a>>,
}

impl Page for Outbox<'_> {
    const TEMPLATE: &'static str = "outbox.html";
}
