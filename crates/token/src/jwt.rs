//! Access tokens: compact JWS (RFC 7515 §7.1) in the profile of RFC 9068, signed with ES256.
//!
//! Written for one issuer that verifies its own tokens, so it is stricter than the RFCs ask and
//! knows one algorithm only. The header is the same for every token of a key; a token is verified in
//! these steps, and nothing of it is believed before step 4 (RFC 8725):
//!
//! 1. Length, before anything is read; three parts, the only dots.
//! 2. The header: `alg`, `typ` and `kid`, each once, nothing else; so `crit`, `jwk`, `jku`, `x5c`,
//!    `x5u` and `b64` are refused with everything unknown.
//! 3. The key, by `kid`, from the keys this verifier was made with. The algorithm is the key's.
//! 4. The signature.
//! 5. The claims, read strictly (see [`AccessClaims`]); `iss`, `aud`.
//! 6. The times: `exp` without leeway, `iat` at most a minute ahead.
//!
//! Everything is base64url in its one canonical spelling, so no byte of a token can change
//! unnoticed. Revocation is the caller's: `rev`, `jti`, `sid` and `grant` say against what.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::base64url;
pub use crate::claims::{AccessClaims, ClientId, Subject, TokenKind};
use crate::id_token::IdClaims;
use crate::keys::{SIGNATURE_LEN, SigningKey, VerifyingKey};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;
/// How far ahead of our clock `iat` may be, in seconds: another node may have issued it.
pub const MAX_CLOCK_SKEW_SECS: i64 = 60;
/// Longest encoded header that is looked at; ours have 123 bytes.
const MAX_HEADER_LEN: usize = 512;
const ALG: &str = "ES256";
const TYP: &str = "at+jwt";
/// `typ` of id tokens.
pub(crate) const ID_TYP: &str = "JWT";

/// Why a token was refused. Never says anything that was in the token, but for the time in `Expired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours by its form: length, parts, encoding, header, algorithm, claims.
    #[error("the token is malformed")]
    Malformed,
    /// Signed with a key that this verifier does not have; it may be new (see [`peek_kid`]).
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature does not match.
    #[error("the token's signature does not match")]
    BadSignature,
    /// A token of another type; `typ` is not `at+jwt`.
    #[error("the token is not an access token")]
    WrongType,
    /// Issued by another.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// Meant for another.
    #[error("the token is for another audience")]
    WrongAudience,
    /// Genuine, but over.
    #[error("the token expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Issued more than [`MAX_CLOCK_SKEW_SECS`] in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// The encoded header of a key's tokens, and the dot after it.
