//! The authorization endpoint: what is refused where, what follows, and what is remembered.

use hallpass_app::Limits;
use hallpass_testkit::{Setup, TestServer};
use jiff::SignedDuration;
use serde_json::json;

use super::client::*;
use crate::browser::{Browser, location};

#[tokio::test]
async fn a_stranger_signs_up_allows_and_arrives_with_a_code() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let page = browser.get(&client.request_with(&[])).await;
    assert_eq!(page.status, 200);
    for shown in ["My App", "acme", "app.test", "ann@example.com"] {
        assert!(page.text.contains(shown), "{shown} in {}", page.text);
    }
    let sent = location(&allow(&mut browser).await).unwrap();
    assert!(sent.starts_with("https://app.test/cb?code=hpo_"), "{sent}");
    assert_eq!(query_of(&sent, "state").as_deref(), Some("a state"));
    // Mix-up: who answered is said (RFC 9207).
    assert_eq!(query_of(&sent, "iss").as_deref(), Some("https://chat.test"));
    // Remembered: the second time nothing is asked.
    let again = location(&browser.get(&client.request_with(&[])).await).unwrap();
    assert!(query_of(&again, "code").is_some());
    // More than was allowed is asked for, and what is known is told from what is new.
    let more = browser.get(&client.request_with(&[("scope", "openid chat:moderate")])).await;
    assert_eq!(more.status, 200);
    let sent = location(&allow(&mut browser).await).unwrap();
    assert!(query_of(&sent, "code").is_some());
    let both = client.request_with(&[("scope", "openid chat:read chat:moderate")]);
    assert!(location(&browser.get(&both).await).is_some(), "what was allowed adds up");
}

#[tokio::test]
async fn who_is_not_signed_in_goes_through_the_sign_in_page_and_comes_back() {
    let server = server().await;
    let client = Client::new(&server).await;
    client.person("ann").await;
    let mut browser = Browser::new(&server);
    let to_sign_in =
        location(&browser.get(&client.request_with(&[("login_hint", "ann@example.com")])).await).unwrap();
    assert!(to_sign_in.starts_with("/sign-in?continue="), "{to_sign_in}");
    let page = browser.get(&to_sign_in).await;
    assert!(page.text.contains("My App") && page.text.contains("ann@example.com"), "{}", page.text);
    let target = query_of(&to_sign_in, "continue").unwrap();
    server.clock.advance(SignedDuration::from_millis(5));
    let signed = browser
        .post(
            "/sign-in",
            &[("continue", &target), ("email", "ann@example.com"), ("password", crate::browser::PASSWORD)],
        )
        .await;
    let back = location(&signed).unwrap();
    assert!(back.starts_with("/oauth/authorize?"), "{back}");
    assert_eq!(browser.get(&back).await.status, 200);
    let sent = location(&allow(&mut browser).await).unwrap();
    assert!(query_of(&sent, "code").is_some());
}

