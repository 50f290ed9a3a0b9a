//! `/oauth/authorize` (RFC 6749 §3.1), and the consent that may be asked for on the way.
//!
//! Nothing of a request is kept between its pages: each carries the query as it came, and it is read and
//! checked anew each time. Only when it was sent to the sign-in page is noted beside it, under a code of ours.

use axum::extract::{RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::oauth::authorize::{ConsentAsk, Followed, Said};
use hallpass_oauth::{ErrorCode, OAuthError, Params};
use hallpass_pages::{AskingApp, Consent, Consenting, ErrorKind};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::extract;
use crate::people::{MAX_TARGET_BYTES, Posted, Target, Visit};
use crate::state::Http;

/// What says when a request was sent to the sign-in page; at the end of its query.
const ASKED: &str = "&hallpass_asked=";
const CONSENT: &str = "/oauth/consent";

/// `GET /oauth/authorize`
pub(crate) async fn authorize(State(http): State<Http>, RawQuery(raw): RawQuery, visit: Visit) -> Response {
    let raw = spelled_out(&raw.unwrap_or_default());
    let (query, ticket) = raw.split_once(ASKED).unwrap_or((&raw, ""));
    follow(&http, visit, query, ticket, Said::Nothing).await
}

/// A query with what browsers leave as it is, and headers and other URLs do not, percent-encoded.
fn spelled_out(raw: &str) -> String {
    const ODD: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'\\')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(raw, ODD).to_string()
}

/// `POST /oauth/authorize` (OpenID Connect Core §3.1.2.1): the same by GET, which brings the cookies along.
pub(crate) async fn authorize_by_post(State(http): State<Http>, visit: Visit, request: Request) -> Response {
    by_get(&http, visit, request, "/oauth/authorize").await
}

/// A form from another site becomes a GET of ours.
pub(super) async fn by_get(http: &Http, visit: Visit, request: Request, path: &str) -> Response {
    let bytes = match extract::read_body(request.into_body(), http).await {
        Ok(bytes) => bytes,
        Err(error) => return visit.refuse(error),
    };
    let form = std::str::from_utf8(&bytes).unwrap_or_default();
    let plain = form.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || form.is_empty() || form.len() > MAX_TARGET_BYTES {
        return told(visit, &OAuthError::invalid_request("the body is not a form, or too long"));
    }
    visit.to(&format!("{path}?{form}"))
}

/// `HEAD` of what does something by GET, such as giving out a code: answered to nobody.
pub(crate) async fn no_head() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,POST")]).into_response()
}

/// Where a request goes that waited on a page for an answer that does not count.
pub(crate) fn asked_again(query: &str, ticket: &str) -> Option<String> {
    let ticket = if ticket.is_empty() { String::new() } else { format!("{ASKED}{ticket}") };
    Some(Target::of_request(&format!("{query}{ticket}"))?.as_str().to_owned())
}

/// `POST /oauth/consent`: what they said.
pub(crate) async fn consent(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    let said = if form.text("decision") == "allow" { Said::Allow } else { Said::Deny };
    follow(&http, visit, form.text("request"), form.text("asked"), said).await
}

async fn follow(http: &Http, visit: Visit, query: &str, ticket: &str, said: Said) -> Response {
    if let Err(error) = visit.count() {
        return visit.fail(error);
    }
    let params = match Params::from_query(query) {
        Ok(params) => params,
        Err(error) => return told(visit, &error),
    };
    let asked_at = http.app.read_asked(query, ticket, visit.browser);
    match http.app.authorize(&params, asked_at, visit.session.as_ref(), said).await {
        Err(error) => visit.fail(error),
        Ok(Followed::Page(error)) => told(visit, &error),
        Ok(Followed::Redirect(location)) => visit.to(&location),
        Ok(Followed::SignIn(request)) => {
            let ticket = http.app.asked_ticket(query, visit.browser);
            let Some(target) = Target::of_request(&format!("{query}{ASKED}{ticket}")) else {
                return told(visit, &OAuthError::invalid_request("the request is too long"));
            };
            let page = if request.prompt.create { "/sign-up" } else { "/sign-in" };
            visit.to(&target.behind(page, ""))
        }
        Ok(Followed::Consent(ask)) => ask_for_consent(visit, &ask, query, ticket),
    }
}

fn ask_for_consent(visit: Visit, ask: &ConsentAsk, query: &str, ticket: &str) -> Response {
    let target = Target::of_request(query).unwrap_or_default();
    let another = target.behind("/sign-in", "&again=1");
    let redirect_uri = &ask.request.redirect_uri;
    let host = shown_host(redirect_uri);
    let hidden = [("request", query), ("asked", ticket)];
    let view = Consent::new(
        AskingApp {
            name: &ask.client.name,
            picture: ask.app_picture.as_deref(),
            company: Some(&ask.owner_title),
        },
        ask.company
            .as_ref()
            .map(|company| Consenting { name: &company.title, picture: company.picture.as_deref() }),
        Consenting {
            name: ask.user.name.as_deref().unwrap_or(&ask.user.username),
            picture: ask.user.picture.as_deref(),
        },
        &ask.email,
        &ask.request.scopes,
        &ask.known,
        host,
        CONSENT,
        &hidden,
        &another,
    );
    visit.page(&view)
}

/// Where the browser goes, as people recognise it: a host, or the scheme of an app.
fn shown_host(redirect_uri: &str) -> &str {
    let (scheme, rest) = redirect_uri.split_once(':').unwrap_or((redirect_uri, ""));
    if !matches!(scheme, "http" | "https") {
        return scheme;
    }
    let rest = rest.trim_start_matches('/');
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

/// A refusal on a page: for people what it means, for the makers of the app what to mend.
pub(super) fn told(visit: Visit, error: &OAuthError) -> Response {
    let kind = match error.code {
        ErrorCode::InvalidClient => ErrorKind::UnknownApp,
        _ if error.description.starts_with("redirect_uri") => ErrorKind::Redirect,
        _ => ErrorKind::Request,
    };
    visit.error(kind, StatusCode::BAD_REQUEST, error.code.name(), Some(&error.description))
}
