//! People: humans who sign up and sign in, and what they change about it (DESIGN §3).
//!
//! The HTTP face keeps two cookies and hands them in with every call, as an [`Asker`]:
//!
//! | cookie | made by | lives | for |
//! |---|---|---|---|
//! | browser, `hpb_…` | [`new_browser`](crate::App::new_browser), on the first page | this browser session | binds codes and challenges to who asked for them |
//! | device, `hpv_…` | [`SignedIn::device`] | 400 days | says that somebody signed in here before: strangers' failures do not count against them |
//!
//! Neither signs anybody in. Whatever signs in returns [`SignedIn`]; a session is begun with it.
//!
//! | step | function of [`App`](crate::App) |
//! |---|---|
//! | ask for a code by e-mail, to sign in or up or to reset | [`begin_code`](crate::App::begin_code) |
//! | give the code | [`give_code`](crate::App::give_code) |
//! | sign up, after a code | [`create_account`](crate::App::create_account) |
//! | sign in by password | [`sign_in_with_password`](crate::App::sign_in_with_password) |
//! | reset, after a code | [`reset_password`](crate::App::reset_password) |
//! | change, signed in | [`change_password`](crate::App::change_password), [`has_password`](crate::App::has_password) |
//! | whether passkeys can work under this URL | [`passkeys_work`](crate::App::passkeys_work) |
//! | add a passkey, signed in | [`begin_passkey`](crate::App::begin_passkey), [`add_passkey`](crate::App::add_passkey) |
//! | sign in by passkey | [`begin_passkey_sign_in`](crate::App::begin_passkey_sign_in), [`sign_in_with_passkey`](crate::App::sign_in_with_passkey) |
//! | sign up by passkey, after a code | [`begin_passkey_sign_up`](crate::App::begin_passkey_sign_up), [`create_account_with_passkey`](crate::App::create_account_with_passkey) |
//! | the passkeys | [`list_passkeys`](crate::App::list_passkeys), [`rename_passkey`](crate::App::rename_passkey), [`remove_passkey`](crate::App::remove_passkey) |
//! | addresses | [`list_addresses`](crate::App::list_addresses), [`begin_address`](crate::App::begin_address), [`prove_address`](crate::App::prove_address), [`remove_address`](crate::App::remove_address) |
//! | the person's own user | [`own_profile`](crate::App::own_profile), [`update_own_profile`](crate::App::update_own_profile) |
//! | who a person is in a company | [`user_for`](crate::App::user_for) |
//! | the outbox | [`list_mails`](crate::App::list_mails) |
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

mod accounts;
mod addresses;
mod codes;
mod hashing;
mod links;
mod passkeys;
mod passwords;
mod profile;
mod rules;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;

use hallpass_core::Entropy;
use hallpass_core::id::PersonId;
use hallpass_core::locale::Locale;
use hallpass_core::mail::Letter;
use hallpass_core::session::{Amr, Session};
use hallpass_store::Tx;
use hallpass_token::webauthn::RelyingParty;
use hallpass_token::{KeyRealm, KeySecret, MacKey, MasterKey, SecretHash};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

pub use addresses::Address;
pub use hashing::Hashing;
pub(crate) use hashing::hash_alone;
pub use passkeys::Passkey;

pub(crate) use rules::*;

use crate::App;
use crate::error::AppError;
use hashing::HashPool;
use throttle::Throttles;

/// How long ago somebody may have signed in for what is asked of them anew otherwise.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
/// How long a device is known.
const DEVICE_KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// What signing in needs.
pub(crate) struct People {
    codes: MacKey,
    throttles: Throttles,
    pool: Arc<HashPool>,
    party: Option<RelyingParty>,
}

impl People {
    /// `dev` is also there at `localhost`: browsers make passkeys for names, and its address has none.
    pub(crate) fn new(master: &MasterKey, hashing: Hashing, public_url: &str, dev: bool) -> Self {
        let local = public_url.replacen("://127.0.0.1", "://localhost", 1);
        metrics::counter!("hallpass_password_hashes_refused_total").absolute(0);
        Self {
            codes: master.derive_mac("email-codes"),
            throttles: Throttles::new(master),
            pool: Arc::new(HashPool::new(hashing)),
            party: RelyingParty::of_url(if dev { &local } else { public_url }),
        }
    }
}

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
    /// In which language they are written to.
    pub locale: Locale,
}

