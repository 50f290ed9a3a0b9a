//! OAuth and OpenID Connect through the whole path: a browser, a client, and those who attack them.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "people/visitor.rs"]
#[expect(dead_code, reason = "what the tests of people post besides")]
mod browser;

mod oauth {
    mod authorize;
    mod client;
    mod client_credentials;
    mod codes;
    mod inspect;
    mod logout;
    mod minting;
    mod refresh;
    mod substitution;
    mod walls;
}
