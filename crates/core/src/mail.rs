//! Letters to people: what is told, before it has words.

use serde::{Deserialize, Serialize};

/// What a letter says. Codes are typed where they were asked for: no letter carries a link that signs
/// anybody in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// A one-time code: to sign in, or to begin an account, whichever it turns out to be.
    SignInCode {
        /// Eight digits.
        code: String,
    },
    /// A one-time code for choosing a new password.
    ResetCode {
        /// Eight digits.
        code: String,
    },
    /// A one-time code that proves another address of somebody signed in.
    AddressCode {
        /// Eight digits.
        code: String,
    },
    /// The password was changed.
    PasswordChanged,
    /// A passkey was added.
    PasskeyAdded {
        /// What it is called.
        name: String,
    },
    /// A passkey was removed.
    PasskeyRemoved {
        /// What it was called.
        name: String,
    },
    /// An address was added to the account, told to those it had.
    AddressAdded {
        /// Which.
        email: String,
    },
    /// An address was removed from the account, told to it and to those that stay.
    AddressRemoved {
        /// Which.
        email: String,
    },
}

/// Shows the kind alone: a code is a secret.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SignInCode { .. } => "SignInCode(…)",
            Self::ResetCode { .. } => "ResetCode(…)",
            Self::AddressCode { .. } => "AddressCode(…)",
            Self::PasswordChanged => "PasswordChanged",
            Self::PasskeyAdded { .. } => "PasskeyAdded(…)",
            Self::PasskeyRemoved { .. } => "PasskeyRemoved(…)",
            Self::AddressAdded { .. } => "AddressAdded(…)",
            Self::AddressRemoved { .. } => "AddressRemoved(…)",
        })
    }
}
