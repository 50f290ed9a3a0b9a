//! What browsers post: forms, and JSON from our one script. Three things must agree before anything is
//! looked at: the browser does not say that another site sent it, the body is of the kind that we ask for,
//! and it carries the token of its form, which is bound to the browser, to the session and to the path.
//! Where the token alone is of another time, the page is given out anew.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_core::redirect_uri;
use hallpass_pages::ErrorKind;
use secrecy::SecretString;
use serde::Deserialize;

use super::target::{ACCOUNT, Target, is_plain};
use super::visit::Visit;
use crate::error::{ApiError, Code};
use crate::extract::{Query, parse_body, read_body};
use crate::state::Http;

/// A form of ours, posted.
pub(crate) struct Posted {
    pub(crate) visit: Visit,
    pub(crate) form: Form,
}

/// Its fields.
pub(crate) struct Form(Query);

impl Form {
    /// A field, empty if it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.one(name).ok().flatten().unwrap_or_default()
    }

    /// A field that is not shown again.
    pub(crate) fn secret(&self, name: &str) -> Option<SecretString> {
        self.0.one(name).ok().flatten().map(|text| SecretString::from(text.to_owned()))
    }

    /// Where to go afterwards.
    pub(crate) fn target(&self) -> Target {
        Target::parse(self.text("continue"))
    }

    /// Which button was pressed.
    pub(crate) fn does(&self, what: &str) -> bool {
        self.text("do") == what
    }
}

impl FromRequest<Http> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let mut visit = Visit::from_request_parts(&mut parts, http).await?;
        if !may_be_ours(&parts.headers, &origins(http)) {
            return Err(foreign(visit));
        }
        if !is_kind(&parts.headers, "application/x-www-form-urlencoded") {
            let code = Code::UnsupportedMediaType;
            return Err(visit.refuse(ApiError::new(code, code.meaning())));
        }
        let bytes = match read_body(body, http).await {
            Ok(bytes) => bytes,
            Err(error) => return Err(visit.refuse(error)),
        };
        let form = std::str::from_utf8(&bytes)
            .map_err(|_| ApiError::new(Code::ParameterInvalid, "the form is not text"))
            .and_then(Query::parse)
            .and_then(|query| query.once_each().map(|()| Form(query)));
        let form = match form {
            Ok(form) => form,
            Err(error) => return Err(visit.refuse(error)),
        };
        let target = form.target();
        visit.on_the_way |= target.request().is_some();
        if !visit.is_our_form(form.text("csrf"), parts.uri.path()) {
            // A browser that keeps no cookies would only go round in circles.
            let anew = if visit.is_known { anew(&visit, parts.uri.path(), &form) } else { None };
            return Err(match anew {
                Some(location) => visit.to(&location),
                None => foreign(visit),
            });
        }
        visit.here =
            Some((parts.uri.path().to_owned(), vec![("continue".to_owned(), target.as_str().to_owned())]));
        Ok(Self { visit, form })
    }
}

/// What the script posts.
pub(crate) struct Scripted {
    pub(crate) visit: Visit,
    pub(crate) body: ScriptBody,
}

/// Everything that the script ever sends: the fields of the form beside it, and what the passkey said.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ScriptBody {
    #[serde(rename = "continue")]
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) credential: Option<Box<serde_json::value::RawValue>>,
}

impl FromRequest<Http> for Scripted {
    type Rejection = Response;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, http).await?;
        let token = parts.headers.get("x-csrf").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // A ceremony has one token for its two steps.
        let action = parts.uri.path().rsplit_once('/').map_or("", |(action, _)| action);
        if !may_be_ours(&parts.headers, &origins(http))
            || !is_kind(&parts.headers, "application/json")
            || !visit.is_our_form(token, action)
        {
            let refused = ApiError::new(Code::Forbidden, "this page is out of date: load it again");
            return Err(visit.finish(refused.into_response()));
        }
        let bytes = match read_body(body, http).await {
            Ok(bytes) => bytes,
            Err(error) => return Err(visit.finish(error.into_response())),
        };
        match parse_body(&bytes) {
            Ok(body) => Ok(Self { visit, body }),
            Err(error) => Err(visit.finish(error.into_response())),
        }
    }
}

/// Where a form of before is given out anew: they signed in or out in another tab meanwhile. If they are
/// signed in by now, what they wanted to sign in for. Nothing of what was posted is done.
fn anew(visit: &Visit, path: &str, form: &Form) -> Option<String> {
    let target = form.target();
    Some(match path {
        "/oauth/consent" => crate::oauth::asked_again(form.text("request"), form.text("asked"))?,
        "/oauth/logout/confirm" => {
            let request = form.text("request");
            is_plain(request).then(|| format!("/oauth/logout?{request}"))?
        }
        "/sign-out" | "/account/emails/code" => path.to_owned(),
        _ if path.starts_with("/account/") => ACCOUNT.to_owned(),
        _ if visit.session.is_some() => target.as_str().to_owned(),
        _ => target.behind(path, ""),
    })
}

/// A form that another site sent, or that was made for another browser, session or path.
fn foreign(visit: Visit) -> Response {
    visit.error(ErrorKind::Expired, StatusCode::FORBIDDEN, "form_expired", None)
}

/// The origins of our pages: one, and in `dev` also `localhost`.
fn origins(http: &Http) -> Vec<&str> {
    let url = http.app.public_url();
    std::iter::once(redirect_uri::origin(url).unwrap_or(url)).chain(http.app.passkey_origin()).collect()
}

/// Whether nothing says that another site sent this. `Origin: null` says nothing: our own pages send no
/// referrer, and then browsers give their forms no origin (Fetch standard, "append a request `Origin`
/// header").
fn may_be_ours(headers: &HeaderMap, origins: &[&str]) -> bool {
    let all = |name: &str, fits: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(fits))
    };
    all("sec-fetch-site", &|site| site == "same-origin" || site == "none")
        && all(header::ORIGIN.as_str(), &|origin| origins.contains(&origin) || origin == "null")
}

fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let line = lines.next().and_then(|line| line.to_str().ok()).unwrap_or_default();
    lines.next().is_none() && line.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_names_another_site_is_believed() {
        let check = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            may_be_ours(&headers, &["https://chat.test"])
        };
        assert!(check(&[]));
        assert!(check(&[("origin", "https://chat.test"), ("sec-fetch-site", "same-origin")]));
        assert!(check(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://evil.test")],
            &[("origin", "https://chat.test.evil.test")],
            &[("origin", "http://chat.test")],
            &[("origin", "https://chat.test:444")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://chat.test"), ("origin", "https://evil.test")],
        ] {
            assert!(!check(bad), "{bad:?}");
        }
    }
}