#[tokio::test]
async fn saying_no_is_told_to_the_client_and_not_remembered() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    browser.get(&client.request_with(&[])).await;
    let sent = location(&decide(&mut browser, "deny").await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
    assert_eq!(query_of(&sent, "state").as_deref(), Some("a state"));
    assert_eq!(query_of(&sent, "iss").as_deref(), Some("https://chat.test"));
    assert_eq!(browser.get(&client.request_with(&[])).await.status, 200, "asked again");
    // What is neither yes nor no is no.
    let sent = location(&decide(&mut browser, "perhaps").await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn threat_05_no_trick_redirects_a_browser() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    client.code(&mut browser, &[]).await;
    for trick in [
        "https://app.test/cb/",
        "https://app.test/cb?x",
        "https://app.test/cb#x",
        "https://app.test/CB",
        "https://APP.test/cb",
        "https://app.test:443/cb",
        "https://app.test/./cb",
        "https://app.test/x/../cb",
        "https://app.test/%63b",
        "https://app.test%2Fcb",
        "https://user@app.test/cb",
        "https://app.test@evil.test/cb",
        "https://evil.test\\@app.test/cb",
        "https://app.test\\.evil.test/cb",
        "https://app.test.evil.test/cb",
        "https://\u{430}pp.test/cb",
        "https://app.test/cb\u{0}",
        "https://app.test/cb\r\nlocation: https://evil.test",
        "http://app.test/cb",
        "//app.test/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.test/",
    ] {
        let answer = browser.get(&client.request_with(&[("redirect_uri", trick)])).await;
        assert!([400, 422].contains(&answer.status), "{trick:?}: {}", answer.text);
        assert!(location(&answer).is_none(), "{trick:?}");
        assert!(!answer.text.contains("evil.test"), "{trick:?} is linked to");
    }
}

#[tokio::test]
async fn an_unknown_client_or_address_is_told_on_a_page_and_the_rest_to_the_client() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let unknown = "app_00000000000000000000000001";
    let builtin = server.app.builtin_app().to_string();
    for (name, value) in [
        ("client_id", ""),
        ("client_id", "nobody"),
        ("client_id", unknown),
        ("client_id", &builtin),
        ("redirect_uri", ""),
    ] {
        let answer = browser.get(&client.request_with(&[(name, value)])).await;
        assert_eq!((answer.status, location(&answer)), (400, None), "{name}={value}");
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("scope", "openid read_user", "invalid_scope"),
        ("nonce", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "https://app.test/r", "request_uri_not_supported"),
        ("id_token_hint", "eyJ", "invalid_request"),
        ("company_id", "acme", "invalid_request"),
        ("company_id", "biz_00000000000000000000000001", "access_denied"),
    ] {
        let sent = location(&browser.get(&client.request_with(&[(name, value)])).await);
        let sent = sent.unwrap_or_else(|| panic!("{name}={value} is not told"));
        assert_eq!(query_of(&sent, "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(query_of(&sent, "state").as_deref(), Some("a state"));
        assert_eq!(query_of(&sent, "iss").as_deref(), Some("https://chat.test"));
    }
    let sent = location(&browser.get(&client.request_with(&[("nonce", "")])).await).unwrap();
    let said = query_of(&sent, "error_description");
    assert_eq!(said.as_deref(), Some("nonce is required for openid scope"));
}

#[tokio::test]
async fn threat_13_a_repeated_parameter_is_refused() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    for (name, value) in client.request() {
        let mut fields = client.request();
        fields.push((name, value));
        let answer = browser.get(&path(&fields)).await;
        if ["client_id", "redirect_uri"].contains(&name) {
            assert_eq!(answer.status, 400, "{name}");
            continue;
        }
        let sent = location(&answer).unwrap_or_else(|| panic!("{name}: {}", answer.text));
        assert_eq!(query_of(&sent, "error").as_deref(), Some("invalid_request"), "{name}");
        assert_eq!(query_of(&sent, "state").is_some(), name != "state");
    }
}

#[tokio::test]
async fn prompt_and_max_age_ask_as_they_say() {
    let server = server().await;
    let client = Client::new(&server).await;
    let told = |sent: Option<String>| sent.as_deref().and_then(|sent| query_of(sent, "error"));
    let mut nobody = Browser::new(&server);
    let silent = client.request_with(&[("prompt", "none")]);
    assert_eq!(told(location(&nobody.get(&silent).await)).as_deref(), Some("login_required"));
    let mut browser = client.person("ann").await;
    assert_eq!(told(location(&browser.get(&silent).await)).as_deref(), Some("consent_required"));
    client.code(&mut browser, &[]).await;
    assert!(query_of(&location(&browser.get(&silent).await).unwrap(), "code").is_some());
    // Consent again although it is remembered.
    assert_eq!(browser.get(&client.request_with(&[("prompt", "consent")])).await.status, 200);
    assert!(query_of(&location(&allow(&mut browser).await).unwrap(), "code").is_some());
    // Who they are again: not until they have since this very request.
    for wish in [("prompt", "login"), ("max_age", "0"), ("prompt", "select_account")] {
        let request = client.request_with(&[wish]);
        let to_sign_in = location(&browser.get(&request).await).unwrap();
        assert!(to_sign_in.starts_with("/sign-in?"), "{wish:?}");
        let target = query_of(&to_sign_in, "continue").unwrap();
        // Going on without signing in, or with the ticket of another request, is to be asked again.
        assert!(location(&browser.get(&target).await).unwrap().starts_with("/sign-in?"), "{wish:?}");
        let (_, ticket) = target.split_once("&hallpass_asked=").unwrap();
        let stolen = format!("{}&hallpass_asked={ticket}", client.request_with(&[wish, ("state", "other")]));
        server.clock.advance(SignedDuration::from_millis(5));
        browser.open(&to_sign_in).await;
        browser
            .post(
                "/sign-in",
                &[
                    ("continue", &target),
                    ("email", "ann@example.com"),
                    ("password", crate::browser::PASSWORD),
                ],
            )
            .await;
        assert!(location(&browser.get(&stolen).await).unwrap().starts_with("/sign-in?"), "{wish:?}");
        let sent = location(&browser.get(&target).await).unwrap();
        assert!(query_of(&sent, "code").is_some(), "{wish:?}: {sent}");
        // The ticket is not for ever.
        server.clock.advance(SignedDuration::from_hours(2));
        assert!(location(&browser.get(&target).await).unwrap().starts_with("/sign-in?"), "{wish:?}");
    }
    assert!(
        query_of(
            &location(&browser.get(&client.request_with(&[("max_age", "7201")])).await).unwrap(),
            "code"
        )
        .is_some()
    );
    let to_sign_in = location(&browser.get(&client.request_with(&[("max_age", "7100")])).await).unwrap();
    assert!(to_sign_in.starts_with("/sign-in?"));
}

#[tokio::test]
async fn a_browser_never_seen_before_signs_in_as_it_was_asked() {
    let server = server().await;
    let client = Client::new(&server).await;
    client.person("ann").await;
    for wish in [("prompt", "login"), ("max_age", "0")] {
        let mut browser = Browser::new(&server);
        let to_sign_in = location(&browser.get(&client.request_with(&[wish])).await).unwrap();
        let target = query_of(&to_sign_in, "continue").unwrap();
        server.clock.advance(SignedDuration::from_millis(5));
        browser.open(&to_sign_in).await;
        let fields =
            [("continue", &*target), ("email", "ann@example.com"), ("password", crate::browser::PASSWORD)];
        browser.post("/sign-in", &fields).await;
        let sent = client.authorize(&mut browser, &target).await;
        assert!(query_of(&sent, "code").is_some(), "{wish:?}: {sent}");
    }
}

#[tokio::test]
async fn threat_12_what_the_browser_holds_decides_nothing() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let request = client.request_with(&[("prompt", "login")]);
    let target = query_of(&location(&browser.get(&request).await).unwrap(), "continue").unwrap();
    let (query, ticket) = target.split_once("&hallpass_asked=").unwrap();
    let (millis, mac) = ticket.split_once('.').unwrap();
    let earlier = millis.parse::<i64>().unwrap() - 3_600_000;
    let mut flipped = mac.to_owned();
    flipped.replace_range(0..1, if mac.starts_with('0') { "1" } else { "0" });
    // As if they had been asked before they signed in.
    for forged in [
        format!("{earlier}.{mac}"),
        format!("{earlier}.{flipped}"),
        format!("{earlier}."),
        format!("{earlier}"),
        format!("+{millis}.{mac}"),
        String::new(),
        ".".to_owned(),
    ] {
        let sent = location(&browser.get(&format!("{query}&hallpass_asked={forged}")).await).unwrap();
        assert!(sent.starts_with("/sign-in?"), "{forged}");
    }
}

