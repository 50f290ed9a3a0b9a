//! API-key secrets: any text; and every secret we make, with every one of its characters altered.
#![no_main]

use std::cell::Cell;
use std::sync::Mutex;

use hallpass_core::Entropy;
use hallpass_token::{KeyRealm, KeySecret};
use libfuzzer_sys::fuzz_target;

/// Hands out the input.
struct Given(Mutex<Cell<usize>>, Vec<u8>);

impl Entropy for Given {
    fn fill(&self, dest: &mut [u8]) {
        let at = self.0.lock().unwrap();
        for byte in dest {
            *byte = self.1.get(at.get()).copied().unwrap_or(0);
            at.set(at.get() + 1);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(parsed) = KeySecret::parse(text)
    {
        assert_eq!(text.len(), 53);
        assert!(text.starts_with(parsed.realm.prefix()));
    }
    let realm =
        [KeyRealm::Company, KeyRealm::App, KeyRealm::Dev][usize::from(*input.first().unwrap_or(&0)) % 3];
    let made = KeySecret::generate(realm, &Given(Mutex::default(), input.to_vec()));
    let parsed = KeySecret::parse(made.expose()).expect("what we make parses");
    assert_eq!((parsed.realm, parsed.hash), (realm, made.hash()));
    // A checksum of 32 bits sees every change of one character.
    let at = usize::from(*input.get(1).unwrap_or(&0)) % made.expose().len();
    let other = *input.get(2).unwrap_or(&b'A') & 0x7f;
    let mut bytes = made.expose().as_bytes().to_vec();
    if bytes[at] != other {
        bytes[at] = other;
        assert!(KeySecret::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
    }
});
