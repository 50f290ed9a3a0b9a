//! What an access token says, and its JSON: written and read by hand where it is hot.
//!
//! Reading is strict. Every claim is known, appears once and has its one JSON type; ids and scopes
//! must parse; scopes are sorted and unique, as we write them; and who may hold what must fit:
//!
//! | `kind` | `client_id` | `company_id` | `sid`, `grant` |
//! |---|---|---|---|
//! | `minted` | key | present | absent |
//! | `minted` | app (minted with an OAuth token) | present | where they exist |
//! | `oauth`, of a user | app | if bound | where they exist |
//! | `oauth`, of the app itself (`sub` is the client) | app | present | absent |

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use hallpass_core::id::{ApiKeyId, AppId, CompanyId, InvalidId, TokenId, UserId};
use hallpass_core::{Scope, ScopeSet};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::jwt::TokenError;

/// How an access token came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Minted for a user inside a company, by a key or with an OAuth token.
    Minted,
    /// Issued to an app by a user's consent.
    OAuth,
}

impl TokenKind {
    /// Its form on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::OAuth => "oauth",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Minted, Self::OAuth].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a token speaks for (`sub`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// The client itself: client credentials (RFC 9068 §2.2).
    App(AppId),
}

impl Subject {
    /// The user, if it is one.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::App(_) => None,
        }
    }
}

impl FromStr for Subject {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(AppId::PREFIX) {
            text.parse().map(Self::App)
        } else {
            text.parse().map(Self::User)
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::App(id) => id.fmt(f),
        }
    }
}

/// Who asked for the token (RFC 9068 §2.2, `client_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientId {
    /// An API key.
    Key(ApiKeyId),
    /// An app, as an OAuth client.
    App(AppId),
}

impl FromStr for ClientId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(ApiKeyId::PREFIX) {
            text.parse().map(Self::Key)
        } else {
            text.parse().map(Self::App)
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::App(id) => id.fmt(f),
        }
    }
}

/// The claims of an access token (RFC 9068 §2.2 and ours).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// Issuer: our public URL.
    pub iss: Arc<str>,
    /// Audience: our public URL. One string, never a list.
    pub aud: Arc<str>,
    /// How it came to be.
    pub kind: TokenKind,
    /// Whom it speaks for.
    pub sub: Subject,
    /// The company it is good in; always there when minted.
    pub company_id: Option<CompanyId>,
    /// Who asked for it.
    pub client_id: ClientId,
    /// What it may do at most.
    pub scope: ScopeSet,
    /// The number in the authority log that its issuer had applied before deciding.
    pub rev: u64,
    /// Its own id.
    pub jti: TokenId,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Dead from this second on, Unix seconds.
    pub exp: i64,
    /// The sign-in session it belongs to, if any.
    pub sid: Option<String>,
    /// The consent it belongs to, if any.
    pub grant: Option<String>,
}