#[tokio::test]
async fn csrf_consent_is_given_by_our_own_form_alone() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    browser.get(&client.request_with(&[])).await;
    let request = path(&client.request()).split_once('?').unwrap().1.to_owned();
    let token = browser.token("/oauth/consent");
    let fields = |token: &'static str| [("csrf", token), ("asked", ""), ("decision", "allow")];
    for (csrf, headers) in [("", vec![]), ("forged", vec![])] {
        let mut all = fields(csrf).to_vec();
        all.push(("request", &request));
        let answer = browser.post_raw("/oauth/consent", &all, &headers).await;
        assert_eq!(location(&answer), Some(path(&client.request())), "asked anew");
    }
    let good = [("csrf", token.as_str()), ("asked", ""), ("decision", "allow"), ("request", &request)];
    for foreign in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")] {
        let answer = browser.post_raw("/oauth/consent", &good, &[foreign]).await;
        assert_eq!((answer.status, location(&answer)), (403, None), "{foreign:?}");
    }
    // Another browser, and another form's token.
    let mut other = client.person("ben").await;
    let answer = other.post_raw("/oauth/consent", &good, &[]).await;
    assert_eq!(location(&answer), Some(path(&client.request())));
    assert_eq!(Browser::new(&server).post_raw("/oauth/consent", &good, &[]).await.status, 403);
    browser.get("/account").await;
    let elsewhere = browser.token("/sign-out");
    let wrong = [("csrf", elsewhere.as_str()), ("asked", ""), ("decision", "allow"), ("request", &request)];
    let answer = browser.post_raw("/oauth/consent", &wrong, &[]).await;
    assert_eq!(location(&answer), Some(path(&client.request())));
    assert_eq!(browser.get(&path(&client.request())).await.status, 200, "nobody has said yes");
    assert!(location(&browser.post_raw("/oauth/consent", &good, &[]).await).is_some());
}

