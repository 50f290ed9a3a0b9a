//! Refresh tokens: `hpr_` + 72 characters of base64url, 76 in all.
//!
//! A refresh token names its grant and its number in it, so one row a grant is all that is stored,
//! however often it was rotated, and a token that was used years ago is still known for one:
//!
//! ```text
//! grant id 16 │ number 4 │ random 18 │ MAC 16
//! ```
//!
//! 1. The MAC, under a key of this server, says that the token is ours; garbage ends there, before any
//!    look-up, and nobody can have a grant revoked without a token of it.
//! 2. The SHA-256 of the whole text, held against the row, says that it is the one in force.
//! 3. A number below the row's says that it was used before (RFC 9700 §4.14.2).
//!
//! The successor rests sealed under a key that is derived from the token it follows: the database alone,
//! even with the master key, reveals no refresh token.

use std::fmt;

use hallpass_core::Entropy;
use hallpass_core::clock::draw;
use hallpass_core::id::GrantId;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::base64url;
use crate::seal::{MacKey, PurposeKey, Unsealable};
use crate::secret::SecretHash;

const PREFIX: &str = "hpr_";
const RANDOM_LEN: usize = 18;
const MAC_LEN: usize = 16;
const BYTES: usize = 16 + 4 + RANDOM_LEN + MAC_LEN;
/// Length of every refresh token, in bytes (all ASCII).
pub const REFRESH_LEN: usize = PREFIX.len() + BYTES / 3 * 4;

/// A refresh token in the clear. Wiped when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RefreshToken(SecretString);

/// The text is no refresh token of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct InvalidRefresh;

/// What a genuine refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedRefresh {
    /// Its grant.
    pub grant: GrantId,
    /// Its number in it, from 1.
    pub number: u32,
    /// SHA-256 of its text.
    pub hash: SecretHash,
}

/// Makes and reads refresh tokens.
pub struct RefreshTokens(MacKey);

impl RefreshTokens {
    /// With a key of their own.
    pub fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// The token of `number` in a grant.
    pub fn issue(&self, grant: GrantId, number: u32, entropy: &dyn Entropy) -> RefreshToken {
        let random = Zeroizing::new(draw::<RANDOM_LEN>(entropy));
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[..16].copy_from_slice(&grant.bits().to_be_bytes());
        bytes[16..20].copy_from_slice(&number.to_be_bytes());
        bytes[20..20 + RANDOM_LEN].copy_from_slice(&*random);
        let mac = self.0.mac16(&[&bytes[..BYTES - MAC_LEN]]);
        bytes[BYTES - MAC_LEN..].copy_from_slice(&mac);
        let mut text = String::with_capacity(REFRESH_LEN);
        text.push_str(PREFIX);
        text.push_str(&Zeroizing::new(base64url::encode(&*bytes)));
        RefreshToken(text.into())
    }

    /// Reads a token and makes sure that it is ours. Whether it is in force, the store says.
    ///
    /// # Errors
    /// [`InvalidRefresh`] for any other text.
    pub fn parse(&self, text: &str) -> Result<PresentedRefresh, InvalidRefresh> {
        if text.len() != REFRESH_LEN {
            return Err(InvalidRefresh);
        }
        let body = text.strip_prefix(PREFIX).ok_or(InvalidRefresh)?;
        let bytes: Zeroizing<[u8; BYTES]> =
            Zeroizing::new(base64url::decode_array(body).ok_or(InvalidRefresh)?);
        let (signed, mac) = bytes.split_at(BYTES - MAC_LEN);
        let mac: &[u8; MAC_LEN] = mac.try_into().map_err(|_| InvalidRefresh)?;
        if !self.0.verify16(&[signed], mac) {
            return Err(InvalidRefresh);
        }
        let (grant, rest) = signed.split_first_chunk::<16>().ok_or(InvalidRefresh)?;
        let (number, _) = rest.split_first_chunk::<4>().ok_or(InvalidRefresh)?;
        Ok(PresentedRefresh {
            grant: GrantId::from_bits(u128::from_be_bytes(*grant)),
            number: u32::from_be_bytes(*number),
            hash: SecretHash::of(text),
        })
    }
}

impl RefreshToken {
    /// The token itself, for its client.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the store keeps.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.expose())
    }

    /// Seals this token so that only whoever has `predecessor`, the token it follows, can open it.
    pub fn seal_for(&self, predecessor: &str, entropy: &dyn Entropy) -> Vec<u8> {
        successor_key(predecessor).seal(entropy, &[], self.expose().as_bytes())
    }

    /// Opens what [`seal_for`](Self::seal_for) sealed.
    ///
    /// # Errors
    /// [`Unsealable`] with another predecessor.
    pub fn open_with(predecessor: &str, sealed: &[u8]) -> Result<Self, Unsealable> {
        let plain = successor_key(predecessor).open(&[], sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| Unsealable)?;
        Ok(Self(text.to_owned().into()))
    }
}

fn successor_key(predecessor: &str) -> PurposeKey {
    PurposeKey::of_secret(predecessor.as_bytes(), "refresh-successor")
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MasterKey;
    use crate::testing::{SeededEntropy, all_values, alterations};

    fn tokens(master: u8) -> RefreshTokens {
        RefreshTokens::new(MasterKey::from_bytes([master; 32]).derive_mac("refresh-tokens"))
    }

    #[test]
    fn threat_11_altered_refresh_tokens_are_refused() {
        let tokens = tokens(1);
        let token = tokens.issue(GrantId::from_bits(5), 3, &SeededEntropy::new(11));
        assert_eq!(token.expose().len(), REFRESH_LEN);
        for altered in alterations(token.expose(), all_values) {
            assert_eq!(tokens.parse(&altered), Err(InvalidRefresh), "{altered:?}");
        }
        assert_eq!(super::tests::tokens(2).parse(token.expose()), Err(InvalidRefresh), "another server's");
    }

    #[test]
    fn a_successor_opens_with_its_predecessor_alone() {
        let (tokens, entropy) = (tokens(1), SeededEntropy::new(1));
        let [first, second, third] = [1, 2, 3].map(|n| tokens.issue(GrantId::from_bits(5), n, &entropy));
        let sealed = second.seal_for(first.expose(), &entropy);
        let opened = RefreshToken::open_with(first.expose(), &sealed).unwrap();
        assert_eq!(opened.expose(), second.expose());
        for other in [second.expose(), third.expose(), ""] {
            assert!(RefreshToken::open_with(other, &sealed).is_err());
        }
        assert!(!sealed.windows(8).any(|part| second.expose().as_bytes().windows(8).any(|own| own == part)));
    }

    #[test]
    fn debug_shows_nothing() {
        let token = tokens(1).issue(GrantId::from_bits(5), 1, &SeededEntropy::new(1));
        assert_eq!(format!("{token:?}"), "RefreshToken(…)");
    }

    proptest! {
        #[test]
        fn what_is_issued_parses(grant: u128, number: u32, seed: u64) {
            let token = tokens(1).issue(GrantId::from_bits(grant), number, &SeededEntropy::new(seed));
            let parsed = tokens(1).parse(token.expose()).unwrap();
            let expected = PresentedRefresh { grant: GrantId::from_bits(grant), number, hash: token.hash() };
            prop_assert_eq!(parsed, expected);
        }

        #[test]
        fn any_text_is_parsed_without_panic(text: String) {
            prop_assert_eq!(tokens(1).parse(&text), Err(InvalidRefresh));
        }
    }
}
