//! Detached signatures with an end, for links: uploads, private files, and what else needs one.
//!
//! A signature is base64url of `end (8 bytes, big-endian Unix seconds) ‖ HMAC-SHA256` over the end
//! and the parts; the parts themselves (file, company, length, media type) travel beside it, in the
//! link. Each type has a key of its own, so a signature of one type is noise to every other.

use jiff::Timestamp;

use crate::base64url;
use crate::seal::{MacKey, MasterKey};
use subtle::ConstantTimeEq;

const LEN: usize = 8 + 32;

/// Signs and verifies one type of link.
#[derive(Debug, Clone)]
pub struct TypedSigner(MacKey);

/// A signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// Not a signature of these parts and this type.
    #[error("the signature does not match")]
    Mismatch,
    /// It was one, until its end.
    #[error("the signature has expired")]
    Expired,
}

impl TypedSigner {
    /// The signer of the type `typ`, say `file_link`.
    pub fn derive(master: &MasterKey, typ: &str) -> Self {
        Self(master.derive_mac(&format!("signature/{typ}")))
    }

    /// Signs `parts` until `expires_at`, cut to whole seconds; 54 characters.
    pub fn sign(&self, parts: &[&[u8]], expires_at: Timestamp) -> String {
        let end = expires_at.as_second().to_be_bytes();
        base64url::encode(&[end.as_slice(), &self.code(end, parts)].concat())
    }

    /// Verifies that `signature` is of `parts` and not over at `now`. No leeway: at the end it is over.
    ///
    /// # Errors
    /// [`InvalidSignature`], which says `Expired` only of a genuine one.
    pub fn verify(&self, parts: &[&[u8]], signature: &str, now: Timestamp) -> Result<(), InvalidSignature> {
        let bytes: [u8; LEN] = base64url::decode_array(signature).ok_or(InvalidSignature::Mismatch)?;
        let (end, code) = bytes.split_first_chunk::<8>().ok_or(InvalidSignature::Mismatch)?;
        if !bool::from(self.code(*end, parts).ct_eq(code)) {
            return Err(InvalidSignature::Mismatch);
        }
        if now.as_second() >= i64::from_be_bytes(*end) { Err(InvalidSignature::Expired) } else { Ok(()) }
    }

    fn code(&self, end: [u8; 8], parts: &[&[u8]]) -> [u8; 32] {
        self.0.mac_of(std::iter::once(end.as_slice()).chain(parts.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{all_values, alterations};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_signature_ends_on_the_second() {
        let signer = TypedSigner::derive(&MasterKey::from_bytes([1; 32]), "file_link");
        let signature = signer.sign(&[b"file_1"], at(1_000));
        assert_eq!(signature.len(), 54);
        assert_eq!(signer.verify(&[b"file_1"], &signature, at(999)), Ok(()));
        assert_eq!(signer.verify(&[b"file_1"], &signature, at(1_000)), Err(InvalidSignature::Expired));
        assert_eq!(signer.verify(&[b"file_2"], &signature, at(1_000)), Err(InvalidSignature::Mismatch));
    }

    #[test]
    fn threat_09_a_signature_of_another_type_is_refused() {
        let master = MasterKey::from_bytes([1; 32]);
        let upload = TypedSigner::derive(&master, "upload").sign(&[b"file_1"], at(1_000));
        let link = TypedSigner::derive(&master, "file_link");
        assert_eq!(link.verify(&[b"file_1"], &upload, at(0)), Err(InvalidSignature::Mismatch));
    }

    #[test]
    fn threat_11_altered_signatures_are_refused() {
        let signer = TypedSigner::derive(&MasterKey::from_bytes([1; 32]), "file_link");
        let signature = signer.sign(&[b"file_1"], at(1_000));
        for altered in alterations(&signature, all_values) {
            let verified = signer.verify(&[b"file_1"], &altered, at(0));
            assert_eq!(verified, Err(InvalidSignature::Mismatch), "{altered:?}");
        }
    }
}
