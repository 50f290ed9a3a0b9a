//! What goes with every page, what no header changes, and what no address shows.

use hallpass_http::{DevPage, HttpPolicy};
use hallpass_testkit::{Answer, Captured, PUBLIC_URL, Setup, TestServer};
use serde_json::json;

use super::visitor::{Browser, PASSWORD, encoded, location};

const PAGES: &[&str] = &[
    "/sign-in",
    "/sign-in?again=1",
    "/sign-in/code",
    "/sign-up",
    "/sign-up/account",
    "/reset",
    "/reset/code",
    "/reset/password",
    "/account",
    "/account/emails/code",
    "/sign-out",
    "/dev/outbox",
];

#[tokio::test]
async fn every_page_refuses_frames_inline_scripts_and_caches() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    for signed_in in [false, true] {
        if signed_in {
            ann.sign_up("ann").await;
        }
        for page in PAGES {
            let answer = ann.get(page).await;
            let header =
                |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            let policy = header("content-security-policy");
            let parts =
                ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self';"];
            for part in parts {
                let part =
                    if answer.status == 303 { part.replace("'self'", "'none'") } else { part.to_owned() };
                let part = part.trim_end_matches(';');
                assert!(policy.contains(part), "{page}: {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{page}: {policy}");
            assert_eq!(header("x-frame-options"), "DENY", "{page}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{page}");
            assert_eq!(header("cache-control"), "no-store", "{page}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{page}");
            assert_eq!(header("access-control-allow-origin"), "", "{page}");
        }
    }
}

#[tokio::test]
async fn on_the_way_to_an_app_no_policy_holds_redirects_or_severs_a_popup() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let waiting = format!("?{}", encoded(&[("continue", "/oauth/authorize?client_id=app_x")]));
    let checked = |answer: &Answer, what: &str| {
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(answer.status == 303 || !policy.contains("form-action"), "{what}: {policy}");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}");
        assert_eq!(answer.headers.get("cross-origin-opener-policy"), None, "{what}");
    };
    for page in ["/sign-in", "/sign-up", "/reset", "/sign-in/code", "/reset/code", "/sign-up/account"] {
        checked(&ann.get(&format!("{page}{waiting}")).await, page);
    }
    ann.open(&format!("/sign-in{waiting}")).await;
    let fields = [("email", "ann@example.com"), ("continue", "/oauth/authorize?client_id=app_x")];
    let wrong = ann.post("/sign-in", &[&fields[..], &[("password", "wrong")]].concat()).await;
    assert_eq!(wrong.status, 422);
    checked(&wrong, "a password that is wrong");
    let sent = ann.post("/sign-in", &[&fields[..], &[("do", "code")]].concat()).await;
    checked(&sent, "on to the code");
    let code = ann.get(&location(&sent).unwrap()).await;
    assert_eq!(code.status, 200);
    checked(&code, "the code");
    for path in ["/oauth/authorize", "/oauth/authorize?client_id=app_x", "/oauth/logout"] {
        checked(&ann.get(path).await, path);
    }
}

#[tokio::test]
async fn no_header_puts_another_host_into_pages_or_letters() {
    let dev = Some(DevPage { ready: json!({}) });
    let policy = HttpPolicy { access_log: false, dev, ..HttpPolicy::default() };
    let server = TestServer::with(Setup { policy, ..Setup::default() }).await;
    let mut ann = Browser::new(&server);
    for name in ["x-forwarded-host", "forwarded", "x-original-url", "x-forwarded-server", "x-host", "referer"]
    {
        ann.headers.push((name, "host=evil.example;https://evil.example/".into()));
    }
    ann.headers.push(("x-forwarded-proto", "http".into()));
    ann.sign_up("ann").await;
    for page in PAGES {
        let answer = ann.get(page).await;
        assert!(
            !answer.text.contains("evil.example") && !format!("{:?}", answer.headers).contains("evil"),
            "{page}"
        );
    }
    assert!(ann.cookies.keys().all(|name| name.starts_with("__Host-")), "{:?}", ann.cookies.keys());
    let outbox = ann.get("/dev/outbox").await.text;
    let code = server.code_for("ann@example.com").await;
    assert!(outbox.contains(&code) && outbox.contains(&PUBLIC_URL.replace('/', "&#x2f;")), "{outbox}");
}

#[tokio::test]
async fn threat_15_no_secret_is_in_an_address_or_in_the_log() {
    let log = Captured::default();
    let heard = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || heard.clone())
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let mut secrets: Vec<String> = ann.cookies.values().cloned().collect();
    ann.open("/account").await;
    secrets.push(ann.token("/account/profile"));
    secrets.push(PASSWORD.to_owned());
    ann.sign_in("ann").await;
    ann.open("/reset").await;
    let sent = ann.post("/reset", &[("email", "ann@example.com")]).await;
    ann.open(&location(&sent).unwrap()).await;
    secrets.push(server.code_for("ann@example.com").await);
    secrets.extend(ann.cookies.values().cloned());
    let said = log.text();
    for secret in secrets.iter().filter(|secret| secret.len() > 4) {
        assert!(!said.contains(secret.as_str()), "in the log");
        assert!(ann.addresses.iter().all(|address| !address.contains(secret.as_str())), "in an address");
    }
    assert!(ann.addresses.iter().all(|address| !address.contains("ann@") && !address.contains("ann%40")));
}
