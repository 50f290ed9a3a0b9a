//! The decision: may this credential do this, here, now?
//!
//! One pure function for REST, sockets and files. It looks at what *is*, never at what was decided
//! before:
//!
//! 1. the thing must be visible: the credential reaches its company, the user is enrolled there and
//!    has access to the channel; otherwise the answer is "no such thing";
//! 2. what is held — the token's scopes ∩ what its minting credential may do ∩ what the user's role
//!    allows — must contain one of the alternatives that the action lists;
//! 3. the channel's own rule (who may post) must agree.
//!
//! Every step can only take away, so narrowing any input never adds an action.

use crate::catalogue::scopes::*;
use crate::role::{self, MEMBER, Role};
use crate::scope::ScopeSet;

/// The kind of a channel; it chooses the family of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the three kinds of the design")]
pub enum ChannelKind {
    Channel,
    DirectMessage,
    Support,
}

/// What someone wants to do. Each names its alternatives in [`Action::alternatives`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is an operation of the contract, or ours, under its own name")]
pub enum Action {
    // Inside a channel: the family is chosen by its kind.
    ReadMessages(ChannelKind),
    SendMessage(ChannelKind),
    DeleteMessage(ChannelKind),
    ReadChannel,
    UpdateChannel,
    // Direct messages and support chats as such, and who is in them.
    ReadFeed(ChannelKind),
    CreateDirectMessage,
    UpdateFeed,
    DeleteFeed(ChannelKind),
    AddFeedMember(ChannelKind),
    UpdateFeedMember,
    LeaveFeed(ChannelKind),
    RemoveFeedMember,
    CreateSupportChat,
    ResolveSupportChat,
    SearchMessages,
    // Inside a company.
    ReadCompany,
    UpdateCompany,
    CreateCompany,
    CreateChildCompany,
    ManageApiKeys,
    ManageWebhooks,
    ReadMembers,
    ManageMembers,
    ReadExperiences,
    CreateExperience,
    UpdateExperience,
    DeleteExperience,
    AttachExperience,
    DetachExperience,
    UpdateProfile,
    MintTokens,
    RevokeTokens,
    ReadUsers,
    ResolveAddresses,
    CreateFile,
    ReadFile,
    ReadEmails,
    ReadTeam,
    ReadTeamWithEmails,
    AddToTeam,
    AddToTeamWithEmails,
    ChangeTeam,
    RemoveFromTeam,
    ReadOwnAccount,
    ReadApps,
    CreateApp,
    ManageApp,
}

macro_rules! any_of {
    ($([$($scope:ident),*]),*) => {{
        const ALTERNATIVES: &[ScopeSet] = &[$(ScopeSet::of(&[$($scope),*])),*];
        ALTERNATIVES
    }};
}

impl Action {
    /// Every action, for tests that must not miss one.
    pub const ALL: [Self; 58] = {
        use ChannelKind::{Channel, DirectMessage, Support};
        [
            Self::ReadMessages(Channel),
            Self::ReadMessages(DirectMessage),
            Self::ReadMessages(Support),
            Self::SendMessage(Channel),
            Self::SendMessage(DirectMessage),
            Self::SendMessage(Support),
            Self::DeleteMessage(Channel),
            Self::DeleteMessage(DirectMessage),
            Self::DeleteMessage(Support),
            Self::ReadChannel,
            Self::UpdateChannel,
            Self::ReadFeed(DirectMessage),
            Self::ReadFeed(Support),
            Self::CreateDirectMessage,
            Self::UpdateFeed,
            Self::DeleteFeed(DirectMessage),
            Self::DeleteFeed(Support),
            Self::AddFeedMember(DirectMessage),
            Self::AddFeedMember(Support),
            Self::UpdateFeedMember,
            Self::LeaveFeed(DirectMessage),
            Self::LeaveFeed(Support),
            Self::RemoveFeedMember,
            Self::CreateSupportChat,
            Self::ResolveSupportChat,
            Self::SearchMessages,
            Self::ReadCompany,
            Self::UpdateCompany,
            Self::CreateCompany,
            Self::CreateChildCompany,
            Self::ManageApiKeys,
            Self::ManageWebhooks,
            Self::ReadMembers,
            Self::ManageMembers,
            Self::ReadExperiences,
            Self::CreateExperience,
            Self::UpdateExperience,
            Self::DeleteExperience,
            Self::AttachExperience,
            Self::DetachExperience,
            Self::UpdateProfile,
            Self::MintTokens,
            Self::RevokeTokens,
            Self::ReadUsers,
            Self::ResolveAddresses,
            Self::CreateFile,
            Self::ReadFile,
            Self::ReadEmails,
            Self::ReadTeam,
            Self::ReadTeamWithEmails,
            Self::AddToTeam,
            Self::AddToTeamWithEmails,
            Self::ChangeTeam,
            Self::RemoveFromTeam,
            Self::ReadOwnAccount,
            Self::ReadApps,
            Self::CreateApp,
            Self::ManageApp,
        ]
    };

