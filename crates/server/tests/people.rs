//! People: signing up and in, through the use cases that the pages call.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod people {
    mod accounts;
    mod addresses;
    mod browser;
    mod linking;
    mod mail;
    mod passkeys;
    mod passwords;
}
