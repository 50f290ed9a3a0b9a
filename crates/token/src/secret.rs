//! Secrets of our making, API keys first: `hpk_` + 43 characters + 6 characters, 53 in all.
//!
//! The body is 256 random bits in base 62 (digits, capitals, small letters: a double click selects
//! all of it); the last six characters are the CRC-32 of everything before them, in base 62. The
//! fixed prefix and checksum let scanners of leaked secrets be certain, and let typing errors be
//! refused before any look-up. The checksum proves nothing about authenticity: only the SHA-256
//! found in the store does. A plain hash suffices there because the secret is 256 random bits.
//!
//! A secret has one spelling: the body must be below 2²⁵⁶, so that no two texts mean the same bits.

use std::fmt;

use hallpass_core::Entropy;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

const PREFIX_LEN: usize = 4;
const BODY_LEN: usize = 43;
const CHECK_LEN: usize = 6;
/// Length of every key secret, in bytes (all ASCII).
pub const SECRET_LEN: usize = PREFIX_LEN + BODY_LEN + CHECK_LEN;

/// In ASCII order, so that comparing texts of equal length compares their values.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The body of 2²⁵⁶ − 1, the largest there is.
const MAX_BODY: [u8; BODY_LEN] = base62(&mut [0xff; 32]);

/// Whose key it is, told by the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyRealm {
    /// A company's key, `hpk_`.
    Company,
    /// An app's key, `hpa_`.
    App,
    /// Made by `hallpass dev`, `hpd_`; refused by `hallpass serve`.
    Dev,
    /// An OAuth client's, `hpc_`: for the token endpoint, never a bearer credential.
    Client,
    /// An authorization code, `hpo_`: for the token endpoint, once.
    Code,
    /// A session of a signed-in person, `hps_`: in a cookie only.
    Session,
    /// A browser, before anybody is signed in there, `hpb_`: in a cookie only.
    Browser,
    /// A browser in which somebody has signed in before, `hpv_`: in a cookie only.
    Device,
}

impl KeyRealm {
    /// What every secret of this realm begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Company => "hpk_",
            Self::App => "hpa_",
            Self::Dev => "hpd_",
            Self::Client => "hpc_",
            Self::Code => "hpo_",
            Self::Session => "hps_",
            Self::Browser => "hpb_",
            Self::Device => "hpv_",
        }
    }

    const fn of(prefix: &[u8]) -> Option<Self> {
        match prefix {
            b"hpk_" => Some(Self::Company),
            b"hpa_" => Some(Self::App),
            b"hpd_" => Some(Self::Dev),
            b"hpc_" => Some(Self::Client),
            b"hpo_" => Some(Self::Code),
            b"hps_" => Some(Self::Session),
            b"hpb_" => Some(Self::Browser),
            b"hpv_" => Some(Self::Device),
            _ => None,
        }
    }
}

/// A key secret in the clear: shown once, then only its [`SecretHash`] is kept.
///
/// Wiped when dropped; `Debug` shows the realm alone.
pub struct KeySecret {
    realm: KeyRealm,
    text: SecretString,
}

/// The text is not a key secret. It does not say why: the text is a secret, and whoever has one
/// copies it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct InvalidSecret;

/// What a well-formed secret is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedSecret {
    /// Whose key it claims to be.
    pub realm: KeyRealm,
    /// SHA-256 of the whole text.
    pub hash: SecretHash,
}

impl KeySecret {
    /// Makes a new secret from 256 random bits.
    pub fn generate(realm: KeyRealm, entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(&mut *random);
        let body = Zeroizing::new(base62(&mut random));
        // At its final size from the start: growing would leave copies behind.
        let mut text = String::with_capacity(SECRET_LEN);
        text.push_str(realm.prefix());
        text.extend(body.iter().map(|digit| char::from(*digit)));
        let check = checksum(text.as_bytes());
        text.extend(check.iter().map(|digit| char::from(*digit)));
        debug_assert_eq!(text.len(), SECRET_LEN);
        Self { realm, text: text.into() }
    }

    /// Checks form and checksum, then hashes. Allocates nothing.
    ///
    /// # Errors
    /// [`InvalidSecret`] if length, prefix, alphabet, range or checksum is wrong.
    pub fn parse(text: &str) -> Result<ParsedSecret, InvalidSecret> {
        let bytes: &[u8; SECRET_LEN] = text.as_bytes().try_into().map_err(|_| InvalidSecret)?;
        let (prefix, rest) = bytes.split_at(PREFIX_LEN);
        let (body, check) = rest.split_at(BODY_LEN);
        let realm = KeyRealm::of(prefix).ok_or(InvalidSecret)?;
        let sound = rest.iter().all(u8::is_ascii_alphanumeric)
            && body <= MAX_BODY.as_slice()
            && check == checksum(&bytes[..PREFIX_LEN + BODY_LEN]);
        if sound { Ok(ParsedSecret { realm, hash: SecretHash(sha256(bytes)) }) } else { Err(InvalidSecret) }
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whose key it is.
    pub fn realm(&self) -> KeyRealm {
        self.realm
    }

    /// What the store keeps and looks up.
    pub fn hash(&self) -> SecretHash {
        SecretHash(sha256(self.expose().as_bytes()))
    }

    /// How people tell their keys apart: `hpk_…abcd`, prefix and last four characters. Those are
    /// part of the checksum, which leaves over 230 bits unknown.
    pub fn hint(&self) -> String {
        format!("{}…{}", self.realm.prefix(), &self.expose()[SECRET_LEN - 4..])
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySecret({}…)", self.realm.prefix())
    }
}

/// SHA-256 of a secret's text: what the store keeps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// Hashes any high-entropy secret text.
    pub fn of(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// 64 small hexadecimal digits.
    pub fn to_hex(self) -> String {
        let mut text = String::with_capacity(64);
        for nibble in self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
        text
    }

    /// The inverse of [`Self::to_hex`]; `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        hex32(text).map(Self)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({}…)", &self.to_hex()[..8])
    }
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The S256 of a PKCE verifier: base64url of its SHA-256 (RFC 7636 §4.2).
pub fn s256(verifier: &str) -> String {
    crate::base64url::encode(&sha256(verifier.as_bytes()))
}

/// Whether two texts are the same, in a time that depends on their length alone.
pub fn same_text(a: &str, b: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(a.as_bytes(), b.as_bytes()).into()
}

/// 32 bytes from 64 hexadecimal digits of either case.
pub(crate) fn hex32(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}

/// The 43 base-62 digits of a 256-bit number, which is zero afterwards.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a remainder below 62 times 256 plus a byte, over 62, is a byte"
)]
const fn base62(number: &mut [u8; 32]) -> [u8; BODY_LEN] {
    let mut digits = [0; BODY_LEN];
    let mut at = BODY_LEN;
    while at > 0 {
        at -= 1;
        let mut remainder = 0;
        let mut i = 0;
        while i < number.len() {
            let value = remainder * 256 + number[i] as u32;
            number[i] = (value / 62) as u8;
            remainder = value % 62;
            i += 1;
        }
        digits[at] = ALPHABET[remainder as usize];
    }
    digits
}

