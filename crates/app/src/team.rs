//! A company's team: who works for it, in which role.
//!
//! One table under two names, authorised users and team members. Whoever gives, changes or takes a
//! role must hold what that role may do: nobody lifts anyone above themselves, or pulls down whoever
//! stands above them. The company's owner stays on the team, as its owner.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::decision::Action;
use hallpass_core::entity::{Company, TeamMember};
use hallpass_core::id::{AuthorizedUserId, CompanyId, UserId};
use hallpass_core::role::{MEMBER, Role};
use hallpass_core::scope::ScopeSet;
use hallpass_store::{Key, StoreError, TeamFilter};

use crate::access_tokens::listed;
use crate::caller::Caller;
use crate::error::AppError;
use crate::page::{Direction, Page, PageAsk};
use crate::{App, Ticket};

/// The two names of a team, which differ in what they demand for e-mail addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamFace {
    /// `authorized_users`: whoever may not read addresses may not ask.
    AuthorizedUsers,
    /// `team_members`: whoever may not read addresses is shown none.
    TeamMembers,
}

impl TeamFace {
    fn reading(self) -> Action {
        match self {
            Self::AuthorizedUsers => Action::ReadTeamWithEmails,
            Self::TeamMembers => Action::ReadTeam,
        }
    }
    fn adding(self) -> Action {
        match self {
            Self::AuthorizedUsers => Action::AddToTeamWithEmails,
            Self::TeamMembers => Action::AddToTeam,
        }
    }
}

/// Whom a path names: by the place on the team, or as a user of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamMemberRef {
    /// `ausr_…`
    Id(AuthorizedUserId),
    /// `user_…`
    User(UserId),
}

/// Which members of a team a list shows.
#[derive(Clone, Debug)]
pub struct ListTeam {
    /// Of this company; none for the caller's.
    pub company: Option<CompanyId>,
    /// Narrowed by this.
    pub filter: TeamFilter,
    /// Those who have not joined were asked for: nobody here.
    pub matches_none: bool,
    /// Which page.
    pub page: PageAsk,
}

/// Whom to put on a team.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "three parts, named")]
pub struct AddTeamMember {
    pub company: CompanyId,
    pub user: UserId,
    pub role: Role,
}

