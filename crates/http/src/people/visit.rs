//! A visit: who is at the browser, as far as cookies say, and how they are answered.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::AppError;
use hallpass_app::people::{Asker, BrowserId, KnownDevice, SignedIn};
use hallpass_app::sessions::Device;
use hallpass_core::locale::Locale;
use hallpass_core::redirect_uri;
use hallpass_core::session::Session;
use hallpass_pages::{AskingApp, Csrf, ErrorKind, ErrorPage, Page, Shell};

use super::cookies::Cookie;
use super::target::{ACCOUNT, Target};
use crate::edge::Edge;
use crate::error::{ApiError, Code};
use crate::extract::Query;
use crate::state::Http;

const DEVICE_SECS: i64 = 400 * 86_400;
const LANGUAGE_SECS: i64 = 365 * 86_400;
/// The longest `User-Agent` that is looked at, in bytes.
const MAX_AGENT_BYTES: usize = 1000;

/// A visit.
pub(crate) struct Visit {
    pub(crate) http: Http,
    /// Whose browser: an id from before anybody signs in.
    pub(crate) browser: BrowserId,
    /// Who is signed in.
    pub(crate) session: Option<Session>,
    pub(crate) locale: Locale,
    pub(crate) query: Query,
    pub(crate) request_id: String,
    /// Browsers make passkeys here.
    pub(super) passkeys: bool,
    device: Option<KnownDevice>,
    address: IpAddr,
    user_agent: String,
    /// What was waited for, as the cookie says; read by [`super::flow`].
    pub(super) flow: Option<String>,
    cookies: Vec<HeaderValue>,
    /// The browser said who it is.
    pub(super) is_known: bool,
    /// Who it is from now on, if a page is given out.
    introduced: Option<HeaderValue>,
    /// An app waits behind this: what is answered is on the way to it.
    pub(super) on_the_way: bool,
    /// The page as it can be shown again, in another language too.
    pub(super) here: Option<(String, Vec<(String, String)>)>,
}

impl FromRequestParts<Http> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Response> {
        let edge = Edge::of(parts).map_err(IntoResponse::into_response)?.clone();
        let secure = is_secure(http);
        let read = |cookie: Cookie| cookie.read(&parts.headers, secure).map(ToOwned::to_owned);
        let mut cookies = Vec::new();
        let known = read(Cookie::Browser).and_then(|text| BrowserId::parse(&text));
        let is_known = known.is_some();
        let mut introduced = None;
        let browser = known.unwrap_or_else(|| {
            let (secret, browser) = http.app.new_browser();
            // What other sites post comes without the cookie: it must not take the place of the one there is.
            if parts.method == Method::GET {
                introduced = Cookie::Browser.set(secure, secret.expose(), None);
            }
            browser
        });
        let (query, odd) = match Query::parse(parts.uri.query().unwrap_or_default()) {
            Ok(query) => (query, None),
            Err(error) => (Query::default(), Some(error)),
        };
        let asked = query.one("lang").ok().flatten().and_then(Locale::parse);
        if let Some(locale) = asked {
            cookies.extend(Cookie::Language.set(secure, locale.tag(), Some(LANGUAGE_SECS)));
        }
        let chosen = asked.or_else(|| read(Cookie::Language).and_then(|tag| Locale::parse(&tag)));
        let here = query.pairs().filter(|(name, _)| *name != "lang" && *name != "done");
        let here = here.map(|(name, value)| {
            let value =
                if name == "continue" { Target::parse(value).as_str().to_owned() } else { value.to_owned() };
            (name.to_owned(), value)
        });
        let here = here.collect();
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agent = text(header::USER_AGENT);
        let mut visit = Self {
            browser,
            session: None,
            locale: Locale::En,
            request_id: edge.request_id.clone(),
            passkeys: passkeys_work(http, text(header::HOST)),
            device: read(Cookie::Device).and_then(|text| KnownDevice::parse(&text)),
            address: edge.address,
            user_agent: agent.get(..MAX_AGENT_BYTES).unwrap_or(agent).to_owned(),
            flow: read(Cookie::Flow),
            cookies,
            is_known,
            introduced,
            on_the_way: parts.uri.path().starts_with("/oauth/"),
            here: Some((parts.uri.path().to_owned(), here)),
            http: http.clone(),
            query,
        };
        visit.on_the_way |= visit.target().request().is_some();
        visit.locale = match chosen.or_else(|| visit.wished()) {
            Some(locale) => locale,
            None => Locale::negotiate(text(header::ACCEPT_LANGUAGE)),
        };
        if let Some(error) = odd {
            return Err(visit.refuse(error));
        }
        if let Some(cookie) = read(Cookie::Session) {
            match http.app.find_session(&cookie).await {
                Ok(session) => visit.session = session,
                Err(error) => return Err(visit.fail(error)),
            }
        }
        if let Some(session) = &visit.session {
            http.app.note_session(session, visit.address);
        }
        Ok(visit)
    }
}

