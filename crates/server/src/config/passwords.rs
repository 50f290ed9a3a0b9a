//! `[passwords]`: how many are hashed at once.

use std::num::NonZeroUsize;

use anyhow::bail;
use hallpass_app::people::Hashing;
use serde::{Deserialize, Serialize};

use super::Section;
use crate::system;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PasswordsConfig {
    pub(crate) hashing_threads: usize,
    pub(crate) hashing_queue: usize,
}

impl Default for PasswordsConfig {
    fn default() -> Self {
        Self { hashing_threads: 0, hashing_queue: 64 }
    }
}

impl Section for PasswordsConfig {
    const NAME: &'static str = "passwords";
    const ABOUT: &'static str = "Hashing passwords, which is slow by design.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "hashing_threads",
            "How many are hashed at once, at the lowest priority; each takes 19 MiB and a core. 0: one a core.",
        ),
        ("hashing_queue", "How many more may wait; whoever comes then is told to come again (429)."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if self.hashing_threads > 256 {
            bail!("passwords.hashing_threads: must be at most 256; 0 is one a core");
        }
        if !(1..=10_000).contains(&self.hashing_queue) {
            bail!("passwords.hashing_queue: must be 1 to 10000");
        }
        Ok(())
    }
}

impl PasswordsConfig {
    /// What the application needs.
    pub(crate) fn hashing(&self) -> Hashing {
        let threads = NonZeroUsize::new(self.hashing_threads).unwrap_or_else(system::cores);
        Hashing { threads, queue: self.hashing_queue, on_start: system::step_back }
    }
}