impl App {
    /// A company's team, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_team(
        &self,
        caller: &Caller,
        face: TeamFace,
        ask: ListTeam,
    ) -> Result<Page<TeamMember>, AppError> {
        let company = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, face.reading(), company, None, "company").await?;
        let filters = format!("{:?}", ask.filter);
        let plan = ask.page.plan(self, "team.list", company, &[&filters], (Direction::Desc, 100))?;
        let key =
            |member: &TeamMember| Key { at: member.created_at.as_millisecond(), id: member.id.to_string() };
        let (none, filter) = (ask.matches_none, &ask.filter);
        let list = |scan| async move {
            if none {
                return Ok(Vec::new());
            }
            self.store.read().await?.list_team(company, filter, &scan).await
        };
        let page = plan.fetch(self, key, list).await?;
        let emails = self.may_read_emails(caller, company).await?;
        Ok(page.map(|member| if emails { member } else { TeamMember { email: None, ..member } }))
    }

    /// One member of a team.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_team_member(
        &self,
        caller: &Caller,
        face: TeamFace,
        who: TeamMemberRef,
    ) -> Result<TeamMember, AppError> {
        let member = self.permit_team_member(caller, face.reading(), who, None).await?;
        self.shown_team_member(caller, member).await
    }

    /// Puts a user whom the caller's company can see on a team. Who is on it in that role already stays
    /// so.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user or company out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Forbidden`] for a role above the caller's rights, [`AppError::Conflict`] if they are
    /// on the team in another role.
    pub async fn add_team_member(
        &self,
        caller: &Caller,
        face: TeamFace,
        ask: AddTeamMember,
        ticket: Option<Ticket>,
    ) -> Result<TeamMember, AppError> {
        self.may_add_to_team(caller, face, ask.company).await?;
        let company = self.company(ask.company).await?.ok_or(AppError::NotFound("company"))?;
        self.must_hold(caller, &company, ask.role).await?;
        self.must_see(caller, ask.user).await?;
        if self.user(ask.user).await?.is_none_or(|user| user.deactivated) {
            return Err(AppError::NotFound("user"));
        }
        let id = AuthorizedUserId::from_bits(self.bits(ticket));
        let n = self
            .store
            .write((id, ask, self.clock.now()), |(id, ask, at), tx| {
                Box::pin(async move {
                    if !tx.insert_team_member(*id, ask.company, ask.user, ask.role, *at).await? {
                        let found = tx.find_team_member_of(ask.company, ask.user).await?;
                        return match found {
                            Some(found) if found.id == *id || found.role == ask.role => Ok(None),
                            Some(_) => Err(AppError::conflict(
                                "on_team",
                                "this user is on the team in another role; change the role instead",
                            )),
                            None => Err(StoreError::Serialization.into()),
                        };
                    }
                    App::note(tx, &[(Change::Standing(ask.company, ask.user), false)], *at).await.map(Some)
                })
            })
            .await?;
        if let Some(n) = n {
            self.settle(n).await?;
        }
        let found = self.store.read().await?.find_team_member_of(ask.company, ask.user).await?;
        self.shown_team_member(caller, found.ok_or(AppError::NotFound("team member"))?).await
    }

    /// Whether the caller may put people on a company's team.
    ///
    /// # Errors
    /// As for [`add_team_member`](Self::add_team_member).
    pub async fn may_add_to_team(
        &self,
        caller: &Caller,
        face: TeamFace,
        company: CompanyId,
    ) -> Result<(), AppError> {
        self.permit(caller, face.adding(), company, None, "company").await.map(drop)
    }

    /// Changes a team member's role. Rights that shrink are decided anew everywhere within a second.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Forbidden`] for a
    /// role, old or new, above the caller's rights, [`AppError::Conflict`] for the company's owner.
    pub async fn update_team_member(
        &self,
        caller: &Caller,
        who: TeamMemberRef,
        role: Role,
    ) -> Result<TeamMember, AppError> {
        let member = self.permit_team_member(caller, Action::ChangeTeam, who, None).await?;
        let company = self.company(member.company).await?.ok_or(AppError::NotFound("company"))?;
        if role != Role::Owner {
            must_not_be_the_owner(&company, member.user)?;
        }
        self.must_hold(caller, &company, member.role).await?;
        self.must_hold(caller, &company, role).await?;
        if role == member.role {
            return self.shown_team_member(caller, member).await;
        }
        let change = Change::Standing(member.company, member.user);
        let n = self
            .store
            .write(
                (member.id, member.role, role, change, self.clock.now()),
                |(id, from, to, change, at), tx| {
                    Box::pin(async move {
                        if !tx.change_team_role(*id, *from, *to, *at).await? {
                            return Err(concurrent());
                        }
                        App::note(tx, &[(change.clone(), false)], *at).await
                    })
                },
            )
            .await?;
        self.settle(n).await?;
        let found = self.store.read().await?.find_team_member(member.id).await?;
        self.shown_team_member(caller, found.ok_or(AppError::NotFound("team member"))?).await
    }

    /// Takes somebody off a team. Who is no member either is un-enrolled by it, and their tokens for the
    /// company are dead; those of a member are decided anew.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, or of another company than the one named,
    /// [`AppError::MissingScopes`], [`AppError::Forbidden`] for a role above the caller's rights,
    /// [`AppError::Conflict`] for the company's owner.
    pub async fn remove_team_member(
        &self,
        caller: &Caller,
        who: TeamMemberRef,
        company: Option<CompanyId>,
    ) -> Result<(), AppError> {
        let member = self.permit_team_member(caller, Action::RemoveFromTeam, who, company).await?;
        let company = self.company(member.company).await?.ok_or(AppError::NotFound("company"))?;
        must_not_be_the_owner(&company, member.user)?;
        self.must_hold(caller, &company, member.role).await?;
        let n = self
            .store
            .write((member, self.clock.now()), |(member, at), tx| {
                Box::pin(async move {
                    if !tx.delete_team_member(member.id, member.role).await? {
                        return Err(concurrent());
                    }
                    App::note_leaving_the_team(tx, member.company, member.user, *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Puts a user on a company's team, changes their role there, or takes them off it (none),
    /// unconditionally: for the command line.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user or company that is not there, or a role that was not held;
    /// [`AppError::Conflict`] for the company's owner.
    pub async fn set_team_role(
        &self,
        company: CompanyId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<(), AppError> {
        let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        if role != Some(Role::Owner) {
            must_not_be_the_owner(&record, user)?;
        }
        if self.user(user).await?.is_none() {
            return Err(AppError::NotFound("user"));
        }
        let at = self.clock.now();
        let id = AuthorizedUserId::generate(at, &*self.entropy);
        let n = self
            .store
            .write((id, company, user, role, at), |(id, company, user, role, at), tx| {
                Box::pin(async move {
                    if let Some(role) = role {
                        tx.update_team_role(*id, *company, *user, *role, *at).await?;
                        return App::note(tx, &[(Change::Standing(*company, *user), false)], *at).await;
                    }
                    if !tx.revoke_team_role(*company, *user).await? {
                        return Err(AppError::NotFound("team member"));
                    }
                    App::note_leaving_the_team(tx, *company, *user, *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Enters that somebody is on a team no more: whoever is no member either has left altogether.
    async fn note_leaving_the_team(
        tx: &mut hallpass_store::Tx,
        company: CompanyId,
        user: UserId,
        at: jiff::Timestamp,
    ) -> Result<u64, AppError> {
        let gone = !tx.find_standing(company, user).await?.enrolled();
        if gone {
            tx.revoke_all_experience_access(company, user).await?;
        }
        App::note(tx, &[(Change::Standing(company, user), gone)], at).await
    }

    /// Finds a member of a team and decides about an action on them. Absent, another tenant's or of
    /// another company than the one named: the same answer, which depends on the caller alone.
    async fn permit_team_member(
        &self,
        caller: &Caller,
        action: Action,
        who: TeamMemberRef,
        company: Option<CompanyId>,
    ) -> Result<TeamMember, AppError> {
        let absent = || AppError::NotFound("team member");
        let mut conn = self.store.read().await?;
        let found = match who {
            TeamMemberRef::Id(id) => conn.find_team_member(id).await?,
            TeamMemberRef::User(user) => {
                conn.find_team_member_of(company.unwrap_or_else(|| caller.home()), user).await?
            }
        };
        drop(conn);
        let found = found.filter(|member| company.is_none_or(|company| company == member.company));
        let permitted = match &found {
            Some(member) => self.permit(caller, action, member.company, None, "team member").await.map(drop),
            None => Err(absent()),
        };
        if matches!(permitted, Err(AppError::NotFound(_))) {
            self.permit(caller, action, caller.home(), None, "team member").await?;
        }
        permitted?;
        found.ok_or_else(absent)
    }

    /// A member of a team, with an address for whoever may read those.
    async fn shown_team_member(&self, caller: &Caller, member: TeamMember) -> Result<TeamMember, AppError> {
        let emails = self.may_read_emails(caller, member.company).await?;
        Ok(if emails { member } else { TeamMember { email: None, ..member } })
    }

    async fn may_read_emails(&self, caller: &Caller, company: CompanyId) -> Result<bool, AppError> {
        match self.permit(caller, Action::ReadEmails, company, None, "company").await {
            Ok(_) => Ok(true),
            Err(AppError::MissingScopes(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Refuses a role that may do what the caller may not. What every member may do anyway is nobody's
    /// to give.
    async fn must_hold(&self, caller: &Caller, company: &Arc<Company>, role: Role) -> Result<(), AppError> {
        let held = self.held_throughout(caller, company).await?;
        held.narrow(&role.scopes().minus(&MEMBER)).map(drop).map_err(|lacking| {
            let few: ScopeSet = lacking.iter().take(5).collect();
            AppError::Forbidden {
                code: "role_above_own",
                message: format!(
                    "the role {} may do what this credential may not, such as {}",
                    role.name(),
                    listed(&few)
                ),
            }
        })
    }
}

/// Who owns the company stays its owner.
fn must_not_be_the_owner(company: &Company, user: UserId) -> Result<(), AppError> {
    if company.owner == user {
        return Err(AppError::conflict("last_owner", "the company's owner stays on the team, as its owner"));
    }
    Ok(())
}

fn concurrent() -> AppError {
    AppError::Conflict {
        code: "concurrent_change",
        message: "somebody else has just changed this team member; look again".to_owned(),
        permanent: false,
    }
}
