//! Whether a user has access to a company, a product or an experience.
//!
//! The answer for an experience is the decision's own: whoever is told yes is let in.

use hallpass_core::decision::{Action, Actor, ChannelKind, Place, Standing, may_enter};
use hallpass_core::id::{CompanyId, ExperienceId, ProductId, UserId};
use hallpass_core::scope::ScopeSet;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::users::UserRef;

/// What access is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "three kinds of ids, named")]
pub enum Resource {
    Company(CompanyId),
    Product(ProductId),
    Experience(ExperienceId),
}

/// As what somebody has access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    /// Not at all.
    None,
    /// As a member.
    Customer,
    /// On the team.
    Admin,
}

impl App {
    /// Whether a user has access to something the caller can see.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user or thing out of the caller's reach.
    pub async fn check_access(
        &self,
        caller: &Caller,
        user: &UserRef,
        resource: Resource,
    ) -> Result<AccessLevel, AppError> {
        let (company, place) = match resource {
            Resource::Company(company) => {
                self.permit(caller, Action::ReadUsers, company, None, "company").await?;
                (company, None)
            }
            Resource::Product(product) => {
                let company = self.company_with(caller, product).await?;
                self.permit(caller, Action::ReadUsers, company, None, "product").await?;
                (company, None)
            }
            Resource::Experience(id) => {
                let experience = self.permit_experience(caller, Action::ReadExperiences, id).await?;
                (experience.company, Some((id, experience.public)))
            }
        };
        let user = self.resolve_near(caller, user, company).await?;
        let standing = self.standing(company, user).await?;
        if !standing.enrolled() || self.user(user).await?.is_none_or(|user| user.deactivated) {
            return Ok(AccessLevel::None);
        }
        let enters = match (resource, place) {
            (_, Some((id, public))) => self.enters(company, id, public, user, standing).await?,
            // Attaching an experience to a product opens nothing, and nobody buys one here.
            (Resource::Product(_), None) => standing.role.is_some(),
            _ => true,
        };
        Ok(match (enters, standing.role) {
            (false, _) => AccessLevel::None,
            (true, Some(_)) => AccessLevel::Admin,
            (true, None) => AccessLevel::Customer,
        })
    }

    /// Which company's product is meant: the caller's own, else one's that its key reaches.
    async fn company_with(&self, caller: &Caller, product: ProductId) -> Result<CompanyId, AppError> {
        let home = caller.home();
        let mut conn = self.store.read().await?;
        if conn.has_product(home, product).await? {
            return Ok(home);
        }
        let Caller::Key(live) = caller else { return Err(AppError::NotFound("product")) };
        let found = conn.find_account_with_product(home, live.key.app, product).await?;
        found.ok_or(AppError::NotFound("product"))
    }

    async fn enters(
        &self,
        company: CompanyId,
        id: ExperienceId,
        public: bool,
        user: UserId,
        standing: Standing,
    ) -> Result<bool, AppError> {
        let granted = self.has_access(company, id, Some(user)).await?;
        let place = Place { kind: ChannelKind::Channel, public, granted, admins_post: false };
        Ok(may_enter(&Actor::User { token: ScopeSet::EMPTY, standing }, place))
    }

    /// The user that a path names, if the caller may know of them through `company` or their own.
    async fn resolve_near(
        &self,
        caller: &Caller,
        user: &UserRef,
        company: CompanyId,
    ) -> Result<UserId, AppError> {
        match self.resolve(caller, user, company).await {
            Err(AppError::NotFound(_)) if company != caller.home() => {
                self.resolve(caller, user, caller.home()).await
            }
            resolved => resolved,
        }
    }
}
