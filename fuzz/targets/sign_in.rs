//! Requests of browsers and clients against a server in the process: the pages, their forms and the OAuth
//! endpoints, with any query, cookies and body. No input yields a 5xx or a panic.
#![no_main]

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{Request, Uri};
use hallpass_testkit::{Engine, Setup, TestServer};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

const ROUTES: [(&str, &str); 26] = [
    ("GET", "/oauth/authorize"),
    ("POST", "/oauth/authorize"),
    ("POST", "/oauth/consent"),
    ("GET", "/oauth/logout"),
    ("POST", "/oauth/logout"),
    ("POST", "/oauth/logout/confirm"),
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/introspect"),
    ("GET", "/oauth/userinfo"),
    ("POST", "/oauth/userinfo"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-in/code"),
    ("GET", "/sign-up"),
    ("POST", "/sign-up"),
    ("GET", "/sign-up/account"),
    ("POST", "/sign-up/account"),
    ("GET", "/reset"),
    ("POST", "/reset"),
    ("POST", "/reset/password"),
    ("GET", "/account"),
    ("POST", "/account/profile"),
    ("POST", "/passkeys/sign-in/begin"),
    ("POST", "/passkeys/sign-in/finish"),
    ("GET", "/.well-known/openid-configuration"),
];
const KINDS: [&str; 3] = ["application/x-www-form-urlencoded", "application/json", "text/plain"];

struct Stage {
    runtime: Runtime,
    server: TestServer,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::with(Setup { engine: Engine::Sqlite, ..Setup::default() }));
    Stage { runtime, server }
});

// Route and kind of body: a byte each; then query, cookies, authorization and body, a line each.
fuzz_target!(|input: &[u8]| {
    let stage = &*STAGE;
    let [which, kind, rest @ ..] = input else { return };
    let mut lines = rest.splitn(4, |byte| *byte == b'\n');
    let [query, cookies, authorization] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let (method, path) = ROUTES[usize::from(*which) % ROUTES.len()];
    let Ok(query) = std::str::from_utf8(query) else { return };
    let Ok(uri) = format!("{path}?{query}").parse::<Uri>() else { return };
    let mut request = Request::builder().method(method).uri(uri);
    request = request.header("content-type", KINDS[usize::from(*kind) % KINDS.len()]);
    for (name, value) in [("cookie", cookies), ("authorization", authorization)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.body(Body::from(lines.next().unwrap_or_default().to_vec())) else { return };
    let answer = stage.runtime.block_on(async {
        if !stage.server.app.is_ready() {
            stage.server.app.authority().refresh().await.unwrap();
        }
        stage.server.send(request).await
    });
    assert!(answer.status < 500, "{method} {path} answered {}: {}", answer.status, answer.text);
});
