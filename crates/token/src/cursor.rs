//! Page cursors: opaque to clients, tied to the list they came from.
//!
//! A cursor is base64url of `payload ‖ code`, the code being 128 bits of HMAC-SHA256 over the
//! binding (operation, filters, whose list) and the payload. It proves that we made it for this very
//! list; it grants nothing, access is decided anew on every page. Its key does not rotate, so
//! cursors outlive restarts and key rotations. The payload is readable by its holder: positions
//! and ids only.

use crate::base64url;
use crate::seal::{MacKey, MasterKey, first_half};
use subtle::ConstantTimeEq;

const CODE_LEN: usize = 16;
/// Longest cursor, in characters.
pub const MAX_CURSOR_LEN: usize = 512;
/// Longest payload that fits, in bytes.
pub const MAX_PAYLOAD_LEN: usize = MAX_CURSOR_LEN / 4 * 3 - CODE_LEN;

/// Makes and reads cursors.
#[derive(Debug, Clone)]
pub struct CursorKey(MacKey);

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl CursorKey {
    /// A cursor key over the given code; it should serve nothing else.
    pub fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// The cursor key of an installation.
    pub fn derive(master: &MasterKey) -> Self {
        Self(master.derive_mac("cursors"))
    }

    /// Makes the cursor at `payload` (at most [`MAX_PAYLOAD_LEN`] bytes, or it will not decode) of
    /// the list that `binding` describes: operation, then every filter, in a fixed order.
    pub fn encode(&self, binding: &[&[u8]], payload: &[u8]) -> String {
        debug_assert!(payload.len() <= MAX_PAYLOAD_LEN, "a cursor's payload is a position and an id");
        base64url::encode(&[payload, &self.code(binding, payload)].concat())
    }

    /// Reads the payload of a cursor of the list that `binding` describes.
    ///
    /// # Errors
    /// [`InvalidCursor`] if it is too long, altered, or of another list.
    pub fn decode(&self, binding: &[&[u8]], text: &str) -> Result<Vec<u8>, InvalidCursor> {
        if text.len() > MAX_CURSOR_LEN {
            return Err(InvalidCursor);
        }
        let mut payload = base64url::decode(text).ok_or(InvalidCursor)?;
        let len = payload.len().checked_sub(CODE_LEN).ok_or(InvalidCursor)?;
        let code = self.code(binding, &payload[..len]);
        if !bool::from(code.ct_eq(&payload[len..])) {
            return Err(InvalidCursor);
        }
        payload.truncate(len);
        Ok(payload)
    }

    /// The payload is the last part, so a longer binding cannot swallow it.
    fn code(&self, binding: &[&[u8]], payload: &[u8]) -> [u8; CODE_LEN] {
        first_half(self.0.mac_of(binding.iter().copied().chain([payload])))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{all_values, alterations};

    fn key() -> CursorKey {
        CursorKey::derive(&MasterKey::from_bytes([3; 32]))
    }

    #[test]
    fn a_cursor_works_in_its_own_list_only() {
        let list: &[&[u8]] = &[b"messages.list", b"chat_feed_1", b"desc"];
        let cursor = key().encode(list, b"42");
        assert_eq!(key().decode(list, &cursor).as_deref(), Ok(b"42".as_slice()));
        let others: [&[&[u8]]; 5] = [
            &[b"messages.list", b"chat_feed_2", b"desc"],
            &[b"messages.list", b"chat_feed_1", b"asc"],
            &[b"messages.list", b"chat_feed_1desc", b""],
            &[b"messages.list", b"chat_feed_1"],
            &[],
        ];
        for other in others {
            assert_eq!(key().decode(other, &cursor), Err(InvalidCursor));
        }
        let stranger = CursorKey::derive(&MasterKey::from_bytes([4; 32]));
        assert_eq!(stranger.decode(list, &cursor), Err(InvalidCursor));
    }

    #[test]
    fn the_longest_payload_fits_and_longer_texts_are_refused_unread() {
        let cursor = key().encode(&[], &[0; MAX_PAYLOAD_LEN]);
        assert_eq!(cursor.len(), MAX_CURSOR_LEN);
        assert!(key().decode(&[], &cursor).is_ok());
        assert_eq!(key().decode(&[], &format!("{cursor}AAAA")), Err(InvalidCursor));
    }

    #[test]
    fn threat_11_altered_cursors_are_refused() {
        for payload in [b"".as_slice(), b"1", b"12", b"position and id"] {
            let cursor = key().encode(&[b"list"], payload);
            for altered in alterations(&cursor, all_values) {
                assert_eq!(key().decode(&[b"list"], &altered), Err(InvalidCursor), "{altered:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn cursors_round_trip(
            payload in prop::collection::vec(any::<u8>(), 0..=MAX_PAYLOAD_LEN),
            binding: Vec<Vec<u8>>,
        ) {
            let binding: Vec<&[u8]> = binding.iter().map(Vec::as_slice).collect();
            let cursor = key().encode(&binding, &payload);
            prop_assert!(cursor.len() <= MAX_CURSOR_LEN);
            prop_assert_eq!(key().decode(&binding, &cursor), Ok(payload));
        }

        #[test]
        fn any_text_is_decoded_without_panic(text: String) {
            prop_assert_eq!(key().decode(&[], &text), Err(InvalidCursor));
        }
    }
}
