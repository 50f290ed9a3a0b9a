//! Passkeys: added by somebody signed in, or in place of a password when an account is opened; and signing
//! in with one, which needs no address. A challenge is one browser's, for one purpose, and is deleted before
//! its answer is looked at.

use hallpass_core::clock::draw;
use hallpass_core::id::{FlowId, PasskeyId, PersonId};
use hallpass_core::mail::Letter;
use hallpass_core::session::{Amr, Session};
pub use hallpass_store::Passkey;
use hallpass_store::{ChallengePurpose, FlowPurpose};
use hallpass_token::webauthn::{
    self, Credential, PasskeyUser, Refused, RelyingParty, challenge_of, credential_of,
};
use jiff::SignedDuration;

use super::accounts::{check_account, open_account};
use super::throttle::CHALLENGES_OF_A_NETWORK;
use super::{Asker, NewAccount, Newcomer, SignedIn, check_name, sign_in_failed};
use crate::App;
use crate::error::AppError;

/// How long a challenge may be answered: what browsers are told, and a little.
const CHALLENGE_LIFE: SignedDuration = SignedDuration::from_mins(6);
/// The most passkeys of one person.
const MOST_PASSKEYS: usize = 32;

fn refused(why: Refused) -> AppError {
    tracing::debug!(reason = %why, "a passkey was refused");
    sign_in_failed()
}

fn passkey_known() -> AppError {
    AppError::unprocessable("passkey_known", "credential", "this passkey is in use")
}

fn handle(person: PersonId) -> [u8; 16] {
    person.bits().to_be_bytes()
}

/// A passkey's name: as given, or one for those who give none.
fn named(name: &str) -> Result<String, AppError> {
    let name = name.trim();
    check_name(Some(name))?;
    Ok(if name.is_empty() { "Passkey".to_owned() } else { name.to_owned() })
}

impl App {
    /// Whether browsers make passkeys for this server's address: it has a name, and TLS or `localhost`.
    pub fn passkeys_work(&self) -> bool {
        self.people.party.is_some()
    }

    /// The origin that passkeys are made for, where there is one: that of the public URL, and in `dev` on an
    /// address `localhost`.
    pub fn passkey_origin(&self) -> Option<&str> {
        self.people.party.as_ref().map(RelyingParty::origin)
    }

    fn party(&self) -> Result<&RelyingParty, AppError> {
        self.people.party.as_ref().ok_or_else(|| {
            AppError::conflict("no_passkeys", "browsers make no passkeys for this server's address")
        })
    }

    /// Options for adding a passkey.
    ///
    /// # Errors
    /// `sign_in_again`; `too_many_passkeys`; [`AppError::RateLimited`]; [`AppError::Conflict`] where
    /// passkeys do not [work](Self::passkeys_work).
    pub async fn begin_passkey(&self, asker: &Asker, session: &Session) -> Result<String, AppError> {
        let party = self.party()?;
        self.must_be_recent(session)?;
        let mut conn = self.store.read().await?;
        let known: Vec<_> =
            conn.list_passkeys(session.person).await?.into_iter().map(|one| one.credential_id).collect();
        let own = conn.find_own_user(session.person).await?.ok_or_else(sign_in_failed)?;
        drop(conn);
        if known.len() >= MOST_PASSKEYS {
            let message = format!("a person has at most {MOST_PASSKEYS} passkeys");
            return Err(AppError::unprocessable("too_many_passkeys", "credential", message));
        }
        let challenge = self.challenge(asker, ChallengePurpose::Add, Some(session.person)).await?;
        let handle = handle(session.person);
        let display_name = own.name.as_deref().unwrap_or(&own.username);
        let user = PasskeyUser { handle: &handle, name: &own.username, display_name };
        Ok(party.creation_options(&challenge, user, &known))
    }