#[tokio::test]
async fn clickjacking_no_page_of_the_flow_is_framed() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let consent = browser.get(&client.request_with(&[])).await;
    let refusal = browser.get("/oauth/authorize").await;
    let to_client = browser.get(&client.request_with(&[("scope", "")])).await;
    assert_eq!(consent.status, 200);
    for answer in [&consent, &refusal, &to_client] {
        assert_eq!(answer.headers.get("cross-origin-opener-policy"), None);
    }
    let policy = consent.headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("form-action"), "{policy}");
    for answer in [consent, refusal, to_client] {
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_posted_request_is_followed_like_one_by_url() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let query = client.request_with(&[]).split_once('?').unwrap().1.to_owned();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let sent = location(&browser.body("/oauth/authorize", &kind, &query).await).unwrap();
    assert_eq!(sent, format!("/oauth/authorize?{query}"));
    // Other sites post without the cookie of the browser: theirs is left alone.
    for path in ["/oauth/authorize", "/oauth/logout"] {
        let answer = Browser::new(&server).body(path, &kind, &query).await;
        assert_eq!((answer.status, answer.headers.get("set-cookie")), (303, None));
    }
    for odd in ["", "a b", "\r\nx"] {
        assert_eq!(browser.body("/oauth/authorize", &kind, odd).await.status, 400);
        let answer = Browser::new(&server).body("/oauth/authorize", &kind, odd).await;
        assert_eq!((answer.status, answer.headers.get("set-cookie")), (400, None));
    }
}

#[tokio::test]
async fn a_head_gives_out_no_code() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let path = client.request_with(&[]);
    client.authorize(&mut browser, &path).await;
    let head = browser.head(&path).await;
    assert_eq!((head.status, location(&head)), (405, None));
    assert_eq!(head.headers["allow"], "GET,POST");
    assert!(location(&browser.get(&path).await).unwrap().starts_with(REDIRECT));
}

