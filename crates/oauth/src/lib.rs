//! OAuth 2.1 and OpenID Connect: parse, check, decide. Pure: `app` fetches, this crate decides, `app` writes.
//!
//! | what | where | standard |
//! |---|---|---|
//! | parameters, each at most once | [`params`] | RFC 6749 §3.1, §3.2 |
//! | who the client is | [`client`] | RFC 6749 §2.3, §3.2.1 |
//! | where answers may go | [`redirect`] | RFC 6749 §3.1.2, RFC 8252 §7.3, RFC 9207 |
//! | the proof of possession of a code | [`pkce`] | RFC 7636 |
//! | an authorization request, and what follows | [`authorize`] | RFC 6749 §4.1.1, OpenID Connect Core §3.1.2 |
//! | grants at the token endpoint, a file each | [`grants`] | RFC 6749 §4.1.3, §4.4, §6 |
//! | signing out | [`logout`] | OpenID Connect RP-Initiated Logout |
//! | what clients discover | [`metadata`] | RFC 8414, OpenID Connect Discovery |

pub mod authorize;
pub mod client;
mod error;
pub mod grants;
pub mod logout;
pub mod metadata;
pub mod params;
pub mod pkce;
pub mod redirect;
pub mod scope;

pub use error::{ErrorCode, OAuthError};
pub use params::Params;
