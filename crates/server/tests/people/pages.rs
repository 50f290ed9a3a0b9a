//! What people do: signing up, in and out, and keeping their account.

use hallpass_core::mail::Letter;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;

use super::visitor::{Browser, PASSWORD, location};

#[tokio::test]
async fn somebody_signs_up_out_and_in_again() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    assert!(ann.page.contains("<bdi>@ann</bdi>"));
    let out = ann.post("/sign-out", &[]).await;
    assert_eq!(location(&out).as_deref(), Some("/sign-out"));
    assert!(!ann.is_signed_in().await);
    assert!(ann.open("/sign-out").await.text.contains("You are signed out"));

    let signed_in = ann.sign_in("ann").await;
    assert_eq!(location(&signed_in).as_deref(), Some("/account"));
    assert!(ann.is_signed_in().await);
    // The page of signing in has nothing for somebody signed in.
    assert_eq!(location(&ann.get("/sign-in").await).as_deref(), Some("/account"));
}

#[tokio::test]
async fn a_code_signs_in_who_has_an_account() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let mut phone = Browser::new(&server);
    phone.open("/sign-in").await;
    let sent =
        phone.post("/sign-in", &[("email", "ann@example.com"), ("password", ""), ("do", "code")]).await;
    let to = location(&sent).unwrap();
    assert!(to.starts_with("/sign-in/code?continue="), "{to}");
    phone.open(&to).await;
    assert!(phone.page.contains("<bdi>ann@example.com</bdi>"), "{}", phone.page);
    let wrong = phone.post("/sign-in/code", &[("code", "00000000")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("This code is not right"));
    let code = server.code_for("ann@example.com").await;
    let spaced = format!(" {} {} ", &code[..4], &code[4..]);
    let given = phone.post("/sign-in/code", &[("code", &spaced)]).await;
    assert_eq!(location(&given).as_deref(), Some("/account"), "{}", given.text);
    assert!(phone.is_signed_in().await);
}

