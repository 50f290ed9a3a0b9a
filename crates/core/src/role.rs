//! Roles and what they may do: the one table from a role to its permissions.
//!
//! The same table serves people on a company's team (what their user tokens may do there) and API
//! keys that were made with a role. Every role is a superset of a member's rights, and the table is
//! checked in tests to be ordered member ⊆ moderator ⊆ admin ⊆ owner.

use serde::{Deserialize, Serialize};

use crate::catalogue::{NOT_APP, NOT_KEY, OAUTH, USER, scopes::*};
use crate::scope::{Scope, ScopeSet};

/// A role on a company's team, or of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the contract's, and the table below says what each may do")]
pub enum Role {
    Owner,
    Admin,
    SalesManager,
    Moderator,
    Advertiser,
    AppManager,
    Support,
    Manager,
    Custom,
}

/// What an enrolled user may do in a company without any role: the seven scopes of embedded chat,
/// the OpenID Connect ones, and changing their own profile.
pub const MEMBER: ScopeSet = ScopeSet::of(&[
    CHAT_READ,
    CHAT_MESSAGE_CREATE,
    DMS_READ,
    DMS_MESSAGE_MANAGE,
    DMS_CHANNEL_MANAGE,
    SUPPORT_CHAT_READ,
    SUPPORT_CHAT_MESSAGE_CREATE,
    OPENID,
    PROFILE,
    EMAIL,
    OFFLINE_ACCESS,
    USER_PROFILE_UPDATE,
]);

/// What a token inherits when no scopes are named, as far as its key and role allow it: chat and the
/// user's own profile. Management and e-mail-reading scopes are only ever named.
pub const INHERITABLE: ScopeSet = ScopeSet::of(&[
    CHAT_READ,
    CHAT_MESSAGE_CREATE,
    CHAT_MODERATE,
    DMS_READ,
    DMS_MESSAGE_MANAGE,
    DMS_CHANNEL_MANAGE,
    SUPPORT_CHAT_CREATE,
    SUPPORT_CHAT_READ,
    SUPPORT_CHAT_MESSAGE_CREATE,
    LIVESTREAM_CHAT_READ,
    LIVESTREAM_CHAT_WRITE,
    OPENID,
    PROFILE,
    USER_PROFILE_UPDATE,
]);

const MODERATOR: &[Scope] = &[
    CHAT_MODERATE,
    COMPANY_BASIC_READ,
    CUSTOM_EMOJI_UPDATE,
    FORUM_MODERATE,
    FORUM_POST_CREATE,
    FORUM_READ,
    LIVESTREAM_CHAT_READ,
    LIVESTREAM_CHAT_WRITE,
    LIVESTREAM_MODERATE,
    MEMBER_BASIC_READ,
    MEMBER_MODERATE,
    SUPPORT_CHAT_CREATE,
];

/// What an admin lacks of the whole: giving the company away, ending it, moving its money.
const OWNER_ONLY: &[Scope] = &[
    COMPANY_DELETE,
    COMPANY_TRANSFER_OWNERSHIP,
    CRYPTO_WALLET_MANAGE,
    CRYPTO_WALLET_SWAP,
    PAYOUT_CREATE_DESTINATION,
    PAYOUT_DELETE_DESTINATION,
    PAYOUT_TRANSFER_FUNDS,
    PAYOUT_UPDATE_DESTINATION,
    PAYOUT_WITHDRAW_FUNDS,
];

fn namespaces(names: &[&str]) -> ScopeSet {
    Scope::all()
        .filter(|scope| scope.name().split(':').next().is_some_and(|first| names.contains(&first)))
        .collect()
}

