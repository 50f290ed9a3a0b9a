//! The master key and what is derived from it: sealing at rest and message authentication.
//!
//! One 256-bit master key per installation; every use derives its own key from it by HKDF-SHA256
//! (RFC 5869) under a label, `hallpass/v1/seal/<purpose>` or `hallpass/v1/mac/<purpose>`, so that
//! nothing sealed or signed for one purpose can be passed off for another.
//!
//! A sealed value is `1 ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, AES-256-GCM (NIST SP 800-38D). The
//! additional data is the format's label, the version, the master key's id and then what the caller
//! says the value belongs to (table, column, row), so that a value moved to another row does not
//! open. Nonces are random: up to 2³² values per purpose, far beyond keys and seeds, which is all
//! that is sealed. They need real randomness: a seeded `Entropy` that starts again repeats nonces,
//! which is for tests and `dev` only.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hallpass_core::Entropy;
use hallpass_core::clock::draw;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::{hex32, sha256};

const SALT: &[u8] = b"hallpass/v1";
const AAD_LABEL: &[u8] = b"hallpass/v1/sealed";
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
/// How many bytes a sealed value is longer than its plain text.
pub const SEAL_OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;

/// The key that all keys at rest hang from. Wiped when dropped; `Debug` shows nothing.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// The text is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes, as 64 hexadecimal digits or as base64")]
pub struct InvalidMasterKey;

impl MasterKey {
    /// Makes a new master key from 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self(key)
    }

    /// The master key with exactly these bytes.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// Reads 64 hexadecimal digits, or base64 of 32 bytes in either alphabet, padded or not. White
    /// space around it is ignored, for it comes from files and environments.
    ///
    /// # Errors
    /// [`InvalidMasterKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let text = text.trim();
        if let Some(key) = hex32(text) {
            return Ok(Self::from_bytes(key));
        }
        if text.len() > 44 {
            return Err(InvalidMasterKey);
        }
        let decoded = [&URL_SAFE_NO_PAD, &URL_SAFE, &STANDARD_NO_PAD, &STANDARD]
            .into_iter()
            .find_map(|engine| engine.decode(text).ok())
            .map(Zeroizing::new)
            .ok_or(InvalidMasterKey)?;
        decoded.as_slice().try_into().map(Self::from_bytes).map_err(|_| InvalidMasterKey)
    }

    /// The form to write to a key file: base64url, 43 characters.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// The key that seals values of one purpose, say `signing_keys`.
    pub fn derive(&self, purpose: &str) -> PurposeKey {
        let key = self.expand(&["seal/", purpose]);
        let key = UnboundKey::new(&AES_256_GCM, &*key).expect("AES-256 takes a key of 32 bytes");
        PurposeKey { key: LessSafeKey::new(key), master_id: self.id() }
    }

    /// The key that authenticates messages of one purpose, say `cursors`.
    pub fn derive_mac(&self, purpose: &str) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, &*self.expand(&["mac/", purpose])))
    }

    /// A value to keep in the database and compare at start: it tells that another master key was
    /// supplied, and reveals nothing of this one.
    pub fn check_value(&self) -> [u8; 32] {
        sha256(&*self.expand(&["check"]))
    }

    /// Says which master key sealed a value.
    fn id(&self) -> [u8; 8] {
        let value = self.check_value();
        std::array::from_fn(|i| value[i])
    }

    fn expand(&self, label: &[&str]) -> Zeroizing<[u8; 32]> {
        let info: Vec<&[u8]> =
            std::iter::once("hallpass/v1/").chain(label.iter().copied()).map(str::as_bytes).collect();
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&*self.0);
        let mut key = Zeroizing::new([0; 32]);
        pseudorandom
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *key))
            .expect("32 bytes are within the limit of HKDF-SHA256");
        key
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Seals and opens values of one purpose.
pub struct PurposeKey {
    key: LessSafeKey,
    master_id: [u8; 8],
}

