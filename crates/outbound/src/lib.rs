//! The one way out: requests to URLs that others chose.
//!
//! A server that fetches what it is told to is a way into the network it stands in. So: `https` and
//! `http` only, no user and password in the URL, no redirects, no proxies of the environment, names
//! resolved when the request is made and the connection made to the very address that was judged
//! ([`Policy`]), little read of the answer, and little time for all of it. `http` goes only to networks
//! that the operator has named: what is sent would be read and changed on the way.

pub mod address;
mod resolve;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore};
pub use url::Url;

pub use address::Policy;
pub use resolve::{Resolver, SystemResolver};

/// How long connecting and answering may take together.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most that is read of an answer's body.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The longest URL.
pub const MAX_URL_BYTES: usize = 2048;
const IDLE: Duration = Duration::from_secs(30);

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    secure: Way,
    plain: Way,
    patience: Duration,
}

#[derive(Clone)]
struct Way {
    client: reqwest::Client,
    judged: Arc<resolve::Judged>,
}

/// Why an address is not gone to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The address, or one of the name's, is not public.
    #[error("{ip} is a {kind} address")]
    Address {
        /// Which.
        ip: IpAddr,
        /// What kind of address it is.
        kind: &'static str,
    },
    /// `http` to where it could be read on the way.
    #[error("http goes only to networks that this server's operator has named; use https")]
    PlainText,
    /// The name has no address.
    #[error("the name does not resolve: {0}")]
    Unresolved(String),
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was not even tried.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Connecting or answering took too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// No connection, or no trust in it.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke, or what came was not HTTP.
    #[error("the connection failed: {0}")]
    Broken(String),
}

/// Why a URL cannot be a receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not an absolute URL.
    #[error("it is not an absolute URL")]
    Malformed,
    /// Longer than [`MAX_URL_BYTES`].
    #[error("it is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// Neither `https` nor `http`.
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// A name or password in it.
    #[error("it carries a user name or a password")]
    UserInfo,
    /// A fragment, which is never sent.
    #[error("it has a fragment")]
    Fragment,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The beginning of its body.
    pub body: Bytes,
}

/// Reads the URL of a receiver. Its host is not looked at: that is for when a request is made.
///
/// # Errors
/// [`InvalidUrl`].
pub fn parse_url(text: &str) -> Result<Url, InvalidUrl> {
    if text.len() > MAX_URL_BYTES {
        return Err(InvalidUrl::TooLong);
    }
    // The parser would drop these, and what is shown would not be what is called.
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(InvalidUrl::Malformed);
    }
    let url = Url::parse(text).map_err(|_| InvalidUrl::Malformed)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(InvalidUrl::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUrl::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    if !url.has_host() {
        return Err(InvalidUrl::Malformed);
    }
    Ok(url)
}

impl Outbound {
    /// A client that trusts the certificates of Mozilla's list, and resolves by the system.
    pub fn new(policy: Policy, user_agent: &str) -> Self {
        let resolver: Arc<dyn Resolver> = Arc::new(SystemResolver::default());
        Self::with_resolver(policy, user_agent, &resolver)
    }

    /// A client with another way to resolve names.
    pub fn with_resolver(policy: Policy, user_agent: &str, resolver: &Arc<dyn Resolver>) -> Self {
        let policy = Arc::new(policy);
        let way = |only_named| {
            let judged = Arc::new(resolve::Judged {
                resolver: Arc::clone(resolver),
                policy: Arc::clone(&policy),
                only_named,
            });
            Way { client: client(user_agent, &judged), judged }
        };
        Self { secure: way(false), plain: way(true), patience: PATIENCE }
    }

    /// The same with another patience: for tests that wait for it to run out.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Posts JSON and reads the beginning of the answer.
    ///
    /// # Errors
    /// [`Failure`] if there was no answer. Any status is an answer, redirects too.
    pub async fn post_json(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, Failure> {
        let way = if url.scheme() == "https" { &self.secure } else { &self.plain };
        // The client does not ask the resolver about what is an address already.
        match url.host() {
            Some(url::Host::Ipv4(ip)) => way.judged.judge(ip.into())?,
            Some(url::Host::Ipv6(ip)) => way.judged.judge(ip.into())?,
            _ => {}
        }
        let mut request = way.client.post(url.clone()).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let exchange = async {
            let mut response = request.send().await.map_err(|error| self.explain(&error))?;
            let status = response.status().as_u16();
            let mut start: Vec<u8> = Vec::new();
            while start.len() < MAX_ANSWER_BYTES
                && let Some(chunk) = response.chunk().await.map_err(|error| self.explain(&error))?
            {
                let room = MAX_ANSWER_BYTES - start.len();
                start.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(Answer { status, body: start.into() })
        };
        match tokio::time::timeout(self.patience, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::TimedOut(self.patience)),
        }
    }

    fn explain(&self, error: &reqwest::Error) -> Failure {
        let mut source = error.source();
        let mut innermost = None;
        while let Some(inner) = source {
            if let Some(refused) = inner.downcast_ref::<Refused>() {
                return Failure::Refused(refused.clone());
            }
            innermost = Some(inner.to_string());
            source = inner.source();
        }
        // The outer texts repeat the URL, whose query may be somebody's secret.
        let reason = innermost.unwrap_or_else(|| "for a reason unknown".to_owned());
        if error.is_timeout() {
            Failure::TimedOut(self.patience)
        } else if error.is_connect() {
            Failure::Connect(reason)
        } else {
            Failure::Broken(reason)
        }
    }
}

fn client(user_agent: &str, judged: &Arc<resolve::Judged>) -> reqwest::Client {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(resolve::Door(Arc::clone(judged))))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(8)
        .pool_idle_timeout(IDLE)
        .user_agent(user_agent)
        .build()
        .expect("nothing here depends on the system")
}

#[cfg(test)]
mod tests;
