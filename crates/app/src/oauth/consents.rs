//! What a person allowed apps, and taking it back.

use hallpass_core::id::{AppId, CompanyId, PersonId, UserId};
use hallpass_core::oauth::Consent;

use super::authorize::CompanyCard;
use crate::App;
use crate::error::AppError;

/// The most that are listed.
const MAX_LISTED: i64 = 200;

/// An app that a person allowed something.
#[expect(missing_docs, reason = "parts, named")]
pub struct AuthorizedApp {
    pub consent: Consent,
    pub app_name: String,
    pub app_picture: Option<String>,
    pub company: Option<CompanyCard>,
}

impl App {
    /// The apps that a person allowed something, as any of their users.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_authorized_apps(&self, person: PersonId) -> Result<Vec<AuthorizedApp>, AppError> {
        let consents = self.store.read().await?.list_consents(person, MAX_LISTED).await?;
        let mut apps = Vec::with_capacity(consents.len());
        for consent in consents {
            let Some(app) = self.store.read().await?.find_registered_app(consent.app).await? else {
                continue;
            };
            let company = match consent.company {
                Some(id) => match self.company_card(id).await {
                    Ok(card) => Some(card),
                    // Gone: what was allowed there can still be taken back.
                    Err(AppError::NotFound(_)) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            let app_picture = app.icon.map(|id| self.picture_url(id));
            apps.push(AuthorizedApp { consent, app_name: app.name, app_picture, company });
        }
        Ok(apps)
    }

    /// Takes back what a person allowed an app, as one of their users: it is forgotten, and what it gave is
    /// revoked. `false` if there was nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn revoke_consent(
        &self,
        person: PersonId,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<bool, AppError> {
        if self.user(user).await?.and_then(|user| user.person) != Some(person) {
            return Ok(false);
        }
        let at = self.clock.now();
        let (had, n) = self
            .store
            .write((user, app, company, at), |(user, app, company, at), tx| {
                Box::pin(async move {
                    let had = tx.delete_consent(*user, *app, *company).await?;
                    // Codes on their way first: one that is being redeemed is waited for, and then its grant
                    // is among those that follow.
                    tx.consume_codes_of_app(*user, *app, *company, *at).await?;
                    let mut n = 0;
                    for grant in tx.revoke_grants_of_app(*user, *app, *company, *at).await? {
                        n = App::note_grant(tx, grant, *at).await?;
                    }
                    Ok::<_, AppError>((had, n))
                })
            })
            .await?;
        self.settle(n).await?;
        Ok(had || n > 0)
    }
}
