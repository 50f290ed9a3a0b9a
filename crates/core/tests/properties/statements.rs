//! Statements of API keys: a denial only ever takes away, and patterns cover what they name.

use hallpass_core::id::{CompanyId, ExperienceId};
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::draw::scope_set;

fn biz(n: u8) -> CompanyId {
    CompanyId::from_bits(u128::from(n))
}
fn exp(n: u8) -> String {
    ExperienceId::from_bits(u128::from(n)).to_string()
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (0..3u8, 0..3u8, 0..6u8).prop_map(|(company, experience, form)| {
        let (company, experience) = (biz(company), exp(experience));
        let text = match form {
            0 => "*".to_owned(),
            1 => "biz_*".to_owned(),
            2 => company.to_string(),
            3 => format!("{company}|{experience}"),
            4 => format!("{company}|exp_*"),
            _ => format!("*|{experience}"),
        };
        Pattern::try_from(text).unwrap()
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    (scope_set(), any::<bool>(), vec(pattern(), 0..3)).prop_map(|(actions, grant, resources)| Statement {
        actions,
        grant,
        resources,
    })
}

fn where_to() -> impl Strategy<Value = (Vec<CompanyId>, Option<String>)> {
    (vec((0..3u8).prop_map(biz), 1..3), prop::option::of((0..3u8).prop_map(exp)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn adding_a_denial_never_adds(
        statements in vec(statement(), 0..6), mut denial in statement(), at in any::<prop::sample::Index>(),
        (names, inner) in where_to(),
    ) {
        denial.grant = false;
        let before = KeyRights::Statements(statements.clone());
        let mut with = statements;
        with.insert(at.index(with.len() + 1), denial);
        let after = KeyRights::Statements(with);
        prop_assert!(after.on(&names, inner.as_deref()).is_subset(&before.on(&names, inner.as_deref())));
        prop_assert!(after.within(&names).is_subset(&before.within(&names)));
    }

    #[test]
    fn the_order_of_statements_means_nothing(
        statements in vec(statement(), 0..6), (names, inner) in where_to(),
    ) {
        let forward = KeyRights::Statements(statements.clone());
        let backward = KeyRights::Statements(statements.into_iter().rev().collect());
        prop_assert_eq!(forward.on(&names, inner.as_deref()), backward.on(&names, inner.as_deref()));
        prop_assert_eq!(forward.within(&names), backward.within(&names));
    }

    #[test]
    fn removing_a_grant_never_adds(
        statements in vec(statement(), 1..6), at in any::<prop::sample::Index>(), (names, inner) in where_to(),
    ) {
        let before = KeyRights::Statements(statements.clone());
        let mut fewer = statements;
        let at = at.index(fewer.len());
        if fewer[at].grant {
            fewer.remove(at);
        }
        let after = KeyRights::Statements(fewer);
        prop_assert!(after.on(&names, inner.as_deref()).is_subset(&before.on(&names, inner.as_deref())));
    }

    #[test]
    fn nothing_is_held_that_no_statement_grants(
        statements in vec(statement(), 0..6), (names, inner) in where_to(),
    ) {
        let rights = KeyRights::Statements(statements);
        prop_assert!(rights.on(&names, inner.as_deref()).is_subset(&rights.ever()));
        prop_assert!(rights.within(&names).is_subset(&rights.ever()));
        // What may be minted bounds what may be done at any one place.
        prop_assert!(rights.on(&names, None).is_subset(&rights.within(&names)));
    }

    #[test]
    fn a_denial_beats_every_grant_of_the_same_place(
        statements in vec(statement(), 0..6), denied in scope_set(), company in (0..3u8).prop_map(biz),
    ) {
        let mut statements = statements;
        statements.push(Statement {
            actions: denied,
            grant: false,
            resources: vec![Pattern::try_from(company.to_string()).unwrap()],
        });
        let rights = KeyRights::Statements(statements);
        for inner in [None, Some(exp(0)), Some(exp(1))] {
            prop_assert!(rights.on(&[company], inner.as_deref()).and(&denied).is_empty());
        }
    }

    #[test]
    fn a_denial_on_a_part_always_denies_on_that_part(
        statements in vec(statement(), 0..6), denied in scope_set(), company in (0..3u8).prop_map(biz),
        part in 0..3u8, resource in vec(any::<char>(), 0..2), form in 0..4u8,
    ) {
        let part = exp(part);
        let text = match form {
            0 => format!("{company}|{part}"),
            1 => "*|exp_*".to_owned(),
            2 => format!("biz_*|{part}"),
            // Any other path with the part in it either denies there or is refused.
            _ => format!("{company}|{}|{part}", resource.iter().collect::<String>()),
        };
        let Ok(pattern) = Pattern::try_from(text) else {
            prop_assert_eq!(form, 3);
            return Ok(());
        };
        let mut statements = statements;
        statements.push(Statement { actions: denied, grant: false, resources: vec![pattern] });
        let rights = KeyRights::Statements(statements);
        prop_assert!(rights.on(&[company], Some(&part)).and(&denied).is_empty());
        prop_assert!(rights.throughout(&[company]).and(&denied).is_empty());
        prop_assert!(rights.throughout(&[company]).is_subset(&rights.on(&[company], Some(&part))));
    }

    #[test]
    fn the_parts_are_those_on_which_it_may(
        statements in vec(statement(), 0..8), names in vec((0..3u8).prop_map(biz), 1..3), part in 0..3u8,
        action in select(Scope::all().collect::<Vec<_>>()),
    ) {
        let (rights, part) = (KeyRights::Statements(statements), exp(part));
        let may = rights.on(&names, Some(&part)).contains(action);
        prop_assert_eq!(rights.parts(&names, action).contains(part.parse().unwrap()), may);
    }

    #[test]
    fn a_pattern_keeps_its_text_or_is_refused(text in prop_oneof![any::<String>(), "[a-z_|*]{0,30}"]) {
        if let Ok(pattern) = Pattern::try_from(text.clone()) {
            let company = pattern.company().to_owned();
            prop_assert!(!company.is_empty() && !text.contains('\0'));
            prop_assert_eq!(String::from(pattern), text);
        }
    }

    #[test]
    fn a_pattern_for_one_company_covers_no_other(
        inner in prop_oneof![Just(String::new()), Just("|*".to_owned()), select(vec![0u8, 1]).prop_map(|n| format!("|{}", exp(n)))],
        actions in scope_set(),
    ) {
        let resource = Pattern::try_from(format!("{}{inner}", biz(1))).unwrap();
        let rights = KeyRights::Statements(vec![Statement { actions, grant: true, resources: vec![resource] }]);
        for experience in [None, Some(exp(0)), Some(exp(1))] {
            prop_assert_eq!(rights.on(&[biz(2)], experience.as_deref()), ScopeSet::EMPTY);
        }
        prop_assert_eq!(rights.within(&[biz(2)]), ScopeSet::EMPTY);
    }

    #[test]
    fn rights_survive_storage(statements in vec(statement(), 0..6)) {
        let rights = KeyRights::Statements(statements);
        let stored = serde_json::to_string(&rights).unwrap();
        prop_assert_eq!(serde_json::from_str::<KeyRights>(&stored).unwrap(), rights);
    }
}