    /// The sets of scopes of which one must be held completely. An empty set is always held.
    pub fn alternatives(self) -> &'static [ScopeSet] {
        use ChannelKind::{Channel, DirectMessage, Support};
        match self {
            Self::ReadMessages(Channel) | Self::ReadChannel => any_of!([CHAT_READ]),
            Self::ReadMessages(DirectMessage) | Self::ReadFeed(DirectMessage | Channel) => {
                any_of!([DMS_READ])
            }
            Self::ReadMessages(Support) => any_of!([SUPPORT_CHAT_READ]),
            Self::SendMessage(Channel) => any_of!([CHAT_MESSAGE_CREATE]),
            Self::SendMessage(DirectMessage) => any_of!([DMS_MESSAGE_MANAGE]),
            Self::SendMessage(Support) | Self::ResolveSupportChat => any_of!([SUPPORT_CHAT_MESSAGE_CREATE]),
            Self::DeleteMessage(Channel) => any_of!([CHAT_MESSAGE_CREATE, CHAT_READ]),
            Self::DeleteMessage(DirectMessage) => any_of!([DMS_MESSAGE_MANAGE, DMS_READ]),
            Self::DeleteMessage(Support) => any_of!([SUPPORT_CHAT_MESSAGE_CREATE, SUPPORT_CHAT_READ]),
            Self::UpdateChannel => any_of!([CHAT_MODERATE]),
            // What there is, not what was said: the customer's list of direct messages shows both kinds.
            Self::ReadFeed(Support) => any_of!([DMS_READ], [SUPPORT_CHAT_READ]),
            Self::CreateDirectMessage | Self::UpdateFeed | Self::UpdateFeedMember => {
                any_of!([DMS_CHANNEL_MANAGE])
            }
            Self::DeleteFeed(Support) | Self::CreateSupportChat => any_of!([SUPPORT_CHAT_CREATE]),
            Self::DeleteFeed(_) => any_of!([DMS_CHANNEL_MANAGE]),
            // Both generations of clients: the first names the first.
            Self::AddFeedMember(Support) => any_of!([DMS_CHANNEL_MANAGE], [SUPPORT_CHAT_MESSAGE_CREATE]),
            Self::AddFeedMember(_) | Self::RemoveFeedMember => {
                any_of!([DMS_CHANNEL_MANAGE], [DMS_MESSAGE_MANAGE])
            }
            Self::LeaveFeed(Support) => any_of!([DMS_CHANNEL_MANAGE], [SUPPORT_CHAT_READ]),
            Self::LeaveFeed(_) => any_of!([DMS_CHANNEL_MANAGE], [DMS_MESSAGE_MANAGE], [DMS_READ]),
            Self::SearchMessages => any_of!([CHAT_READ], [DMS_READ], [SUPPORT_CHAT_READ]),
            Self::ReadCompany => any_of!([COMPANY_BASIC_READ]),
            Self::UpdateCompany => any_of!([COMPANY_UPDATE, COMPANY_BASIC_READ]),
            Self::CreateCompany => any_of!([COMPANY_CREATE, COMPANY_BASIC_READ]),
            Self::CreateChildCompany => any_of!([COMPANY_CREATE_CHILD, COMPANY_BASIC_READ]),
            Self::ManageApiKeys => any_of!([DEVELOPER_MANAGE_API_KEY]),
            Self::ManageWebhooks => any_of!([DEVELOPER_MANAGE_WEBHOOK]),
            Self::ReadMembers => any_of!([MEMBER_BASIC_READ, MEMBER_EMAIL_READ, MEMBER_PHONE_READ]),
            Self::ManageMembers => any_of!([MEMBER_MANAGE]),
            Self::CreateExperience => any_of!([EXPERIENCE_CREATE]),
            Self::UpdateExperience => any_of!([EXPERIENCE_UPDATE]),
            Self::DeleteExperience => any_of!([EXPERIENCE_DELETE]),
            Self::AttachExperience => any_of!([EXPERIENCE_ATTACH]),
            Self::DetachExperience => any_of!([EXPERIENCE_DETACH]),
            Self::UpdateProfile => any_of!([USER_PROFILE_UPDATE]),
            Self::ReadEmails | Self::ResolveAddresses => any_of!([MEMBER_EMAIL_READ]),
            Self::ReadTeam => any_of!([COMPANY_AUTHORIZED_USER_READ]),
            Self::ReadTeamWithEmails => any_of!([COMPANY_AUTHORIZED_USER_READ, MEMBER_EMAIL_READ]),
            Self::AddToTeam => any_of!([AUTHORIZED_USER_CREATE]),
            Self::AddToTeamWithEmails => any_of!([AUTHORIZED_USER_CREATE, MEMBER_EMAIL_READ]),
            Self::ChangeTeam => any_of!([AUTHORIZED_USER_UPDATE]),
            Self::RemoveFromTeam => any_of!([AUTHORIZED_USER_DELETE]),
            Self::ReadOwnAccount => any_of!([COMPANY_BALANCE_READ], [COMPANY_BASIC_READ]),
            Self::CreateApp => {
                any_of!([DEVELOPER_CREATE_APP, DEVELOPER_MANAGE_API_KEY, DEVELOPER_UPDATE_APP])
            }
            Self::ManageApp => any_of!([DEVELOPER_MANAGE_API_KEY, DEVELOPER_UPDATE_APP]),
            Self::ReadExperiences
            | Self::MintTokens
            | Self::RevokeTokens
            | Self::ReadUsers
            | Self::CreateFile
            | Self::ReadFile
            | Self::ReadApps => any_of!([]),
        }
    }
}

