//! Whole requests against a server in the process: any method, path, query and body, by an owner's key,
//! a member's token or nobody. No input yields a 5xx, and every answer fits the contract (the test
//! server panics if one does not).
#![no_main]

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{Method, Request, Uri};
use hallpass_testkit::{Engine, Setup, TestServer};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

struct Stage {
    runtime: Runtime,
    server: TestServer,
    routes: Vec<(Method, String)>,
    bearers: [String; 3],
    /// What a path's or query's `$n` stands for.
    ids: [String; 5],
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let (server, bearers, ids) = runtime.block_on(async {
        let server = TestServer::with(Setup { engine: Engine::Sqlite, ..Setup::default() }).await;
        let acme = server.company("acme").await;
        let (ann, as_ann) = acme.member("ann").await;
        let (experience, channel) = acme.channel("general", true).await;
        let message = as_ann.say(&channel, "hello").await.ok()["id"].as_str().unwrap().to_owned();
        let bearers = [acme.key.clone(), as_ann.bearer, String::new()];
        let ids = [acme.id.to_string(), ann, experience, channel, message];
        (server, bearers, ids)
    });
    let mut routes: Vec<_> =
        hallpass_http::routes_of_api().into_iter().map(|(method, path, _)| (method, path)).collect();
    routes.sort_by(|a, b| (&a.1, a.0.as_str()).cmp(&(&b.1, b.0.as_str())));
    Stage { runtime, server, routes, bearers, ids }
});

impl Stage {
    /// `text` with `$0` … `$4` replaced by ids that exist.
    fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (index, id) in self.ids.iter().enumerate() {
            filled = filled.replace(&format!("${index}"), id);
        }
        filled
    }

    /// The route with each `{parameter}` replaced in turn.
    fn path(&self, route: &str, parameters: &str) -> String {
        let mut parameters = parameters.split('/');
        route
            .split('/')
            .map(|part| {
                if part.starts_with('{') { self.fill(parameters.next().unwrap_or("$0")) } else { part.into() }
            })
            .collect::<Vec<_>>()
            .join("/")
    }
}

// Who and which route: a byte each; then path parameters, query and body, a line each.
fuzz_target!(|input: &[u8]| {
    let stage = &*STAGE;
    let [who, which, rest @ ..] = input else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let (Ok(parameters), Ok(query)) = (
        std::str::from_utf8(lines.next().unwrap_or_default()),
        std::str::from_utf8(lines.next().unwrap_or_default()),
    ) else {
        return;
    };
    let body = lines.next().unwrap_or_default();
    let (method, route) = &stage.routes[usize::from(*which) % stage.routes.len()];
    let target = format!("{}?{}", stage.path(route, parameters), stage.fill(query));
    // What is no URL never reaches the router.
    let Ok(uri) = target.parse::<Uri>() else { return };
    let mut request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    let bearer = &stage.bearers[usize::from(*who) % stage.bearers.len()];
    if !bearer.is_empty() {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let body = match std::str::from_utf8(body) {
        Ok(text) => Body::from(stage.fill(text)),
        Err(_) => Body::from(body.to_vec()),
    };
    let Ok(request) = request.body(body) else { return };
    let answer = stage.runtime.block_on(async {
        // On a busy machine the task that reads the log may not have had its turn for a second.
        if !stage.server.app.is_ready() {
            stage.server.app.authority().refresh().await.unwrap();
        }
        stage.server.send(request).await
    });
    assert!(answer.status < 500, "{method} {target} answered {}: {}", answer.status, answer.body);
});
