//! The API through the whole path: the in-process router over a real store.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod api {
    mod access;
    mod access_tokens;
    mod accounts;
    mod api_keys;
    mod apps;
    mod authority;
    mod authorization;
    mod cases;
    mod files;
    mod first_half;
    mod given;
    mod idempotency;
    mod limits;
    mod lists;
    mod lost_commits;
    mod openapi;
    mod patches;
    mod pictures;
    mod signing_keys;
    mod team;
    mod threats;
    mod user_sync;
    mod webhooks;
}