/// In `dev` only where it is called by its name; elsewhere a proxy may rewrite what it is called.
fn passkeys_work(http: &Http, host: &str) -> bool {
    let Some(origin) = http.app.passkey_origin() else { return false };
    !http.app.is_dev() || origin.split_once("://").is_some_and(|(_, ours)| ours.eq_ignore_ascii_case(host))
}

fn is_secure(http: &Http) -> bool {
    http.app.public_url().starts_with("https://")
}

impl Visit {
    /// Who asks, for the use cases.
    pub(crate) fn asker(&self) -> Asker {
        Asker { browser: self.browser, device: self.device, address: self.address, locale: self.locale }
    }

    /// Where to go afterwards, as the query says.
    pub(crate) fn target(&self) -> Target {
        self.query.one("continue").ok().flatten().map_or_else(Target::default, Target::parse)
    }

    /// The languages that a waiting request, or this one, wishes for (OpenID Connect Core §3.1.2.1).
    fn wished(&self) -> Option<Locale> {
        let of = |query: &Query| {
            let wish = query.one("ui_locales").ok().flatten()?;
            wish.split(' ').take(32).find_map(Locale::parse)
        };
        of(&self.query).or_else(|| of(&Query::parse(self.target().request()?).ok()?))
    }

    /// Sets a cookie with the answer.
    pub(super) fn set(&mut self, cookie: Cookie, value: &str, max_age_secs: Option<i64>) {
        self.cookies.extend(cookie.set(is_secure(&self.http), value, max_age_secs));
    }

    /// Takes a cookie back with the answer.
    pub(crate) fn clear(&mut self, cookie: Cookie) {
        self.cookies.extend(cookie.clear(is_secure(&self.http)));
    }

    /// Counts it against the limits of whoever is there.
    ///
    /// # Errors
    /// [`AppError::RateLimited`].
    pub(crate) fn count(&self) -> Result<(), AppError> {
        self.http.app.count_visit(self.session.as_ref().map(|session| session.id), self.address)
    }

    /// The token of the form that is posted to `action`.
    pub(crate) fn is_our_form(&self, token: &str, action: &str) -> bool {
        let session = self.session.as_ref().map(|session| session.id);
        self.http.app.is_form_token(token, self.browser, session, action)
    }

    fn shell(&self) -> Shell {
        let (app, browser) = (self.http.app.clone(), self.browser);
        let session = self.session.as_ref().map(|session| session.id);
        Shell {
            locale: self.locale,
            site: self.http.site().to_owned(),
            csrf: Csrf::new(move |action| app.form_token(browser, session, action)),
            passkeys: self.passkeys,
            here: self.here.clone(),
        }
    }

    /// What a passkey made here is called at first.
    pub(crate) fn device_name(&self) -> String {
        hallpass_pages::device_name(&self.user_agent)
    }

    /// A page.
    pub(crate) fn page(self, page: &impl Page) -> Response {
        self.page_with(page, StatusCode::OK)
    }

    /// A page with a status.
    pub(crate) fn page_with(mut self, page: &impl Page, status: StatusCode) -> Response {
        self.cookies.extend(self.introduced.take());
        let html = page.html(&self.shell());
        let mut response = (status, html).into_response();
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        let policy = self.policy();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        self.finish(response)
    }

    /// Somewhere else, by GET.
    pub(crate) fn to(mut self, location: &str) -> Response {
        // What was asked on the way is asked of this very browser.
        self.cookies.extend(self.introduced.take());
        let mut response = StatusCode::SEE_OTHER.into_response();
        match HeaderValue::from_str(location) {
            Ok(location) => {
                response.headers_mut().insert(header::LOCATION, location);
                self.finish(response)
            }
            Err(_) => self.refuse(ApiError::new(Code::Internal, Code::Internal.meaning())),
        }
    }

