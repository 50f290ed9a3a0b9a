//! What pages are styled with, and the one script. Served under `/assets/`.

/// The style of every page.
pub const STYLE: &str = include_str!("../assets/sign-in.css");

/// Passkeys, where the browser has them.
pub const PASSKEYS: &str = include_str!("../assets/passkeys.js");

/// The mark.
pub const ICON: &str = include_str!("../assets/icon.svg");
