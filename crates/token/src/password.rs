//! Passwords: Argon2id (RFC 9106) with the OWASP parameters m = 19456 KiB, t = 2, p = 1, kept as PHC
//! strings.
//!
//! Each call fills 19 MiB and takes tens of milliseconds, **blocking**: the caller runs it in a
//! bounded pool off the async threads, and limits the length of what it lets in.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use hallpass_core::Entropy;
use hallpass_core::clock::draw;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How every hash made with today's parameters begins.
const CURRENT: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the OWASP parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_with_salt(password: &str, salt: [u8; 16]) -> PasswordHash {
    argon2id()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("a 16-byte salt and a password below 4 GiB always hash")
}

/// Hashes `password` under a fresh 128-bit salt, as a PHC string.
pub fn hash(password: &str, entropy: &dyn Entropy) -> String {
    hash_with_salt(password, draw(entropy)).to_string()
}

/// Whether `password` is the one that `phc` was made from. A `phc` that is not a readable Argon2id
/// hash matches nothing. Compares in constant time.
pub fn verify(password: &str, phc: &str) -> bool {
    phc.starts_with("$argon2id$")
        && PasswordHash::new(phc)
            .is_ok_and(|hash| argon2id().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Does the work of [`verify`] and says no: for an account that does not exist or has no password,
/// so that the time taken does not tell.
pub fn verify_absent(password: &str) -> bool {
    std::hint::black_box(hash_with_salt(password, [0; 16]));
    false
}

/// Whether `phc` was made with other parameters than today's; re-hash at the next successful sign-in.
pub fn needs_rehash(phc: &str) -> bool {
    !phc.starts_with(CURRENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededEntropy;

    #[test]
    fn the_right_password_verifies_and_others_do_not() {
        let phc = hash("correct horse", &SeededEntropy::new(1));
        assert!(phc.starts_with(CURRENT), "{phc}");
        assert!(!needs_rehash(&phc));
        assert!(verify("correct horse", &phc));
        for wrong in ["", "correct horse ", "Correct horse", "correct\0horse"] {
            assert!(!verify(wrong, &phc), "{wrong:?}");
        }
        assert!(!verify_absent("correct horse"));
    }

    #[test]
    fn the_same_password_twice_is_two_hashes() {
        let entropy = SeededEntropy::new(1);
        assert_ne!(hash("same", &entropy), hash("same", &entropy));
    }

    #[test]
    fn unreadable_hashes_match_nothing() {
        let phc = hash("password", &SeededEntropy::new(2));
        let cut = &phc[..phc.rfind('$').unwrap()];
        let other_kind = phc.replacen("argon2id", "argon2i", 1);
        for broken in ["", "password", "$argon2id$", cut, &phc[..phc.len() - 1], &other_kind] {
            assert!(!verify("password", broken), "{broken}");
        }
    }

    #[test]
    fn older_parameters_still_verify_but_want_a_rehash() {
        let params = Params::new(64, 1, 1, None).unwrap();
        let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let phc = older.hash_password_with_salt(b"password", &[1; 16]).unwrap().to_string();
        assert!(verify("password", &phc));
        assert!(needs_rehash(&phc));
    }
}
