//! Access tokens: any text, and any claims under a genuine signature.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_token::{Signer, SigningKey, Verifier, peek_kid};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const ISSUER: &str = "https://chat.test";

struct Desk {
    key: SigningKey,
    header: String,
    signer: Signer,
    verifier: Verifier,
    now: Timestamp,
}

static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&[7; 32]);
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"}}"#, key.kid());
    Desk {
        header: URL_SAFE_NO_PAD.encode(header),
        signer: Signer::new(SigningKey::from_seed(&[7; 32])),
        verifier: Verifier::new(ISSUER, ISSUER, [key.verifying_key()]),
        now: Timestamp::from_second(1_800_000_000).unwrap(),
        key,
    }
});

fuzz_target!(|input: &[u8]| {
    let desk = &*DESK;
    let Some((mode, rest)) = input.split_first() else { return };
    let token = if mode & 1 == 0 {
        match std::str::from_utf8(rest) {
            Ok(text) => text.to_owned(),
            Err(_) => return,
        }
    } else {
        // Past the signature: whatever an issuer of ours might be made to sign.
        let signed = format!("{}.{}", desk.header, URL_SAFE_NO_PAD.encode(rest));
        let signature = desk.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let kid = peek_kid(&token);
    let Ok(claims) = desk.verifier.verify_access(&token, desk.now) else { return };
    assert_eq!(kid.as_deref(), Ok(desk.key.kid()));
    assert!(claims.iat < claims.exp && claims.exp > desk.now.as_second());
    let again = desk.signer.sign_access(&claims);
    assert_eq!(desk.verifier.verify_access(&again, desk.now), Ok(claims));
});
