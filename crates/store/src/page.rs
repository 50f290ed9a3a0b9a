//! Keyset pages: a list is ordered by a time and an id, and a page begins behind such a pair.
//!
//! Open ends are sentinels, not `IS NULL OR`, so that both engines walk the index from the key.

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The ordering time, Unix milliseconds.
    pub at: i64,
    /// The id that breaks ties.
    pub id: String,
}

/// A walk along an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Towards smaller keys.
    pub descending: bool,
    /// Exclusive start; none for the end of the list that the direction starts from.
    pub from: Option<Key>,
    /// The most rows.
    pub limit: i64,
}

impl Scan {
    /// The exclusive start, with sentinels for none.
    pub(crate) fn start(&self) -> (i64, &str) {
        match &self.from {
            Some(key) => (key.at, &key.id),
            // '~' sorts after every id, '' before.
            None if self.descending => (i64::MAX, "~"),
            None => (i64::MIN, ""),
        }
    }

    /// As [`start`](Self::start), for a list that ends, exclusively, at `after` and `before`: what lies
    /// outside is not walked over to get in.
    pub(crate) fn start_within(&self, after: i64, before: i64) -> (i64, &str) {
        let (at, id) = self.start();
        match self.descending {
            true if at >= before => (before, ""),
            false if at <= after => (after, "~"),
            _ => (at, id),
        }
    }
}
