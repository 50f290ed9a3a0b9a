//! Rights of keys: any JSON, and what it then grants where.
#![no_main]

use hallpass_core::id::CompanyId;
use hallpass_core::statement::{KeyRights, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(pattern) = Pattern::try_from(text.to_owned()) {
        assert!(text.len() <= 200 && text.starts_with(pattern.company()));
        assert_eq!(String::from(pattern), text);
    }
    let Ok(rights) = serde_json::from_str::<KeyRights>(text) else { return };
    let json = serde_json::to_string(&rights).unwrap();
    assert_eq!(serde_json::from_str::<KeyRights>(&json).unwrap(), rights);
    let (child, parent) = (CompanyId::from_bits(1), CompanyId::from_bits(2));
    let inner = "exp_00000000000000000000000003";
    for names in [&[child][..], &[child, parent]] {
        let (on, inside) = (rights.on(names, None), rights.on(names, Some(inner)));
        // What a key may do on the whole bounds what it may mint; nothing is beyond what it could ever.
        assert!(on.is_subset(&rights.within(names)));
        for set in [on, inside, rights.within(names)] {
            assert!(set.is_subset(&rights.ever()));
        }
    }
    drop(rights.ungrantable());
});
