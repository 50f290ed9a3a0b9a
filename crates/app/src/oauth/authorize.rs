//! The authorization endpoint: from a browser with a request to a code, or to what must happen before.
//!
//! 1. The request is read and checked from scratch, whoever sends the browser here: nothing that the browser
//!    holds is believed but the session's secret, and that it was asked to sign in for this very request.
//! 2. Who is there, as whom they enter, what they allowed before.
//! 3. What follows ([`hallpass_oauth::authorize::next`]); a code is written together with what was allowed.

use std::sync::Arc;

use hallpass_core::ScopeSet;
use hallpass_core::id::{CompanyId, GrantId, UserId};
use hallpass_core::oauth::{Authorization, AuthorizationCode, Consent};
use hallpass_core::session::Session;
use hallpass_core::webhook::EventType;
use hallpass_oauth::authorize::{Facts, Refusal, Request, SignedInFacts, Step, client_id, next};
use hallpass_oauth::client::Client;
use hallpass_oauth::{ErrorCode, OAuthError, Params, redirect};
use hallpass_store::Tx;
use hallpass_token::{KeyRealm, KeySecret, TokenError};
use jiff::{SignedDuration, Timestamp};

use super::CODE_LIFE;
use super::enter::Entry;
use crate::App;
use crate::error::AppError;
use crate::people::BrowserId;
use crate::profiles::Shown;
use crate::webhooks::Subject;

/// For how long having been asked to sign in counts.
const ASKED_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What the user said, where they were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Said {
    /// They were not asked yet.
    #[default]
    Nothing,
    /// They allow it.
    Allow,
    /// They do not.
    Deny,
}

/// What follows a request.
pub enum Followed {
    /// Said on a page: nobody is known whom to redirect to.
    Page(OAuthError),
    /// The browser goes back to the client, with a code or a refusal.
    Redirect(String),
    /// They prove who they are, then the same request comes again.
    SignIn(Box<Request>),
    /// They are asked whether they allow it.
    Consent(Box<ConsentAsk>),
}

/// What is shown where consent is asked for.
#[expect(missing_docs, reason = "parts, named")]
pub struct ConsentAsk {
    pub request: Request,
    pub client: Arc<Client>,
    /// The address of the app's picture.
    pub app_picture: Option<String>,
    /// Who made the app.
    pub owner_title: String,
    /// The company it is for.
    pub company: Option<CompanyCard>,
    /// As whom they would enter.
    pub user: Arc<Shown>,
    /// The address they are known by.
    pub email: String,
    /// What they allowed this app before.
    pub known: ScopeSet,
}

/// A company, as pages show it.
#[expect(missing_docs, reason = "parts, named")]
pub struct CompanyCard {
    pub id: CompanyId,
    pub title: String,
    pub picture: Option<String>,
}

/// What writing a code writes.
struct Issue {
    hash: [u8; 32],
    code: AuthorizationCode,
    /// What is remembered, if it changed.
    consent: Option<ScopeSet>,
    entry: Entry,
    at: Timestamp,
}

impl App {
    /// Follows an authorization request.
    ///
    /// # Errors
    /// Those of the store; whatever is wrong with the request itself is a [`Followed`].
    pub async fn authorize(
        &self,
        params: &Params,
        asked_at: Option<Timestamp>,
        session: Option<&Session>,
        said: Said,
    ) -> Result<Followed, AppError> {
        match self.follow(params, asked_at, session, said).await {
            Ok(followed) => Ok(followed),
            Err(Failed::App(error)) => Err(error),
            Err(Failed::Refused(Refusal::Page(error))) => Ok(Followed::Page(error)),
            Err(Failed::Refused(Refusal::Redirect { redirect_uri, state, error })) => Ok(Followed::Redirect(
                redirect::with_error(&redirect_uri, &error, state.as_deref(), &self.issuer),
            )),
        }
    }