    /// Adds the passkey that a browser made, and tells the person's addresses.
    ///
    /// # Errors
    /// `sign_in_failed` for an answer that is not right, `passkey_known`, `sign_in_again`.
    pub async fn add_passkey(
        &self,
        asker: &Asker,
        session: &Session,
        name: &str,
        credential: &str,
    ) -> Result<Passkey, AppError> {
        let party = self.party()?;
        self.must_be_recent(session)?;
        let name = named(name)?;
        let (challenge, person) = self.take_challenge(asker, ChallengePurpose::Add, credential).await?;
        if person != Some(session.person) {
            return Err(sign_in_failed());
        }
        let made = party.register(credential, &challenge).map_err(refused)?;
        let passkey = self.passkey(session.person, name, made);
        let data = (self.clone(), *asker, passkey.clone(), self.clock.now());
        self.store
            .write(data, |(app, asker, passkey, at), tx| {
                Box::pin(async move {
                    // Held, so that no more are added than may be.
                    if !tx.hold_person(passkey.person, *at).await?
                        || tx.list_passkeys(passkey.person).await?.len() >= MOST_PASSKEYS
                    {
                        return Err(sign_in_failed());
                    }
                    if !tx.insert_passkey(passkey).await? {
                        return Err(passkey_known());
                    }
                    let letter = Letter::PasskeyAdded { name: passkey.name.clone() };
                    app.write_to(tx, passkey.person, &letter, asker.locale, *at).await
                })
            })
            .await?;
        Ok(passkey)
    }

    /// Options for signing in with any passkey.
    ///
    /// # Errors
    /// [`AppError::RateLimited`]; [`AppError::Conflict`] where passkeys do not [work](Self::passkeys_work).
    pub async fn begin_passkey_sign_in(&self, asker: &Asker) -> Result<String, AppError> {
        let party = self.party()?;
        Ok(party.request_options(&self.challenge(asker, ChallengePurpose::SignIn, None).await?))
    }

    /// Signs in with what a browser's passkey answered.
    ///
    /// # Errors
    /// `sign_in_failed`.
    pub async fn sign_in_with_passkey(&self, asker: &Asker, credential: &str) -> Result<SignedIn, AppError> {
        let party = self.party()?;
        let (challenge, _) = self.take_challenge(asker, ChallengePurpose::SignIn, credential).await?;
        let id = credential_of(credential).map_err(refused)?;
        let found = self.store.read().await?.find_passkey(&id).await?.ok_or_else(sign_in_failed)?;
        let (key, person) = (found.id, found.person);
        let known = Credential {
            id,
            public_key: found.public_key,
            sign_count: found.sign_count,
            backup_eligible: found.backup_eligible,
            backed_up: found.backed_up,
            aaguid: found.aaguid,
            transports: found.transports,
        };
        let asserted = party.authenticate(credential, &challenge, &known, &handle(person)).map_err(|why| {
            if why == Refused::Cloned {
                tracing::warn!(passkey.id = %key, "a passkey's counter did not rise: there may be a copy");
            }
            refused(why)
        })?;
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let data = (newcomer, key, person, asserted, self.clock.now());
        let admitted = self
            .store
            .write(data, |(newcomer, key, person, asserted, at), tx| {
                Box::pin(async move {
                    // Gone meanwhile, or used with the same count.
                    if !tx.use_passkey(*key, asserted.sign_count, asserted.backed_up, *at).await? {
                        return Err(sign_in_failed());
                    }
                    newcomer.admit(tx, *person, *at).await
                })
            })
            .await?;
        Ok(admitted.signed_in(vec![Amr::Pop, Amr::User], secret))
    }

    /// Options for opening an account with a passkey, with the address that a flow has proved.
    ///
    /// # Errors
    /// `code_spent`; [`AppError::Invalid`] for what is malformed; [`AppError::RateLimited`];
    /// [`AppError::Conflict`] where passkeys do not [work](Self::passkeys_work).
    pub async fn begin_passkey_sign_up(
        &self,
        asker: &Asker,
        flow: FlowId,
        account: &NewAccount,
    ) -> Result<String, AppError> {
        let party = self.party()?;
        check_account(account)?;
        self.proved(asker, flow, FlowPurpose::SignIn).await?;
        let person = PersonId::generate(self.clock.now(), &*self.entropy);
        let challenge = self.challenge(asker, ChallengePurpose::SignUp, Some(person)).await?;
        let handle = handle(person);
        let display_name = account.name.as_deref().unwrap_or(&account.username);
        let user = PasskeyUser { handle: &handle, name: &account.username, display_name };
        Ok(party.creation_options(&challenge, user, &[]))
    }

