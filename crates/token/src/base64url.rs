//! Base64url without padding (RFC 7515 §2, RFC 4648 §5), one spelling per value: padding, white
//! space and non-zero trailing bits are refused, so no byte of a token can change unnoticed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How many characters `len` bytes take.
pub(crate) const fn encoded_len(len: usize) -> usize {
    (len * 4).div_ceil(3)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Writes into `out`, which must be exactly [`encoded_len`] long.
pub(crate) fn encode_into(bytes: &[u8], out: &mut [u8]) {
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, out);
    debug_assert_eq!(written, Ok(encoded_len(bytes.len())));
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes exactly `N` bytes, without allocating. `N` is at most 64.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != encoded_len(N) {
        return None;
    }
    // The decoder asks for room for whole groups.
    let mut room = [0; 66];
    let len = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
    room[..len].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_spelling() {
        assert_eq!(decode("AA"), Some(vec![0]));
        for other in ["AB", "AP", "AA=", "AA==", "A", "A A", "AA\n", "+A", "/A"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn arrays_decode_at_their_exact_length() {
        let text = encode(&[7; 64]);
        assert_eq!(decode_array::<64>(&text), Some([7; 64]));
        assert_eq!(decode_array::<63>(&text), None);
        assert_eq!(decode_array::<32>(&encode(&[9; 32])), Some([9; 32]));
        assert_eq!(decode_array::<64>(&text[1..]), None);
    }
}