impl AccessClaims {
    /// Writes the claims as JSON, in the order of the fields.
    pub(crate) fn write(&self, json: &mut Vec<u8>) {
        json.extend(b"{\"iss\":");
        write_string(json, &self.iss);
        json.extend(b",\"aud\":");
        write_string(json, &self.aud);
        put(json, format_args!(r#","kind":"{}","sub":"{}""#, self.kind, self.sub));
        if let Some(company) = self.company_id {
            put(json, format_args!(r#","company_id":"{company}""#));
        }
        put(json, format_args!(r#","client_id":"{}","scope":""#, self.client_id));
        for (i, scope) in self.scope.iter().enumerate() {
            if i > 0 {
                json.push(b' ');
            }
            json.extend(scope.name().as_bytes());
        }
        let (rev, jti, iat, exp) = (self.rev, self.jti, self.iat, self.exp);
        put(json, format_args!(r#"","rev":{rev},"jti":"{jti}","iat":{iat},"exp":{exp}"#));
        if let Some(sid) = &self.sid {
            json.extend(b",\"sid\":");
            write_string(json, sid);
        }
        if let Some(grant) = &self.grant {
            json.extend(b",\"grant\":");
            write_string(json, grant);
        }
        json.push(b'}');
    }

    /// Reads claims for us, whose signature has been verified. The times are left to the caller,
    /// but are sane: both exist as a [`Timestamp`], and `exp` is after `iat`.
    pub(crate) fn read(json: &[u8], issuer: &Arc<str>, audience: &Arc<str>) -> Result<Self, TokenError> {
        use TokenError::Malformed;
        // Serde would also read a struct from an array.
        if json.first() != Some(&b'{') {
            return Err(Malformed);
        }
        let wire: Wire<'_> = serde_json::from_slice(json).map_err(|_| Malformed)?;
        if *wire.iss != **issuer {
            return Err(TokenError::WrongIssuer);
        }
        if *wire.aud != **audience {
            return Err(TokenError::WrongAudience);
        }
        let claims = Self {
            iss: Arc::clone(issuer),
            aud: Arc::clone(audience),
            kind: TokenKind::parse(wire.kind).ok_or(Malformed)?,
            sub: wire.sub.parse().map_err(|_| Malformed)?,
            company_id: wire.company_id.map(str::parse).transpose().map_err(|_| Malformed)?,
            client_id: wire.client_id.parse().map_err(|_| Malformed)?,
            scope: read_scope(wire.scope).ok_or(Malformed)?,
            rev: wire.rev,
            jti: wire.jti.parse().map_err(|_| Malformed)?,
            iat: wire.iat,
            exp: wire.exp,
            sid: wire.sid,
            grant: wire.grant,
        };
        if claims.is_coherent() { Ok(claims) } else { Err(Malformed) }
    }

    /// Whether the claims fit together: the table at the top, and the times.
    pub(crate) fn is_coherent(&self) -> bool {
        let holder = match (self.kind, self.client_id) {
            (TokenKind::Minted, ClientId::Key(_)) => {
                self.company_id.is_some() && self.sid.is_none() && self.grant.is_none()
            }
            (TokenKind::Minted, ClientId::App(_)) => self.company_id.is_some(),
            (TokenKind::OAuth, ClientId::App(app)) => match self.sub {
                Subject::User(_) => true,
                Subject::App(sub) => {
                    sub == app && self.company_id.is_some() && self.sid.is_none() && self.grant.is_none()
                }
            },
            (TokenKind::OAuth, ClientId::Key(_)) => false,
        };
        let holder = holder && (self.kind == TokenKind::OAuth || self.sub.user().is_some());
        let exists = |second| Timestamp::from_second(second).is_ok();
        holder && exists(self.iat) && exists(self.exp) && self.iat < self.exp
    }
}

fn put(json: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    json.write_fmt(text).expect("writing to memory does not fail");
}

fn write_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("writing to memory does not fail");
}

/// Names sorted, unique, separated by one space: one walk beside the catalogue, which is sorted too.
fn read_scope(text: &str) -> Option<ScopeSet> {
    let mut set = ScopeSet::EMPTY;
    if text.is_empty() {
        return Some(set);
    }
    let mut catalogue = Scope::all();
    for name in text.split(' ') {
        let scope = catalogue.find(|scope| scope.name() == name)?;
        set = set.or(&ScopeSet::of(&[scope]));
    }
    Some(set)
}

/// The JSON as it stands. Ids and scopes are borrowed, which also refuses escapes in them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    kind: &'a str,
    sub: &'a str,
    #[serde(default, borrow, deserialize_with = "present")]
    company_id: Option<&'a str>,
    client_id: &'a str,
    scope: &'a str,
    rev: u64,
    jti: &'a str,
    iat: i64,
    exp: i64,
    #[serde(default, deserialize_with = "present")]
    sid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    grant: Option<String>,
}

/// Absent is absent: `null` is not.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_scopes_reads_back_and_has_one_spelling() {
        let all = ScopeSet::everything();
        assert_eq!(read_scope(&all.to_string()), Some(all));
        for scope in Scope::all() {
            let one = ScopeSet::of(&[scope]);
            assert_eq!(read_scope(scope.name()), Some(one));
            assert_eq!(read_scope(&all.minus(&one).to_string()), Some(all.minus(&one)));
        }
        assert_eq!(read_scope(""), Some(ScopeSet::EMPTY));
        let (a, b) = (Scope::all().next().unwrap(), Scope::all().nth(1).unwrap());
        for other in [
            format!("{b} {a}"),
            format!("{a} {a}"),
            format!("{a}  {b}"),
            format!(" {a}"),
            format!("{a} "),
            " ".into(),
            "chat:everything".into(),
        ] {
            assert_eq!(read_scope(&other), None, "{other:?}");
        }
    }
}
