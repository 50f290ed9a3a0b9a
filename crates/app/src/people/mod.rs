//! People: humans who sign up and sign in, and what they change about it (DESIGN §3).
//!
//! The HTTP face keeps two cookies and hands them in with every call, as an [`Asker`]:
//!
//! | cookie | made by | lives | for |
//! |---|---|---|---|
//! | browser, `hpb_…` | [`App::new_browser`](crate::App::new_browser), on the first page | this browser session | binds codes and challenges to who asked for them |
//! | device, `hpv_…` | [`SignedIn::device`] | 400 days | says that somebody signed in here before: strangers' failures do not count against them |
//!
//! Neither signs anybody in. Whatever signs in returns [`SignedIn`]; a session is begun with it.
//!
//! | step | function |
//! |---|---|
//! | ask for a code by e-mail, to sign in or up or to reset | [`codes`]: `begin_code(&Asker, BeginCode) -> FlowId` |
//! | give the code | `give_code(&Asker, FlowId, &str) -> CodeOutcome` |
//! | sign up, after a code | [`accounts`]: `create_account(&Asker, FlowId, NewAccount) -> SignedIn` |
//! | sign in by password | [`passwords`]: `sign_in_with_password(&Asker, &str, SecretString) -> SignedIn` |
//! | reset, after a code | `reset_password(&Asker, FlowId, SecretString) -> SignedIn` |
//! | change, signed in | `change_password(&Session, Option<SecretString>, SecretString)`, `has_password(PersonId) -> bool` |
//! | whether passkeys can work under this URL | [`passkeys`]: `passkeys_work() -> bool` |
//! | add a passkey, signed in | `begin_passkey(&Asker, &Session) -> String`, `add_passkey(&Asker, &Session, name, credential) -> Passkey` |
//! | sign in by passkey | `begin_passkey_sign_in(&Asker) -> String`, `sign_in_with_passkey(&Asker, credential) -> SignedIn` |
//! | sign up by passkey, after a code | `begin_passkey_sign_up(&Asker, FlowId, &NewAccount) -> String`, `create_account_with_passkey(&Asker, FlowId, NewAccount, name, credential) -> SignedIn` |
//! | the passkeys | `list_passkeys(PersonId) -> Vec<Passkey>`, `rename_passkey(PersonId, PasskeyId, &str)`, `remove_passkey(&Session, PasskeyId)` |
//! | addresses | [`addresses`]: `list_addresses(PersonId) -> Vec<Address>`, `begin_address(&Asker, &Session, &str, Locale) -> FlowId`, `prove_address(&Asker, &Session, FlowId, &str)`, `remove_address(&Session, &str)` |
//! | the person's own user | [`profile`]: `own_profile(PersonId) -> UserProfile`, `update_own_profile(PersonId, UserPatch) -> UserProfile` |
//! | who a person is in a company | [`links`]: `user_for(PersonId, CompanyId) -> Option<UserId>` |
//!
//! The options of passkeys are JSON for `PublicKeyCredential.parseCreationOptionsFromJSON` and
//! `parseRequestOptionsFromJSON`; a `credential` is what its `toJSON()` gave, as text.
//!
//! # Errors that pages tell apart, by `code`
//! | error | code | when |
//! |---|---|---|
//! | `Unprocessable` | `sign_in_failed` | address, password or passkey: never which |
//! | `Unprocessable` | `code_wrong` | a wrong code; the flow lives on |
//! | `Unprocessable` | `code_spent` | a code or what it opened: expired, used, tried too often, or another browser's |
//! | `Unprocessable` | `username_taken`, `email_taken`, `passkey_known` | after the address was proved |
//! | `Invalid`, param `username`, `password`, `name`, `email` | `parameter_invalid` | malformed |
//! | `Forbidden` | `sign_in_again` | needs a sign-in within ten minutes |
//! | `Unprocessable` | `last_address` | one address stays |
//! | `RateLimited` | | too many; says when again |

mod rules;

use std::net::IpAddr;

use hallpass_core::Entropy;
use hallpass_core::id::PersonId;
use hallpass_core::session::Amr;
use hallpass_token::{KeyRealm, KeySecret, SecretHash};
use secrecy::SecretString;

pub(crate) use rules::*;

use crate::App;

/// A browser, known by a cookie before anybody is signed in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserId(pub(crate) SecretHash);

impl BrowserId {
    /// Makes a new one; its secret goes into a cookie (`HttpOnly`, `SameSite=Lax`).
    pub fn generate(entropy: &dyn Entropy) -> (KeySecret, Self) {
        let secret = KeySecret::generate(KeyRealm::Browser, entropy);
        let id = Self(secret.hash());
        (secret, id)
    }

    /// Reads the cookie; none for anything that is not one of ours.
    pub fn parse(cookie: &str) -> Option<Self> {
        let parsed = KeySecret::parse(cookie).ok()?;
        (parsed.realm == KeyRealm::Browser).then_some(Self(parsed.hash))
    }
}

/// A browser in which somebody signed in before, known by a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDevice(pub(crate) SecretHash);

impl KnownDevice {
    /// Reads the cookie; none for anything that is not one of ours.
    pub fn parse(cookie: &str) -> Option<Self> {
        let parsed = KeySecret::parse(cookie).ok()?;
        (parsed.realm == KeyRealm::Device).then_some(Self(parsed.hash))
    }
}

/// Who asks: known by cookies and network, before they are known by name.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The browser's cookie.
    pub browser: BrowserId,
    /// The cookie of an earlier sign-in, if there is one.
    pub device: Option<KnownDevice>,
    /// The client's address, as the trusted proxies say.
    pub address: IpAddr,
}

/// Somebody has proved who they are. A session is the next step.
#[derive(Debug)]
#[must_use]
pub struct SignedIn {
    /// Who.
    pub person: PersonId,
    /// How.
    pub amr: Vec<Amr>,
    /// A device cookie to set, for 400 days; none if this device was known.
    pub device: Option<KeySecret>,
}

/// What a code is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePurpose {
    /// To sign in, or to begin an account, whichever it turns out to be.
    SignIn,
    /// To choose a new password.
    Reset,
}

/// What giving the right code opened.
#[derive(Debug)]
pub enum CodeOutcome {
    /// The address is a person's: they are signed in.
    SignedIn(SignedIn),
    /// Nobody has this address yet. For 30 minutes and in this browser, the flow opens an account.
    NewHere {
        /// The address that was proved.
        email: String,
    },
    /// For 30 minutes and in this browser, the flow sets a new password.
    MayReset {
        /// The address that was proved.
        email: String,
    },
}

/// An account about to be opened, with an address that was proved.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// How they are called.
    pub name: Option<String>,
    /// Unique on the server among people.
    pub username: String,
    /// None for accounts with a passkey, or with e-mail codes alone.
    pub password: Option<SecretString>,
}

impl App {
    /// Makes a new browser; its secret goes into a cookie (`HttpOnly`, `SameSite=Lax`).
    pub fn new_browser(&self) -> (KeySecret, BrowserId) {
        BrowserId::generate(&*self.entropy)
    }
}
