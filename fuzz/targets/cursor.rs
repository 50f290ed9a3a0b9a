//! Page cursors: any text; and every payload under its own list and another.
#![no_main]

use std::sync::LazyLock;

use hallpass_token::cursor::{MAX_CURSOR_LEN, MAX_PAYLOAD_LEN};
use hallpass_token::{CursorKey, MasterKey};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<CursorKey> = LazyLock::new(|| CursorKey::derive(&MasterKey::from_bytes([3; 32])));

fuzz_target!(|input: &[u8]| {
    let list: &[&[u8]] = &[b"messages.list", b"chat_feed_1", b"desc"];
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(payload) = KEY.decode(list, text)
    {
        assert_eq!(KEY.encode(list, &payload), text, "a cursor has one spelling");
    }
    let (binding, payload) = input.split_at(input.len() / 3);
    if payload.len() > MAX_PAYLOAD_LEN {
        return;
    }
    let cursor = KEY.encode(&[binding], payload);
    assert!(cursor.len() <= MAX_CURSOR_LEN);
    assert_eq!(KEY.decode(&[binding], &cursor).as_deref(), Ok(payload));
    let other = [binding, b"x"].concat();
    assert!(KEY.decode(&[&other], &cursor).is_err());
    assert!(KEY.decode(&[binding, b""], &cursor).is_err());
});