/// The value was sealed by another key, for another place, or was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be unsealed with this master key in this place")]
pub struct Unsealable;

impl PurposeKey {
    /// A key from a secret that is high in entropy, such as a token: whoever has it opens what it sealed.
    pub fn of_secret(secret: &[u8], purpose: &str) -> Self {
        MasterKey::from_bytes(sha256(secret)).derive(purpose)
    }

    /// Seals `plain`, bound to `aad` (say table, column and row, in an unambiguous form).
    pub fn seal(&self, entropy: &dyn Entropy, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = draw::<NONCE_LEN>(entropy);
        let mut sealed = Vec::with_capacity(SEAL_OVERHEAD + plain.len());
        sealed.push(VERSION);
        sealed.extend(nonce);
        sealed.extend(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = &mut sealed[1 + NONCE_LEN..];
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, self.aad(aad), body)
            .expect("what is sealed is far below the 64 GiB of AES-GCM");
        sealed.extend(tag.as_ref());
        sealed
    }

    /// Opens what [`Self::seal`] made with the same key and `aad`.
    ///
    /// # Errors
    /// [`Unsealable`] if anything differs.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (&version, rest) = sealed.split_first().ok_or(Unsealable)?;
        if version != VERSION {
            return Err(Unsealable);
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let len = self.key.open_in_place(nonce, self.aad(aad), &mut plain).map_err(|_| Unsealable)?.len();
        plain.truncate(len);
        Ok(plain)
    }

    /// All but the caller's part has a fixed length, so no two places share their bytes.
    fn aad(&self, place: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([AAD_LABEL, &[VERSION], &self.master_id, place].concat())
    }
}

impl fmt::Debug for PurposeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PurposeKey(…)")
    }
}

/// Authenticates messages of one purpose by HMAC-SHA256 (RFC 2104).
///
/// A message is a list of parts, each preceded by its length, so `["ab", "c"]` and `["a", "bc"]`
/// are different messages.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The code of the message made of `parts`.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac_of(parts.iter().copied())
    }

    /// The first 128 bits of [`Self::mac`] (RFC 2104 §5), for where length matters.
    pub fn mac16(&self, parts: &[&[u8]]) -> [u8; 16] {
        first_half(self.mac(parts))
    }

    /// Whether `mac` is the code of `parts`. Compares in constant time.
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8; 32]) -> bool {
        self.mac(parts).ct_eq(mac).into()
    }

    /// Whether `mac` is the short code of `parts`. Compares in constant time.
    pub fn verify16(&self, parts: &[&[u8]], mac: &[u8; 16]) -> bool {
        self.mac16(parts).ct_eq(mac).into()
    }

    pub(crate) fn mac_of<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }
}

