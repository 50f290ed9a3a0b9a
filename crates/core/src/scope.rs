//! Scopes and sets of them.
//!
//! A [`ScopeSet`] is a bit set over the [catalogue](crate::catalogue): an intersection is four
//! machine instructions, so every request can afford to intersect afresh instead of trusting an
//! old result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::{CATALOGUE, Entry, Flags};

const WORDS: usize = 4;

/// One permission of the catalogue. Its wire form is its name, `chat:read`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(u8);

/// The text names no scope of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope{}{}", if .0.is_empty() { "" } else { " " }, .0)]
pub struct UnknownScope(String);

impl UnknownScope {
    /// Repeats the name only if it could be one: what was put here by mistake may be a secret.
    fn of(name: &str) -> Self {
        let plausible = name.len() <= 60
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b':');
        Self(if plausible { name.to_owned() } else { String::new() })
    }
}

impl Scope {
    pub(crate) const fn at(index: u8) -> Self {
        Self(index)
    }

    /// Finds a scope by its exact name.
    ///
    /// # Errors
    /// [`UnknownScope`] if the catalogue has no such name.
    pub fn parse(name: &str) -> Result<Self, UnknownScope> {
        CATALOGUE
            .binary_search_by(|entry| entry.name.cmp(name))
            .ok()
            .and_then(|index| u8::try_from(index).ok())
            .map(Self)
            .ok_or_else(|| UnknownScope::of(name))
    }

    /// Every scope, sorted by name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CATALOGUE.len()).filter_map(|index| u8::try_from(index).ok().map(Self))
    }

    /// Its line in the catalogue.
    pub fn entry(self) -> &'static Entry {
        &CATALOGUE[usize::from(self.0)]
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it may be put on.
    pub fn flags(self) -> Flags {
        self.entry().flags
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of scopes. Its wire form is the names, sorted, separated by one space (RFC 6749 §3.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet([u64; WORDS]);

impl ScopeSet {
    /// The set of nothing.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// A set of the given scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut words = [0; WORDS];
        let mut i = 0;
        while i < scopes.len() {
            words[(scopes[i].0 >> 6) as usize] |= 1 << (scopes[i].0 & 63);
            i += 1;
        }
        Self(words)
    }

    /// The whole catalogue.
    pub fn everything() -> Self {
        Scope::all().collect()
    }

    /// Parses names separated by single spaces; the empty text is the empty set.
    ///
    /// # Errors
    /// [`UnknownScope`] with the first name that the catalogue lacks.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        if text.is_empty() {
            return Ok(Self::EMPTY);
        }
        text.split(' ').map(Scope::parse).collect()
    }

    /// Whether `scope` is in the set.
    pub const fn contains(&self, scope: Scope) -> bool {
        self.0[(scope.0 >> 6) as usize] & (1 << (scope.0 & 63)) != 0
    }

    /// Whether every scope of `self` is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// What both hold.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// What either holds.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// What `self` holds and `other` does not.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Narrows to `wanted`; never widens.
    ///
    /// # Errors
    /// The scopes of `wanted` that `self` lacks, if any.
    pub fn narrow(&self, wanted: &Self) -> Result<Self, Self> {
        let lacking = wanted.minus(self);
        if lacking.is_empty() { Ok(*wanted) } else { Err(lacking) }
    }

    /// The scopes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        Scope::all().filter(|scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::EMPTY;
        for scope in scopes {
            set = set.or(&Self::of(&[scope]));
        }
        set
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.name())?;
        }
        Ok(())
    }
}
impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({self})")
    }
}
impl Serialize for ScopeSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_fits_the_set() {
        assert!(CATALOGUE.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(CATALOGUE.len() <= WORDS * 64 && CATALOGUE.len() >= 180);
    }

    #[test]
    fn every_name_parses_to_itself() {
        for scope in Scope::all() {
            assert_eq!(Scope::parse(scope.name()), Ok(scope));
        }
    }

    #[test]
    fn near_names_are_unknown() {
        for name in ["", "chat", "chat:", "CHAT:READ", "chat:read ", " chat:read", "chat:read\0", "*"] {
            assert!(Scope::parse(name).is_err(), "{name:?}");
        }
    }
}
