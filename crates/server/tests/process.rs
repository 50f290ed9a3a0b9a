//! The binary as a process: killed, on a full disk, with a database that dies, and what it logs.

#![expect(clippy::unwrap_used, reason = "what tests stand on may fail loudly")]

mod process {
    mod database;
    mod full_disk;
    mod kill;
    mod logs;
    mod metrics;
    mod restore;
    mod server;
    mod webhooks;
}
