//! The permission catalogue: every scope there is, with its flags and what it lets its holder do.
//!
//! One vocabulary serves API-key permissions, `scoped_actions` of minted tokens and OAuth scopes.
//! Append-only: the position of a scope is private to this build and never stored; its name is.

use crate::scope::Scope;

/// What a scope may be put on. Combined with `|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

/// No flag: known, and grantable only by a role that holds everything.
pub const NONE: Flags = Flags(0);
/// May be asked for over OAuth.
pub const OAUTH: Flags = Flags(1);
/// Usable with a user's token.
pub const USER: Flags = Flags(1 << 1);
/// Usable with an account's or app's key.
pub const KEY: Flags = Flags(1 << 2);
/// Not to be named in an API key's statements; only a role brings it.
pub const NOT_KEY: Flags = Flags(1 << 3);
/// Never held by an app.
pub const NOT_APP: Flags = Flags(1 << 4);

impl Flags {
    /// Whether all of `other` is in `self`.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
    const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// One line of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// The name on the wire, `chat:read`.
    pub name: &'static str,
    /// What it may be put on.
    pub flags: Flags,
    /// What its holder may do, in plain words.
    pub description: &'static str,
}

macro_rules! catalogue {
    ($($name:ident = $wire:literal, $first:ident $(| $more:ident)*, $description:literal;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "indices that carry the constants' names")]
        #[repr(u8)]
        enum Index { $($name),* }
        /// The scopes by name.
        pub mod scopes {
            use super::{Index, Scope};
            $(#[doc = concat!("`", $wire, "`: ", $description, ".")]
              pub const $name: Scope = Scope::at(Index::$name as u8);)*
        }
        /// Every scope, sorted by name.
        pub static CATALOGUE: &[Entry] = &[
            $(Entry { name: $wire, flags: $first$(.or($more))*, description: $description },)*
        ];
    };
}

