//! Bounded caches under the authority log.
//!
//! Only what *is* gets cached; that something is absent is asked of the store each time, so that
//! enrol-then-mint works at once on every node.

use std::hash::Hash;
use std::sync::Arc;

use hallpass_core::authority::Change;
use quick_cache::sync::Cache as Inner;

use crate::authority::{Authority, Stripes};

/// A cache whose entries hold until the log speaks of one of their subjects.
pub(crate) struct Cache<K, V> {
    entries: Inner<K, Entry<V>, quick_cache::UnitWeighter, ahash::RandomState>,
    authority: Arc<Authority>,
}

#[derive(Clone)]
struct Entry<V> {
    rev: u64,
    stripes: Stripes,
    value: V,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache of at most `capacity` entries.
    pub(crate) fn new(authority: &Arc<Authority>, capacity: usize) -> Self {
        Self {
            entries: Inner::with(
                capacity,
                capacity as u64,
                quick_cache::UnitWeighter,
                ahash::RandomState::new(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            authority: Arc::clone(authority),
        }
    }

    /// What is cached under `key`, if it still holds.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        self.authority.holds(entry.rev, entry.stripes).then_some(entry.value)
    }

    /// Caches what was loaded after `rev` had been read.
    pub(crate) fn put(&self, key: K, value: V, rev: u64, subjects: [&Change; 3]) {
        let stripes = self.authority.stripes(subjects);
        self.entries.insert(key, Entry { rev, stripes, value });
    }
}
