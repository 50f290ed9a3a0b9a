//! Links to uploads and private files: any text; and every link, its spelling and its neighbours.
#![no_main]

use std::sync::LazyLock;

use hallpass_core::id::{CompanyId, FileId, UserId};
use hallpass_token::{FileLinks, MasterKey, Reader, UploadLink};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

static LINKS: LazyLock<FileLinks> = LazyLock::new(|| FileLinks::derive(&MasterKey::from_bytes([3; 32])));

fuzz_target!(|input: &[u8]| {
    let (now, end) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1000).expect("a time"));
    if let Ok(text) = std::str::from_utf8(input) {
        // Nobody guesses a MAC.
        assert!(LINKS.open_upload(text, now).is_err());
        assert!(LINKS.open_reading(FileId::from_bits(1), text, now).is_err());
    }
    let Some((bits, rest)) = input.split_first_chunk::<16>() else { return };
    let file = FileId::from_bits(u128::from_be_bytes(*bits));
    let max_bytes = rest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let upload = UploadLink { file, max_bytes };
    let link = LINKS.upload(upload, end);
    assert_eq!(LINKS.open_upload(&link, now), Ok(upload));
    let reader = Reader::User(CompanyId::from_bits(7), UserId::from_bits(u128::from(max_bytes)));
    let reading = LINKS.reading(file, reader, end);
    assert_eq!(LINKS.open_reading(file, &reading, now), Ok(reader));
    assert!(LINKS.open_upload(&reading, now).is_err() && LINKS.open_reading(file, &link, now).is_err());
    // One byte of the input in place of one of the link.
    if let [at, byte @ 0x20..0x7f, ..] = rest {
        let mut altered = link.clone().into_bytes();
        let at = usize::from(*at) % altered.len();
        if altered[at] != *byte {
            altered[at] = *byte;
            let altered = String::from_utf8(altered).expect("ASCII");
            assert!(LINKS.open_upload(&altered, now).is_err(), "{altered}");
        }
    }
});
