//! Entering: as which user, and into which company.

use hallpass_core::id::{AppId, CompanyId, MemberId, PersonId, UserId};

use crate::App;
use crate::error::AppError;

/// As whom somebody enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The user that a company linked to them, or their own.
    pub(crate) user: UserId,
    /// They are enrolled by entering, once they allow it: the company is open to everybody.
    pub(crate) enrol: Option<MemberId>,
}

impl App {
    /// As whom a person enters a company by an app, or uses the app at large; none if they, or it, may not.
    pub(crate) async fn entry(
        &self,
        person: PersonId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<Option<Entry>, AppError> {
        let Some(user) = self.who_would_enter(person, company).await? else { return Ok(None) };
        if self.user(user).await?.is_none_or(|user| user.deactivated) {
            return Ok(None);
        }
        let Some(company) = company else { return Ok(Some(Entry { user, enrol: None })) };
        let Some(record) = self.company(company).await? else { return Ok(None) };
        if !self.is_app_in(app, company).await? {
            return Ok(None);
        }
        if self.standing(company, user).await?.enrolled() {
            return Ok(Some(Entry { user, enrol: None }));
        }
        // Whom the company un-enrolled stays out until it enrols them again.
        let was_there = self.store.read().await?.find_member_of(company, user).await?.is_some();
        let enrol = MemberId::generate(self.clock.now(), &*self.entropy);
        Ok((record.open_enrolment && !was_there).then_some(Entry { user, enrol: Some(enrol) }))
    }

    /// Whether a user may still use an app where they allowed it.
    pub(crate) async fn may_still_enter(
        &self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<bool, AppError> {
        if self.user(user).await?.is_none_or(|user| user.deactivated) {
            return Ok(false);
        }
        let Some(company) = company else { return Ok(true) };
        Ok(self.is_app_in(app, company).await? && self.standing(company, user).await?.enrolled())
    }
}
