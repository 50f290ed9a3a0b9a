//! Signing up: an account is opened by whoever has just proved an address that nobody has. What companies or
//! strangers said about the address before is looked at by nobody here.

use hallpass_core::id::{FlowId, PersonId, UserId};
use hallpass_core::session::Amr;
use hallpass_store::{FlowPurpose, Tx};
use jiff::Timestamp;

use super::{
    Admitted, Asker, NewAccount, NewPerson, Newcomer, SignedIn, check_name, check_password, check_username,
    code_spent,
};
use crate::App;
use crate::error::AppError;

impl App {
    /// Opens an account with the address that a flow has proved, and a user of their own.
    ///
    /// # Errors
    /// `code_spent`; `username_taken`, after which the flow may be used again; `email_taken` if the address
    /// became somebody's meanwhile; [`AppError::Invalid`] for what is malformed.
    pub async fn create_account(
        &self,
        asker: &Asker,
        flow: FlowId,
        account: NewAccount,
    ) -> Result<SignedIn, AppError> {
        check_account(&account)?;
        let email = self.proved(asker, flow, FlowPurpose::SignIn).await?;
        let phc = match account.password.clone() {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let at = self.clock.now();
        let person = self.new_person(PersonId::generate(at, &*self.entropy), email, account, phc);
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let admitted = self
            .store
            .write((newcomer, flow, person, at), |(newcomer, flow, person, at), tx| {
                Box::pin(open_account(tx, newcomer, *flow, person, *at))
            })
            .await?;
        Ok(admitted.signed_in(vec![Amr::Otp], secret))
    }

    pub(super) fn new_person(
        &self,
        id: PersonId,
        email: String,
        account: NewAccount,
        phc: Option<String>,
    ) -> NewPerson {
        let user = UserId::generate(self.clock.now(), &*self.entropy);
        let name = account.name.filter(|name| !name.trim().is_empty());
        NewPerson { id, user, email, username: account.username, name, phc }
    }
}

/// Uses the flow up, stores the person and lets them in.
pub(super) async fn open_account(
    tx: &mut Tx,
    newcomer: &Newcomer,
    flow: FlowId,
    person: &NewPerson,
    at: Timestamp,
) -> Result<Admitted, AppError> {
    let proved = tx.use_flow(flow, newcomer.asker.browser.0.0, FlowPurpose::SignIn, at).await?;
    if proved.as_ref() != Some(&person.email) {
        return Err(code_spent());
    }
    person.insert(tx, at).await?;
    newcomer.admit(tx, person.id, at).await
}

pub(super) fn check_account(account: &NewAccount) -> Result<(), AppError> {
    check_username(&account.username)?;
    check_name(account.name.as_deref())?;
    account.password.as_ref().map_or(Ok(()), check_password)
}
