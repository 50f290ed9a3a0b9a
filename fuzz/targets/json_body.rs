//! JSON bodies: any bytes as the body of each operation. Refused or taken, never a fault.
#![no_main]

use hallpass_http::fuzz::BODIES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    let (name, parse) = BODIES[usize::from(*which) % BODIES.len()];
    if let Some(status) = parse(bytes) {
        assert!(status == 400 || status == 422, "{name} answered {status}");
    }
});
