//! What a first view weighs on the wire.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hallpass_core::locale::Locale;

use super::views;
use crate::assets;

fn gzipped(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap().len()
}

#[test]
fn a_first_view_is_light() {
    let around: usize = [assets::STYLE, assets::PASSKEYS, assets::ICON].map(gzipped).iter().sum();
    for locale in Locale::ALL {
        for (page, html) in views::plain(locale) {
            let bytes = around + gzipped(&html);
            assert!(bytes <= 30_000, "{locale} {page}: {bytes} bytes");
            if page == "sign_in" {
                assert!(bytes <= 12_000, "{locale} {page}: {bytes} bytes");
            }
        }
    }
}

#[test]
fn style_and_script_take_nothing_from_elsewhere() {
    for text in [assets::STYLE, assets::PASSKEYS] {
        assert!(!text.contains("url(") && !text.contains("@import") && !text.contains("http"));
    }
    assert!(!assets::PASSKEYS.contains("innerHTML") && !assets::PASSKEYS.contains("eval("));
}
