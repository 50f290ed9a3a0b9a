//! Passwords: signing in, resetting, changing.

use hallpass_core::id::{FlowId, PersonId};
use hallpass_core::mail::Letter;
use hallpass_core::session::{Amr, Session};
use hallpass_store::FlowPurpose;
use hallpass_token::password::needs_rehash;
use secrecy::{ExposeSecret, SecretString};

use super::throttle::{Counting, PASSWORD_CHANGES, is_known};
use super::{Asker, MAX_PASSWORD_BYTES, Newcomer, SignedIn, check_password, code_spent, sign_in_failed};
use crate::App;
use crate::error::AppError;
use crate::sessions::end_others;

impl App {
    /// Signs in by address and password. Whatever is wrong, the answer is the same and takes as long.
    ///
    /// # Errors
    /// `sign_in_failed`; [`AppError::RateLimited`] for too many tries, by this device if the person has signed
    /// in on it, else from this network, on this address or any; also if too many sign in at once, which is
    /// no try.
    pub async fn sign_in_with_password(
        &self,
        asker: &Asker,
        email: &str,
        password: SecretString,
    ) -> Result<SignedIn, AppError> {
        let email = email.to_lowercase();
        // Neither is anybody's, whoever asks.
        if password.expose_secret().len() > MAX_PASSWORD_BYTES || email.contains('\0') || email.len() > 1000 {
            return Err(sign_in_failed());
        }
        let data = (self.clone(), *asker, email, self.clock.now());
        let (person, phc, countings) = self
            .store
            .write(data, |(app, asker, email, at), tx| {
                Box::pin(async move {
                    let person = tx.find_person_by_address(email).await?;
                    let phc = tx.find_password(person.unwrap_or(PersonId::from_bits(0))).await?;
                    let known = is_known(tx, asker, person, *at).await?;
                    // Before it is known whether the password is right, so that many at once count too.
                    let countings = app.people.throttles.password(asker, email, known);
                    for counting in &countings {
                        counting.must(tx, *at).await?;
                    }
                    Ok::<_, AppError>((person, phc, countings))
                })
            })
            .await?;
        let is_right = match self.verify_password(password.clone(), phc.clone()).await {
            Ok(is_right) => is_right,
            Err(error) => {
                self.give_back(countings).await?;
                return Err(error);
            }
        };
        let (Some(person), Some(phc), true) = (person, phc, is_right) else { return Err(sign_in_failed()) };
        let newer = if needs_rehash(&phc) {
            match self.hash_password(password).await {
                Ok(newer) => Some(newer),
                // The next sign-in renews it: this one has proved what it had to.
                Err(AppError::RateLimited { .. }) => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let data = (newcomer, person, phc, newer, countings, self.clock.now());
        let admitted = self
            .store
            .write(data, |(newcomer, person, phc, newer, countings, at), tx| {
                Box::pin(async move {
                    // It may have been changed while it was being compared.
                    if !tx.hold_person(*person, *at).await?
                        || tx.find_password(*person).await?.as_ref() != Some(phc)
                    {
                        return Err(sign_in_failed());
                    }
                    for counting in countings {
                        counting.give_back(tx).await?;
                    }
                    if let Some(newer) = newer {
                        tx.rehash_password(*person, phc, newer).await?;
                    }
                    newcomer.admit(tx, *person, *at).await
                })
            })
            .await?;
        Ok(admitted.signed_in(vec![Amr::Pwd], secret))
    }

    /// Sets a new password, after a code for it was given. Every device is forgotten; sessions end.
    ///
    /// # Errors
    /// `code_spent`, [`AppError::Invalid`] for what is no password.
    pub async fn reset_password(
        &self,
        asker: &Asker,
        flow: FlowId,
        password: SecretString,
    ) -> Result<SignedIn, AppError> {
        check_password(&password)?;
        self.proved(asker, flow, FlowPurpose::Reset).await?;
        let phc = self.hash_password(password).await?;
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let data = (self.clone(), newcomer, flow, phc, self.clock.now());
        let (admitted, n) = self
            .store
            .write(data, |(app, newcomer, flow, phc, at), tx| {
                Box::pin(async move {
                    let browser = newcomer.asker.browser.0.0;
                    let email = tx.use_flow(*flow, browser, FlowPurpose::Reset, *at).await?;
                    let email = email.ok_or_else(code_spent)?;
                    let person = tx.find_person_by_address(&email).await?.ok_or_else(code_spent)?;
                    tx.hold_person(person, *at).await?;
                    tx.set_password(person, phc, *at).await?;
                    tx.forget_devices(person).await?;
                    app.write_to(tx, person, &Letter::PasswordChanged, newcomer.asker.locale, *at).await?;
                    // What is admitted after the end is not ended by it.
                    let (_, n) = end_others(tx, person, None, *at).await?;
                    let admitted = newcomer.admit(tx, person, *at).await?;
                    Ok::<_, AppError>((admitted, n))
                })
            })
            .await?;
        self.settle(n).await?;
        Ok(admitted.signed_in(vec![Amr::Otp], secret))
    }

    /// Changes the password of somebody signed in, who gives the old one or has signed in within ten
    /// minutes. Their other sessions end.
    ///
    /// # Errors
    /// `sign_in_failed` for a wrong old one, `sign_in_again` for none, [`AppError::RateLimited`],
    /// [`AppError::Invalid`] for what is no password.
    pub async fn change_password(
        &self,
        asker: &Asker,
        session: &Session,
        old: Option<SecretString>,
        new: SecretString,
    ) -> Result<(), AppError> {
        check_password(&new)?;
        let person = session.person;
        match old {
            None => self.must_be_recent(session)?,
            Some(old) if old.expose_secret().len() > MAX_PASSWORD_BYTES => return Err(sign_in_failed()),
            Some(old) => {
                let who = person.to_string();
                let counting = self.people.throttles.of(PASSWORD_CHANGES, &[who.as_bytes()]);
                self.count(counting).await?;
                let phc = self.store.read().await?.find_password(person).await?;
                match self.verify_password(old, phc).await {
                    Ok(true) => {}
                    Ok(false) => return Err(sign_in_failed()),
                    Err(error) => {
                        self.give_back(vec![counting]).await?;
                        return Err(error);
                    }
                }
            }
        }
        let phc = self.hash_password(new).await?;
        let data = (self.clone(), *asker, session.clone(), phc, self.clock.now());
        let n = self
            .store
            .write(data, |(app, asker, session, phc, at), tx| {
                Box::pin(async move {
                    let person = session.person;
                    if !tx.hold_person(person, *at).await? {
                        return Err(sign_in_failed());
                    }
                    tx.set_password(person, phc, *at).await?;
                    tx.forget_devices(person).await?;
                    app.write_to(tx, person, &Letter::PasswordChanged, asker.locale, *at).await?;
                    let (_, n) = end_others(tx, person, Some(session.id), *at).await?;
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Takes back tries of passwords that were never compared.
    async fn give_back(&self, countings: Vec<Counting>) -> Result<(), AppError> {
        self.store
            .write(countings, |countings, tx| {
                Box::pin(async move {
                    for counting in countings {
                        counting.give_back(tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Whether a person has a password.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_password(&self, person: PersonId) -> Result<bool, AppError> {
        Ok(self.store.read().await?.find_password(person).await?.is_some())
    }
}
