//! Enrolment: the members of a company.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::decision::Action;
use hallpass_core::entity::{Company, Member};
use hallpass_core::id::{CompanyId, MemberId, UserId};
use hallpass_core::webhook::EventType;
use hallpass_store::{Key, MemberFilter, MemberOrder};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::files::forget_picture;
use crate::page::{Direction, Page, PageAsk};
use crate::webhooks::Subject;

/// Which members a list shows.
#[derive(Clone, Debug)]
pub struct ListMembers {
    /// Of this company; none for the caller's.
    pub company: Option<CompanyId>,
    /// Narrowed by this.
    pub filter: MemberFilter,
    /// Filters that no member of ours can match (plans, promo codes) were given.
    pub matches_none: bool,
    /// Which page.
    pub page: PageAsk,
}

impl App {
    /// A company's members.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_members(&self, caller: &Caller, ask: ListMembers) -> Result<Page<Member>, AppError> {
        let company = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ReadMembers, company, None, "company").await?;
        let filters = format!("{:?}", ask.filter);
        let plan = ask.page.plan(self, "members.list", company, &[&filters], (Direction::Desc, 100))?;
        let order = ask.filter.order;
        let key = |member: &Member| Key {
            at: match order {
                MemberOrder::Creation => member.created_at,
                MemberOrder::Joining => member.joined_at,
                MemberOrder::Action => member.updated_at,
            }
            .as_millisecond(),
            id: member.id.to_string(),
        };
        let (none, filter) = (ask.matches_none, &ask.filter);
        let list = |scan| async move {
            if none {
                return Ok(Vec::new());
            }
            self.store.read().await?.list_members(company, filter, &scan).await
        };
        plan.fetch(self, key, list).await
    }

    /// One member, by the membership's id or the user's.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_member(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(Member, Arc<Company>), AppError> {
        let mut conn = self.store.read().await?;
        let found = if let Ok(user) = id.parse::<UserId>() {
            conn.find_member_of(caller.home(), user).await?
        } else {
            let id: MemberId = crate::revocation::parse_id("id", id)?;
            conn.find_member(id).await?
        };
        drop(conn);
        let reached = match &found {
            Some(member) => self.permit(caller, Action::ReadMembers, member.company, None, "member").await,
            None => Err(AppError::NotFound("member")),
        };
        // Absent or another tenant's: the same answer, which depends on the caller alone.
        if matches!(reached, Err(AppError::NotFound(_))) {
            self.permit(caller, Action::ReadMembers, caller.home(), None, "member").await?;
        }
        reached?;
        let member = found.ok_or(AppError::NotFound("member"))?;
        self.with_company(member).await
    }

    async fn with_company(&self, member: Member) -> Result<(Member, Arc<Company>), AppError> {
        let company = self.company(member.company).await?.ok_or(AppError::NotFound("company"))?;
        Ok((member, company))
    }

    /// Enrols an existing user that the caller can already see (extension).
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user or company out of reach, [`AppError::MissingScopes`].
    pub async fn enrol_member(
        &self,
        caller: &Caller,
        company: CompanyId,
        user: UserId,
    ) -> Result<(Member, Arc<Company>), AppError> {
        self.permit(caller, Action::ManageMembers, company, None, "company").await?;
        self.must_see(caller, user).await?;
        self.with_company(self.make_member(company, user).await?).await
    }

    /// Refuses a user whom the caller's company has no business with.
    pub(crate) async fn must_see(&self, caller: &Caller, user: UserId) -> Result<(), AppError> {
        let home = caller.home();
        let seen = self.store.read().await?.is_user_seen_from(home, user).await?;
        if seen || self.made_by(home, user).await? { Ok(()) } else { Err(AppError::NotFound("user")) }
    }

    /// Whether a user was made by this company: it may enrol them again after un-enrolling.
    async fn made_by(&self, company: CompanyId, user: UserId) -> Result<bool, AppError> {
        Ok(self.user(user).await?.is_some_and(|user| user.home == Some(company)))
    }

    /// Enrols a user, unconditionally: for the command line and first starts too.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such user.
    pub async fn make_member(&self, company: CompanyId, user: UserId) -> Result<Member, AppError> {
        let at = self.clock.now();
        let id = MemberId::generate(at, &*self.entropy);
        self.store
            .write((id, company, user, at), |(id, company, user, at), tx| {
                Box::pin(async move {
                    let new = tx.insert_member(*id, *company, *user, *at).await?;
                    let found =
                        tx.find_member_of(*company, *user).await?.ok_or(AppError::NotFound("user"))?;
                    if new {
                        let subject = Subject::User { user: *user };
                        App::tell(tx, *company, EventType::UserEnrolled, &subject, *at).await?;
                    }
                    Ok(found)
                })
            })
            .await
            .inspect(|_| self.hooks.wake())
    }

    /// Ends a user's enrolment: membership, team role, access to private experiences. Their tokens
    /// for the company are dead.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if they are not enrolled, [`AppError::MissingScopes`].
    pub async fn unenrol_member(
        &self,
        caller: &Caller,
        company: CompanyId,
        user: UserId,
    ) -> Result<(), AppError> {
        self.permit(caller, Action::ManageMembers, company, None, "company").await?;
        self.end_membership(company, user).await
    }

    /// Ends a user's enrolment, unconditionally: for the command line too.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if they are not enrolled, [`AppError::Unprocessable`] for the owner.
    pub async fn end_membership(&self, company: CompanyId, user: UserId) -> Result<(), AppError> {
        let owner = self.company(company).await?.ok_or(AppError::NotFound("company"))?.owner;
        if owner == user {
            return Err(AppError::unprocessable("owner", "user_id", "the owner cannot be un-enrolled"));
        }
        let n = self
            .store
            .write((company, user, self.clock.now()), |(company, user, at), tx| {
                Box::pin(async move {
                    let left = tx.revoke_member(*company, *user, *at).await?;
                    let off_team = tx.revoke_team_role(*company, *user).await?;
                    if !left && !off_team {
                        return Err(AppError::NotFound("member"));
                    }
                    tx.revoke_all_experience_access(*company, *user).await?;
                    forget_picture(tx, *company, *user, *at).await?;
                    tx.revoke_grants_of_user(*user, Some(*company), *at).await?;
                    App::note(tx, &[(Change::Standing(*company, *user), true)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }
}
