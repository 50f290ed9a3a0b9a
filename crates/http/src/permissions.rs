//! Which permissions an operation needs, for the reference. What is decided is decided in the use case;
//! the sweep holds this table against it.

use std::sync::LazyLock;

use hallpass_core::decision::{Action, ChannelKind};
use hallpass_core::scope::ScopeSet;

/// The sets of scopes of which one must be held; none for an operation that a live credential is
/// enough for.
pub(crate) fn alternatives(operation: &str) -> &'static [ScopeSet] {
    use Action as A;
    if let Some((_, of)) = BY_KIND.iter().find(|(names, _)| names.contains(&operation)) {
        return of;
    }
    let action = match operation {
        "access_tokens.create" => A::MintTokens,
        "access_tokens.revoke" => A::RevokeTokens,
        "companies.create" | "accounts.create" => A::CreateChildCompany,
        "companies.create_api_key" => A::ManageApiKeys,
        "companies.list" | "companies.retrieve" | "accounts.list" | "accounts.retrieve" => A::ReadCompany,
        "companies.update" | "accounts.update" => A::UpdateCompany,
        "accounts.me" => A::ReadOwnAccount,
        "companies.enrol_member" | "companies.unenrol_member" => A::ManageMembers,
        "members.list" | "members.retrieve" => A::ReadMembers,
        "users.update" => A::UpdateProfile,
        "authorized_users.list" | "authorized_users.retrieve" => A::ReadTeamWithEmails,
        "authorized_users.create" => A::AddToTeamWithEmails,
        "authorized_users.delete" | "team_members.delete" => A::RemoveFromTeam,
        "team_members.list" | "team_members.retrieve" => A::ReadTeam,
        "team_members.create" => A::AddToTeam,
        "team_members.update" => A::ChangeTeam,
        "apps.create" => A::CreateApp,
        "apps.update" | "apps.rotate_secret" => A::ManageApp,
        "experiences.create" | "experiences.duplicate" => A::CreateExperience,
        "experiences.update" | "experiences.grant_access" | "experiences.revoke_access" => {
            A::UpdateExperience
        }
        "experiences.delete" => A::DeleteExperience,
        "experiences.attach" => A::AttachExperience,
        "experiences.detach" => A::DetachExperience,
        "chat_channels.list" | "chat_channels.retrieve" => A::ReadChannel,
        "chat_channels.update" => A::UpdateChannel,
        "messages.search" => A::SearchMessages,
        "webhooks.list"
        | "webhooks.create"
        | "webhooks.retrieve"
        | "webhooks.update"
        | "webhooks.delete"
        | "webhooks.rotate_secret"
        | "webhooks.test"
        | "webhooks.deliveries"
        | "webhooks.replay" => A::ManageWebhooks,
        "dm_channels.list" | "dm_members.list" | "dm_members.retrieve" => {
            A::ReadFeed(ChannelKind::DirectMessage)
        }
        "dm_channels.create" => A::CreateDirectMessage,
        "dm_channels.update" => A::UpdateFeed,
        "dm_members.update" => A::UpdateFeedMember,
        "support_channels.list" | "support_channels.retrieve" => A::ReadMessages(ChannelKind::Support),
        "support_channels.create" => A::CreateSupportChat,
        "support_channels.resolve" | "support_channels.reopen" => A::ResolveSupportChat,
        _ => return &[],
    };
    action.alternatives()
}

/// Operations whose alternatives are those of every kind of channel.
static BY_KIND: LazyLock<Vec<(&[&str], Vec<ScopeSet>)>> = LazyLock::new(|| {
    use ChannelKind::{Channel, DirectMessage, Support};
    let of = |action: fn(ChannelKind) -> Action, kinds: &[ChannelKind]| {
        let mut all: Vec<ScopeSet> = Vec::new();
        for set in kinds.iter().flat_map(|kind| action(*kind).alternatives()) {
            if !all.contains(set) {
                all.push(*set);
            }
        }
        all
    };
    let (every, feeds) = ([Channel, DirectMessage, Support], [DirectMessage, Support]);
    vec![
        (
            &[
                "messages.list",
                "messages.retrieve",
                "messages.edits",
                "reactions.list",
                "reactions.retrieve",
                "reactions.create",
                "reactions.delete",
            ],
            of(Action::ReadMessages, &every),
        ),
        (&["messages.create", "messages.update"], of(Action::SendMessage, &every)),
        (&["messages.delete"], of(Action::DeleteMessage, &every)),
        (&["dm_channels.retrieve"], of(Action::ReadFeed, &feeds)),
        (&["dm_channels.delete"], of(Action::DeleteFeed, &feeds)),
        (&["dm_members.create"], of(Action::AddFeedMember, &feeds)),
        // Others' removal takes one of the first two; the rest are for leaving.
        (&["dm_members.delete"], of(Action::LeaveFeed, &feeds)),
    ]
});