impl Role {
    /// Every role, highest first.
    pub const ALL: [Self; 9] = [
        Self::Owner,
        Self::Admin,
        Self::Manager,
        Self::Moderator,
        Self::SalesManager,
        Self::Advertiser,
        Self::AppManager,
        Self::Support,
        Self::Custom,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::SalesManager => "sales_manager",
            Self::Moderator => "moderator",
            Self::Advertiser => "advertiser",
            Self::AppManager => "app_manager",
            Self::Support => "support",
            Self::Manager => "manager",
            Self::Custom => "custom",
        }
    }

    /// Finds a role by its name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether an API key may be made with this role (the contract: owner, admin, moderator,
    /// `sales_manager`, advertiser).
    pub const fn fits_key(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Moderator | Self::SalesManager | Self::Advertiser)
    }

    /// What the role may do.
    pub fn scopes(self) -> ScopeSet {
        static TABLE: std::sync::LazyLock<[ScopeSet; 9]> =
            std::sync::LazyLock::new(|| Role::ALL.map(Role::compute));
        TABLE[Self::ALL.iter().position(|role| *role == self).expect("ALL names every role")]
    }

    fn compute(self) -> ScopeSet {
        let company = ScopeSet::of(&[COMPANY_BASIC_READ, MEMBER_BASIC_READ]);
        let moderator = MEMBER.or(&ScopeSet::of(MODERATOR));
        let everything = ScopeSet::everything();
        match self {
            Self::Owner => everything,
            Self::Admin => everything.minus(&ScopeSet::of(OWNER_ONLY)),
            Self::Manager => everything.minus(&ScopeSet::of(OWNER_ONLY)).minus(&namespaces(&[
                "authorized_user",
                "developer",
                "payout",
                "oauth",
                "iap",
            ])),
            Self::Moderator => moderator,
            Self::SalesManager => MEMBER.or(&company).or(&namespaces(&[
                "affiliate",
                "checkout_configuration",
                "lead",
                "membership",
                "plan",
                "promo_code",
                "tracking_link",
            ])),
            Self::Advertiser => MEMBER
                .or(&ScopeSet::of(&[COMPANY_BASIC_READ, STATS_READ]))
                .or(&namespaces(&["ad_campaign", "audience", "tracking_link"])),
            Self::AppManager => MEMBER.or(&company).or(&namespaces(&["experience"])).or(&ScopeSet::of(&[
                DEVELOPER_BASIC_READ,
                DEVELOPER_CREATE_APP,
                DEVELOPER_UPDATE_APP,
                DEVELOPER_LOGS_READ,
                DEVELOPER_MANAGE_BUILDS,
            ])),
            Self::Support => MEMBER.or(&company).or(&ScopeSet::of(&[SUPPORT_CHAT_CREATE])),
            Self::Custom => MEMBER,
        }
    }
}

/// What no API key may be given by name, only by a role.
pub fn not_for_key_statements() -> ScopeSet {
    Scope::all().filter(|scope| scope.flags().has(NOT_KEY)).collect()
}

/// What a user's token may ever exercise, whoever minted it: company keys, webhooks and the making of
/// connected accounts stay with keys.
pub fn user_usable() -> ScopeSet {
    static USABLE: std::sync::LazyLock<ScopeSet> = std::sync::LazyLock::new(|| {
        Scope::all().filter(|scope| scope.flags().has(USER) || scope.flags() == OAUTH).collect()
    });
    *USABLE
}

/// What no app may hold, by whatever way.
pub fn not_for_apps() -> ScopeSet {
    Scope::all().filter(|scope| scope.flags().has(NOT_APP)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered() {
        assert!(MEMBER.is_subset(&Role::Moderator.scopes()));
        assert!(Role::Moderator.scopes().is_subset(&Role::Admin.scopes()));
        assert!(Role::Admin.scopes().is_subset(&Role::Owner.scopes()));
        for role in Role::ALL {
            assert!(MEMBER.is_subset(&role.scopes()), "{role:?}");
            assert_eq!(Role::parse(role.name()), Some(role));
        }
    }

    #[test]
    fn only_owners_hold_everything() {
        for role in Role::ALL {
            assert_eq!(role == Role::Owner, role.scopes() == ScopeSet::everything(), "{role:?}");
        }
    }

    #[test]
    fn nothing_that_manages_or_reads_email_is_inherited() {
        for scope in INHERITABLE.iter() {
            assert!(!scope.name().contains("email"), "{scope}");
            assert!(scope.flags().has(crate::catalogue::USER), "{scope} is not for user tokens");
        }
    }
}
