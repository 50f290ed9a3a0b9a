//! What every page stands in.

use std::fmt;
use std::sync::Arc;

use hallpass_core::locale::Locale;
use serde::Serialize;

use crate::templates;

/// Makes the token that proves that a form is ours, by the path it is posted to.
#[derive(Clone)]
pub struct Csrf(Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Csrf {
    /// Asks `token` for the token of each form.
    pub fn new(token: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(token))
    }

    /// The token of the form that is posted to `action`.
    pub fn token(&self, action: &str) -> String {
        (self.0)(action)
    }
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(…)")
    }
}

/// What every page stands in.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The language.
    pub locale: Locale,
    /// What the server is called, at the top of each page.
    pub site: String,
    /// Tokens of forms.
    pub csrf: Csrf,
    /// Whether browsers make passkeys for this server's address.
    pub passkeys: bool,
    /// The path and query that show this page again, in another language too. None where that cannot be.
    pub here: Option<(String, Vec<(String, String)>)>,
}

/// Something that is seen: rendered inside a shell.
pub trait Page: Serialize {
    /// The file under `templates/`.
    const TEMPLATE: &'static str;

    /// The page as HTML.
    fn html(&self, shell: &Shell) -> String
    where
        Self: Sized,
    {
        templates::render(Self::TEMPLATE, self, shell)
    }
}