    /// An answer that is not a page, with what every answer to a browser has.
    pub(crate) fn finish(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // An app that signs people in by a popup waits for it to come back: it must stay the opener.
        if !self.on_the_way {
            let name = HeaderName::from_static("cross-origin-opener-policy");
            headers.insert(name, HeaderValue::from_static("same-origin"));
        }
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ));
        for cookie in self.cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn policy(&self) -> String {
        let pictures = redirect_uri::origin(self.http.app.files_base()).unwrap_or_default();
        // Some browsers hold every redirect of a form's answer against `form-action` (CSP Level 3 §6.4.1.1),
        // and where an app redirects on to from its callback only that app knows. On the way to one the
        // directive is left out: escaped templates let nobody plant a form, and ours carry their token.
        let forms = if self.on_the_way { "" } else { "form-action 'self'; " };
        format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src 'self' {pictures}; base-uri 'none'; {forms}frame-ancestors 'none'"
        )
    }

    /// A use case that did not happen, on a page.
    pub(crate) fn fail(self, error: AppError) -> Response {
        self.refuse(error.into())
    }

    /// An error, on a page.
    pub(crate) fn refuse(self, error: ApiError) -> Response {
        let ApiError { code, detail, cause, retry_after_secs, .. } = error;
        let kind = match code {
            Code::NotFound => ErrorKind::Missing,
            Code::RateLimited => ErrorKind::TooMany,
            Code::Unavailable => ErrorKind::Busy,
            Code::Internal => ErrorKind::Internal,
            _ => ErrorKind::Request,
        };
        if let Some(cause) = &cause {
            tracing::error!(request.id = %self.request_id, cause, "a page failed");
        }
        let mut response = self.error(kind, code.status(), detail.unwrap_or(code.name()), None);
        if let Some(secs) = retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }

    /// The page of an error.
    pub(crate) fn error(
        mut self,
        kind: ErrorKind,
        status: StatusCode,
        code: &str,
        detail: Option<&str>,
    ) -> Response {
        self.here = None;
        let request = self.request_id.clone();
        self.page_with(&ErrorPage { kind, code, detail, request: &request }, status)
    }

    /// Begins a session for somebody who has just proved who they are, and goes on. The secret is a new one
    /// also where somebody was signed in, so that a planted one opens nothing.
    pub(crate) async fn begin(&mut self, signed: SignedIn) -> Result<Session, AppError> {
        let device = Device { user_agent: self.user_agent.clone(), address: self.address };
        let current = self.session.as_ref().map(|session| session.id);
        let new = self.http.app.begin_session(signed.person, signed.proof, device, current).await?;
        let now = self.http.app.clock().now();
        let secs = new.session.expires_at.duration_since(now).as_secs();
        self.set(Cookie::Session, new.secret.expose(), Some(secs));
        if let Some(device) = signed.device {
            self.set(Cookie::Device, device.expose(), Some(DEVICE_SECS));
        }
        self.clear(Cookie::Flow);
        self.session = Some(new.session.clone());
        Ok(new.session)
    }

    /// The app that waits behind `target`: what pages on the way show of it.
    pub(crate) async fn waiting(&self, target: &Target) -> Result<Waiting, AppError> {
        let Some(query) = target.request() else { return Ok(Waiting::default()) };
        let Some(found) = self.http.app.waiting_request(query).await? else { return Ok(Waiting::default()) };
        Ok(Waiting {
            login_hint: found.request.login_hint.unwrap_or_default(),
            app: Some((found.app_name, found.app_picture)),
        })
    }

    /// The sign-in page, and back to the account.
    pub(crate) fn sign_in_first(self, again: bool) -> Response {
        let more = if again { "&again=1" } else { "" };
        let location = Target::parse(ACCOUNT).behind("/sign-in", more);
        self.to(&location)
    }
}

/// The app that waits.
#[derive(Default)]
pub(crate) struct Waiting {
    app: Option<(String, Option<String>)>,
    pub(crate) login_hint: String,
}

impl Waiting {
    pub(crate) fn asking(&self) -> Option<AskingApp<'_>> {
        let (name, picture) = self.app.as_ref()?;
        Some(AskingApp { name, picture: picture.as_deref(), company: None })
    }
}
