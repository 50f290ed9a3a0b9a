//! What a browser waits for between two pages: which code, for what, sent where. Kept in a cookie with a
//! proof that is bound to the browser; the code itself is in nobody's cookie.

use std::fmt::Write as _;

use hallpass_core::id::FlowId;
use hallpass_pages::CodeFor;

use super::cookies::Cookie;
use super::visit::Visit;

/// As long as a code, and what it opened, may live; and a little.
const FLOW_SECS: i64 = 3600;

/// A code that is waited for, or what it opened.
pub(crate) struct Flow {
    pub(crate) id: FlowId,
    pub(crate) purpose: CodeFor,
    pub(crate) email: String,
}

const fn word(purpose: CodeFor) -> &'static str {
    match purpose {
        CodeFor::SignIn => "sign-in",
        CodeFor::Reset => "reset",
        CodeFor::Address => "address",
    }
}

impl Visit {
    /// Remembers what is waited for.
    pub(crate) fn keep(&mut self, flow: &Flow) {
        let mut value = format!("{}.{}.", flow.id, word(flow.purpose));
        for byte in flow.email.bytes() {
            let _infallible = write!(value, "{byte:02x}");
        }
        let proof = self.http.app.kept_proof(self.browser, &value);
        self.set(Cookie::Flow, &format!("{value}.{proof}"), Some(FLOW_SECS));
    }

    /// What is waited for, if it is this; anything odd is nothing.
    pub(crate) fn kept(&self, purpose: CodeFor) -> Option<Flow> {
        let (value, proof) = self.flow.as_deref()?.rsplit_once('.')?;
        if !self.http.app.is_kept_proof(proof, self.browser, value) {
            return None;
        }
        let mut parts = value.split('.');
        let (id, kind, email) = (parts.next()?, parts.next()?, parts.next()?);
        if kind != word(purpose) || parts.next().is_some() || email.len() % 2 != 0 {
            return None;
        }
        let bytes = (0..email.len()).step_by(2).map(|at| u8::from_str_radix(email.get(at..at + 2)?, 16).ok());
        let email = String::from_utf8(bytes.collect::<Option<_>>()?).ok()?;
        Some(Flow { id: id.parse().ok()?, purpose, email })
    }
}
