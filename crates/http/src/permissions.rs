//! Which permissions an operation needs, for the reference. What is decided is decided in the use case;
//! the sweep holds this table against it.

use hallpass_core::decision::{Action, ChannelKind};
use hallpass_core::scope::ScopeSet;

/// The sets of scopes of which one must be held; none for an operation that a live credential is
/// enough for.
pub(crate) fn alternatives(operation: &str) -> &'static [ScopeSet] {
    use Action as A;
    const CHANNEL: ChannelKind = ChannelKind::Channel;
    let action = match operation {
        "access_tokens.create" => A::MintTokens,
        "access_tokens.revoke" => A::RevokeTokens,
        "companies.create" => A::CreateChildCompany,
        "companies.create_api_key" => A::ManageApiKeys,
        "companies.list" | "companies.retrieve" => A::ReadCompany,
        "companies.update" => A::UpdateCompany,
        "companies.enrol_member" | "companies.unenrol_member" => A::ManageMembers,
        "members.list" | "members.retrieve" => A::ReadMembers,
        "users.update" => A::UpdateProfile,
        "experiences.create" | "experiences.duplicate" => A::CreateExperience,
        "experiences.update" | "experiences.grant_access" | "experiences.revoke_access" => {
            A::UpdateExperience
        }
        "experiences.delete" => A::DeleteExperience,
        "experiences.attach" => A::AttachExperience,
        "experiences.detach" => A::DetachExperience,
        "chat_channels.list" | "chat_channels.retrieve" => A::ReadChannel,
        "chat_channels.update" => A::UpdateChannel,
        "messages.list" | "messages.retrieve" | "reactions.list" | "reactions.retrieve"
        | "reactions.create" | "reactions.delete" => A::ReadMessages(CHANNEL),
        "messages.create" | "messages.update" => A::SendMessage(CHANNEL),
        "messages.delete" => A::DeleteMessage(CHANNEL),
        "webhooks.list"
        | "webhooks.create"
        | "webhooks.retrieve"
        | "webhooks.update"
        | "webhooks.delete"
        | "webhooks.rotate_secret"
        | "webhooks.test"
        | "webhooks.deliveries"
        | "webhooks.replay" => A::ManageWebhooks,
        _ => return &[],
    };
    action.alternatives()
}
