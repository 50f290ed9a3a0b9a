//! A browser without a window: cookies, redirects and forms.

use std::collections::BTreeMap;

use openidconnect::reqwest::Method;
use openidconnect::reqwest::blocking::Client;
use openidconnect::reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use openidconnect::reqwest::redirect::Policy;
use openidconnect::url::{Url, form_urlencoded};

use crate::Person;

const MOST_REDIRECTS: usize = 10;

/// A browser that visits one server.
pub struct Browser {
    client: Client,
    server: String,
    cookies: BTreeMap<String, String>,
}

/// Where it is, and what it sees.
pub struct Page {
    /// Of another server if it was sent away.
    pub url: String,
    html: String,
}

impl Browser {
    /// A new one.
    ///
    /// # Panics
    /// If there is no client for HTTP.
    pub fn new(server: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { client, server: format!("{server}/"), cookies: BTreeMap::new() }
    }

    /// Signs in, allows what is asked for, and gives the address of the app it is sent to.
    ///
    /// # Panics
    /// If the server does not send it there.
    pub fn authorize(&mut self, url: &Url, who: &Person) -> Url {
        let mut page = self.request(Method::GET, url.to_string(), String::new());
        if page.form("/sign-in").is_some() {
            page = self.submit(&page, "/sign-in", &[("email", &who.email), ("password", &who.password)]);
        }
        if page.form("/oauth/consent").is_some() {
            page = self.submit(&page, "/oauth/consent", &[("decision", "allow")]);
        }
        assert!(!page.url.starts_with(&self.server), "still on {}:\n{}", page.url, page.html);
        page.url.parse().expect("an address")
    }

    fn submit(&mut self, page: &Page, action: &str, typed: &[(&str, &str)]) -> Page {
        let mut fields = page.form(action).expect("the form");
        fields.extend(typed.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request(Method::POST, format!("{}{}", self.server, &action[1..]), body)
    }

    fn request(&mut self, mut method: Method, mut url: String, mut body: String) -> Page {
        for _ in 0..MOST_REDIRECTS {
            if !url.starts_with(&self.server) {
                return Page { url, html: String::new() };
            }
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut request = self.client.request(method, &url).header(COOKIE, pairs.join("; "));
            if !body.is_empty() {
                let kind = "application/x-www-form-urlencoded";
                request = request.header(CONTENT_TYPE, kind).header(ORIGIN, "null").body(body);
            }
            let response = request.send().expect("an answer");
            for line in response.headers().get_all(SET_COOKIE) {
                self.keep(line.to_str().expect("a cookie is text"));
            }
            let Some(location) = response.headers().get(LOCATION) else {
                return Page { url, html: response.text().expect("a page") };
            };
            let location = location.to_str().expect("an address is text");
            let path = location.strip_prefix('/');
            url = path.map_or_else(|| location.to_owned(), |path| format!("{}{path}", self.server));
            (method, body) = (Method::GET, String::new());
        }
        panic!("too many redirects, the last to {url}");
    }

    fn keep(&mut self, line: &str) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').expect("a name and a value");
        if attributes.to_ascii_lowercase().contains("max-age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    /// The inputs of the form that posts to `action`. The server writes every attribute in double quotes.
    fn form(&self, action: &str) -> Option<BTreeMap<String, String>> {
        let form = self
            .html
            .split("<form ")
            .skip(1)
            .find(|form| attribute(form, "action").is_some_and(|to| to == action))?;
        let form = form.split("</form>").next()?;
        let inputs = form.split("<input ").skip(1);
        let pairs = inputs.filter_map(|input| {
            let input = input.split('>').next()?;
            Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
        });
        Some(pairs.collect())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split('>').next()?.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let plain =
        [("&#x2f;", "/"), ("&#x27;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (written, meant)| text.replace(written, meant)))
}