fn encoded_header(typ: &str, kid: &str) -> String {
    let mut header =
        base64url::encode(format!(r#"{{"alg":"{ALG}","typ":"{typ}","kid":"{kid}"}}"#).as_bytes());
    header.push('.');
    header
}

/// Signs access tokens with one key.
pub struct Signer {
    key: SigningKey,
    header: String,
    id_header: String,
}

impl Signer {
    /// A signer with `key`.
    pub fn new(key: SigningKey) -> Self {
        let header = |typ| encoded_header(typ, key.kid());
        Self { header: header(TYP), id_header: header(ID_TYP), key }
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        self.key.kid()
    }

    /// The key, for its public half.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs an access token (RFC 9068 §2). Claims that do not fit together are signed as they are;
    /// no [`Verifier`] takes them.
    pub fn sign_access(&self, claims: &AccessClaims) -> String {
        debug_assert!(claims.is_coherent(), "these claims would be refused: {claims:?}");
        let mut payload = Vec::with_capacity(1024);
        claims.write(&mut payload);
        self.compact(&self.header, &payload)
    }

    /// Signs an id token.
    pub fn sign_id(&self, claims: &IdClaims) -> String {
        let payload = serde_json::to_vec(claims).expect("texts and numbers serialise");
        self.compact(&self.id_header, &payload)
    }

    /// `header.payload.signature` (RFC 7515 §7.1) in one allocation.
    fn compact(&self, header: &str, payload: &[u8]) -> String {
        let signed = header.len() + base64url::encoded_len(payload.len());
        let mut token = vec![0; signed + 1 + base64url::encoded_len(SIGNATURE_LEN)];
        token[..header.len()].copy_from_slice(header.as_bytes());
        base64url::encode_into(payload, &mut token[header.len()..signed]);
        let signature = self.key.sign(&token[..signed]);
        token[signed] = b'.';
        base64url::encode_into(&signature, &mut token[signed + 1..]);
        String::from_utf8(token).expect("base64url and dots are ASCII")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.kid())
    }
}

/// Verifies the access tokens of one issuer for one audience, with that issuer's keys alone.
///
/// A snapshot: when keys change, make another with [`Self::with_keys`].
#[derive(Debug, Clone)]
pub struct Verifier {
    issuer: Arc<str>,
    audience: Arc<str>,
    /// A handful at most, so a walk is the fastest map.
    keys: Vec<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    /// What our own tokens of this key begin with, up to the first dot.
    header: String,
    key: VerifyingKey,
}

impl Verifier {
    /// A verifier of the tokens that `issuer` signs with `keys` for `audience`.
    pub fn new(
        issuer: impl Into<Arc<str>>,
        audience: impl Into<Arc<str>>,
        keys: impl IntoIterator<Item = VerifyingKey>,
    ) -> Self {
        let mut verifier = Self { issuer: issuer.into(), audience: audience.into(), keys: Vec::new() };
        for key in keys {
            let mut header = encoded_header(TYP, key.kid());
            header.pop();
            verifier.keys.push(Known { header, key });
        }
        verifier
    }

    /// The same verifier with these keys instead.
    #[must_use]
    pub fn with_keys(&self, keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self::new(Arc::clone(&self.issuer), Arc::clone(&self.audience), keys)
    }

    /// Whether it has the key `kid`.
    pub fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|known| known.key.kid() == kid)
    }

    /// Verifies an access token at `now` (RFC 9068 §4).
    ///
    /// # Errors
    /// The first [`TokenError`] in the order of the steps above. Only after `BadSignature` is past
    /// does the error tell something that the issuer signed.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let payload = self.verified_payload(token, TYP)?;
        // Step 5.
        let claims = AccessClaims::read(&payload, &self.issuer, &self.audience)?;
        // Step 6.
        let now_secs = now.as_second();
        if now_secs >= claims.exp {
            let at = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Malformed)?;
            return Err(TokenError::Expired { at });
        }
        if claims.iat > now_secs + MAX_CLOCK_SKEW_SECS {
            return Err(TokenError::NotYetValid);
        }
        Ok(claims)
    }

    /// Whose tokens these are.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Steps 1 to 4, and the payload as it was signed.
    pub(crate) fn verified_payload(&self, token: &str, typ: &str) -> Result<Vec<u8>, TokenError> {
        // Step 1.
        if token.len() > MAX_TOKEN_LEN {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        // Steps 2 and 3: nearly always the very header we write; else find out what it is.
        let known = match self.keys.iter().find(|known| typ == TYP && known.header == header) {
            Some(known) => known,
            None => self.key_of_header(header, typ)?,
        };
        // Step 4.
        let signature = base64url::decode_array(signature).ok_or(TokenError::Malformed)?;
        if !known.key.verify(signed.as_bytes(), &signature) {
            return Err(TokenError::BadSignature);
        }
        base64url::decode(payload).ok_or(TokenError::Malformed)
    }

    #[cold]
    fn key_of_header(&self, header: &str, typ: &str) -> Result<&Known, TokenError> {
        let kid = kid_of_header(header, typ)?;
        self.keys.iter().find(|known| known.key.kid() == kid).ok_or(TokenError::UnknownKey)
    }
}

/// The `kid` of what claims to be an access token, to look for in our **own** store after
/// [`TokenError::UnknownKey`]. It is a stranger's word until a signature is verified: never fetch
/// anything because of it, and limit how often it makes you read the store.
///
/// # Errors
/// [`TokenError::Malformed`] or [`TokenError::WrongType`], as [`Verifier::verify_access`] would say.
pub fn peek_kid(token: &str) -> Result<String, TokenError> {
    if token.len() > MAX_TOKEN_LEN {
        return Err(TokenError::Malformed);
    }
    kid_of_header(token.split_once('.').ok_or(TokenError::Malformed)?.0, TYP)
}

/// Step 2. Borrowed strings also refuse escapes: each name and value has one spelling.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: Option<&'a str>,
    kid: &'a str,
}

fn kid_of_header(header: &str, typ: &str) -> Result<String, TokenError> {
    if header.len() > MAX_HEADER_LEN {
        return Err(TokenError::Malformed);
    }
    let json = base64url::decode(header).ok_or(TokenError::Malformed)?;
    // Serde would also read a struct from an array.
    if json.first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    let header: Header<'_> = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
    if header.alg != ALG {
        return Err(TokenError::Malformed);
    }
    if header.typ != Some(typ) {
        return Err(TokenError::WrongType);
    }
    Ok(header.kid.to_owned())
}

#[cfg(test)]
mod tests;
