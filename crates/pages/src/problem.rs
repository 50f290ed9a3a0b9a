//! What is wrong with what somebody sent, and what went well: each with its words and, where there is
//! one, its field.

use hallpass_core::locale::Locale;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::words::Words;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $field:expr;)*) => {
        /// What is wrong with what somebody sent. Said at the top of the page, and tied to its field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Problem { $($(#[$doc])* $name),* }

        impl Problem {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The text of it.
            pub(crate) const fn key(self) -> &'static str {
                match self { $(Self::$name => concat!("problem.", $key)),* }
            }

            /// It in words.
            pub fn words(self, locale: Locale) -> String {
                Words::of(locale).plain(self.key(), &[])
            }

            /// The field that it is about.
            pub const fn field(self) -> Option<&'static str> {
                match self { $(Self::$name => $field),* }
            }
        }
    };
}

problems! {
    /// Address or password are wrong; which is not said.
    Credentials = "credentials", Some("password");
    /// No address.
    Email = "email", Some("email");
    /// No password.
    PasswordMissing = "password_missing", Some("password");
    /// Not the code that was sent.
    Code = "code", Some("code");
    /// Too old, used, or tried too often.
    CodeGone = "code_gone", Some("code");
    /// Throttled.
    TooMany = "too_many", None;
    /// More at once than the server takes.
    Busy = "busy", None;
    /// No name, or a long one.
    Name = "name", Some("name");
    /// Not a username.
    Username = "username", Some("username");
    /// Somebody else's username.
    UsernameTaken = "username_taken", Some("username");
    /// Too short or too long a new password.
    Password = "password", Some("new_password");
    /// The old password is wrong.
    CurrentPassword = "current_password", Some("current_password");
    /// An address that cannot be added.
    Address = "address", Some("email");
    /// At least one stays.
    LastAddress = "last_address", None;
    /// No name for a passkey, or a long one.
    PasskeyName = "passkey_name", None;
    /// A passkey that did not convince.
    Passkey = "passkey", None;
    /// The form's token is not, or no longer, good.
    Expired = "expired", None;
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Problem", 2)?;
        out.serialize_field("key", self.key())?;
        out.serialize_field("field", &self.field())?;
        out.end()
    }
}

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => {
        /// What went well. It travels in the query of the page that says it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Notice { $($(#[$doc])* $name),* }

        impl Notice {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in a query.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $key),* }
            }

            /// Finds one by its name in a query.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|notice| notice.name() == name)
            }
        }
    };
}

notices! {
    /// The profile was saved.
    Profile = "profile";
    /// The password was saved.
    Password = "password";
    /// An address was added.
    AddressAdded = "address_added";
    /// An address was removed.
    AddressRemoved = "address_removed";
    /// A passkey was added.
    PasskeyAdded = "passkey_added";
    /// A passkey was renamed.
    PasskeyRenamed = "passkey_renamed";
    /// A passkey was removed.
    PasskeyRemoved = "passkey_removed";
    /// A device was signed out.
    SessionEnded = "session_ended";
    /// All other devices were signed out.
    SessionsEnded = "sessions_ended";
    /// An app lost its access.
    AppRevoked = "app_revoked";
    /// Another code was sent.
    CodeSent = "code_sent";
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
