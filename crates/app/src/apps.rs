//! Apps: what a company makes to work in others, which install it. For the command line.

use hallpass_core::authority::Change;
use hallpass_core::id::{AppId, CompanyId};
use hallpass_core::webhook::EventType;
use hallpass_store::{CompanyApp, StoreError};

use crate::App;
use crate::error::AppError;
use crate::webhooks::Subject;

impl App {
    /// Makes an app of a company.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such company.
    pub(crate) async fn make_app(&self, company: CompanyId, name: String) -> Result<CompanyApp, AppError> {
        self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let at = self.clock.now();
        let app = CompanyApp {
            id: AppId::generate(at, &*self.entropy),
            owner: Some(company),
            name,
            created_at: at,
            installed_at: None,
        };
        self.store
            .write(app.clone(), |app, tx| {
                Box::pin(tx.insert_app(app.id, app.owner, &app.name, app.created_at))
            })
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        Ok(app)
    }

    /// Lets an app's keys work in a company that does not own it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an absent app or company, [`AppError::Conflict`] where nothing is to be
    /// installed.
    pub(crate) async fn install_app(&self, app: AppId, company: CompanyId) -> Result<(), AppError> {
        self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let (owner, _) = self.store.read().await?.find_app(app).await?.ok_or(AppError::NotFound("app"))?;
        if owner.is_none_or(|owner| owner == company) {
            let message = "the company owns this app, or it is the built-in one: there is nothing to install";
            return Err(AppError::conflict("app_not_installable", message));
        }
        self.store
            .write((app, company, self.clock.now()), |(app, company, at), tx| {
                Box::pin(async move {
                    tx.insert_app_install(*app, *company, *at).await?;
                    let subject = Subject::App { app: *app };
                    App::tell(tx, *company, EventType::AppAuthorized, &subject, *at).await
                })
            })
            .await
            .inspect(|()| self.hooks.wake())
    }

    /// Takes an app out of a company: its keys, and the tokens they minted, reach the company no more.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if it is not installed there.
    pub(crate) async fn uninstall_app(&self, app: AppId, company: CompanyId) -> Result<(), AppError> {
        let n = self
            .store
            .write((app, company, self.clock.now()), |(app, company, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Company(*company), false)], *at).await?;
                    if !tx.delete_app_install(*app, *company).await? {
                        return Err(AppError::NotFound("installed app"));
                    }
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await
    }
}
