//! People: signing up and in, through the use cases and through the pages that call them.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod people {
    mod accounts;
    mod addresses;
    mod browser;
    mod cookies;
    mod forms;
    mod headers;
    mod linking;
    mod mail;
    mod pages;
    mod passkeys;
    mod passwords;
    mod scripted;
    mod visitor;
}
