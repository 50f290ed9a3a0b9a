//! Webhooks, delivered to real receivers on this machine.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod webhooks {
    mod delivery;
    mod events;
    mod failures;
    mod lease;
    mod receiver;
    mod secrets;
}
