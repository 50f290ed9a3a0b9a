//! A client with its user: the fixture of these tests.

use hallpass_core::id::CompanyId;
use hallpass_testkit::http::{Method, Request};
use hallpass_testkit::{Answer, Body, Setup, TestServer};
use serde_json::{Value, json};

use crate::browser::{Browser, encoded, location};

pub(super) const REDIRECT: &str = "https://app.test/cb";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const SCOPE: &str = "openid profile email chat:message:create chat:read dms:read dms:message:manage \
                                dms:channel:manage support_chat:read support_chat:message:create";

/// An app of a company, as a client.
pub(super) struct Client<'s> {
    pub(super) server: &'s TestServer,
    pub(super) company: CompanyId,
    /// An owner-role key of the company.
    pub(super) key: String,
    pub(super) id: String,
    pub(super) secret: String,
}

/// What a request carries; changed one by one.
pub(super) type Fields = Vec<(&'static str, String)>;

impl<'s> Client<'s> {
    /// An app that may come with or without its secret.
    pub(super) async fn new(server: &'s TestServer) -> Self {
        Self::of(server, "acme", json!({})).await
    }

    pub(super) async fn of(server: &'s TestServer, company: &str, more: Value) -> Self {
        let company = server.company(company).await;
        let mut body = json!({ "name": "My App", "redirect_uris": [REDIRECT] });
        let made = server.actor(company.key.clone()).post("/apps", body.take()).await.ok();
        let id = made["id"].as_str().unwrap().to_owned();
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        let client = Self { server, company: company.id, key: company.key.clone(), id, secret };
        if more != json!({}) {
            client.update(more).await;
        }
        client
    }

    pub(super) async fn update(&self, body: Value) {
        self.server.actor(self.key.clone()).patch(&format!("/apps/{}", self.id), body).await.ok();
    }

    /// A good authorization request.
    pub(super) fn request(&self) -> Fields {
        [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPE),
            ("state", "a state"),
            ("nonce", "a nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    /// The same with some fields changed, or without them (empty).
    pub(super) fn request_with(&self, changes: &[(&'static str, &str)]) -> String {
        path(&changed(self.request(), changes))
    }

    /// Somebody who signed up.
    pub(super) async fn person(&self, name: &str) -> Browser<'s> {
        let mut browser = Browser::new(self.server);
        browser.sign_up(name).await;
        // A sign-in later than any request that waits for one.
        self.server.clock.advance(jiff::SignedDuration::from_millis(5));
        browser
    }

    /// Sends a browser with a request, allows what is asked; where it ends.
    pub(super) async fn authorize(&self, browser: &mut Browser<'s>, path: &str) -> String {
        let mut answer = browser.get(path).await;
        if location(&answer).is_none() {
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer = allow(browser).await;
        }
        location(&answer).unwrap_or_else(|| panic!("{}", answer.text))
    }

    /// A code, by a request with some fields changed.
    pub(super) async fn code(&self, browser: &mut Browser<'s>, changes: &[(&'static str, &str)]) -> String {
        let at = self.authorize(browser, &self.request_with(changes)).await;
        query_of(&at, "code").unwrap_or_else(|| panic!("no code in {at}"))
    }

    /// What redeems a code.
    pub(super) fn redemption(&self, code: &str) -> Fields {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
            ("code_verifier", VERIFIER),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    /// Signs somebody in and redeems the code.
    pub(super) async fn tokens(&self, browser: &mut Browser<'s>, changes: &[(&'static str, &str)]) -> Value {
        let code = self.code(browser, changes).await;
        form(self.server, "/oauth/token", &self.redemption(&code)).await.ok()
    }

    /// What refreshes.
    pub(super) fn refreshing(&self, token: &str) -> Fields {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        form(self.server, "/oauth/token", &self.refreshing(token)).await
    }
}

/// Allows what the page last seen asks for.
pub(super) async fn allow(browser: &mut Browser<'_>) -> Answer {
    decide(browser, "allow").await
}

pub(super) async fn decide(browser: &mut Browser<'_>, decision: &str) -> Answer {
    let hidden = |name: &str| {
        let marked = format!("name=\"{name}\" value=\"");
        let at =
            browser.page.split_once(&marked).unwrap_or_else(|| panic!("no {name} in {}", browser.page)).1;
        unescaped(at.split('"').next().unwrap())
    };
    let (request, asked) = (hidden("request"), hidden("asked"));
    browser.post("/oauth/consent", &[("request", &request), ("asked", &asked), ("decision", decision)]).await
}

fn unescaped(text: &str) -> String {
    [("&#x2f;", "/"), ("&quot;", "\""), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

pub(super) fn changed(mut fields: Fields, changes: &[(&'static str, &str)]) -> Fields {
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, (*value).to_owned()));
        }
    }
    fields
}

pub(super) fn path(fields: &Fields) -> String {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    format!("/oauth/authorize?{}", encoded(&pairs))
}

/// A parameter of where a browser was sent.
pub(super) fn query_of(url: &str, name: &str) -> Option<String> {
    let params = hallpass_oauth::Params::from_query(url.split_once('?')?.1).unwrap();
    params.get(name).unwrap().map(str::to_owned)
}

/// Posts a form to an endpoint of clients.
pub(super) async fn form(server: &TestServer, path: &str, fields: &Fields) -> Answer {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    raw(server, path, &[("content-type", "application/x-www-form-urlencoded")], encoded(&pairs)).await
}

pub(super) async fn raw(server: &TestServer, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = server.send(request.body(Body::from(body)).unwrap()).await;
    assert!(answer.status < 500, "{path}: {} {}", answer.status, answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    answer
}

/// Asserts a refusal in the shape of RFC 6749 §5.2.
#[track_caller]
pub(super) fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{}", answer.text);
    assert!(answer.body["error_description"].is_string(), "{}", answer.text);
}

pub(super) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// The claims of a JWT, unverified.
pub(super) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub(super) async fn userinfo(server: &TestServer, token: &str) -> Answer {
    let request = Request::get("/oauth/userinfo").header("authorization", format!("Bearer {token}"));
    server.send(request.body(Body::empty()).unwrap()).await
}

/// A server whose people sign in.
pub(super) async fn server() -> TestServer {
    TestServer::with(Setup::default()).await
}