    async fn follow(
        &self,
        params: &Params,
        asked_at: Option<Timestamp>,
        session: Option<&Session>,
        said: Said,
    ) -> Result<Followed, Failed> {
        // Step 1.
        let client = self.client(client_id(params)?).await?;
        let request = Request::check(params, client.as_deref(), self.oauth.policy.pkce)?;
        let refuse = |error| {
            Failed::Refused(Refusal::Redirect {
                redirect_uri: request.redirect_uri.clone(),
                state: request.state.clone(),
                error,
            })
        };
        let Some(client) = client else {
            return Err(refuse(OAuthError::invalid_client("client_id is unknown")));
        };
        // Step 2.
        let hinted = self.hinted(&request).await?;
        let (mut facts, mut entry, mut known) = (Facts { signed_in: None, asked_at }, None, None);
        if let Some(session) = session {
            entry = self.entry(session.person, client.id, request.company).await?;
            if let Some(entry) = entry {
                known = self.store.read().await?.find_consent(entry.user, client.id, request.company).await?;
            }
            facts.signed_in = Some(SignedInFacts {
                auth_time: session.auth_time,
                is_hinted: match hinted {
                    Hinted::Nobody => true,
                    Hinted::User(user) => entry.is_some_and(|entry| entry.user == user),
                    // Of a key long gone: nobody is handed a code who was not asked.
                    Hinted::Unreadable => !request.prompt.none,
                },
                may_enter: entry.is_some(),
                // Entering for the first time is allowed on a page, whatever was allowed before.
                is_consented: entry.is_some_and(|entry| entry.enrol.is_none())
                    && known.as_ref().is_some_and(|known| request.scopes.is_subset(&known.scopes)),
                has_just_allowed: said == Said::Allow,
            });
        }
        // Step 3.
        match next(&request, &facts, self.clock.now()) {
            Step::Refuse(error) => Err(refuse(error)),
            Step::SignIn => Ok(Followed::SignIn(Box::new(request))),
            _ if said == Said::Deny => {
                Err(refuse(OAuthError::new(ErrorCode::AccessDenied, "the user did not allow it")))
            }
            step => {
                let (Some(session), Some(entry)) = (session, entry) else {
                    return Ok(Followed::SignIn(Box::new(request)));
                };
                if step == Step::Consent {
                    let ask = self.ask(request, client, session, entry, known).await?;
                    return Ok(Followed::Consent(Box::new(ask)));
                }
                match self.issue_code(&request, session, entry, known.as_ref()).await? {
                    Some(location) => Ok(Followed::Redirect(location)),
                    // Taken back, or entered as somebody else, since it was looked at.
                    None => Ok(Followed::Consent(Box::new(
                        self.ask(request, client, session, entry, None).await?,
                    ))),
                }
            }
        }
    }

    /// Whom `id_token_hint` names. One that is not ours, or of another app, hints at nobody there.
    async fn hinted(&self, request: &Request) -> Result<Hinted, Failed> {
        let Some(hint) = &request.id_token_hint else { return Ok(Hinted::Nobody) };
        let claims = self.keyring.ring().await?.verifier.verify_id_hint(hint);
        match claims {
            Ok(claims) if claims.aud == request.client => Ok(Hinted::User(claims.sub)),
            Err(TokenError::UnknownKey) => Ok(Hinted::Unreadable),
            _ => Err(Failed::Refused(Refusal::Redirect {
                redirect_uri: request.redirect_uri.clone(),
                state: request.state.clone(),
                error: OAuthError::invalid_request("id_token_hint is not an id token for this client"),
            })),
        }
    }

    async fn ask(
        &self,
        request: Request,
        client: Arc<Client>,
        session: &Session,
        entry: Entry,
        known: Option<Consent>,
    ) -> Result<ConsentAsk, AppError> {
        let owner = client.company.ok_or(AppError::NotFound("app"))?;
        let owner = self.company(owner).await?.ok_or(AppError::NotFound("company"))?;
        let app = self.store.read().await?.find_registered_app(client.id).await?;
        let company = match request.company {
            Some(id) => Some(self.company_card(id).await?),
            None => None,
        };
        let shown = self.shown(request.company.unwrap_or(owner.id), entry.user).await?;
        Ok(ConsentAsk {
            app_picture: app.and_then(|app| app.icon).map(|id| self.picture_url(id)),
            owner_title: owner.title.clone(),
            company,
            user: shown,
            email: self.store.read().await?.find_proved_address(session.person).await?.unwrap_or_default(),
            known: known.map_or(ScopeSet::EMPTY, |known| known.scopes),
            request,
            client,
        })
    }

    /// A company as pages show it.
    pub(crate) async fn company_card(&self, id: CompanyId) -> Result<CompanyCard, AppError> {
        let company = self.company(id).await?.ok_or(AppError::NotFound("company"))?;
        let picture = company.logo.map(|logo| self.picture_url(logo));
        Ok(CompanyCard { id, title: company.title.clone(), picture })
    }

