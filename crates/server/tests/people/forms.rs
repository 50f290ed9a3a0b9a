//! Every form, posted by whom it was not given to: nothing happens.

use hallpass_testkit::TestServer;

use super::visitor::{Browser, location};

/// Where forms are posted to, and where they are found.
const FORMS: &[&str] = &[
    "/sign-in",
    "/sign-in/code",
    "/sign-up",
    "/sign-up/account",
    "/reset",
    "/reset/code",
    "/reset/password",
    "/account/profile",
    "/account/password",
    "/account/emails",
    "/account/emails/code",
    "/account/emails/remove",
    "/account/passkeys/rename",
    "/account/passkeys/remove",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/apps/revoke",
    "/sign-out",
];

const SCRIPTED: &[&str] = &["/passkeys/sign-in", "/passkeys/add", "/passkeys/sign-up"];

/// Fields that would do something, whatever the form.
const FIELDS: &[(&str, &str)] = &[
    ("email", "other@example.com"),
    ("password", "x"),
    ("new_password", "another long one"),
    ("name", "Changed"),
    ("username", "changed"),
    ("code", "12345678"),
    ("id", "x"),
];

/// Where a form of before is given anew to somebody who is signed in.
fn anew(action: &str) -> &str {
    if matches!(action, "/sign-out" | "/account/emails/code") { action } else { "/account" }
}

#[tokio::test]
async fn a_form_of_before_signing_in_or_out_elsewhere_is_no_dead_end() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let request = "/oauth/authorize?client_id=app_x";
    let waiting = super::visitor::encoded(&[("continue", request)]);
    ann.open(&format!("/sign-in?{waiting}")).await;
    let before = ann.token("/sign-in");
    ann.sign_up("ann").await;
    let letters = server.letters().await.len();
    let stale = [("csrf", before.as_str()), ("continue", request), ("email", "b@c.example"), ("do", "code")];
    let answer = ann.post_raw("/sign-in", &stale, &[]).await;
    assert_eq!(location(&answer).as_deref(), Some(request), "signed in by now");
    let evil = [("csrf", before.as_str()), ("continue", "https://evil.example"), ("do", "code")];
    assert_eq!(location(&ann.post_raw("/sign-in", &evil, &[]).await).as_deref(), Some("/account"));
    ann.open("/account").await;
    let profile = ann.token("/account/profile");
    ann.post("/sign-out", &[]).await;
    let fields = [("csrf", profile.as_str()), ("name", "Changed"), ("username", "changed")];
    let answer = ann.post_raw("/account/profile", &fields, &[]).await;
    assert_eq!(location(&answer).as_deref(), Some("/account"));
    assert!(!ann.is_signed_in().await);
    // Signed out, the page comes again, with what it leads to.
    let wrong = [("csrf", profile.as_str()), ("continue", request), ("email", "b@c.example"), ("do", "code")];
    let answer = ann.post_raw("/sign-in", &wrong, &[]).await;
    assert!(location(&answer).unwrap().starts_with("/sign-in?continue=%2Foauth%2Fauthorize%3F"));
    // Another site is told nothing of it.
    let foreign = ann.post_raw("/sign-in", &wrong, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!((foreign.status, foreign.headers.get("set-cookie")), (403, None));
    assert_eq!(server.letters().await.len(), letters, "nothing was sent");
    let head = Browser::new(&server).head("/sign-in").await;
    assert_eq!((head.status, head.headers.get("set-cookie")), (200, None), "no page, no cookie");
}

#[tokio::test]
async fn no_form_works_without_its_own_token() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (Browser::new(&server), Browser::new(&server));
    ann.sign_up("ann").await;
    eve.sign_up("eve").await;
    let letters = server.letters().await.len();
    ann.open("/account").await;
    eve.open("/account").await;
    let (own, foreign) = (ann.token("/account/profile"), eve.token("/account/profile"));
    let none = Browser::new(&server).get("/sign-in").await;
    let before = none.text.split_once("name=\"csrf\" value=\"").unwrap().1[..32].to_owned();
    for action in FORMS {
        let mut tokens =
            vec![String::new(), "0".repeat(32), foreign.clone(), before.clone(), own.to_uppercase()];
        if *action != "/account/profile" {
            // Of another form in the same browser.
            tokens.push(own.clone());
        }
        for token in tokens {
            let mut fields = vec![("csrf", token.as_str())];
            fields.extend(FIELDS);
            let answer = ann.post_raw(action, &fields, &[]).await;
            assert_eq!(location(&answer).as_deref(), Some(anew(action)), "{action} {token:?}");
        }
        let answer = ann.post_raw(action, FIELDS, &[]).await;
        assert_eq!(location(&answer).as_deref(), Some(anew(action)), "{action} without a token");
        // Of a browser that says nothing: no way back, and no other browser is planted.
        let answer = Browser::new(&server).post_raw(action, FIELDS, &[]).await;
        assert_eq!(answer.status, 403, "{action}: {}", answer.text);
        assert!(answer.text.contains("form_expired"), "{action}");
        assert_eq!(answer.headers.get("set-cookie"), None, "{action}");
    }
    for path in SCRIPTED {
        for step in ["begin", "finish"] {
            for token in ["", &"0".repeat(32), &foreign, &own, &before] {
                let answer = ann.script(&format!("{path}/{step}"), token, "{}").await;
                assert_eq!(answer.status, 403, "{path}/{step}: {}", answer.text);
            }
        }
    }
    assert_eq!(server.letters().await.len(), letters, "nothing was sent");
    assert!(ann.is_signed_in().await);
    assert!(ann.page.contains("<bdi>@ann</bdi>"));
}