fn checksum(text: &[u8]) -> [u8; CHECK_LEN] {
    let mut rest = crc32(text);
    let mut digits = [0; CHECK_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// CRC-32 as in ISO-HDLC, zip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[i as usize] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{SeededEntropy, all_values, alterations};

    const REALMS: [KeyRealm; 8] = [
        KeyRealm::Company,
        KeyRealm::App,
        KeyRealm::Dev,
        KeyRealm::Client,
        KeyRealm::Code,
        KeyRealm::Session,
        KeyRealm::Browser,
        KeyRealm::Device,
    ];

    struct Fixed([u8; 32]);
    impl Entropy for Fixed {
        fn fill(&self, dest: &mut [u8]) {
            dest.copy_from_slice(&self.0);
        }
    }

    #[test]
    fn known_answers() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(
            SecretHash::of("abc").to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(base62(&mut [0; 32]), [b'0'; BODY_LEN]);
        let mut number = [0; 32];
        number[30..].copy_from_slice(&[0x0f, 0x04]); // 62² of them
        assert!(base62(&mut number).ends_with(b"00100"));
        assert_eq!(number, [0; 32], "wiped");
    }

    #[test]
    fn the_largest_secret_parses_and_the_next_number_does_not() {
        let largest = KeySecret::generate(KeyRealm::App, &Fixed([0xff; 32]));
        assert!(KeySecret::parse(largest.expose()).is_ok());

        let mut beyond = MAX_BODY.to_vec();
        let last = beyond.iter().rposition(|digit| *digit != b'z').unwrap();
        beyond[last] = ALPHABET[ALPHABET.iter().position(|digit| *digit == beyond[last]).unwrap() + 1];
        for body in [beyond, vec![b'z'; BODY_LEN]] {
            let mut text = [b"hpa_".as_slice(), &body].concat();
            text.extend(checksum(&text));
            assert_eq!(KeySecret::parse(std::str::from_utf8(&text).unwrap()), Err(InvalidSecret));
        }
    }

    #[test]
    fn debug_and_errors_hold_nothing_of_the_secret() {
        let secret = KeySecret::generate(KeyRealm::Company, &SeededEntropy::new(1));
        assert_eq!(format!("{secret:?}"), "KeySecret(hpk_…)");
        assert_eq!(secret.hint(), format!("hpk_…{}", &secret.expose()[49..]));
        assert_eq!(InvalidSecret.to_string(), "not an API key");
    }

    #[test]
    fn hex_has_one_spelling() {
        let hash = SecretHash([0xab; 32]);
        assert_eq!(SecretHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(SecretHash::from_hex(&hash.to_hex().to_uppercase()), None);
        assert_eq!(SecretHash::from_hex(&hash.to_hex()[1..]), None);
        assert_eq!(SecretHash::from_hex(&"+f".repeat(32)), None);
    }

    #[test]
    fn threat_11_altered_key_secrets_are_refused() {
        for realm in REALMS {
            let secret = KeySecret::generate(realm, &SeededEntropy::new(11));
            for altered in alterations(secret.expose(), all_values) {
                assert_eq!(KeySecret::parse(&altered), Err(InvalidSecret), "{altered:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_generated_parses_to_its_realm_and_hash(bits: [u8; 32], realm in 0_usize..REALMS.len()) {
            let secret = KeySecret::generate(REALMS[realm], &Fixed(bits));
            let text = secret.expose();
            prop_assert_eq!(text.len(), SECRET_LEN);
            let parsed = KeySecret::parse(text).unwrap();
            prop_assert_eq!(parsed, ParsedSecret { realm: REALMS[realm], hash: secret.hash() });
            prop_assert!(text.starts_with(REALMS[realm].prefix()));
        }

        #[test]
        fn different_bits_are_different_secrets(a: [u8; 32], b: [u8; 32]) {
            let secret = |bits| KeySecret::generate(KeyRealm::Company, &Fixed(bits));
            prop_assert_eq!(a == b, secret(a).expose() == secret(b).expose());
        }

        #[test]
        fn any_text_is_parsed_without_panic(text: String) {
            prop_assert_eq!(KeySecret::parse(&text), Err(InvalidSecret));
        }
    }
}
