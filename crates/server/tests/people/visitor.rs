//! A browser without scripts: it keeps cookies, reads pages, and posts their forms.

use std::collections::BTreeMap;

use hallpass_testkit::http::Request;
use hallpass_testkit::{Answer, Body, TestServer};
use jiff::SignedDuration;

pub(super) const PASSWORD: &str = "PlantedPassword correct horse";

/// A browser.
pub(super) struct Browser<'s> {
    pub(super) server: &'s TestServer,
    pub(super) cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Every address that was asked for or that an answer named.
    pub(super) addresses: Vec<String>,
    /// The page last seen.
    pub(super) page: String,
}

impl<'s> Browser<'s> {
    pub(super) fn new(server: &'s TestServer) -> Self {
        Self {
            server,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            addresses: Vec::new(),
            page: String::new(),
        }
    }

    pub(super) fn cookie_line(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        self.addresses.push(path.to_owned());
        // No two things happen at once, so that what is newest is clear.
        self.server.clock.advance(SignedDuration::from_millis(10));
        let mut request = Request::builder().method(method).uri(path).header("host", "chat.test");
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie_line());
        }
        let answer = self.server.send(request.body(Body::from(body)).unwrap()).await;
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(to) = location(&answer) {
            self.addresses.push(to);
        }
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
        answer
    }

    /// Looks at a page.
    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.send("GET", path, &[], String::new()).await;
        self.page.clone_from(&answer.text);
        answer
    }

    /// Asks for the headers of a page.
    pub(super) async fn head(&mut self, path: &str) -> Answer {
        self.send("HEAD", path, &[], String::new()).await
    }

    /// Looks at a page, going wherever it is sent on this server.
    pub(super) async fn open(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            let Some(to) = location(&answer) else { return answer };
            answer = self.get(&to).await;
        }
        panic!("{path} leads nowhere");
    }

    /// The token of a form of the page last seen.
    pub(super) fn token(&self, action: &str) -> String {
        let action = action.replace('/', "&#x2f;");
        let form = self.page.split("<form ").find(|form| form.contains(&format!("action=\"{action}\"")));
        let form = form.unwrap_or_else(|| panic!("no form for {action} in {}", self.page));
        form.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }

    /// Posts a form of the page last seen.
    pub(super) async fn post(&mut self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(action);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post_raw(action, &all, &[]).await
    }

    /// Posts exactly these fields, with these headers besides.
    pub(super) async fn post_raw(
        &mut self,
        action: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = std::iter::once(kind).chain(headers.iter().copied()).collect();
        let answer = self.send("POST", action, &headers, encoded(fields)).await;
        if location(&answer).is_none() {
            self.page.clone_from(&answer.text);
        }
        answer
    }

    /// Posts JSON as the script does.
    pub(super) async fn script(&mut self, path: &str, token: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/json"), ("x-csrf", token)];
        self.send("POST", path, &headers, body.to_owned()).await
    }

    /// Sends any body.
    pub(super) async fn body(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", path, headers, body.to_owned()).await
    }

    /// Opens an account, by code, with a password.
    pub(super) async fn sign_up(&mut self, name: &str) {
        let email = format!("{name}@example.com");
        self.open("/sign-up").await;
        let sent = self.post("/sign-up", &[("email", &email)]).await;
        self.open(&location(&sent).unwrap()).await;
        let code = self.server.code_for(&email).await;
        let given = self.post("/sign-in/code", &[("code", &code)]).await;
        assert!(location(&given).unwrap().starts_with("/sign-up/account?"), "{}", given.text);
        self.open(&location(&given).unwrap()).await;
        let fields = [("name", name), ("username", name), ("new_password", PASSWORD)];
        let opened = self.post("/sign-up/account", &fields).await;
        assert_eq!(location(&opened).as_deref(), Some("/account"), "{}", opened.text);
        self.open("/account").await;
        assert!(self.page.contains(&format!("<bdi>{email}</bdi>")), "{}", self.page);
    }

    /// Signs in with a password.
    pub(super) async fn sign_in(&mut self, name: &str) -> Answer {
        self.open("/sign-in?again=1").await;
        let email = format!("{name}@example.com");
        self.post("/sign-in", &[("email", &email), ("password", PASSWORD)]).await
    }

    /// Whether the account is shown.
    pub(super) async fn is_signed_in(&mut self) -> bool {
        let answer = self.get("/account").await;
        match location(&answer) {
            None => answer.status == 200,
            Some(to) => {
                assert!(to.starts_with("/sign-in"), "{to}");
                false
            }
        }
    }
}

pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Where an answer sends the browser.
pub(super) fn location(answer: &Answer) -> Option<String> {
    let location = answer.headers.get("location")?.to_str().unwrap().to_owned();
    assert_eq!(answer.status, 303, "every redirect is a GET");
    Some(location)
}
