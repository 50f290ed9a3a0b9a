//! What webhooks are signed with: `ws_` + 64 hexadecimal digits, 256 random bits.
//!
//! `webhook-signature: v1,<base64 of HMAC-SHA256(secret, "<webhook-id>.<webhook-timestamp>.<body>")>`,
//! as Standard Webhooks has it, but for the key: the literal bytes of the whole secret, prefix included.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::Entropy;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::secret::InvalidSecret;

const PREFIX: &str = "ws_";
const DIGITS: usize = 64;

/// A webhook's secret: shown once, then kept sealed, because it must sign.
///
/// Wiped when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

impl WebhookSecret {
    /// Makes a new one from 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(&mut *random);
        let mut text = String::with_capacity(PREFIX.len() + DIGITS);
        text.push_str(PREFIX);
        for byte in random.iter() {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(half), 16).expect("half a byte is a digit"));
            }
        }
        Self(text.into())
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// [`InvalidSecret`] if it is not one of ours.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let sound = digits.len() == DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if sound { Ok(Self(text.to_owned().into())) } else { Err(InvalidSecret) }
    }

    /// The secret itself: to be shown once, and to be sealed.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What signs with it. Made once for many signatures.
    pub fn signer(&self) -> WebhookSigner {
        WebhookSigner(hmac::Key::new(hmac::HMAC_SHA256, self.expose().as_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Signs deliveries with one secret.
#[derive(Clone)]
pub struct WebhookSigner(hmac::Key);

impl WebhookSigner {
    /// The signature of a delivery, `v1,…`.
    pub fn sign(&self, id: &str, timestamp_secs: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(id.as_bytes());
        context.update(format!(".{timestamp_secs}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

impl fmt::Debug for WebhookSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSigner(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededEntropy;

    #[test]
    fn a_secret_is_read_back_and_not_printed() {
        let secret = WebhookSecret::generate(&SeededEntropy::new(1));
        assert_eq!(WebhookSecret::parse(secret.expose()).unwrap().expose(), secret.expose());
        assert!(!format!("{secret:?} {:?}", secret.signer()).contains(&secret.expose()[..8]));
        assert!(WebhookSecret::parse("ws_00").is_err());
        assert!(WebhookSecret::parse(&secret.expose().to_uppercase()).is_err());
    }

    /// Made with Python's `hmac` and `base64`.
    #[test]
    fn signatures_are_those_of_the_contract() {
        let secret = WebhookSecret::parse(&format!("ws_{}", "0123456789abcdef".repeat(4))).unwrap();
        let signature = secret.signer().sign("msg_1", 1_767_268_800, b"{\"a\":1}");
        assert_eq!(signature, "v1,dqSjs2gMaIOFXLuQOGFegjgn4kCkgdyXBAlrq40k8LU=");
    }
}
