//! The edge: what happens to every request before its handler and to every answer after it.
//!
//! 1. It gets an id, an operation (the route's name) and its client's address.
//! 2. Over-long URLs and headers, foreign hosts (`dev`) and unknown API versions end here.
//! 3. A panic becomes a 500, an [`ApiError`] its body; nothing an API answers may be kept by a shared
//!    cache.
//! 4. It is counted and logged.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hallpass_app::{Caller, Operation};
use hallpass_core::id::RequestId;
use metrics::{Counter, Histogram};

use crate::access_log::Line;
use crate::error::{ApiError, Code};
use crate::state::Http;
use crate::version;

/// The longest URL.
const MAX_URI_BYTES: usize = 8 << 10;
/// The most bytes of headers.
const MAX_HEADERS_BYTES: usize = 32 << 10;
/// How many header names a preflight's answer repeats, and how long ones.
const MAX_ECHOED: usize = 64;
const MAX_ECHOED_BYTES: usize = 128;
/// What pages from anywhere may fetch, besides the API: nothing here looks at ambient credentials.
const OPEN: [&str; 7] = [
    "/uploads/",
    "/files/",
    "/pictures/",
    "/.well-known/",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/userinfo",
];
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The peer of a connection, put into each request by [`serve`](crate::serve).
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What the edge knows of a request, for extractors; and what it learns back.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) operation: Operation,
    pub(crate) address: IpAddr,
    pub(crate) request_id: String,
    caller: Arc<OnceLock<String>>,
}

impl Edge {
    /// Of a request that came through here, as all do.
    pub(crate) fn of(parts: &Parts) -> Result<&Self, ApiError> {
        parts.extensions.get().ok_or_else(|| ApiError::new(Code::Internal, Code::Internal.meaning()))
    }

    /// Notes who called, for the log.
    pub(crate) fn note_caller(&self, caller: &Caller) {
        self.note(caller.id());
    }

    /// The same, by an id.
    pub(crate) fn note(&self, caller: String) {
        // Once per request; a second note would be the same caller.
        let _first = self.caller.set(caller);
    }
}

/// What is counted under no operation.
const UNMATCHED: &str = "unmatched";

/// The operations by route, each with its metrics.
pub(crate) struct Operations {
    by_route: HashMap<String, Vec<(Method, Meters)>>,
    unmatched: Meters,
}

struct Meters {
    operation: Operation,
    by_class: [Counter; 6],
    seconds: Histogram,
}

impl Meters {
    fn new(operation: Operation) -> Self {
        Self {
            operation,
            by_class: ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| {
                metrics::counter!("hallpass_http_requests_total", "operation" => operation, "class" => class)
            }),
            seconds: metrics::histogram!("hallpass_http_request_seconds", "operation" => operation),
        }
    }
}

impl Operations {
    /// From `(path as routed, method, name)`.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, Method, String)>) -> Self {
        let mut by_route: HashMap<String, Vec<(Method, Meters)>> = HashMap::new();
        for (path, method, name) in routes {
            by_route.entry(path).or_default().push((method, Meters::new(name.leak())));
        }
        Self { by_route, unmatched: Meters::new(UNMATCHED) }
    }

    fn find(&self, path: Option<&MatchedPath>, method: &Method) -> &Meters {
        path.and_then(|path| self.by_route.get(path.as_str()))
            .and_then(|methods| methods.iter().find(|(known, _)| known == method))
            .map_or(&self.unmatched, |(_, meters)| meters)
    }
}

