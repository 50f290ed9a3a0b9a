//! Who a person is inside a company: the user that the company made for an address which the person has
//! proved, else their own.
//!
//! The link is made when the person first enters. It changes nothing but where signing in leads: ids stay,
//! nothing is merged, and no credential of the company reads or writes it.

use hallpass_core::authority::Change;
use hallpass_core::id::{CompanyId, PersonId, UserId};
use hallpass_store::StoreError;

use crate::App;
use crate::error::AppError;

impl App {
    /// The user as whom a person enters a company, or the server at large; linked now, if one waits for an address they proved. None
    /// if that user was deactivated: who was shut out does not come in as somebody else.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn user_for(
        &self,
        person: PersonId,
        company: Option<CompanyId>,
    ) -> Result<Option<UserId>, AppError> {
        let Some(company) = company else { return self.own_user_of(person).await };
        let active = |user: hallpass_store::LocalUser| (!user.deactivated).then_some(user.id);
        let mut conn = self.store.read().await?;
        if let Some(linked) = conn.find_linked_user(person, company).await? {
            return Ok(active(linked));
        }
        if conn.find_linkable_user(person, company).await?.is_none() {
            drop(conn);
            return self.own_user_of(person).await;
        }
        drop(conn);
        let n = self
            .store
            .write((person, company, self.clock.now()), |(person, company, at), tx| {
                Box::pin(async move {
                    // One link at a time for a person; and an address that is being removed is no proof.
                    tx.hold_person(*person, *at).await?;
                    if tx.find_linked_user(*person, *company).await?.is_some() {
                        return Ok(None);
                    }
                    let Some(user) = tx.find_linkable_user(*person, *company).await? else { return Ok(None) };
                    match tx.link_user(user.id, *person).await {
                        Ok(true) => {}
                        Ok(false) => return Ok(None),
                        // Linked elsewhere in the family meanwhile.
                        Err(StoreError::Conflict) => return Err(StoreError::Serialization.into()),
                        Err(error) => return Err(error.into()),
                    }
                    App::note(tx, &[(Change::User(user.id), false)], *at).await.map(Some)
                })
            })
            .await?;
        if let Some(n) = n {
            self.settle(n).await?;
        }
        let mut conn = self.store.read().await?;
        if let Some(linked) = conn.find_linked_user(person, company).await? {
            return Ok(active(linked));
        }
        drop(conn);
        self.own_user_of(person).await
    }

    /// The user as whom a person would enter, as [`user_for`](Self::user_for) says, without linking: whoever
    /// only looks, or is refused, has proved nothing there.
    pub(crate) async fn who_would_enter(
        &self,
        person: PersonId,
        company: Option<CompanyId>,
    ) -> Result<Option<UserId>, AppError> {
        let Some(company) = company else { return self.own_user_of(person).await };
        let mut conn = self.store.read().await?;
        let found = match conn.find_linked_user(person, company).await? {
            Some(linked) => Some(linked),
            None => conn.find_linkable_user(person, company).await?,
        };
        drop(conn);
        match found {
            Some(user) => Ok((!user.deactivated).then_some(user.id)),
            None => self.own_user_of(person).await,
        }
    }

    async fn own_user_of(&self, person: PersonId) -> Result<Option<UserId>, AppError> {
        let own = self.store.read().await?.find_own_user(person).await?;
        Ok(own.filter(|own| !own.deactivated).map(|own| own.id))
    }
}
