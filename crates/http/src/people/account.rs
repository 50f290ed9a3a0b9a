//! `/account` and its forms. Every one is answered by going back to the page, or by the page with what was
//! wrong. What is sensitive wants a sign-in within ten minutes; the use cases say so.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::{AppError, UserPatch};
use hallpass_core::id::{AppId, CompanyId, PasskeyId, SessionId, UserId};
use hallpass_core::session::Session;
use hallpass_pages::{
    Account, AccountAddress, AccountApp, AccountPasskey, AccountSession, CodeFor, Notice, Problem, Profile,
};

use super::flow::Flow;
use super::posted::{Form, Posted};
use super::problem::{told, wants_again};
use super::target::ACCOUNT;
use super::visit::Visit;
use crate::state::Http;

/// The account, saying what went well.
pub(super) fn done(notice: Notice) -> String {
    format!("{ACCOUNT}?done={}", notice.name())
}

/// `GET /account`
pub(crate) async fn show(visit: Visit) -> Response {
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let notice = visit.query.one("done").ok().flatten().and_then(Notice::parse);
    page(visit, &session, Typed { notice, ..Typed::default() }).await
}

/// What is shown besides what is stored.
#[derive(Default)]
struct Typed<'a> {
    name: Option<&'a str>,
    username: Option<&'a str>,
    email: &'a str,
    notice: Option<Notice>,
    problem: Option<(Problem, StatusCode)>,
}

/// Goes back to the account, saying what went well or what was wrong.
async fn answer(
    mut visit: Visit,
    session: &Session,
    done_with: Result<Notice, AppError>,
    typed: Typed<'_>,
) -> Response {
    let error = match done_with {
        Ok(notice) => return visit.to(&done(notice)),
        Err(error) => error,
    };
    if wants_again(&error) {
        return visit.sign_in_first(true);
    }
    match told(error) {
        Ok(problem) => {
            visit.here = Some((ACCOUNT.to_owned(), Vec::new()));
            page(visit, session, Typed { problem: Some(problem), ..typed }).await
        }
        Err(error) => visit.fail(error),
    }
}

/// `POST /account/profile`
pub(crate) async fn profile(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let (name, username) = (form.text("name").trim(), form.text("username").trim());
    let patch = UserPatch {
        name: Some(Some(name.to_owned())),
        username: Some(username.to_owned()),
        ..UserPatch::default()
    };
    let saved = if name.is_empty() {
        Err(AppError::invalid("name", "a name is needed"))
    } else {
        http.app.update_own_profile(session.person, patch).await.map(|_| Notice::Profile)
    };
    let typed = Typed { name: Some(name), username: Some(username), ..Typed::default() };
    answer(visit, &session, saved, typed).await
}

/// `POST /account/password`
pub(crate) async fn password(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let changed = change_password(&visit, &http, &session, &form).await;
    if let Err(AppError::Unprocessable { code: "sign_in_failed", .. }) = changed {
        let problem = (Problem::CurrentPassword, StatusCode::UNPROCESSABLE_ENTITY);
        return page(visit, &session, Typed { problem: Some(problem), ..Typed::default() }).await;
    }
    answer(visit, &session, changed, Typed::default()).await
}

async fn change_password(
    visit: &Visit,
    http: &Http,
    session: &Session,
    form: &Form,
) -> Result<Notice, AppError> {
    let new = form.secret("new_password").ok_or_else(|| AppError::invalid("password", "none"))?;
    http.app.change_password(&visit.asker(), session, form.secret("current_password"), new).await?;
    http.app.end_other_sessions(session.person, Some(session.id)).await?;
    Ok(Notice::Password)
}

/// `POST /account/emails`
pub(crate) async fn add_address(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { mut visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let email = form.text("email").trim();
    match http.app.begin_address(&visit.asker(), &session, email).await {
        Ok(id) => {
            visit.keep(&Flow { id, purpose: CodeFor::Address, email: email.to_owned() });
            visit.to(CodeFor::Address.action())
        }
        Err(error) => answer(visit, &session, Err(error), Typed { email, ..Typed::default() }).await,
    }
}

/// `POST /account/emails/remove`
pub(crate) async fn remove_address(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let removed = http.app.remove_address(visit.locale, &session, form.text("email")).await;
    answer(visit, &session, removed.map(|()| Notice::AddressRemoved), Typed::default()).await
}

/// `POST /account/passkeys/rename`
pub(crate) async fn rename_passkey(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let renamed = match form.text("id").parse::<PasskeyId>() {
        Ok(id) => http.app.rename_passkey(session.person, id, form.text("name")).await,
        Err(_) => Err(AppError::NotFound("passkey")),
    };
    if let Err(AppError::Invalid { param: Some("name"), .. }) = renamed {
        let problem = (Problem::PasskeyName, StatusCode::UNPROCESSABLE_ENTITY);
        return page(visit, &session, Typed { problem: Some(problem), ..Typed::default() }).await;
    }
    answer(visit, &session, renamed.map(|()| Notice::PasskeyRenamed), Typed::default()).await
}

/// `POST /account/passkeys/remove`
pub(crate) async fn remove_passkey(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let removed = match form.text("id").parse::<PasskeyId>() {
        Ok(id) => http.app.remove_passkey(&visit.asker(), &session, id).await,
        Err(_) => Err(AppError::NotFound("passkey")),
    };
    answer(visit, &session, removed.map(|()| Notice::PasskeyRemoved), Typed::default()).await
}

/// `POST /account/sessions/end`
pub(crate) async fn end_session(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let ended = match form.text("id").parse::<SessionId>() {
        Ok(id) => http.app.end_session(session.person, id).await,
        Err(_) => Err(AppError::NotFound("session")),
    };
    // One that is gone already is signed out, too.
    answer(visit, &session, ended.map(|_| Notice::SessionEnded), Typed::default()).await
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_other_sessions(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, .. } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let ended = http.app.end_other_sessions(session.person, Some(session.id)).await;
    answer(visit, &session, ended.map(|_| Notice::SessionsEnded), Typed::default()).await
}

/// `POST /account/apps/revoke`
pub(crate) async fn revoke_app(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
    let revoked = match read_consent(form.text("id")) {
        Some((user, app, company)) => http.app.revoke_consent(session.person, user, app, company).await,
        None => Err(AppError::NotFound("app")),
    };
    answer(visit, &session, revoked.map(|_| Notice::AppRevoked), Typed::default()).await
}

/// What is allowed has no id of its own: user, app and company are it.
fn read_consent(text: &str) -> Option<(UserId, AppId, Option<CompanyId>)> {
    let mut parts = text.split('.');
    let (user, app) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let company = parts.next().map(str::parse).transpose().ok()?;
    parts.next().is_none().then_some((user, app, company))
}

async fn page(visit: Visit, session: &Session, typed: Typed<'_>) -> Response {
    let loaded = Loaded::of(&visit.http, session).await;
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return visit.fail(error),
    };
    let status = typed.problem.map_or(StatusCode::OK, |(_, status)| status);
    let view = loaded.view(session, &typed);
    visit.page_with(&view, status)
}