pub(crate) fn first_half(mac: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| mac[i])
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::SeededEntropy;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    #[test]
    fn what_was_sealed_opens() {
        let key = master(1).derive("signing_keys");
        let sealed = key.seal(&SeededEntropy::new(1), b"signing_keys/1", b"plain");
        assert_eq!(sealed.len(), 5 + SEAL_OVERHEAD);
        assert_eq!(**key.open(b"signing_keys/1", &sealed).unwrap(), *b"plain");
    }

    #[test]
    fn another_key_purpose_or_place_does_not_open_it() {
        let entropy = SeededEntropy::new(1);
        let sealed = master(1).derive("totp").seal(&entropy, b"row 1", b"plain");
        for (key, place) in [
            (master(2).derive("totp"), b"row 1".as_slice()),
            (master(1).derive("signing_keys"), b"row 1"),
            (master(1).derive("totp"), b"row 2"),
            (master(1).derive("totp"), b""),
        ] {
            assert_eq!(key.open(place, &sealed), Err(Unsealable));
        }
    }

    #[test]
    fn altered_sealed_values_do_not_open() {
        let key = master(1).derive("totp");
        let sealed = key.seal(&SeededEntropy::new(1), b"row", b"secret");
        for at in 0..sealed.len() {
            for value in 0..=255_u8 {
                let mut altered = sealed.clone();
                altered[at] = value;
                assert_eq!(key.open(b"row", &altered).is_ok(), altered == sealed, "{at} {value}");
            }
            assert_eq!(key.open(b"row", &sealed[..at]), Err(Unsealable));
        }
        assert_eq!(key.open(b"row", &[sealed, vec![0]].concat()), Err(Unsealable));
    }

    #[test]
    fn the_same_value_twice_is_sealed_differently() {
        let (key, entropy) = (master(1).derive("totp"), SeededEntropy::new(1));
        assert_ne!(key.seal(&entropy, b"", b"same"), key.seal(&entropy, b"", b"same"));
    }

    #[test]
    fn master_keys_read_from_any_usual_spelling() {
        let key = MasterKey::generate(&SeededEntropy::new(3));
        let hex = crate::SecretHash(*key.0).to_hex();
        let spellings = [
            key.to_text().to_string(),
            format!("  {}\n", *key.to_text()),
            STANDARD.encode(*key.0),
            URL_SAFE.encode(*key.0),
            STANDARD_NO_PAD.encode(*key.0),
            hex.to_uppercase(),
            hex.clone(),
        ];
        for text in spellings {
            assert_eq!(*MasterKey::parse(&text).unwrap().0, *key.0, "{text}");
        }
        for text in ["", "short", &hex[2..], &format!("{hex}00"), &"é".repeat(32)] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), InvalidMasterKey, "{text}");
        }
    }

    #[test]
    fn the_check_value_tells_master_keys_apart() {
        assert_eq!(master(1).check_value(), master(1).check_value());
        assert_ne!(master(1).check_value(), master(2).check_value());
    }

    #[test]
    fn derived_keys_never_change() {
        // Computed apart from this code; a change would lock every installation out of its own data.
        let hex = |bytes| crate::SecretHash(bytes).to_hex();
        assert_eq!(
            hex(master(7).check_value()),
            "6f94c71f2db28da5ee400d5cc8ba07ab16fef08786c60a007d973b4f4a2eceb6"
        );
        assert_eq!(
            hex(master(7).derive_mac("cursors").mac(&[b"a", b"b"])),
            "9af4f41a7613429c6aa5568acaa904fa9d6dc9c8020255c3c5970bcbfb03ef70"
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}{:?}{:?}", master(7), master(7).derive("a"), master(7).derive_mac("a"));
        assert_eq!(text, "MasterKey(…)PurposeKey(…)MacKey(…)");
    }

    proptest! {
        #[test]
        fn sealing_round_trips(plain: Vec<u8>, aad: Vec<u8>, seed: u64) {
            let key = master(1).derive("p");
            let sealed = key.seal(&SeededEntropy::new(seed), &aad, &plain);
            let opened = key.open(&aad, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plain);
        }

        #[test]
        fn different_messages_have_different_codes(
            a in prop::collection::vec(prop::collection::vec(0_u8..2, 0..4), 0..4),
            b in prop::collection::vec(prop::collection::vec(0_u8..2, 0..4), 0..4),
        ) {
            let key = master(1).derive_mac("p");
            let parts = |message: &[Vec<u8>]| key.mac(&message.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(a == b, parts(&a) == parts(&b));
        }

        #[test]
        fn only_the_right_code_verifies(part: Vec<u8>, flip in 0_usize..256) {
            let key = master(1).derive_mac("p");
            let parts: &[&[u8]] = &[&part];
            let (mut long, mut short) = (key.mac(parts), key.mac16(parts));
            prop_assert!(key.verify(parts, &long) && key.verify16(parts, &short));
            long[flip / 8] ^= 1 << (flip % 8);
            short[flip / 16] ^= 1 << (flip % 8);
            prop_assert!(!key.verify(parts, &long) && !key.verify16(parts, &short));
        }
    }
}
