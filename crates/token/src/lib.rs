//! The credentials of Hallpass as bytes: signed tokens, API-key secrets, cursors, passwords, and
//! sealing at rest.
//!
//! Everything here is a function of a key, a time and randomness that the caller hands in: no I/O,
//! no async, no clock. Two draws are not ours to seed: aws-lc makes ECDSA nonces itself
//! ([`keys::SigningKey::sign`]) and new signing keys ([`keys::SigningKey::generate`]).
//!
//! Each kind of token has its own key or its own type, and none stands in for another:
//!
//! | what | proof | module |
//! |---|---|---|
//! | access token | ES256, `typ: at+jwt` | [`jwt`] |
//! | id token | ES256, `typ: JWT` | [`id_token`] |
//! | refresh token | HMAC, and SHA-256 held against its row | [`refresh`] |
//! | API-key secret | SHA-256 looked up in the store | [`secret`] |
//! | page cursor | HMAC under a key of its own | [`cursor`] |
//! | upload and file links | HMAC under a key per type | [`signature`], [`links`] |
//! | webhook deliveries | HMAC under the endpoint's secret | [`webhook`] |
//! | things at rest | AES-256-GCM under a key per purpose | [`seal`] |
//! | passwords | Argon2id | [`password`] |
//! | passkeys | ES256, Ed25519 or RS256 over a challenge | [`webauthn`] |

mod base64url;
mod claims;
pub mod cursor;
pub mod id_token;
pub mod jwt;
pub mod keys;
pub mod links;
pub mod password;
pub mod refresh;
pub mod seal;
pub mod secret;
pub mod signature;
pub mod webauthn;
pub mod webhook;

pub use claims::{AccessClaims, ClientId, Subject, TokenKind};
pub use cursor::{CursorKey, InvalidCursor};
pub use id_token::{IdClaims, ProfileClaims, at_hash};
pub use jwt::{Signer, TokenError, Verifier, peek_kid};
pub use keys::{InvalidKey, Jwk, JwkSet, SigningKey, VerifyingKey};
pub use links::{FileLinks, Reader, UploadLink};
pub use refresh::{InvalidRefresh, PresentedRefresh, RefreshToken, RefreshTokens};
pub use seal::{InvalidMasterKey, MacKey, MasterKey, PurposeKey, Unsealable};
pub use secret::{InvalidSecret, KeyRealm, KeySecret, ParsedSecret, SecretHash, s256, same_text, sha256};
pub use signature::{InvalidSignature, TypedSigner};
pub use webhook::{WebhookSecret, WebhookSigner};

#[cfg(test)]
mod testing;
