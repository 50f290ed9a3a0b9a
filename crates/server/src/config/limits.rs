//! `[limits]`: how much is allowed. The struct is the application's own.

use anyhow::bail;
use hallpass_app::Limits;

use super::Section;

impl Section for Limits {
    const NAME: &'static str = "limits";
    const ABOUT: &'static str = "Rate limits of one node.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("mints_per_minute", "Tokens minted, per API key."),
        ("user_calls_per_minute", "Calls, per user and operation."),
        ("key_calls_per_minute", "Calls, per API key and operation, other than minting."),
        ("client_calls_per_minute", "Calls of the token endpoints, per OAuth client and address."),
        ("visits_per_minute", "Authorization requests, per session; where nobody is signed in, per address."),
        ("bad_credentials_per_minute", "Calls with a bad credential, per address."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        for (key, value) in [
            ("mints_per_minute", self.mints_per_minute),
            ("user_calls_per_minute", self.user_calls_per_minute),
            ("key_calls_per_minute", self.key_calls_per_minute),
            ("client_calls_per_minute", self.client_calls_per_minute),
            ("visits_per_minute", self.visits_per_minute),
            ("bad_credentials_per_minute", self.bad_credentials_per_minute),
        ] {
            if value == 0 {
                bail!("limits.{key}: must be at least 1");
            }
        }
        Ok(())
    }
}
