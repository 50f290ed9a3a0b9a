//! What went wrong, in plain words; what to do; and what to tell whoever can mend it. Never a link to an
//! address that came with the request.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::shell::Page;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $todo:expr;)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorKind { $($(#[$doc])* $name),* }

        impl ErrorKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => concat!("error.", $key, ".title")),* }
            }

            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!("error.", $key, ".text")),* }
            }

            pub(crate) const fn todo(self) -> Option<&'static str> {
                match self { $(Self::$name => $todo),* }
            }
        }
    };
}

const APP: Option<&str> = Some("error.todo_app");
const BACK: Option<&str> = Some("error.todo_back");

kinds! {
    /// The request is malformed.
    Request = "request", APP;
    /// No such app.
    UnknownApp = "unknown_app", APP;
    /// An address that the app did not register.
    Redirect = "redirect", APP;
    /// The app does not work in the company, or not for this person.
    Company = "company", APP;
    /// A form's token is not, or no longer, good.
    Expired = "expired", BACK;
    /// No such page.
    Missing = "missing", None;
    /// Throttled.
    TooMany = "too_many", None;
    /// The server cannot answer now.
    Busy = "busy", None;
    /// Our mistake.
    Internal = "internal", None;
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("ErrorKind", 3)?;
        out.serialize_field("title", self.title())?;
        out.serialize_field("text", self.text())?;
        out.serialize_field("todo", &self.todo())?;
        out.end()
    }
}

/// The page of an error.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorPage<'a> {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Its name on the wire, such as `invalid_request`.
    pub code: &'a str,
    /// For the makers of the app, in English.
    pub detail: Option<&'a str>,
    /// The id of the request, to be found in the log.
    pub request: &'a str,
}

impl Page for ErrorPage<'_> {
    const TEMPLATE: &'static str = "error.html";
}
