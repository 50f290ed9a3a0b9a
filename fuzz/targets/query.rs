//! Query strings: any text, and every reading of its parameters.
#![no_main]

use hallpass_http::fuzz::query;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for status in query(text) {
        assert!(status == 400 || status == 422, "answered {status}");
    }
});
