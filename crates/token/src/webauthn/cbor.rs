//! The part of CBOR (RFC 8949) that authenticators speak (CTAP 2 §8): whole numbers, bytes, texts, lists
//! and maps of definite length, true, false and null.
//!
//! Nothing is copied, so memory stays below a fixed multiple of the input. Floats, tags, indefinite lengths
//! and other simple values are refused, and so is a map that holds a key twice.

/// How deep lists and maps may lie in each other: the deepest that is read is an attestation's certificates.
const MAX_DEPTH: u8 = 4;
/// The most items in one list or map.
const MAX_ITEMS: u64 = 64;

/// A value, borrowed from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Int(i128),
    Bytes(&'a [u8]),
    Text(&'a str),
    List(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Bool(bool),
    Null,
}

impl<'a> Value<'a> {
    /// Reads exactly one value; none if anything is wrong or left over.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (value, rest) = Self::read_first(bytes)?;
        rest.is_empty().then_some(value)
    }

    /// Reads one value and gives what follows it.
    pub(super) fn read_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = bytes;
        let value = read(&mut rest, MAX_DEPTH)?;
        Some((value, rest))
    }

    pub(super) fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_int(&self) -> Option<i128> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    pub(super) fn as_map(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// What a map holds under a text.
    pub(super) fn named(&self, name: &str) -> Option<&Self> {
        self.under(&Value::Text(name))
    }

    /// What a map holds under a number.
    pub(super) fn numbered(&self, number: i128) -> Option<&Self> {
        self.under(&Value::Int(number))
    }

    fn under(&self, key: &Value<'_>) -> Option<&Self> {
        self.as_map()?.iter().find_map(|(held, value)| (held == key).then_some(value))
    }
}

fn read<'a>(rest: &mut &'a [u8], depth: u8) -> Option<Value<'a>> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    let (major, info) = (first >> 5, first & 31);
    if major == 7 {
        return match info {
            20 => Some(Value::Bool(false)),
            21 => Some(Value::Bool(true)),
            22 => Some(Value::Null),
            _ => None,
        };
    }
    let argument = argument(rest, info)?;
    match major {
        0 => Some(Value::Int(argument.into())),
        1 => Some(Value::Int(-1 - i128::from(argument))),
        2 => take(rest, argument).map(Value::Bytes),
        3 => std::str::from_utf8(take(rest, argument)?).ok().map(Value::Text),
        4 => {
            let depth = depth.checked_sub(1)?;
            let items = (0..within(argument)?).map(|_| read(rest, depth)).collect::<Option<_>>()?;
            Some(Value::List(items))
        }
        5 => {
            let depth = depth.checked_sub(1)?;
            let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
            for _ in 0..within(argument)? {
                let key = read(rest, depth)?;
                // Elsewhere a key twice would be read as either.
                if !matches!(key, Value::Int(_) | Value::Text(_))
                    || entries.iter().any(|(held, _)| *held == key)
                {
                    return None;
                }
                entries.push((key, read(rest, depth)?));
            }
            Some(Value::Map(entries))
        }
        _ => None,
    }
}

fn within(count: u64) -> Option<u64> {
    (count <= MAX_ITEMS).then_some(count)
}

fn argument(rest: &mut &[u8], info: u8) -> Option<u64> {
    let len = match info {
        0..=23 => return Some(info.into()),
        24..=27 => 1_u64 << (info - 24),
        _ => return None,
    };
    Some(take(rest, len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_the_rfc_are_read() {
        // RFC 8949, appendix A.
        for (bytes, value) in [
            (&[0x17][..], Value::Int(23)),
            (&[0x18, 0x64], Value::Int(100)),
            (&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255], Value::Int(u64::MAX.into())),
            (&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255], Value::Int(-1 - i128::from(u64::MAX))),
            (&[0x39, 0x01, 0x00], Value::Int(-257)),
            (&[0x44, 1, 2, 3, 4], Value::Bytes(&[1, 2, 3, 4])),
            (&[0x62, 0xc3, 0xbc], Value::Text("\u{fc}")),
            (&[0x83, 1, 2, 3], Value::List(vec![Value::Int(1), Value::Int(2), Value::Int(3)])),
            (&[0xa1, 1, 0xf5], Value::Map(vec![(Value::Int(1), Value::Bool(true))])),
            (&[0xf6], Value::Null),
        ] {
            assert_eq!(Value::read(bytes), Some(value), "{bytes:x?}");
        }
    }

    #[test]
    fn what_authenticators_do_not_say_is_refused() {
        for bytes in [
            &[][..],
            &[0x18],                // cut
            &[0x01, 0x02],          // something left over
            &[0x42, 1],             // cut bytes
            &[0x61, 0xff],          // not UTF-8
            &[0x5f, 0x41, 1, 0xff], // indefinite length
            &[0x9f, 0xff],
            &[0xbf, 0xff],
            &[0xc0, 0x61, 0x61],                             // a tag
            &[0xf9, 0x3c, 0x00],                             // a float
            &[0xf7],                                         // undefined
            &[0x1c],                                         // reserved
            &[0xa2, 1, 1, 1, 2],                             // a key twice
            &[0xa2, 1, 1, 0x18, 1, 2],                       // the same key in two spellings
            &[0xa1, 0x41, 1, 1],                             // bytes as a key
            &[0x81, 0x81, 0x81, 0x81, 0x81, 1],              // too deep
            &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], // as many as there are not
            &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(Value::read(bytes), None, "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            if let Some((_, rest)) = Value::read_first(&bytes) {
                prop_assert!(rest.len() < bytes.len());
            }
        }
    }
}