#[tokio::test]
async fn no_form_works_if_the_browser_says_that_another_site_sent_it() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    ann.open("/account").await;
    let token = ann.token("/account/profile");
    let fields = [("csrf", token.as_str()), ("name", "Changed"), ("username", "changed")];
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "http://chat.test")],
        [("origin", "https://chat.test.evil.example")],
        [("origin", "https://chat.test:8443")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "\u{fffd}")],
    ] {
        let answer = ann.post_raw("/account/profile", &fields, &headers).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert!(ann.open("/account").await.text.contains("<bdi>@ann</bdi>"));
    let ours = [("origin", "https://chat.test"), ("sec-fetch-site", "same-origin")];
    let answer = ann.post_raw("/account/profile", &fields, &ours).await;
    assert_eq!(location(&answer).as_deref(), Some("/account?done=profile"));
    // A form of a page without a referrer has no origin to tell.
    let ours = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    assert_eq!(ann.post_raw("/account/profile", &fields, &ours).await.status, 303);
}

#[tokio::test]
async fn a_token_is_of_one_browser_and_one_session() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.open("/sign-in").await;
    let (before, browser) = (ann.token("/sign-in"), ann.cookies.clone());
    ann.sign_up("ann").await;
    let fields = [("csrf", before.as_str()), ("email", "a@b.example"), ("do", "code")];
    let letters = server.letters().await.len();
    let answer = ann.post_raw("/sign-in", &fields, &[]).await;
    assert_eq!(location(&answer).as_deref(), Some("/account"), "of the time before signing in");
    assert_eq!(server.letters().await.len(), letters);
    // The cookie of the browser alone is not enough of another's.
    let mut eve = Browser::new(&server);
    eve.cookies = browser;
    assert_eq!(eve.post_raw("/sign-in", &fields, &[]).await.status, 303, "the same browser");
    eve.cookies.clear();
    assert_eq!(eve.post_raw("/sign-in", &fields, &[]).await.status, 403, "another browser");
}

#[tokio::test]
async fn odd_bodies_are_refused_politely() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.open("/sign-in").await;
    let token = ann.token("/sign-in");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let huge = format!("csrf={token}&email={}", "a".repeat(2 << 20));
    for (headers, body, status) in [
        (vec![form], format!("csrf={token}&csrf={token}&email=a@b.example&do=code"), 400),
        (vec![form], format!("csrf={token}&email=a@b.example&email=c@d.example&do=code"), 400),
        (vec![form], format!("csrf={token}&email=%00@b.example&do=code"), 422),
        (vec![form], format!("csrf={token}&email=%ff&do=code"), 400),
        (vec![form], huge, 413),
        (vec![form], String::new(), 303),
        (vec![form], "&&&=;=&%".into(), 303),
        (vec![("content-type", "text/plain")], format!("csrf={token}&email=a@b.example&do=code"), 415),
        (vec![("content-type", "application/json")], "{}".into(), 415),
        (vec![("content-type", "multipart/form-data; boundary=x")], "--x--".into(), 415),
        (vec![], format!("csrf={token}"), 415),
        (vec![form, ("content-type", "text/plain")], format!("csrf={token}"), 415),
    ] {
        let answer = ann.body("/sign-in", &headers, &body).await;
        assert_eq!(answer.status, status, "{} {}", &body[..body.len().min(80)], answer.text);
        let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap());
        assert!(status == 303 || kind.unwrap().starts_with("text/html"));
    }
    for email in
        ["", "ann", "a@b@c", "a b@c.example", "\u{202e}@x", &format!("{}@b.example", "a".repeat(300))]
    {
        let fields = [("csrf", token.as_str()), ("email", email), ("do", "code")];
        let answer = ann.post_raw("/sign-in", &fields, &[]).await;
        assert!(answer.status == 422 || (answer.status == 303 && email.contains('\u{202e}')), "{email:?}");
    }
    for path in
        ["/sign-in?%ff", "/sign-in?continue=%00", "/account?done=%3Cscript%3E", "/sign-in?lang=de&lang=fr"]
    {
        assert!(ann.get(path).await.status < 500, "{path}");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    for evil in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%2fevil.example",
        "%2f%2fevil.example",
        "/account/../../evil.example",
        "/oauth/authorize\r\nset-cookie: a=b",
        "/oauth/authorize?x\nlocation: //evil.example",
        "javascript:alert(1)",
        "/oauth/authorizeevil?x",
    ] {
        let mut browser = Browser::new(&server);
        let encoded = super::visitor::encoded(&[("continue", evil)]);
        browser.open(&format!("/sign-in?{encoded}&again=1")).await;
        assert!(!browser.page.contains("evil.example"), "{evil}");
        let fields =
            [("email", "ann@example.com"), ("password", super::visitor::PASSWORD), ("continue", evil)];
        let answer = browser.post("/sign-in", &fields).await;
        assert_eq!(location(&answer).as_deref(), Some("/account"), "{evil}");
    }
    let mut browser = Browser::new(&server);
    let ours = "/oauth/authorize?client_id=app_x&state=a%26b";
    let encoded = super::visitor::encoded(&[("continue", ours)]);
    browser.open(&format!("/sign-in?{encoded}")).await;
    let fields = [("email", "ann@example.com"), ("password", super::visitor::PASSWORD), ("continue", ours)];
    let answer = browser.post("/sign-in", &fields).await;
    assert_eq!(location(&answer).as_deref(), Some(ours));
}
