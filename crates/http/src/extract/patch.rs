//! A field of a PATCH body: absent, null, or a value.

use serde::{Deserialize, Deserializer};

/// A field of a PATCH body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    /// Not sent: leave it.
    #[default]
    Absent,
    /// Null: clear it, where it can be cleared.
    Null,
    /// Set it.
    Value(T),
}

impl<T> Patch<T> {
    /// For a field that cannot be cleared: null is no value.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// For a field that can be cleared, with its value checked.
    #[expect(clippy::option_option, reason = "whether to change it, and whether to a value")]
    pub(crate) fn clearable<U, E>(
        self,
        check: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Option<Option<U>>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => Ok(Some(None)),
            Self::Value(value) => check(value).map(|value| Some(Some(value))),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}
