//! What clients and browsers send to OAuth: any query, form, JSON and header, read and checked; and any
//! redirect URI and state in an answer. A repeated parameter is never read, and no answer leaves its URI.
#![no_main]

use std::sync::LazyLock;

use hallpass_core::id::{AppId, CompanyId};
use hallpass_oauth::authorize::{Refusal, Request};
use hallpass_oauth::client::{Client, Credentials};
use hallpass_oauth::grants::GrantRequest;
use hallpass_oauth::logout::LogoutRequest;
use hallpass_oauth::pkce::PkcePolicy;
use hallpass_oauth::{Params, redirect};
use hallpass_token::{MasterKey, RefreshTokens, SecretHash};
use libfuzzer_sys::fuzz_target;

static TOKENS: LazyLock<RefreshTokens> =
    LazyLock::new(|| RefreshTokens::new(MasterKey::from_bytes([7; 32]).derive_mac("refresh-tokens")));
static CLIENT: LazyLock<Client> = LazyLock::new(|| Client {
    id: AppId::from_bits(1),
    company: Some(CompanyId::from_bits(2)),
    name: String::new(),
    client_type: None,
    secret_hash: Some(SecretHash::of("secret")),
    redirect_uris: vec!["https://app.test/cb".into(), "http://127.0.0.1/cb".into()],
    base_url: None,
});

fuzz_target!(|input: &[u8]| {
    let (kind, rest) = input.split_first().unwrap_or((&0, &[]));
    let params = if kind % 2 == 0 { Params::from_form(rest) } else { Params::from_json(rest) };
    let text = std::str::from_utf8(rest).unwrap_or_default();
    assert!(TOKENS.parse(text).is_err(), "nobody guesses a code of authentication");
    if let Ok(none) = Params::from_query("") {
        let _ = Credentials::read(Some(text), &none);
    }
    let Ok(params) = params else { return };
    let _ = (GrantRequest::parse(&params), LogoutRequest::parse(&params), Credentials::read(None, &params));
    match Request::check(&params, Some(&CLIENT), PkcePolicy::Always) {
        Err(Refusal::Page(_)) => {}
        Ok(Request { redirect_uri, state, .. }) | Err(Refusal::Redirect { redirect_uri, state, .. }) => {
            let ours = redirect_uri == "https://app.test/cb"
                || redirect_uri.starts_with("http://127.0.0.1/cb")
                || redirect_uri.starts_with("http://127.0.0.1:");
            assert!(ours, "{redirect_uri:?}");
            let answer = redirect::with_code(&redirect_uri, "code", state.as_deref(), "https://chat.test");
            assert!(answer.starts_with(&redirect_uri) && answer.is_ascii());
            assert!(!answer.bytes().any(|byte| byte <= b' ' || byte == b'#'));
        }
    }
});
