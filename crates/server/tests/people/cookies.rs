//! What browsers keep: bound, secret, and worth nothing once touched.

use hallpass_testkit::TestServer;

use super::visitor::{Browser, location};

const SESSION: &str = "__Host-hallpass-session";
const BROWSER: &str = "__Host-hallpass-browser";
const FLOW: &str = "__Host-hallpass-flow";

#[tokio::test]
async fn threat_11_a_session_cookie_with_any_byte_touched_is_none() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let secret = ann.cookies[SESSION].clone();
    let mut touched: Vec<String> = Vec::new();
    for at in 0..secret.len() {
        let mut bytes = secret.clone().into_bytes();
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        touched.push(String::from_utf8(bytes).unwrap());
        touched.push(secret[..at].to_owned());
    }
    touched.extend([
        format!("{secret}a"),
        format!("{secret}."),
        format!(" {secret}"),
        format!("\"{secret}\""),
    ]);
    touched.extend([secret.to_uppercase(), ann.cookies[BROWSER].clone(), "hps_".into(), "%00".into()]);
    for value in touched {
        ann.cookies.insert(SESSION.into(), value.clone());
        assert!(!ann.is_signed_in().await, "{value}");
    }
    ann.cookies.insert(SESSION.into(), secret);
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn threat_18_cookies_that_come_twice_or_by_another_name_are_none() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (Browser::new(&server), Browser::new(&server));
    ann.sign_up("ann").await;
    eve.sign_up("eve").await;
    let (own, other) = (ann.cookies[SESSION].clone(), eve.cookies[SESSION].clone());
    ann.cookies.remove(SESSION);
    for line in [
        format!("{SESSION}={own}; {SESSION}={other}"),
        format!("{SESSION}={other}; {SESSION}={own}"),
        format!("{SESSION}={own}; {SESSION}={own}"),
        format!("{SESSION}={own}; {SESSION}"),
        format!("hallpass-session={own}"),
        format!("{}={own}", SESSION.to_lowercase()),
        format!("__Secure-hallpass-session={own}"),
        format!("x={SESSION}={own}"),
    ] {
        let mut browser = Browser::new(&server);
        browser.headers.push(("cookie", line.clone()));
        assert!(!browser.is_signed_in().await, "{line}");
    }
}

#[tokio::test]
async fn a_planted_session_is_left_behind() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let planted = ann.cookies.clone();
    // The same person proves who they are again: the secret is another one, and the old one is dead.
    ann.sign_in("ann").await;
    assert_ne!(ann.cookies[SESSION], planted[SESSION]);
    let mut thief = Browser::new(&server);
    thief.cookies = planted;
    assert!(!thief.is_signed_in().await);
    // Eve plants her own session in the victim's browser: signing in leaves hers to her.
    let mut eve = Browser::new(&server);
    eve.sign_up("eve").await;
    let mut victim = Browser::new(&server);
    victim.cookies = eve.cookies.clone();
    victim.sign_in("ann").await;
    victim.open("/account").await;
    assert!(victim.page.contains("@ann"));
    eve.open("/account").await;
    assert!(eve.page.contains("@eve") && !eve.page.contains("@ann"));
}

#[tokio::test]
async fn what_is_waited_for_is_bound_to_its_browser_and_to_itself() {
    let server = TestServer::start().await;
    let mut ben = Browser::new(&server);
    ben.open("/sign-up").await;
    let sent = ben.post("/sign-up", &[("email", "ben@example.com")]).await;
    let page = location(&sent).unwrap();
    assert_eq!(ben.get(&page).await.status, 200);
    let flow = ben.cookies[FLOW].clone();
    for at in 0..flow.len() {
        let mut bytes = flow.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        ben.cookies.insert(FLOW.into(), String::from_utf8(bytes).unwrap());
        assert_eq!(ben.get(&page).await.status, 303, "byte {at}");
    }
    // In another browser it is nothing, and neither is the code.
    let code = server.code_for("ben@example.com").await;
    let mut eve = Browser::new(&server);
    eve.open("/sign-up").await;
    eve.post("/sign-up", &[("email", "eve@example.com")]).await;
    let own = eve.cookies[FLOW].clone();
    eve.cookies.insert(FLOW.into(), flow.clone());
    assert_eq!(eve.get(&page).await.status, 303);
    eve.cookies.insert(FLOW.into(), own);
    eve.open(&page).await;
    assert_eq!(eve.post("/sign-in/code", &[("code", &code)]).await.status, 422);
    // Waiting for one thing is not waiting for another.
    ben.cookies.insert(FLOW.into(), flow);
    assert!(location(&ben.get("/reset/password").await).unwrap().starts_with("/reset?"));
    // And what was not proved opens nothing.
    ben.open("/sign-up/account").await;
    let fields = [("name", "Ben"), ("username", "ben")];
    let refused = ben.post("/sign-up/account", &fields).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(!ben.is_signed_in().await);
}

#[tokio::test]
async fn cookies_are_for_this_host_alone_and_for_no_script() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let mut seen = 0;
    let answer = ann.get("/sign-in?lang=de").await;
    ann.sign_up("ann").await;
    let signed_in = ann.sign_in("ann").await;
    for line in answer.headers.get_all("set-cookie").iter().chain(signed_in.headers.get_all("set-cookie")) {
        let line = line.to_str().unwrap();
        assert!(line.starts_with("__Host-hallpass-"), "{line}");
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("Domain"), "{line}");
        seen += 1;
    }
    assert!(seen >= 3);
}