/// Somebody has proved who they are. A session is the next step.
#[derive(Debug)]
#[must_use]
pub struct SignedIn {
    /// Who.
    pub person: PersonId,
    /// How, and when in the row of what ended sessions.
    pub proof: Proof,
    /// A device cookie to set, for 400 days; none if this device was known.
    pub device: Option<KeySecret>,
}

impl Proof {
    /// How they proved it (RFC 8176).
    pub fn amr(&self) -> &[Amr] {
        &self.amr
    }
}

/// What a session is begun with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// How they proved it.
    pub(crate) amr: Vec<Amr>,
    /// How often the person's sessions had been ended together: one more, and this begins none.
    pub(crate) epoch: i64,
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

/// The one answer to everything that does not sign in.
pub(crate) fn sign_in_failed() -> AppError {
    AppError::Unprocessable {
        code: "sign_in_failed",
        param: None,
        message: "that did not sign you in".to_owned(),
        retry_after_secs: None,
    }
}

fn code_wrong() -> AppError {
    AppError::unprocessable("code_wrong", "code", "this is not the code")
}

fn code_spent() -> AppError {
    AppError::unprocessable("code_spent", "code", "this code is over; ask for another one")
}

/// A device that becomes known, unless the one that asks is.
struct Newcomer {
    asker: Asker,
    device: SecretHash,
}

/// A person who was let in.
#[derive(Clone, Copy)]
struct Admitted {
    person: PersonId,
    /// Whether the new device is now known.
    is_new: bool,
    epoch: i64,
}

impl Admitted {
    fn signed_in(self, amr: Vec<Amr>, device: KeySecret) -> SignedIn {
        let proof = Proof { amr, epoch: self.epoch };
        SignedIn { person: self.person, proof, device: self.is_new.then_some(device) }
    }
}

impl Newcomer {
    fn of(asker: &Asker, entropy: &dyn Entropy) -> (KeySecret, Self) {
        let secret = KeySecret::generate(KeyRealm::Device, entropy);
        let device = secret.hash();
        (secret, Self { asker: *asker, device })
    }

    /// Lets a person in who has proved who they are.
    ///
    /// # Errors
    /// As for anything wrong, if their own user was deactivated.
    async fn admit(&self, tx: &mut Tx, person: PersonId, at: Timestamp) -> Result<Admitted, AppError> {
        let epoch = tx.find_sessions_epoch(person).await?.ok_or_else(sign_in_failed)?;
        if tx.find_own_user(person).await?.is_none_or(|own| own.deactivated) {
            return Err(sign_in_failed());
        }
        if let Some(KnownDevice(device)) = self.asker.device
            && tx.is_device_known(device.0, person, at).await?
        {
            return Ok(Admitted { person, is_new: false, epoch });
        }
        tx.insert_known_device(self.device.0, person, at + DEVICE_KEPT).await?;
        Ok(Admitted { person, is_new: true, epoch })
    }
}

impl App {
    /// Whether somebody has proved who they are within ten minutes, as what is sensitive wants.
    pub fn is_recent(&self, session: &Session) -> bool {
        self.clock.now().duration_since(session.auth_time) <= RECENT
    }

    /// Vouches for somebody who has proved who they are in another way than those here.
    ///
    /// # Errors
    /// `sign_in_failed` if there is no such person.
    pub async fn vouch(&self, person: PersonId, amr: Vec<Amr>) -> Result<Proof, AppError> {
        let epoch = self.store.read().await?.find_sessions_epoch(person).await?.ok_or_else(sign_in_failed)?;
        Ok(Proof { amr, epoch })
    }

    /// Refuses who signed in too long ago for what they are about to do.
    fn must_be_recent(&self, session: &Session) -> Result<(), AppError> {
        if self.is_recent(session) {
            return Ok(());
        }
        Err(AppError::Forbidden {
            code: "sign_in_again",
            message: "this needs a sign-in within the last ten minutes".to_owned(),
        })
    }

    /// Tells every address of a person.
    async fn write_to(
        &self,
        tx: &mut Tx,
        person: PersonId,
        letter: &Letter,
        locale: Locale,
        at: Timestamp,
    ) -> Result<(), AppError> {
        for address in tx.list_addresses(person).await? {
            self.post(tx, &address.email, locale, letter, at).await?;
        }
        Ok(())
    }

    /// Makes a new browser; its secret goes into a cookie (`HttpOnly`, `SameSite=Lax`).
    pub fn new_browser(&self) -> (KeySecret, BrowserId) {
        BrowserId::generate(&*self.entropy)
    }
}
