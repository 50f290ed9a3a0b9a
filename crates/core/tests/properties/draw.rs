//! Random values of the domain.

use hallpass_core::decision::{Action, Actor, ChannelKind, Facts, Place, Standing};
use hallpass_core::role::Role;
use hallpass_core::scope::{Scope, ScopeSet};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any set: sparse, half full, almost or quite everything.
pub(crate) fn scope_set() -> impl Strategy<Value = ScopeSet> {
    let all: Vec<Scope> = Scope::all().collect();
    let some = vec(select(all), 0..12).prop_map(|scopes| scopes.into_iter().collect::<ScopeSet>());
    let half = vec(any::<bool>(), 256)
        .prop_map(|picks| Scope::all().zip(picks).filter(|(_, pick)| *pick).map(|(s, _)| s).collect());
    prop_oneof![
        some.clone(),
        some.prop_map(|few| ScopeSet::everything().minus(&few)),
        half,
        Just(ScopeSet::everything()),
    ]
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    select(Role::ALL.to_vec())
}

pub(crate) fn standing() -> impl Strategy<Value = Standing> {
    (any::<bool>(), option::of(role()), scope_set()).prop_map(|(member, role, custom)| Standing {
        member,
        role,
        custom,
    })
}

pub(crate) fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        1 => Just(Actor::Key),
        4 => (scope_set(), standing()).prop_map(|(token, standing)| Actor::User { token, standing }),
    ]
}

pub(crate) fn place() -> impl Strategy<Value = Place> {
    let kinds = vec![ChannelKind::Channel, ChannelKind::DirectMessage, ChannelKind::Support];
    (select(kinds), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(kind, public, granted, admins_post)| Place { kind, public, granted, admins_post })
}

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    (prop::bool::weighted(0.9), scope_set(), actor(), option::of(place()))
        .prop_map(|(reaches, credential, actor, place)| Facts { reaches, credential, actor, place })
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    select(Action::ALL.to_vec())
}