#[tokio::test]
async fn authorization_requests_are_limited_by_session_and_by_address() {
    let limits = Limits { visits_per_minute: 3, ..Limits::default() };
    let server = TestServer::with(Setup { limits: Some(limits), ..Setup::default() }).await;
    let client = Client::new(&server).await;
    let (mut ann, mut ben) = (client.person("ann").await, client.person("ben").await);
    let path = client.request_with(&[]);
    let mut nobody = Browser::new(&server);
    for _ in 0..3 {
        assert_eq!(ann.get(&path).await.status, 200);
        assert_eq!(nobody.get(&path).await.status, 303);
    }
    for browser in [&mut ann, &mut nobody] {
        let limited = browser.get(&path).await;
        assert_eq!((limited.status, location(&limited)), (429, None), "{}", limited.text);
        let after: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=61).contains(&after), "{after}");
        assert!(limited.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    assert_eq!(ben.get(&path).await.status, 200);
}

#[tokio::test]
async fn custom_schemes_and_loopback_ports_are_answered() {
    let server = server().await;
    let uris = ["com.yourapp.bundle://oauth/callback", "http://127.0.0.1/cb", "http://localhost:3000/cb"];
    let client = Client::of(&server, "acme", json!({ "redirect_uris": uris })).await;
    let mut browser = client.person("ann").await;
    for uri in [uris[0], uris[1], uris[2], "http://127.0.0.1:49152/cb"] {
        let sent = client.authorize(&mut browser, &client.request_with(&[("redirect_uri", uri)])).await;
        assert!(sent.starts_with(&format!("{uri}?code=")), "{sent}");
    }
    for uri in ["http://localhost:3001/cb", "http://127.0.0.1:1/other"] {
        assert_eq!(browser.get(&client.request_with(&[("redirect_uri", uri)])).await.status, 400, "{uri}");
    }
    client.update(json!({ "oauth_client_type": "confidential" })).await;
    let free = client.request_with(&[("redirect_uri", "http://127.0.0.1:49152/cb")]);
    assert_eq!(browser.get(&free).await.status, 400, "ports are free for public clients");
}

#[tokio::test]
async fn discovery_says_what_is_there_whoever_asks_how() {
    let server = server().await;
    let spoofed = [
        ("host", "evil.test"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.test;proto=http"),
    ];
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let mut request = hallpass_testkit::http::Request::get(path);
        for (name, value) in spoofed {
            request = request.header(name, value);
        }
        let answer = server.send(request.body(hallpass_testkit::Body::empty()).unwrap()).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        let found = answer.ok();
        assert_eq!(found["issuer"], "https://chat.test");
        assert!(!found.to_string().contains("evil"), "{found}");
        for endpoint in ["authorization", "token", "userinfo", "revocation", "introspection", "end_session"] {
            let name = format!("{endpoint}_endpoint");
            assert!(text(&found, &name).starts_with("https://chat.test/oauth/"), "{name}");
        }
        assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
        let scopes = found["scopes_supported"].as_array().unwrap();
        for scope in SCOPE.split(' ').chain(["offline_access", "member:basic:read"]) {
            assert!(scopes.contains(&json!(scope)), "{scope}");
        }
    }
}

/// The people are there on another node, and its answers are the same.
#[tokio::test]
async fn a_flow_may_change_nodes_at_every_step() {
    let first = server().await;
    let second = first.another_node().await;
    let client = Client::new(&first).await;
    let mut browser = client.person("ann").await;
    browser.server = &second;
    browser.get(&client.request_with(&[])).await;
    browser.server = &first;
    let sent = location(&allow(&mut browser).await).unwrap();
    let code = query_of(&sent, "code").unwrap();
    let tokens = form(&second, "/oauth/token", &client.redemption(&code)).await.ok();
    assert!(userinfo(&first, &text(&tokens, "access_token")).await.status == 200);
    let refreshed = client.refresh(&text(&tokens, "refresh_token")).await.ok();
    let fields = client.refreshing(&text(&refreshed, "refresh_token"));
    form(&second, "/oauth/token", &fields).await.ok();
}