/// All that the page shows.
struct Loaded {
    profile: hallpass_app::users::UserProfile,
    addresses: Vec<hallpass_app::people::Address>,
    has_password: bool,
    recent: bool,
    passkeys: Vec<(String, hallpass_app::people::Passkey)>,
    sessions: Vec<(String, Session)>,
    apps: Vec<(String, hallpass_app::oauth::consents::AuthorizedApp)>,
}

impl Loaded {
    async fn of(http: &Http, session: &Session) -> Result<Self, AppError> {
        let (app, person) = (&http.app, session.person);
        let apps = app.list_authorized_apps(person).await?;
        let apps = apps.into_iter().map(|one| {
            let consent = &one.consent;
            let company = consent.company.map(|company| format!(".{company}")).unwrap_or_default();
            (format!("{}.{}{company}", consent.user, consent.app), one)
        });
        let mut sessions = app.list_sessions(person).await?;
        sessions.sort_by_key(|one| (one.id != session.id, std::cmp::Reverse(one.last_seen_at)));
        Ok(Self {
            profile: app.own_profile(person).await?,
            addresses: app.list_addresses(person).await?,
            has_password: app.has_password(person).await?,
            recent: app.is_recent(session),
            passkeys: app
                .list_passkeys(person)
                .await?
                .into_iter()
                .map(|one| (one.id.to_string(), one))
                .collect(),
            sessions: sessions.into_iter().map(|one| (one.id.to_string(), one)).collect(),
            apps: apps.collect(),
        })
    }

    fn view<'a>(&'a self, session: &Session, typed: &Typed<'a>) -> Account<'a> {
        let profile = Profile {
            name: typed.name.or(self.profile.name.as_deref()).unwrap_or_default(),
            username: typed.username.unwrap_or(&self.profile.user.username),
            picture: self.profile.picture.as_deref(),
        };
        let passkey = |(id, one): &'a (String, hallpass_app::people::Passkey)| AccountPasskey {
            id,
            name: &one.name,
            added_at: one.created_at,
            used_at: one.last_used_at,
        };
        let device = |(id, one): &'a (String, Session)| {
            AccountSession::new(id, one.id == session.id, &one.user_agent, &one.address, one.last_seen_at)
        };
        let app = |(id, one): &'a (String, hallpass_app::oauth::consents::AuthorizedApp)| AccountApp {
            id,
            name: &one.app_name,
            picture: one.app_picture.as_deref(),
            company: one.company.as_ref().map(|company| company.title.as_str()),
            scopes: one.consent.scopes,
            since: one.consent.created_at,
        };
        Account {
            profile,
            emails: self.addresses.iter().map(|one| AccountAddress { email: &one.email }).collect(),
            new_email: typed.email,
            has_password: self.has_password,
            recent: self.recent,
            passkeys: self.passkeys.iter().map(passkey).collect(),
            sessions: self.sessions.iter().map(device).collect(),
            apps: self.apps.iter().map(app).collect(),
            notice: typed.notice,
            problem: typed.problem.map(|(problem, _)| problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::target::Target;

    #[test]
    fn what_is_allowed_is_named_by_user_app_and_company() {
        let user = "user_01KDVDNA00SFNNBFFF3X77Q56M";
        let app = "app_01KDVDNA00SFNNBFFF3X77Q56M";
        let company = "biz_01KDVDNA00SFNNBFFF3X77Q56M";
        assert!(read_consent(&format!("{user}.{app}")).is_some_and(|(_, _, company)| company.is_none()));
        assert!(read_consent(&format!("{user}.{app}.{company}")).is_some_and(|(_, _, c)| c.is_some()));
        for bad in [
            "",
            user,
            "..",
            &format!("{app}.{user}"),
            &format!("{user}.{app}."),
            &format!("{user}.{app}.{company}.x"),
        ] {
            assert!(read_consent(bad).is_none(), "{bad}");
        }
        assert_eq!(Target::default().as_str(), ACCOUNT);
    }
}
