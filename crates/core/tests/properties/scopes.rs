//! The algebra of scope sets.

use hallpass_core::scope::ScopeSet;
use proptest::prelude::*;

use super::draw::scope_set;

proptest! {
    #[test]
    fn narrowing_never_widens(held in scope_set(), wanted in scope_set()) {
        match held.narrow(&wanted) {
            Ok(narrowed) => {
                prop_assert_eq!(narrowed, wanted);
                prop_assert!(narrowed.is_subset(&held));
            }
            Err(lacking) => {
                prop_assert!(!lacking.is_empty());
                prop_assert!(lacking.is_subset(&wanted));
                prop_assert!(lacking.and(&held).is_empty());
            }
        }
    }

    #[test]
    fn meeting_and_joining_are_a_lattice(a in scope_set(), b in scope_set(), c in scope_set()) {
        prop_assert_eq!(a.and(&b), b.and(&a));
        prop_assert_eq!(a.or(&b), b.or(&a));
        prop_assert_eq!(a.and(&b).and(&c), a.and(&b.and(&c)));
        prop_assert_eq!(a.and(&a.or(&b)), a);
        prop_assert_eq!(a.or(&a.and(&b)), a);
        prop_assert!(a.and(&b).is_subset(&a) && a.is_subset(&a.or(&b)));
        prop_assert_eq!(a.minus(&b).or(&a.and(&b)), a);
        prop_assert!(a.minus(&b).and(&b).is_empty());
        prop_assert_eq!(a.len(), a.minus(&b).len() + a.and(&b).len());
    }

    #[test]
    fn a_set_is_its_members(set in scope_set()) {
        prop_assert_eq!(set.iter().collect::<ScopeSet>(), set);
        prop_assert_eq!(set.iter().count(), set.len() as usize);
        prop_assert!(set.iter().all(|scope| set.contains(scope)));
    }

    #[test]
    fn text_round_trips(set in scope_set()) {
        prop_assert_eq!(ScopeSet::parse(&set.to_string()), Ok(set));
    }

    #[test]
    fn no_text_parses_to_more_than_it_names(text in "[a-z_:]{0,20}( [a-z_:]{0,20}){0,3}") {
        if let Ok(set) = ScopeSet::parse(&text) {
            for scope in set.iter() {
                prop_assert!(text.split(' ').any(|word| word == scope.name()));
            }
        }
    }
}