    /// Writes a code; none if what was allowed before is gone, or they enter as somebody else by now.
    async fn issue_code(
        &self,
        request: &Request,
        session: &Session,
        entry: Entry,
        known: Option<&Consent>,
    ) -> Result<Option<String>, AppError> {
        // They allowed it: now a user that waits for their address is theirs.
        if self.user_for(session.person, request.company).await? != Some(entry.user) {
            return Ok(None);
        }
        let at = self.clock.now();
        let secret = KeySecret::generate(KeyRealm::Code, &*self.entropy);
        let known = known.map_or(ScopeSet::EMPTY, |known| known.scopes);
        let code = AuthorizationCode {
            grant: GrantId::generate(at, &*self.entropy),
            authorization: Authorization {
                app: request.client,
                user: entry.user,
                company: request.company,
                session: session.id,
                scopes: request.scopes,
                auth_time: session.auth_time,
                amr: session.amr.clone(),
            },
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.challenge.as_ref().map(|challenge| challenge.as_str().to_owned()),
            nonce: request.nonce.clone(),
            created_at: at,
            expires_at: at + CODE_LIFE,
            consumed_at: None,
        };
        let consent = (!request.scopes.is_subset(&known)).then(|| known.or(&request.scopes));
        let enrols = entry.enrol.is_some();
        let issue = Issue { hash: secret.hash().0, code, consent, entry, at };
        let written = self.store.write(issue, |issue, tx| Box::pin(write_code(issue, tx))).await?;
        if enrols {
            self.hooks.wake();
        }
        let (uri, state) = (&request.redirect_uri, request.state.as_deref());
        Ok(written.then(|| redirect::with_code(uri, secret.expose(), state, &self.issuer)))
    }

    /// A ticket that says when this very request was sent to the sign-in page.
    /// It is the browser's that was sent.
    pub fn asked_ticket(&self, query: &str, browser: BrowserId) -> String {
        let millis = self.clock.now().as_millisecond();
        let mac = self.oauth.asked.mac16(&[query.as_bytes(), &millis.to_be_bytes(), &browser.0.0]);
        format!("{millis}.{}", crate::hex(&mac))
    }

    /// When a request was sent to the sign-in page; none for a ticket that is not of this request, or old.
    pub fn read_asked(&self, query: &str, ticket: &str, browser: BrowserId) -> Option<Timestamp> {
        let (millis, mac) = ticket.split_once('.')?;
        let number: i64 = millis.parse().ok()?;
        let parts: [&[u8]; 3] = [query.as_bytes(), &number.to_be_bytes(), &browser.0.0];
        let expected = crate::hex(&self.oauth.asked.mac16(&parts));
        // One spelling of the number, and the whole of the code, in constant time.
        let same = number.to_string() == millis && hallpass_token::same_text(&expected, mac);
        let at = Timestamp::from_millisecond(number).ok().filter(|_| same)?;
        (self.clock.now().duration_since(at) < ASKED_LIFE).then_some(at)
    }

    /// The app and hints of a request that waits for somebody to sign in, for the pages on the way; none for
    /// one that would be refused.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn waiting_request(&self, query: &str) -> Result<Option<WaitingRequest>, AppError> {
        let Ok(params) = Params::from_query(query) else { return Ok(None) };
        let Ok(id) = client_id(&params) else { return Ok(None) };
        let Some(client) = self.client(id).await? else { return Ok(None) };
        let Ok(request) = Request::check(&params, Some(&client), self.oauth.policy.pkce) else {
            return Ok(None);
        };
        let app = self.store.read().await?.find_registered_app(id).await?;
        let app_picture = app.and_then(|app| app.icon).map(|id| self.picture_url(id));
        Ok(Some(WaitingRequest { request, app_name: client.name.clone(), app_picture }))
    }
}

/// A request that waits for somebody to sign in.
#[expect(missing_docs, reason = "parts, named")]
pub struct WaitingRequest {
    pub request: Request,
    pub app_name: String,
    pub app_picture: Option<String>,
}

/// Writes a code, what was allowed, and the enrolment that entering brings; `false` if it stands on a consent
/// that was taken back meanwhile.
async fn write_code(issue: &Issue, tx: &mut Tx) -> Result<bool, AppError> {
    let whom = &issue.code.authorization;
    if issue.consent.is_none() {
        // Held until the commit: taking it back waits, and then finds the code.
        let held = tx.lock_consent(whom.user, whom.app, whom.company).await?;
        if held.is_none_or(|held| !whom.scopes.is_subset(&held)) {
            return Ok(false);
        }
    }
    if let (Some(member), Some(company)) = (issue.entry.enrol, whom.company)
        && tx.insert_member(member, company, whom.user, issue.at).await?
    {
        let subject = Subject::User { user: whom.user };
        App::tell(tx, company, EventType::UserEnrolled, &subject, issue.at).await?;
    }
    if let Some(scopes) = &issue.consent {
        tx.put_consent(whom.user, whom.app, whom.company, scopes, issue.at).await?;
    }
    tx.insert_authorization_code(&issue.hash, &issue.code).await?;
    Ok(true)
}

enum Hinted {
    Nobody,
    User(UserId),
    Unreadable,
}

enum Failed {
    Refused(Refusal),
    App(AppError),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<AppError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}