#[tokio::test]
async fn another_code_can_be_sent() {
    let server = TestServer::start().await;
    let mut ben = Browser::new(&server);
    ben.open("/sign-up").await;
    let sent = ben.post("/sign-up", &[("email", "ben@example.com")]).await;
    ben.open(&location(&sent).unwrap()).await;
    let first = server.code_for("ben@example.com").await;
    server.clock.advance(SignedDuration::from_secs(30));
    let again = ben.post("/sign-in/code", &[("do", "resend")]).await;
    let to = location(&again).unwrap();
    assert!(to.ends_with("&done=code_sent"), "{to}");
    ben.open(&to).await;
    assert!(ben.page.contains("role=\"status\">Another code is on its way."), "{}", ben.page);
    let second = server.code_for("ben@example.com").await;
    assert_ne!(first, second);
    let given = ben.post("/sign-in/code", &[("code", &second)]).await;
    assert!(location(&given).unwrap().starts_with("/sign-up/account"));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_sign_in_the_page_is_the_same() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let mut pages = Vec::new();
    for (email, password) in [("ann@example.com", "wrong password"), ("nobody@example.com", PASSWORD)] {
        let mut browser = Browser::new(&server);
        browser.open("/sign-in").await;
        let answer = browser.post("/sign-in", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let token = browser.token("/sign-in");
        let passkeys = answer.text.split("data-csrf=\"").nth(1).and_then(|rest| rest.split('"').next());
        let page = answer.text.replace(email, "…").replace(&token, "…");
        pages.push(passkeys.map_or(page.clone(), |token| page.replace(token, "…")));
        assert!(!answer.text.contains(password) && answer.text.contains(email));
    }
    assert_eq!(pages[0], pages[1]);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_and_other_devices_are_out() {
    let server = TestServer::start().await;
    let mut laptop = Browser::new(&server);
    laptop.sign_up("ann").await;
    let mut phone = Browser::new(&server);
    phone.open("/reset").await;
    let sent = phone.post("/reset", &[("email", "ann@example.com")]).await;
    phone.open(&location(&sent).unwrap()).await;
    assert!(phone.page.contains("If there is an account with"));
    let code = server.code_for("ann@example.com").await;
    let given = phone.post("/reset/code", &[("code", &code)]).await;
    phone.open(&location(&given).unwrap()).await;
    let short = phone.post("/reset/password", &[("new_password", "short")]).await;
    assert_eq!(short.status, 422);
    let saved = phone.post("/reset/password", &[("new_password", "another long one")]).await;
    assert_eq!(location(&saved).as_deref(), Some("/account"), "{}", saved.text);
    assert!(phone.is_signed_in().await);
    assert!(!laptop.is_signed_in().await, "other devices are out");
    assert_eq!(laptop.sign_in("ann").await.status, 422, "the old password is gone");
}

#[tokio::test]
async fn resetting_for_nobody_looks_the_same_and_sends_nothing() {
    let server = TestServer::start().await;
    let mut nobody = Browser::new(&server);
    nobody.open("/reset").await;
    let sent = nobody.post("/reset", &[("email", "nobody@example.com")]).await;
    nobody.open(&location(&sent).unwrap()).await;
    assert!(nobody.page.contains("If there is an account with"));
    assert!(server.letters().await.iter().all(|mail| mail.to != "nobody@example.com"));
}

#[tokio::test]
async fn the_account_is_kept() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let saved = ann.post("/account/profile", &[("name", "Ann <b>Lee</b>"), ("username", "ann-lee")]).await;
    assert_eq!(location(&saved).as_deref(), Some("/account?done=profile"));
    ann.open("/account?done=profile").await;
    assert!(ann.page.contains("Your profile is saved.") && ann.page.contains("<bdi>@ann-lee</bdi>"));
    assert!(ann.page.contains("Ann &lt;b&gt;Lee&lt;&#x2f;b&gt;") && !ann.page.contains("<b>Lee"));
    for (name, username, wrong) in [
        ("", "ann", "name"),
        ("Ann", "a b", "username"),
        ("Ann", "", "username"),
        (&"x".repeat(101), "ann", "name"),
    ] {
        let bad = ann.post("/account/profile", &[("name", name), ("username", username)]).await;
        assert_eq!(bad.status, 422, "{name:?} {username:?}");
        let invalid = bad.text.split("<input ").find(|input| input.contains("aria-invalid")).unwrap();
        assert!(invalid.contains(&format!("id=\"{wrong}\"")), "{invalid}");
    }

    // Another address is proved before it counts.
    ann.open("/account").await;
    let sent = ann.post("/account/emails", &[("email", "ann@work.example")]).await;
    assert_eq!(location(&sent).as_deref(), Some("/account/emails/code"));
    assert!(!ann.open("/account").await.text.contains("ann@work.example"));
    ann.open("/account/emails/code").await;
    let code = server.code_for("ann@work.example").await;
    let proved = ann.post("/account/emails/code", &[("code", &code)]).await;
    assert_eq!(location(&proved).as_deref(), Some("/account?done=address_added"), "{}", proved.text);
    assert!(ann.open("/account").await.text.contains("<bdi>ann@work.example</bdi>"));
    let told = server.letter_to("ann@example.com").await.letter;
    assert!(matches!(told, Letter::AddressAdded { email } if email == "ann@work.example"));
    let removed = ann.post("/account/emails/remove", &[("email", "ann@example.com")]).await;
    assert_eq!(location(&removed).as_deref(), Some("/account?done=address_removed"));
    ann.open("/account").await;
    assert!(!ann.page.contains("ann@example.com"));
    assert!(!ann.page.contains("&#x2f;account&#x2f;emails&#x2f;remove"), "the last one stays");
}

#[tokio::test]
async fn passwords_are_changed_with_the_old_one_or_right_after_signing_in() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let mut phone = Browser::new(&server);
    phone.sign_in("ann").await;
    assert!(!ann.page.contains("current_password"), "just signed in");
    server.clock.advance(SignedDuration::from_mins(11));
    ann.open("/account").await;
    assert!(ann.page.contains("current_password"));
    let none = ann.post("/account/password", &[("new_password", "another long one")]).await;
    assert_eq!(location(&none).as_deref(), Some("/sign-in?continue=%2Faccount&again=1"));
    let wrong = [("current_password", "not it at all"), ("new_password", "another long one")];
    let wrong = ann.post("/account/password", &wrong).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("This is not your current password."));
    let right = [("current_password", PASSWORD), ("new_password", "another long one")];
    let right = ann.post("/account/password", &right).await;
    assert_eq!(location(&right).as_deref(), Some("/account?done=password"), "{}", right.text);
    assert!(ann.is_signed_in().await && !phone.is_signed_in().await);
}

