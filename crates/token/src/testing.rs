//! What the tests of several modules need.

use std::sync::Mutex;

use hallpass_core::Entropy;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Reproducible randomness.
pub(crate) struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, dest: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(dest);
    }
}

/// `text` with every byte replaced by each of `values`, as far as that is still text; then every
/// proper prefix and suffix; then extensions at both ends and insertions everywhere.
pub(crate) fn alterations<'a>(
    text: &'a str,
    values: impl Fn(usize, u8) -> Vec<u8> + 'a,
) -> impl Iterator<Item = String> + 'a {
    let flipped = (0..text.len()).flat_map(move |at| {
        let old = text.as_bytes()[at];
        values(at, old).into_iter().filter(move |new| *new != old).filter_map(move |new| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = new;
            String::from_utf8(bytes).ok()
        })
    });
    let cut = (0..text.len())
        .map(move |at| text[..at].to_owned())
        .chain((1..text.len()).map(move |at| text[at..].to_owned()))
        .chain((0..text.len()).map(move |at| format!("{}{}", &text[..at], &text[at + 1..])));
    let extended = "\0 \n=.-_+/A0z~é".chars().flat_map(move |more| {
        (0..=text.len()).map(move |at| format!("{}{more}{}", &text[..at], &text[at..]))
    });
    flipped.chain(cut).chain(extended).filter(move |altered| altered != text)
}

/// Every other byte value.
pub(crate) fn all_values(_at: usize, _old: u8) -> Vec<u8> {
    (0..=255).collect()
}