catalogue! {
    ACCESS_PASS_BASIC_READ = "access_pass:basic:read", OAUTH | USER | KEY, "See access pass";
    ACCESS_PASS_CREATE = "access_pass:create", OAUTH | USER | KEY, "Create access pass";
    ACCESS_PASS_DELETE = "access_pass:delete", OAUTH | USER | KEY, "Delete access pass";
    ACCESS_PASS_STATS_READ = "access_pass:stats:read", OAUTH, "See access pass stats";
    ACCESS_PASS_UPDATE = "access_pass:update", OAUTH | USER | KEY, "Change access pass";
    AD_CAMPAIGN_BASIC_READ = "ad_campaign:basic:read", OAUTH | USER | KEY, "See ad campaign";
    AD_CAMPAIGN_CREATE = "ad_campaign:create", OAUTH | USER | KEY, "Create ad campaign";
    AD_CAMPAIGN_READ = "ad_campaign:read", KEY, "See ad campaign";
    AD_CAMPAIGN_STATS_READ = "ad_campaign:stats:read", KEY, "See ad campaign stats";
    AD_CAMPAIGN_UPDATE = "ad_campaign:update", OAUTH | USER | KEY, "Change ad campaign";
    AFFILIATE_BASIC_READ = "affiliate:basic:read", OAUTH | USER | KEY, "See affiliate";
    AFFILIATE_CREATE = "affiliate:create", OAUTH | USER | KEY, "Create affiliate";
    AFFILIATE_UPDATE = "affiliate:update", OAUTH | USER | KEY, "Change affiliate";
    AI_CHAT_CREATE = "ai_chat:create", OAUTH | USER, "Create ai chat";
    AI_CHAT_DELETE = "ai_chat:delete", OAUTH | USER, "Delete ai chat";
    AI_CHAT_READ = "ai_chat:read", OAUTH, "See ai chat";
    AI_CHAT_UPDATE = "ai_chat:update", OAUTH | USER, "Change ai chat";
    AI_PROMPT_CREATE = "ai_prompt:create", OAUTH, "Create ai prompt";
    AIRDROP_LINK_MANAGE = "airdrop_link:manage", KEY, "Manage airdrop link";
    AUDIENCE_BASIC_READ = "audience:basic:read", OAUTH | USER | KEY, "See audience";
    AUDIENCE_UPDATE = "audience:update", OAUTH | USER | KEY, "Change audience";
    AUTHORIZED_USER_CREATE = "authorized_user:create", KEY | NOT_APP, "Add people to the team";
    AUTHORIZED_USER_DELETE = "authorized_user:delete", KEY | NOT_APP, "Remove people from the team";
    AUTHORIZED_USER_UPDATE = "authorized_user:update", KEY | NOT_KEY | NOT_APP, "Change people's roles in the team";
    BOUNTY_BASIC_READ = "bounty:basic:read", OAUTH | USER | KEY, "See bounty";
    BOUNTY_CREATE = "bounty:create", OAUTH | USER, "Create bounty";
    BOUNTY_SUBMISSION_CREATE = "bounty:submission:create", USER, "Create bounty submission";
    BOUNTY_SUBMISSION_DELETE = "bounty:submission:delete", USER, "Delete bounty submission";
    BOUNTY_UPDATE = "bounty:update", USER | KEY, "Change bounty";
    CHAT_MESSAGE_CREATE = "chat:message:create", OAUTH | USER | KEY, "Write, edit and delete its own channel messages";
    CHAT_MODERATE = "chat:moderate", OAUTH | USER | KEY, "Change channel settings and remove messages";
    CHAT_READ = "chat:read", OAUTH | USER | KEY, "Read channels and their messages";
    CHECKOUT_CONFIGURATION_BASIC_READ = "checkout_configuration:basic:read", OAUTH | USER | KEY, "See checkout configuration";
    CHECKOUT_CONFIGURATION_CREATE = "checkout_configuration:create", OAUTH | USER | KEY, "Create checkout configuration";
    CHECKOUT_CONFIGURATION_DELETE = "checkout_configuration:delete", OAUTH | USER | KEY, "Delete checkout configuration";
    CHILD_COMPANY_BASIC_EXPORT = "child_company:basic:export", KEY, "Export child company";
    COMPANY_AUTHORIZED_USER_EMAIL_READ = "company:authorized_user:email:read", OAUTH, "See the team's e-mail addresses";
    COMPANY_AUTHORIZED_USER_READ = "company:authorized_user:read", OAUTH | USER | KEY, "See the team";
    COMPANY_BALANCE_EXPORT = "company:balance:export", OAUTH | USER | KEY, "Export company balance";
    COMPANY_BALANCE_READ = "company:balance:read", OAUTH | USER | KEY, "See company balance";
    COMPANY_BASIC_READ = "company:basic:read", OAUTH | USER | KEY, "See companies";
    COMPANY_CREATE = "company:create", OAUTH | USER, "Create companies";
    COMPANY_CREATE_CHILD = "company:create_child", KEY, "Create connected accounts";
    COMPANY_DELETE = "company:delete", OAUTH, "Delete companies";
    COMPANY_LOG_READ = "company:log:read", OAUTH, "See company log";
    COMPANY_MANAGE_CHECKOUT = "company:manage_checkout", OAUTH | USER | KEY, "Manage checkout (company)";
    COMPANY_TRANSFER_OWNERSHIP = "company:transfer_ownership", KEY | NOT_APP, "Hand a company to someone else";
    COMPANY_UPDATE = "company:update", OAUTH | USER | KEY, "Change company details";
    COMPANY_UPDATE_CHILD_FEES = "company:update_child_fees", KEY, "Update child fees (company)";
    COMPANY_TOKEN_TRANSACTION_CREATE = "company_token_transaction:create", OAUTH | USER | KEY, "Create company token transaction";
    COMPANY_TOKEN_TRANSACTION_READ = "company_token_transaction:read", OAUTH | USER | KEY, "See company token transaction";
    CONTENT_REWARDS_BASIC_EXPORT = "content_rewards:basic:export", KEY, "Export content rewards";
    COURSE_ANALYTICS_READ = "course_analytics:read", OAUTH | USER | KEY, "See course analytics";
    COURSE_LESSON_INTERACTION_READ = "course_lesson_interaction:read", OAUTH, "See course lesson interaction";
    COURSES_READ = "courses:read", OAUTH | USER | KEY, "See courses";
    COURSES_UPDATE = "courses:update", OAUTH | USER | KEY, "Change courses";
    CRYPTO_WALLET_MANAGE = "crypto_wallet:manage", KEY | NOT_KEY | NOT_APP, "Manage crypto wallet";
    CRYPTO_WALLET_SWAP = "crypto_wallet:swap", KEY | NOT_APP, "Swap (crypto wallet)";
    CUSTOM_EMOJI_UPDATE = "custom_emoji:update", OAUTH, "Change custom emoji";
    DEVELOPER_BASIC_READ = "developer:basic:read", OAUTH | USER | KEY, "See apps";
    DEVELOPER_CREATE_APP = "developer:create_app", OAUTH | USER | KEY, "Create apps";
    DEVELOPER_LOGS_READ = "developer:logs:read", OAUTH | USER | KEY, "See developer logs";
    DEVELOPER_MANAGE_API_KEY = "developer:manage_api_key", KEY | NOT_KEY | NOT_APP, "Create and revoke API keys";
    DEVELOPER_MANAGE_BUILDS = "developer:manage_builds", OAUTH | USER | KEY, "Manage builds (developer)";
    DEVELOPER_MANAGE_WEBHOOK = "developer:manage_webhook", KEY, "Manage webhooks";
    DEVELOPER_UPDATE_APP = "developer:update_app", OAUTH | USER | KEY, "Change apps";
    DEVELOPER_UPDATE_APP_AUTHORIZATION = "developer:update_app_authorization", KEY | NOT_KEY | NOT_APP, "Update app authorization (developer)";
    DMS_CHANNEL_MANAGE = "dms:channel:manage", OAUTH | USER | KEY, "Start, rename and close direct message channels";
    DMS_MESSAGE_MANAGE = "dms:message:manage", OAUTH | USER | KEY, "Write, edit and delete direct messages";
    DMS_READ = "dms:read", OAUTH | USER | KEY, "Read direct messages";
    EMAIL = "email", OAUTH | USER, "See the e-mail address";
    EVENT_CREATE = "event:create", OAUTH | USER | KEY, "Create event";
    EXPERIENCE_ATTACH = "experience:attach", OAUTH | USER | KEY, "Attach experiences to products";
    EXPERIENCE_CREATE = "experience:create", OAUTH | USER | KEY, "Create experiences";
    EXPERIENCE_DELETE = "experience:delete", OAUTH | USER | KEY, "Delete experiences";
    EXPERIENCE_DETACH = "experience:detach", OAUTH | USER | KEY, "Detach experiences from products";
    EXPERIENCE_HIDDEN_EXPERIENCE_READ = "experience:hidden_experience:read", OAUTH, "See hidden experiences";
    EXPERIENCE_UPDATE = "experience:update", OAUTH | USER | KEY, "Change experiences";
    FORUM_MODERATE = "forum:moderate", OAUTH | USER | KEY, "Moderate forum";
    FORUM_POST_CREATE = "forum:post:create", OAUTH | USER | KEY, "Create forum post";
    FORUM_READ = "forum:read", OAUTH | USER | KEY, "See forum";
    IAP_READ = "iap:read", NONE, "Read in-app purchases from a client";
    IDENTITY_READ = "identity:read", OAUTH | USER | KEY, "See identity";
    IDENTITY_WRITE = "identity:write", OAUTH | USER | KEY, "Change identity";
    INCORPORATION_READ = "incorporation:read", OAUTH, "See incorporation";
    INCORPORATION_WRITE = "incorporation:write", OAUTH | USER | KEY, "Change incorporation";
    INVOICE_BASIC_EXPORT = "invoice:basic:export", KEY, "Export invoice";
    INVOICE_BASIC_READ = "invoice:basic:read", OAUTH | USER | KEY, "See invoice";
    INVOICE_CREATE = "invoice:create", OAUTH | USER | KEY, "Create invoice";
    INVOICE_UPDATE = "invoice:update", OAUTH | USER | KEY, "Change invoice";
    LEAD_BASIC_EXPORT = "lead:basic:export", KEY, "Export lead";
    LEAD_BASIC_READ = "lead:basic:read", OAUTH | USER | KEY, "See lead";
    LEAD_MANAGE = "lead:manage", OAUTH | USER | KEY, "Manage lead";
    LIVESTREAM_CHAT_READ = "livestream:chat:read", OAUTH | USER | KEY, "Read livestream chats";
    LIVESTREAM_CHAT_WRITE = "livestream:chat:write", OAUTH | USER | KEY, "Write in livestream chats";
    LIVESTREAM_CREATE = "livestream:create", OAUTH, "Create livestream";
    LIVESTREAM_DELETE = "livestream:delete", OAUTH, "Delete livestream";
    LIVESTREAM_MANAGE_RECORDING = "livestream:manage_recording", OAUTH, "Manage recording (livestream)";
    LIVESTREAM_MODERATE = "livestream:moderate", OAUTH, "Moderate livestream";
    MEDIA_GENERATE = "media:generate", OAUTH | USER | KEY, "Generate (media)";
    MEDIA_READ = "media:read", OAUTH | USER | KEY, "See media";
    MEMBER_BASIC_EXPORT = "member:basic:export", KEY, "Export member";
    MEMBER_BASIC_READ = "member:basic:read", OAUTH | USER | KEY, "See members";
    MEMBER_EMAIL_READ = "member:email:read", OAUTH | USER | KEY, "See members' e-mail addresses";
    MEMBER_JOURNEY_READ = "member:journey:read", OAUTH | USER | KEY, "See member journey";
    MEMBER_MANAGE = "member:manage", OAUTH | USER | KEY, "Add and remove members";
    MEMBER_MODERATE = "member:moderate", OAUTH, "Moderate member";
    MEMBER_PAYMENT_METHODS_MANAGE = "member:payment_methods:manage", OAUTH | USER | KEY, "Manage member payment methods";
    MEMBER_PAYMENT_METHODS_READ = "member:payment_methods:read", OAUTH | USER | KEY, "See member payment methods";
    MEMBER_PHONE_READ = "member:phone:read", OAUTH | USER | KEY, "See members' phone numbers";
    MEMBER_STATS_READ = "member:stats:read", OAUTH, "See member stats";
    MEMBERSHIP_CANCEL = "membership:cancel", OAUTH | USER | KEY, "Cancel (membership)";
    MEMBERSHIP_CREATE = "membership:create", KEY, "Create membership";
    MEMBERSHIP_RESYNC_ACCESS = "membership:resync_access", OAUTH | USER | KEY, "Resync access (membership)";
    MEMBERSHIP_TRANSFER = "membership:transfer", USER | KEY, "Transfer (membership)";
    MEMBERSHIP_UPDATE = "membership:update", OAUTH | USER | KEY, "Change membership";
    NOTIFICATION_CREATE = "notification:create", OAUTH | USER | KEY, "Create notification";
    OAUTH_TOKEN_EXCHANGE = "oauth:token_exchange", NOT_KEY, "Exchange codes with a client secret";
    OFFLINE_ACCESS = "offline_access", OAUTH | USER, "Stay connected when not in use";
    OPENID = "openid", OAUTH | USER, "Know who is signed in";
    PARTNER_BASIC_READ = "partner:basic:read", OAUTH | USER | KEY, "See partner";
    PARTNER_CREATE = "partner:create", OAUTH | USER | KEY, "Create partner";
    PAYMENT_BASIC_EXPORT = "payment:basic:export", KEY, "Export payment";
    PAYMENT_BASIC_READ = "payment:basic:read", OAUTH | USER | KEY, "See payment";
    PAYMENT_CHARGE = "payment:charge", OAUTH | USER | KEY, "Charge (payment)";
    PAYMENT_DISPUTE = "payment:dispute", OAUTH | USER | KEY, "Dispute (payment)";
    PAYMENT_DISPUTE_READ = "payment:dispute:read", OAUTH | USER | KEY, "See payment dispute";
    PAYMENT_DISPUTE_ALERT_READ = "payment:dispute_alert:read", OAUTH | USER | KEY, "See payment dispute alert";
    PAYMENT_MANAGE = "payment:manage", OAUTH | USER | KEY, "Manage payment";
    PAYMENT_RESOLUTION_CENTER = "payment:resolution_center", OAUTH | USER | KEY, "Resolution center (payment)";
    PAYMENT_RESOLUTION_CENTER_CASE_EXPORT = "payment:resolution_center_case:export", KEY, "Export payment resolution center case";
    PAYMENT_RESOLUTION_CENTER_CASE_MANAGE = "payment:resolution_center_case:manage", USER | KEY, "Manage payment resolution center case";
    PAYMENT_RESOLUTION_CENTER_CASE_READ = "payment:resolution_center_case:read", OAUTH | USER | KEY, "See payment resolution center case";
    PAYMENT_SETUP_INTENT_READ = "payment:setup_intent:read", OAUTH | USER | KEY, "See payment setup intent";
    PAYOUT_ACCOUNT_READ = "payout:account:read", OAUTH | USER | KEY, "See payout account";
    PAYOUT_ACCOUNT_UPDATE = "payout:account:update", OAUTH | USER | KEY, "Change payout account";
    PAYOUT_CREATE_DESTINATION = "payout:create_destination", OAUTH | USER | KEY | NOT_APP, "Create destination (payout)";
    PAYOUT_DELETE_DESTINATION = "payout:delete_destination", OAUTH | USER | KEY | NOT_APP, "Delete destination (payout)";
    PAYOUT_DESTINATION_READ = "payout:destination:read", OAUTH | USER | KEY, "See payout destination";
    PAYOUT_TRANSFER_EXPORT = "payout:transfer:export", OAUTH, "Export payout transfer";
    PAYOUT_TRANSFER_READ = "payout:transfer:read", OAUTH | USER | KEY, "See payout transfer";
    PAYOUT_TRANSFER_FUNDS = "payout:transfer_funds", OAUTH | USER | KEY, "Transfer funds (payout)";
    PAYOUT_UPDATE_DESTINATION = "payout:update_destination", OAUTH | USER | KEY | NOT_APP, "Update destination (payout)";
    PAYOUT_WITHDRAW_FUNDS = "payout:withdraw_funds", OAUTH | USER | KEY, "Withdraw funds (payout)";
    PAYOUT_WITHDRAWAL_READ = "payout:withdrawal:read", OAUTH | USER | KEY, "See payout withdrawal";
    PLAN_BASIC_EXPORT = "plan:basic:export", OAUTH, "Export plan";
    PLAN_BASIC_READ = "plan:basic:read", OAUTH | USER | KEY, "See plan";
    PLAN_CREATE = "plan:create", OAUTH | USER | KEY, "Create plan";
    PLAN_DELETE = "plan:delete", OAUTH | USER | KEY, "Delete plan";
    PLAN_STATS_EXPORT = "plan:stats:export", OAUTH, "Export plan stats";
    PLAN_STATS_READ = "plan:stats:read", OAUTH, "See plan stats";
    PLAN_UPDATE = "plan:update", OAUTH | USER | KEY, "Change plan";
    PLAN_WAITLIST_EXPORT = "plan:waitlist:export", OAUTH | USER | KEY, "Export plan waitlist";
    PLAN_WAITLIST_MANAGE = "plan:waitlist:manage", OAUTH | USER | KEY, "Manage plan waitlist";
    PLAN_WAITLIST_READ = "plan:waitlist:read", OAUTH | USER | KEY, "See plan waitlist";
    PROFILE = "profile", OAUTH | USER, "See name, username and picture";
    PROMO_CODE_BASIC_EXPORT = "promo_code:basic:export", OAUTH | USER | KEY, "Export promo code";
    PROMO_CODE_BASIC_READ = "promo_code:basic:read", OAUTH | USER | KEY, "See promo code";
    PROMO_CODE_CREATE = "promo_code:create", OAUTH | USER | KEY, "Create promo code";
    PROMO_CODE_DELETE = "promo_code:delete", OAUTH | USER | KEY, "Delete promo code";
    PROMO_CODE_UPDATE = "promo_code:update", OAUTH | USER | KEY, "Change promo code";
    READ_USER = "read_user", NONE, "See the signed-in user (legacy)";
    REFERRAL_BASIC_READ = "referral:basic:read", USER | KEY, "See referral";
    SHIPMENT_BASIC_READ = "shipment:basic:read", OAUTH | USER | KEY, "See shipment";
    SHIPMENT_CREATE = "shipment:create", OAUTH | USER | KEY, "Create shipment";
    SOCIAL_ACCOUNT_CREATE = "social_account:create", OAUTH | USER | KEY, "Create social account";
    SOCIAL_ACCOUNT_DELETE = "social_account:delete", OAUTH | USER | KEY, "Delete social account";
    SOCIAL_ACCOUNT_READ = "social_account:read", OAUTH | USER | KEY, "See social account";
    SOCIAL_LINK_UPDATE = "social_link:update", OAUTH, "Change social link";
    STATS_READ = "stats:read", OAUTH | USER | KEY, "See stats";
    SUPPORT_CHAT_CREATE = "support_chat:create", OAUTH | USER | KEY, "Open support chats";
    SUPPORT_CHAT_MESSAGE_CREATE = "support_chat:message:create", OAUTH | USER | KEY, "Write in support chats";
    SUPPORT_CHAT_READ = "support_chat:read", OAUTH | USER | KEY, "Read support chats";
    TRACKING_LINK_BASIC_EXPORT = "tracking_link:basic:export", OAUTH | USER | KEY, "Export tracking link";
    TRACKING_LINK_BASIC_READ = "tracking_link:basic:read", OAUTH, "See tracking link";
    TRACKING_LINK_CREATE = "tracking_link:create", OAUTH, "Create tracking link";
    TRACKING_LINK_DELETE = "tracking_link:delete", OAUTH, "Delete tracking link";
    TRACKING_LINK_STATS_EXPORT = "tracking_link:stats:export", OAUTH, "Export tracking link stats";
    TRACKING_LINK_STATS_READ = "tracking_link:stats:read", OAUTH, "See tracking link stats";
    TRACKING_LINK_UPDATE = "tracking_link:update", OAUTH, "Change tracking link";
    USER_BALANCE_READ = "user:balance:read", OAUTH | USER, "See user balance";
    USER_NOTIFICATIONS_READ = "user:notifications:read", USER, "See user notifications";
    USER_NOTIFICATIONS_UPDATE = "user:notifications:update", USER, "Change user notifications";
    USER_PROFILE_UPDATE = "user:profile:update", OAUTH | USER, "Change the profile";
    WEBHOOK_RECEIVE_CHAT = "webhook_receive:chat", KEY, "Receive webhooks about chat";
    WEBHOOK_RECEIVE_COURSES = "webhook_receive:courses", KEY, "Receive webhooks about courses";
    WEBHOOK_RECEIVE_DISPUTES = "webhook_receive:disputes", KEY, "Receive webhooks about disputes";
    WEBHOOK_RECEIVE_IDENTITY_PROFILES = "webhook_receive:identity_profiles", KEY, "Receive webhooks about identity profiles";
    WEBHOOK_RECEIVE_INVOICES = "webhook_receive:invoices", KEY, "Receive webhooks about invoices";
    WEBHOOK_RECEIVE_MEMBERS = "webhook_receive:members", KEY, "Receive webhooks about members";
    WEBHOOK_RECEIVE_MEMBERSHIPS = "webhook_receive:memberships", KEY, "Receive webhooks about memberships";
    WEBHOOK_RECEIVE_PAYMENTS = "webhook_receive:payments", KEY, "Receive webhooks about payments";
    WEBHOOK_RECEIVE_PRODUCTS = "webhook_receive:products", KEY, "Receive webhooks about products";
    WEBHOOK_RECEIVE_VERIFICATIONS = "webhook_receive:verifications", KEY, "Receive webhooks about verifications";
}
