//! Apps: what a company makes to work in others, and OAuth clients.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::*;
use crate::scope::Scope;

/// Fixed words of the contract, with their names on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire),+
                }
            }

            /// Finds one by its name on the wire.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

words! { /// Who finds an app.
AppStatus {
    /// Everybody.
    Live = "live",
    /// Who has its id.
    Unlisted = "unlisted",
    /// Its company.
    Hidden = "hidden",
} }

words! { /// Whom an app is for.
AppType {
    /// Businesses.
    B2b = "b2b_app",
    /// Consumers.
    B2c = "b2c_app",
    /// Its own company.
    Company = "company_app",
    /// Other apps.
    Component = "component",
} }

words! { /// Whether a client can keep a secret (RFC 6749 §2.1).
ClientType {
    /// It cannot: PKCE alone.
    Public = "public",
    /// It can, and must show it.
    Confidential = "confidential",
} }

/// The five places of an app's views, in the order they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct ViewPaths {
    pub dashboard: Option<String>,
    pub discover: Option<String>,
    pub experience: Option<String>,
    pub openapi: Option<String>,
    pub skills: Option<String>,
}

/// A permission that an app asks the companies for that install it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedPermission {
    /// Which.
    pub action: Scope,
    /// What for, in the words of its maker.
    pub justification: String,
    /// The app does not work without it.
    pub required: bool,
}

/// A requested permission at rest: scopes by name.
#[derive(Serialize, Deserialize)]
struct Stored {
    action: String,
    justification: String,
    required: bool,
}

impl Serialize for RequestedPermission {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored {
            action: self.action.name().to_owned(),
            justification: self.justification.clone(),
            required: self.required,
        }
        .serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for RequestedPermission {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let action = Scope::parse(&stored.action).map_err(serde::de::Error::custom)?;
        Ok(Self { action, justification: stored.justification, required: stored.required })
    }
}

/// An app as its company keeps it; its secrets are elsewhere.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct RegisteredApp {
    pub id: AppId,
    /// None for the built-in one.
    pub company: Option<CompanyId>,
    /// Who owned the company when the app was made.
    pub creator: Option<UserId>,
    pub name: String,
    pub description: Option<String>,
    pub status: AppStatus,
    pub app_type: AppType,
    pub base_url: Option<String>,
    pub route: Option<String>,
    pub paths: ViewPaths,
    pub client_type: Option<ClientType>,
    /// As registered, byte for byte.
    pub redirect_uris: Vec<String>,
    pub requested_permissions: Vec<RequestedPermission>,
    /// An adopted picture.
    pub icon: Option<FileId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