#[tokio::test]
async fn devices_are_signed_out_from_afar() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let mut others: Vec<Browser<'_>> = Vec::new();
    for _ in 0..3 {
        let mut other = Browser::new(&server);
        other
            .headers
            .push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0".into()));
        other.sign_in("ann").await;
        others.push(other);
    }
    ann.open("/account").await;
    assert_eq!(
        ann.page.matches("Firefox on Linux").count(),
        6,
        "in the list and in the names of the buttons"
    );
    assert_eq!(ann.page.matches(">This device<").count(), 1);
    let form = ann.page.split("action=\"&#x2f;account&#x2f;sessions&#x2f;end\"").nth(1).unwrap();
    let id = form.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let ended = ann.post("/account/sessions/end", &[("id", &id)]).await;
    assert_eq!(location(&ended).as_deref(), Some("/account?done=session_ended"));
    let mut left = 0;
    for other in &mut others {
        left += usize::from(other.is_signed_in().await);
    }
    assert_eq!(left, 2);
    ann.open("/account").await;
    ann.post("/account/sessions/end-others", &[]).await;
    for other in &mut others {
        assert!(!other.is_signed_in().await);
    }
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn nobody_ends_the_session_or_renames_the_passkey_of_another() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (Browser::new(&server), Browser::new(&server));
    ann.sign_up("ann").await;
    eve.sign_up("eve").await;
    let mut phone = Browser::new(&server);
    phone.sign_in("ann").await;
    ann.open("/account").await;
    let form = ann.page.split("action=\"&#x2f;account&#x2f;sessions&#x2f;end\"").nth(1).unwrap();
    let id = form.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    // Eve has two, so that her page has the form.
    let mut other = Browser::new(&server);
    other.sign_in("eve").await;
    eve.open("/account").await;
    eve.post("/account/sessions/end", &[("id", &id)]).await;
    assert!(phone.is_signed_in().await);
}

#[tokio::test]
async fn pages_are_in_the_language_of_their_reader() {
    let server = TestServer::start().await;
    let lang = |text: &str| text.split_once("<html lang=\"").unwrap().1[..2].to_owned();
    let mut browser = Browser::new(&server);
    assert_eq!(lang(&browser.get("/sign-in").await.text), "en");
    browser.headers.push(("accept-language", "nl, en;q=0.5".into()));
    assert_eq!(lang(&browser.get("/sign-in").await.text), "nl");
    let wished = "/sign-in?continue=%2Foauth%2Fauthorize%3Fclient_id%3Dx%26ui_locales%3Dxx%2520pl";
    assert_eq!(lang(&browser.get(wished).await.text), "pl");
    assert_eq!(lang(&browser.get("/sign-in?lang=ja").await.text), "ja");
    assert_eq!(lang(&browser.get(wished).await.text), "ja", "chosen once, chosen for later");
    assert_eq!(lang(&browser.get("/sign-in?lang=%3Cscript%3E").await.text), "ja");
    // The language goes into the letters, too.
    browser.open("/sign-up").await;
    browser.post("/sign-up", &[("email", "kei@example.com")]).await;
    assert_eq!(server.letter_to("kei@example.com").await.locale.tag(), "ja");
}

#[tokio::test]
async fn the_outbox_is_in_dev_alone() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let answer = ann.get("/dev/outbox").await;
    assert_eq!(answer.status, 404);
    assert!(!answer.text.contains("ann@example.com"));
}
