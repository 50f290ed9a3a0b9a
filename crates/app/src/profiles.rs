//! How a user is shown: the global profile, or with a company's overrides.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::id::{CompanyId, UserId};

use crate::App;
use crate::error::AppError;

/// A user as shown in a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The user.
    pub id: UserId,
    /// Their username.
    pub username: String,
    /// The company's override, else the global name.
    pub name: Option<String>,
    /// The address of the company's picture of them, else of the global one.
    pub picture: Option<String>,
}

impl App {
    /// How a user is shown in a company.
    ///
    /// # Errors
    /// Those of the store; a user that is gone is shown by id alone.
    pub(crate) async fn shown(&self, company: CompanyId, user: UserId) -> Result<Arc<Shown>, AppError> {
        if let Some(shown) = self.shown.get(&(company, user)) {
            return Ok(shown);
        }
        let rev = self.authority.rev();
        let mut conn = self.store.read().await?;
        let Some(found) = conn.find_user(user).await? else {
            return Ok(Arc::new(Shown { id: user, username: String::new(), name: None, picture: None }));
        };
        let local = conn.find_override(company, user).await?;
        let name = local.name.or(found.name);
        let picture = local.picture.or(found.picture).map(|id| self.picture_url(id));
        let shown = Arc::new(Shown { id: user, username: found.username, name, picture });
        let (global, local) = (Change::User(user), Change::Standing(company, user));
        self.shown.put((company, user), Arc::clone(&shown), rev, [&global, &local, &local]);
        Ok(shown)
    }
}
