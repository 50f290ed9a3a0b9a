//! Passkeys: any text as an answer, and any bytes inside one. Nobody guesses a signature.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hallpass_token::webauthn::{Credential, RelyingParty, challenge_of, credential_of};
use libfuzzer_sys::fuzz_target;

static PARTY: LazyLock<RelyingParty> =
    LazyLock::new(|| RelyingParty::of_url("https://chat.test").expect("a relying party"));
const CHALLENGE: [u8; 32] = [0; 32];

fuzz_target!(|input: &[u8]| {
    let client_data = |of_type: &str| {
        let challenge = BASE64URL.encode(CHALLENGE);
        let json =
            format!(r#"{{"type":"{of_type}","challenge":"{challenge}","origin":"https://chat.test"}}"#);
        BASE64URL.encode(json)
    };
    let passkey = Credential {
        id: vec![0],
        public_key: input.to_vec(),
        sign_count: 0,
        backup_eligible: false,
        backed_up: false,
        aaguid: [0; 16],
        transports: Vec::new(),
    };
    if let Ok(text) = std::str::from_utf8(input) {
        let _unlikely = challenge_of(text);
        let _unlikely = credential_of(text);
        let _unlikely = PARTY.register(text, &CHALLENGE);
        assert!(PARTY.authenticate(text, &CHALLENGE, &passkey, &[0]).is_err());
    }
    let bytes = BASE64URL.encode(input);
    let created = format!(
        r#"{{"id":"AA","rawId":"AA","type":"public-key","response":{{"clientDataJSON":"{}","attestationObject":"{bytes}"}}}}"#,
        client_data("webauthn.create")
    );
    let _unlikely = PARTY.register(&created, &CHALLENGE);
    let got = format!(
        r#"{{"id":"AA","rawId":"AA","type":"public-key","response":{{"clientDataJSON":"{}","authenticatorData":"{bytes}","signature":"{bytes}","userHandle":"AA"}}}}"#,
        client_data("webauthn.get")
    );
    assert!(PARTY.authenticate(&got, &CHALLENGE, &passkey, &[0]).is_err());
});