/// Where a user stands in a company, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Standing {
    /// A member: mapped there, or owner of one of its connected accounts.
    pub member: bool,
    /// On its team, as what.
    pub role: Option<Role>,
    /// What the team role `custom` adds.
    pub custom: ScopeSet,
}

impl Standing {
    /// Member, or on the team.
    pub fn enrolled(&self) -> bool {
        self.member || self.role.is_some()
    }

    /// What the user may do in the company.
    pub fn scopes(&self) -> ScopeSet {
        match (self.role, self.member) {
            (Some(Role::Custom), _) => MEMBER.or(&self.custom),
            (Some(role), _) => role.scopes(),
            (None, true) => MEMBER,
            (None, false) => ScopeSet::EMPTY,
        }
    }

    /// Whether the user administers channels: deletes others' messages, posts where only admins may.
    pub fn moderates(&self) -> bool {
        self.scopes().contains(CHAT_MODERATE)
    }
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The company itself, by API key.
    Key,
    /// A user, by token.
    User {
        /// The scopes written in the token.
        token: ScopeSet,
        /// Where the user stands in the token's company, now.
        standing: Standing,
    },
}

/// The channel or experience that is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its kind.
    pub kind: ChannelKind,
    /// Open to every enrolled user.
    pub public: bool,
    /// This user is let in: granted access, a member of the direct message, the customer.
    pub granted: bool,
    /// Only those who moderate may post.
    pub admins_post: bool,
}

/// All that the decision looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether the credential reaches the company at all, now.
    pub reaches: bool,
    /// What the key, or the key or app behind the token, may do here, now.
    pub credential: ScopeSet,
    /// Who acts.
    pub actor: Actor,
    /// Where, if inside a channel or experience.
    pub place: Option<Place>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not theirs to know about.
    NoSuchThing,
    /// The credential lacks every alternative.
    MissingScopes(&'static [ScopeSet]),
    /// The channel lets only its admins post.
    AdminsPost,
}

/// Proof of a positive decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Whether the actor administers the channel, beyond what was asked.
    pub moderates: bool,
}

/// Decides.
///
/// # Errors
/// The first [`Refusal`] in the order visibility, scopes, the channel's rule.
pub fn decide(action: Action, facts: &Facts) -> Result<Permit, Refusal> {
    let (held, moderates) = match &facts.actor {
        Actor::Key => (facts.credential, facts.credential.contains(CHAT_MODERATE)),
        Actor::User { token, standing } => {
            if !standing.enrolled() {
                return Err(Refusal::NoSuchThing);
            }
            let held = token.and(&facts.credential).and(&standing.scopes()).and(&role::user_usable());
            // Nobody moderates by way of a key that may not.
            (held, standing.moderates() && facts.credential.contains(CHAT_MODERATE))
        }
    };
    if !facts.reaches || !facts.place.is_none_or(|place| may_enter(&facts.actor, place)) {
        return Err(Refusal::NoSuchThing);
    }
    if !action.alternatives().iter().any(|needed| needed.is_subset(&held)) {
        return Err(Refusal::MissingScopes(action.alternatives()));
    }
    match (action, facts.place) {
        (Action::SendMessage(_), Some(place)) if place.admins_post && !moderates => Err(Refusal::AdminsPost),
        _ => Ok(Permit { moderates }),
    }
}

/// Whether a user who stands so may be in the place, whatever their tokens say: whom it makes sense to
/// mention there.
pub fn may_see(standing: Standing, place: Place) -> bool {
    standing.enrolled() && may_enter(&Actor::User { token: ScopeSet::EMPTY, standing }, place)
}

/// Whether the actor may be in the place at all. A key speaks for the company and enters its
/// channels and support chats, and those direct messages that keys began.
pub fn may_enter(actor: &Actor, place: Place) -> bool {
    match (actor, place.kind) {
        (_, ChannelKind::DirectMessage) => place.granted,
        (Actor::Key, ChannelKind::Channel | ChannelKind::Support) => true,
        // Whoever may change an experience could let themselves in; hiding it from them is theatre.
        (Actor::User { standing, .. }, ChannelKind::Channel) => {
            place.public || place.granted || standing.scopes().contains(EXPERIENCE_UPDATE)
        }
        (Actor::User { standing, .. }, ChannelKind::Support) => {
            place.granted || standing.scopes().contains(SUPPORT_CHAT_CREATE)
        }
    }
}