/// The middleware around every route.
pub(crate) async fn edge(State(http): State<Http>, mut request: Request, next: Next) -> Response {
    let started = http.app.clock().monotonic();
    let method = request.method().clone();
    let meters = http.shared.operations.find(request.extensions().get::<MatchedPath>(), &method);
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let address = http.policy.client_address(peer, request.headers().get_all(X_FORWARDED_FOR));
    let caller = Arc::new(OnceLock::new());
    let now = http.app.clock().now();
    let request_id = http.request_id(now);
    let is_api = request.uri().path().starts_with("/api/");
    let is_open = is_api || OPEN.iter().any(|base| request.uri().path().starts_with(base));

    // What is no operation has no version.
    let is_operation = is_api && meters.operation != UNMATCHED;

    let mut response = match http.admit(&request, is_operation) {
        Err(error) => error.into_response(),
        Ok(()) if is_open && method == Method::OPTIONS => preflight(request.headers()),
        Ok(()) => {
            let edge = Edge {
                operation: meters.operation,
                address,
                request_id: request_id.clone(),
                caller: Arc::clone(&caller),
            };
            request.extensions_mut().insert(edge);
            AssertUnwindSafe(next.run(request))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| ApiError::new(Code::Internal, Code::Internal.meaning()).into_response())
        }
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && response.extensions().get::<ApiError>().is_none()
    {
        let allow = response.headers().get(header::ALLOW).cloned();
        response = ApiError::new(Code::MethodNotAllowed, Code::MethodNotAllowed.meaning()).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(cause) = &error.cause {
            tracing::error!(request.id = %request_id, operation = meters.operation, cause, "request failed");
        }
        error.headers(response.headers_mut());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(error.body(&request_id));
    }
    finish(response.headers_mut(), is_open, &request_id);

    let elapsed = http.app.clock().monotonic().saturating_sub(started);
    let status = response.status().as_u16();
    meters.by_class[usize::from(status / 100).min(5)].increment(1);
    meters.seconds.record(elapsed.as_secs_f64());
    http.shared.log.write(&Line {
        at_ms: now.as_millisecond(),
        request_id: &request_id,
        method: method_name(&method),
        operation: meters.operation,
        status,
        duration_us: elapsed.as_micros(),
        caller: caller.get().map_or("-", String::as_str),
        address,
    });
    response
}

impl Http {
    /// Step 2.
    fn admit(&self, request: &Request, is_operation: bool) -> Result<(), ApiError> {
        if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI_BYTES) {
            return Err(ApiError::new(Code::UriTooLong, Code::UriTooLong.meaning()));
        }
        let lines = request.headers().iter();
        let bytes: usize =
            lines.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
        if bytes > MAX_HEADERS_BYTES {
            return Err(ApiError::new(Code::HeadersTooLarge, Code::HeadersTooLarge.meaning()));
        }
        if let Some(hosts) = &self.policy.allowed_hosts {
            only_direct(request.headers(), hosts)?;
        }
        if is_operation { version::check(request.headers()) } else { Ok(()) }
    }

    /// `req_` and a ULID: the time, this node, a counter.
    fn request_id(&self, now: jiff::Timestamp) -> String {
        let millis = u128::from(u64::try_from(now.as_millisecond()).unwrap_or(0)) & ((1 << 48) - 1);
        let counter = self.shared.counter.fetch_add(1, Ordering::Relaxed) & ((1 << 32) - 1);
        let node = u128::from(self.shared.node & ((1 << 48) - 1));
        RequestId::from_bits(millis << 80 | node << 32 | u128::from(counter)).to_string()
    }
}

/// `hallpass dev` answers on its own address only, so that no page elsewhere can reach it by a name
/// it made up, and no tunnel publishes it by accident.
fn only_direct(headers: &HeaderMap, hosts: &[String]) -> Result<(), ApiError> {
    let foreign = || ApiError::new(Code::ForeignHost, Code::ForeignHost.meaning());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or_else(foreign)?;
    if !hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return Err(foreign());
    }
    let forwarded = |name: &HeaderName| {
        name == header::FORWARDED || name == header::VIA || name.as_str().starts_with("x-forwarded")
    };
    if headers.keys().any(forwarded) { Err(foreign()) } else { Ok(()) }
}

/// The API carries no ambient credentials, so any page may call it with a token of its own, and with
/// any headers (Fetch standard, CORS protocol).
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(asked));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    headers.insert(header::VARY, HeaderValue::from_static("access-control-request-headers"));
    response
}

/// The header names that a preflight asks for, echoed: clients add telemetry of their own, and `*` would
/// leave out `authorization`.
fn allowed_headers(asked: &HeaderMap) -> HeaderValue {
    if !asked.contains_key(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        return HeaderValue::from_static("authorization, content-type, api-version-date, idempotency-key");
    }
    let lines = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names: Vec<HeaderName> = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| name.len() <= MAX_ECHOED_BYTES)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .take(MAX_ECHOED)
        .collect();
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

fn finish(headers: &mut HeaderMap, is_open: bool, request_id: &str) {
    if is_open {
        // Threat 26: what depends on a credential is nobody else's.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "x-request-id, retry-after, x-should-retry, etag, content-range, content-disposition",
            ),
        );
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// Methods are the client's text: only known ones are written to the log.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