    /// Opens an account with the address that a flow has proved and the passkey that a browser made.
    ///
    /// # Errors
    /// As [`create_account`](Self::create_account) and [`add_passkey`](Self::add_passkey).
    pub async fn create_account_with_passkey(
        &self,
        asker: &Asker,
        flow: FlowId,
        account: NewAccount,
        name: &str,
        credential: &str,
    ) -> Result<SignedIn, AppError> {
        let party = self.party()?;
        check_account(&account)?;
        let name = named(name)?;
        let email = self.proved(asker, flow, FlowPurpose::SignIn).await?;
        let (challenge, person) = self.take_challenge(asker, ChallengePurpose::SignUp, credential).await?;
        let id = person.ok_or_else(sign_in_failed)?;
        let made = party.register(credential, &challenge).map_err(refused)?;
        let phc = match account.password.clone() {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let passkey = self.passkey(id, name, made);
        let person = self.new_person(id, email, account, phc);
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let data = (newcomer, flow, person, passkey, self.clock.now());
        let admitted = self
            .store
            .write(data, |(newcomer, flow, person, passkey, at), tx| {
                Box::pin(async move {
                    let admitted = open_account(tx, newcomer, *flow, person, *at).await?;
                    if tx.insert_passkey(passkey).await? { Ok(admitted) } else { Err(passkey_known()) }
                })
            })
            .await?;
        Ok(admitted.signed_in(vec![Amr::Pop, Amr::User], secret))
    }

    /// A person's passkeys, the oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_passkeys(&self, person: PersonId) -> Result<Vec<Passkey>, AppError> {
        Ok(self.store.read().await?.list_passkeys(person).await?)
    }

    /// Gives a passkey another name.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::Invalid`].
    pub async fn rename_passkey(
        &self,
        person: PersonId,
        passkey: PasskeyId,
        name: &str,
    ) -> Result<(), AppError> {
        let data = (person, passkey, named(name)?);
        self.store
            .write(data, |(person, passkey, name), tx| {
                Box::pin(async move {
                    let renamed = tx.rename_passkey(*person, *passkey, name).await?;
                    if renamed { Ok(()) } else { Err(AppError::NotFound("passkey")) }
                })
            })
            .await
    }

    /// Removes a passkey, and tells the person's addresses. It may be the last way in but for a code by
    /// e-mail, which always stays.
    ///
    /// # Errors
    /// `sign_in_again`, [`AppError::NotFound`].
    pub async fn remove_passkey(
        &self,
        asker: &Asker,
        session: &Session,
        passkey: PasskeyId,
    ) -> Result<(), AppError> {
        self.must_be_recent(session)?;
        let data = (self.clone(), *asker, session.person, passkey, self.clock.now());
        self.store
            .write(data, |(app, asker, person, passkey, at), tx| {
                Box::pin(async move {
                    let name = tx.delete_passkey(*person, *passkey).await?;
                    let name = name.ok_or(AppError::NotFound("passkey"))?;
                    app.write_to(tx, *person, &Letter::PasskeyRemoved { name }, asker.locale, *at).await
                })
            })
            .await
    }

    fn passkey(&self, person: PersonId, name: String, made: webauthn::Credential) -> Passkey {
        let at = self.clock.now();
        Passkey {
            id: PasskeyId::generate(at, &*self.entropy),
            person,
            credential_id: made.id,
            public_key: made.public_key,
            sign_count: made.sign_count,
            backup_eligible: made.backup_eligible,
            backed_up: made.backed_up,
            aaguid: made.aaguid,
            transports: made.transports,
            name,
            created_at: at,
            last_used_at: None,
        }
    }

    async fn challenge(
        &self,
        asker: &Asker,
        purpose: ChallengePurpose,
        person: Option<PersonId>,
    ) -> Result<[u8; 32], AppError> {
        let challenge: [u8; 32] = draw(&*self.entropy);
        let counting = self.people.throttles.network(CHALLENGES_OF_A_NETWORK, asker);
        let data = (counting, challenge, asker.browser.0.0, purpose, person, self.clock.now());
        self.store
            .write(data, |(counting, challenge, browser, purpose, person, at), tx| {
                Box::pin(async move {
                    counting.must(tx, *at).await?;
                    tx.insert_challenge(*challenge, *browser, *purpose, *person, *at + CHALLENGE_LIFE)
                        .await?;
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        Ok(challenge)
    }

    /// Uses up the challenge that an answer speaks of.
    async fn take_challenge(
        &self,
        asker: &Asker,
        purpose: ChallengePurpose,
        credential: &str,
    ) -> Result<([u8; 32], Option<PersonId>), AppError> {
        let challenge = challenge_of(credential).map_err(refused)?;
        let data = (challenge, asker.browser.0.0, purpose, self.clock.now());
        let taken = self
            .store
            .write(data, |(challenge, browser, purpose, at), tx| {
                Box::pin(async move {
                    Ok::<_, AppError>(tx.take_challenge(*challenge, *browser, *purpose, *at).await?)
                })
            })
            .await?;
        Ok((challenge, taken.ok_or_else(sign_in_failed)?))
    }
}
