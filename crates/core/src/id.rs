//! Ids: a prefix that says what the thing is, then a ULID that sorts by creation time.
//!
//! In memory an id is 16 bytes and `Copy`; its text is only made at the edges. A wrong prefix or a
//! malformed tail fails where it is parsed, never in the database.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use ulid::Ulid;

use crate::clock::{Entropy, draw};

/// The text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {expected}…")]
pub struct InvalidId {
    /// The prefix that was wanted, `biz_`.
    pub expected: &'static str,
}

/// Makes the 128 bits of an id from a time and randomness.
pub fn ulid(at: Timestamp, entropy: &dyn Entropy) -> u128 {
    let random = u128::from_be_bytes(draw(entropy));
    Ulid::from_parts(u64::try_from(at.as_millisecond()).unwrap_or(0), random).0
}

/// The longest text of an id.
const MAX_LEN: usize = 40;

/// Writes `prefix` + ULID.
fn write<'t>(prefix: &str, bits: u128, text: &'t mut [u8; MAX_LEN]) -> &'t str {
    let len = prefix.len() + ulid::ULID_LEN;
    text[..prefix.len()].copy_from_slice(prefix.as_bytes());
    let mut tail = [0; ulid::ULID_LEN];
    Ulid(bits).array_to_str(&mut tail);
    text[prefix.len()..len].copy_from_slice(&tail);
    std::str::from_utf8(&text[..len]).expect("a prefix and Crockford's digits are ASCII")
}

/// Parses `prefix` + canonical ULID.
fn parse(prefix: &'static str, text: &str) -> Result<u128, InvalidId> {
    let invalid = InvalidId { expected: prefix };
    let tail = text.strip_prefix(prefix).ok_or(invalid.clone())?;
    let id = Ulid::from_string(tail).map_err(|_| invalid.clone())?;
    // One spelling each: ULID parsing also takes lower case.
    if tail.bytes().any(|byte| byte.is_ascii_lowercase()) || tail.as_bytes()[0] > b'7' {
        return Err(invalid);
    }
    Ok(id.0)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id at the time `at` (its milliseconds become the leading bits).
            pub fn generate(at: ::jiff::Timestamp, entropy: &dyn $crate::clock::Entropy) -> Self {
                Self($crate::id::ulid(at, entropy))
            }

            /// The id with exactly these bits; for ids derived from other ids.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// When it was made, in milliseconds since the Unix epoch, as far as its maker's clock was right.
            pub const fn millis(self) -> i64 {
                // 48 bits.
                (self.0 >> 80) as i64
            }

            /// Its bits without the prefix.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::InvalidId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse($prefix, text).map(Self)
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::id::write($prefix, self.0, &mut [0; $crate::id::MAX_LEN]))
            }
        }
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::id::write($prefix, self.0, &mut [0; $crate::id::MAX_LEN]))
            }
        }
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = ::std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

/// A product's id. Whoever sells it made it, so behind `prod_` is what they like: 1 to 32 letters and
/// digits. Attaching an experience records it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductId {
    /// Behind the prefix; zeros to the end.
    tail: [u8; Self::MAX_TAIL],
    len: u8,
}

impl ProductId {
    /// What every id of this kind begins with.
    pub const PREFIX: &'static str = "prod_";
    /// The longest text behind it.
    pub const MAX_TAIL: usize = 32;

    fn tail(&self) -> &str {
        std::str::from_utf8(&self.tail[..usize::from(self.len)]).expect("letters and digits are ASCII")
    }
}

impl FromStr for ProductId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: Self::PREFIX };
        let text = text.strip_prefix(Self::PREFIX).ok_or(invalid.clone())?;
        let fits =
            (1..=Self::MAX_TAIL).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let len = u8::try_from(text.len()).ok().filter(|_| fits).ok_or(invalid)?;
        let mut tail = [0; Self::MAX_TAIL];
        tail[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { tail, len })
    }
}
impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        f.write_str(self.tail())
    }
}
impl fmt::Debug for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Alphabetical and append-only.
id! { /// A key secret's public name. Wire form `apik_…`.
ApiKeyId, "apik_" }
id! { /// An app: an OAuth client and the owner of experiences.
AppId, "app_" }
id! { /// A member of a company's team.
AuthorizedUserId, "ausr_" }
id! { /// The feed of an experience that is powered by the chat app.
ChatFeedId, "chat_feed_" }
id! { /// A tenant.
CompanyId, "biz_" }
id! { /// A thing made by an app inside a company; a chat channel is the feed of one.
ExperienceId, "exp_" }
id! { /// A feed that is not an experience's: a direct message or support chat.
FeedId, "feed_" }
id! { /// Somebody's place in a direct message or support chat.
FeedMemberId, "fmem_" }
id! { /// An uploaded file.
FileId, "file_" }
id! { /// A one-time code on its way, and what giving it opened: a step of signing in or up.
FlowId, "flow_" }
id! { /// What a person let an app do: one family of refresh tokens (the `grant` of access tokens).
GrantId, "grant_" }
id! { /// A letter on its way to somebody's mailbox. Never on the wire.
MailId, "mail_" }
id! { /// A user's membership of a company.
MemberId, "mber_" }
id! { /// One chat message.
MessageId, "post_" }
id! { /// A passkey of a person.
PasskeyId, "pkey_" }
id! { /// A human who signs in. Never on the wire.
PersonId, "person_" }
id! { /// Somebody's reaction to a message, or vote in its poll.
ReactionId, "reac_" }
id! { /// A request, as named in error bodies and logs.
RequestId, "req_" }
id! { /// A person signed in on one browser or device (`sid`).
SessionId, "sess_" }
id! { /// A minted or issued token (`jti`).
TokenId, "tok_" }
id! { /// Who speaks in chat.
UserId, "user_" }
id! { /// One delivery to a webhook endpoint, however often it is attempted.
WebhookDeliveryId, "msg_" }
id! { /// A webhook endpoint.
WebhookId, "hook_" }
