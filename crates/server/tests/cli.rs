//! The binary as operators meet it: started, asked, stopped.

#![expect(clippy::unwrap_used, reason = "what tests stand on may fail loudly")]

mod cli {
    mod config;
    mod dev;
    mod doctor;
    mod folder;
    mod operators;
    mod postgres;
    mod process;
    mod secrets;
    mod shutdown;
}
