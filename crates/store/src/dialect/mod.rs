//! What truly differs between the engines: lists as parameters, set-based inserts.
//!
//! Both take a list as one JSON text; they unfold it with functions of different names.

pub(crate) mod postgres;
pub(crate) mod sqlite;
