//! What the tests stand on: a running `hallpass dev`, and a browser without a window.

mod browser;
mod hallpass;

pub use browser::{Browser, Page};
pub use hallpass::{Hallpass, Person};
