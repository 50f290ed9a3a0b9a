//! The decision: whatever is taken away, nothing is added.

use hallpass_core::decision::{Actor, Facts, Permit, Refusal, Standing, decide};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use proptest::prelude::*;

use super::draw::{action, facts, scope_set};

/// Which inputs to narrow, and by how much.
#[expect(clippy::struct_excessive_bools, reason = "one for each input that is a bool")]
#[derive(Clone, Debug)]
struct Narrowing {
    reach: bool,
    credential: ScopeSet,
    token: ScopeSet,
    custom: ScopeSet,
    membership: bool,
    role: RoleChange,
    public: bool,
    granted: bool,
    admins_post: bool,
}

#[derive(Clone, Debug)]
enum RoleChange {
    Kept,
    Taken,
    Exchanged(Role),
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    // Mostly one or two at a time; otherwise everything is refused, and nothing is learnt.
    let rarely = || prop::bool::weighted(0.2);
    let kept = || prop_oneof![3 => Just(ScopeSet::everything()), 2 => scope_set()];
    let role = prop_oneof![
        6 => Just(RoleChange::Kept),
        1 => Just(RoleChange::Taken),
        2 => super::draw::role().prop_map(RoleChange::Exchanged),
    ];
    ((rarely(), kept(), kept(), kept()), (rarely(), role, rarely(), rarely(), rarely())).prop_map(
        |((reach, credential, token, custom), (membership, role, public, granted, admins_post))| Narrowing {
            reach,
            credential,
            token,
            custom,
            membership,
            role,
            public,
            granted,
            admins_post,
        },
    )
}

fn lower(standing: Standing, by: &Narrowing) -> Standing {
    let mut lower = Standing {
        member: standing.member && !by.membership,
        custom: standing.custom.and(&by.custom),
        ..standing
    };
    // Another role only if it holds no more than the present one.
    match by.role {
        RoleChange::Kept => {}
        RoleChange::Taken => lower.role = None,
        RoleChange::Exchanged(role) => {
            let with = Standing { role: Some(role), ..lower };
            if standing.role.is_some() && with.scopes().is_subset(&standing.scopes()) {
                lower = with;
            }
        }
    }
    lower
}

fn narrowed(facts: &Facts, by: &Narrowing) -> Facts {
    Facts {
        reaches: facts.reaches && !by.reach,
        credential: facts.credential.and(&by.credential),
        actor: match facts.actor {
            Actor::Key => Actor::Key,
            Actor::User { token, standing } => {
                Actor::User { token: token.and(&by.token), standing: lower(standing, by) }
            }
        },
        place: facts.place.map(|mut place| {
            place.public &= !by.public;
            place.granted &= !by.granted;
            place.admins_post |= by.admins_post;
            place
        }),
    }
}

fn no_more(less: &Result<Permit, Refusal>, more: &Result<Permit, Refusal>) -> bool {
    match (less, more) {
        (Err(_), _) => true,
        (Ok(less), Ok(more)) => more.moderates || !less.moderates,
        (Ok(_), Err(_)) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn narrowing_any_input_never_adds_an_action(
        facts in facts(), by in narrowing(), action in action(),
    ) {
        let (before, after) = (decide(action, &facts), decide(action, &narrowed(&facts, &by)));
        prop_assert!(no_more(&after, &before), "{before:?} became {after:?}");
    }

    #[test]
    fn removing_any_one_grant_never_adds_an_action(facts in facts(), action in action(), n in any::<prop::sample::Index>()) {
        let before = decide(action, &facts);
        let one = |set: ScopeSet| {
            let held: Vec<_> = set.iter().collect();
            if held.is_empty() { set } else { set.minus(&ScopeSet::of(&[held[n.index(held.len())]])) }
        };
        let mut fewer = vec![Facts { credential: one(facts.credential), ..facts }];
        if let Actor::User { token, standing } = facts.actor {
            fewer.push(Facts { actor: Actor::User { token: one(token), standing }, ..facts });
            let custom = Standing { custom: one(standing.custom), ..standing };
            fewer.push(Facts { actor: Actor::User { token, standing: custom }, ..facts });
        }
        for less in fewer {
            let after = decide(action, &less);
            prop_assert!(no_more(&after, &before), "{before:?} became {after:?} by {less:?}");
        }
    }

    #[test]
    fn what_is_permitted_is_held_by_everybody_in_the_chain(facts in facts(), action in action()) {
        if decide(action, &facts).is_ok() {
            prop_assert!(facts.reaches);
            let held = match facts.actor {
                Actor::Key => facts.credential,
                Actor::User { token, standing } => {
                    prop_assert!(standing.enrolled());
                    token.and(&facts.credential).and(&standing.scopes())
                }
            };
            prop_assert!(action.alternatives().iter().any(|needed| needed.is_subset(&held)));
        }
    }

    #[test]
    fn a_token_moderates_no_more_than_the_key_behind_it(facts in facts(), action in action()) {
        if let Ok(Permit { moderates: true }) = decide(action, &facts) {
            prop_assert!(facts.credential.contains(hallpass_core::catalogue::scopes::CHAT_MODERATE));
        }
    }
}
