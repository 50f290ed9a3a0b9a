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

impl Key {
    /// The place just ahead of this one on a walk: from there, this one is met first if it is there.
    #[must_use]
    pub fn just_ahead(&self, descending: bool) -> Self {
        let Some((last, rest)) = self.id.as_bytes().split_last() else {
            // Ordered by a number alone.
            let step = if descending { 1 } else { -1 };
            return Self { at: self.at.saturating_add(step), id: String::new() };
        };
        // Ids are ASCII and of one length, so nothing lies between an id and these.
        let id = if descending {
            format!("{}~", self.id)
        } else {
            format!("{}{}~", String::from_utf8_lossy(rest), char::from(last.saturating_sub(1)))
        };
        Self { at: self.at, id }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_ahead_of_a_place_nothing_else_lies() {
        let key = |id: &str| Key { at: 5, id: id.to_owned() };
        let order = |key: &Key| (key.at, key.id.clone());
        let ids = ["exp_00", "exp_0Z", "exp_10", "exp_1A", "exp_1B", "exp_ZZ"].map(key);
        for (n, id) in ids.iter().enumerate() {
            let (below, above) = (order(&id.just_ahead(false)), order(&id.just_ahead(true)));
            assert!(below < order(id) && order(id) < above);
            assert!(ids[..n].iter().all(|smaller| order(smaller) < below));
            assert!(ids[n + 1..].iter().all(|larger| order(larger) > above));
        }
        assert_eq!(key("").just_ahead(true), Key { at: 6, id: String::new() });
        assert_eq!(key("").just_ahead(false), Key { at: 4, id: String::new() });
    }
}
