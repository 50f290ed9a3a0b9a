//! The addresses of somebody signed in: added by proving them, removed down to the last.

use hallpass_core::id::{FlowId, PersonId};
use hallpass_core::locale::Locale;
use hallpass_core::mail::Letter;
use hallpass_core::session::Session;
pub use hallpass_store::Address;
use hallpass_store::{FlowPurpose, StoreError};

use super::codes::{Tried, typed};
use super::throttle::{CODES_OF_A_NETWORK, CODES_OF_A_PERSON};
use super::{Asker, code_spent, code_wrong};
use crate::App;
use crate::error::AppError;

/// The most addresses of one person.
const MOST_ADDRESSES: usize = 16;

impl App {
    /// The addresses that a person has proved, the primary one first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_addresses(&self, person: PersonId) -> Result<Vec<Address>, AppError> {
        Ok(self.store.read().await?.list_addresses(person).await?)
    }

    /// Sends a code to an address that somebody signed in means to add. Whether it is anybody's already is
    /// told to nobody but who reads its mail.
    ///
    /// # Errors
    /// `sign_in_again`, [`AppError::RateLimited`], [`AppError::Invalid`] for what is no address.
    pub async fn begin_address(
        &self,
        asker: &Asker,
        session: &Session,
        email: &str,
    ) -> Result<FlowId, AppError> {
        self.must_be_recent(session)?;
        let begun = self.begin_flow(asker, email, FlowPurpose::Address, Some(session.person))?;
        let id = begun.flow.id;
        let data = (self.clone(), *asker, session.person, begun, self.clock.now());
        self.store
            .write(data, |(app, asker, person, begun, at), tx| {
                Box::pin(async move {
                    let throttles = &app.people.throttles;
                    throttles.network(CODES_OF_A_NETWORK, asker).must(tx, *at).await?;
                    // About the asker's own doing, so it is told.
                    throttles.of(CODES_OF_A_PERSON, &[person.to_string().as_bytes()]).must(tx, *at).await?;
                    app.send_code(tx, begun, asker, false, *at).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Adds the address whose code is given, and tells those that the person had.
    ///
    /// # Errors
    /// `code_wrong`, `code_spent`; `email_taken` if it is another person's, `too_many_addresses`.
    pub async fn prove_address(
        &self,
        asker: &Asker,
        session: &Session,
        flow: FlowId,
        code: &str,
    ) -> Result<(), AppError> {
        let data = (self.clone(), *asker, session.person, flow, typed(code), self.clock.now());
        self.store
            .write(data, |(app, asker, person, flow, code, at), tx| {
                Box::pin(async move {
                    let email = match app.try_code(tx, asker, *flow, code, *at).await? {
                        Tried::Right { purpose: FlowPurpose::Address, email, person: whose }
                            if whose == Some(*person) =>
                        {
                            email
                        }
                        // No error: the attempt must stay counted.
                        Tried::Wrong => return Ok(Err(code_wrong as fn() -> AppError)),
                        _ => return Ok(Err(code_spent as fn() -> AppError)),
                    };
                    tx.use_flow(*flow, asker.browser.0.0, FlowPurpose::Address, *at).await?;
                    tx.hold_person(*person, *at).await?;
                    let had = tx.list_addresses(*person).await?;
                    if had.iter().any(|one| one.email.to_lowercase() == email) {
                        return Ok(Ok(()));
                    }
                    if had.len() >= MOST_ADDRESSES {
                        let message = format!("a person has at most {MOST_ADDRESSES} addresses");
                        return Err(AppError::unprocessable("too_many_addresses", "email", message));
                    }
                    let letter = Letter::AddressAdded { email: email.clone() };
                    app.write_to(tx, *person, &letter, asker.locale, *at).await?;
                    tx.insert_address(*person, &email, *at).await.map_err(|error| match error {
                        StoreError::Conflict => AppError::unprocessable(
                            "email_taken",
                            "email",
                            "another account has this address",
                        ),
                        error => error.into(),
                    })?;
                    Ok(Ok(()))
                })
            })
            .await?
            .map_err(|why: fn() -> AppError| why())
    }

    /// Removes an address, and tells it and those that stay: whoever holds it learns that it signs in no
    /// more.
    ///
    /// # Errors
    /// `last_address`, `sign_in_again`, [`AppError::NotFound`] for an address the person does not have.
    pub async fn remove_address(
        &self,
        locale: Locale,
        session: &Session,
        email: &str,
    ) -> Result<(), AppError> {
        self.must_be_recent(session)?;
        let data = (self.clone(), locale, session.person, email.to_lowercase(), self.clock.now());
        self.store
            .write(data, |(app, locale, person, email, at), tx| {
                Box::pin(async move {
                    tx.hold_person(*person, *at).await?;
                    if let Some(email) = tx.delete_address(*person, email).await? {
                        let letter = Letter::AddressRemoved { email: email.clone() };
                        app.post(tx, &email, *locale, &letter, *at).await?;
                        return app.write_to(tx, *person, &letter, *locale, *at).await;
                    }
                    let has = tx.list_addresses(*person).await?;
                    Err(if has.iter().any(|one| one.email.to_lowercase() == *email) {
                        AppError::unprocessable("last_address", "email", "one address stays")
                    } else {
                        AppError::NotFound("address")
                    })
                })
            })
            .await
    }
}
