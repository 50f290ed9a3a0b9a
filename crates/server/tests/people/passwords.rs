use std::num::NonZeroUsize;

use hallpass_app::AppError;
use hallpass_app::people::{CodeOutcome, CodePurpose, Hashing, SignedIn};
use hallpass_app::sessions::Device;
use hallpass_core::mail::Letter;
use hallpass_testkit::{Setup, TestServer};
use jiff::SignedDuration;

use super::browser::{Browser, PASSWORD, code};

#[tokio::test]
async fn a_password_signs_in() {
    let server = TestServer::start().await;
    let person = Browser::new(&server).sign_up("ann").await;
    let mut elsewhere = Browser::new(&server);
    let signed_in = elsewhere.password("ANN@example.com", PASSWORD).await.unwrap();
    assert_eq!(signed_in.person, person);
    elsewhere.keep(&signed_in);
    assert!(elsewhere.password("ann@example.com", PASSWORD).await.unwrap().device.is_none());
}

#[tokio::test]
async fn threat_30_whatever_is_wrong_the_answer_is_the_same() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let stranger = Browser::new(&server);
    let long = "x".repeat(2000);
    for (email, password) in [
        ("ann@example.com", "wrong password"),
        ("zoe@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("ann@example.com", ""),
        ("ann@example.com", "\0"),
        ("a\0@example.com", PASSWORD),
        ("", ""),
        ("ann@example.com", &long),
    ] {
        assert_eq!(code(stranger.password(email, password).await), "sign_in_failed", "{email:?}");
    }
    // Also how often: an address that nobody has is counted as one that somebody has.
    let mut limits = Vec::new();
    for (n, email) in ["ben@example.com", "ann@example.com"].into_iter().enumerate() {
        let stranger = Browser::at(&server, &format!("198.51.100.{n}"));
        let mut tries = 0;
        while code(stranger.password(email, "wrong").await) == "sign_in_failed" {
            tries += 1;
        }
        limits.push(tries);
    }
    assert_eq!(limits, [10, 10]);
}

#[tokio::test]
async fn strangers_who_guess_lock_nobody_out() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    // One stranger at one address, then many.
    let stranger = Browser::at(&server, "198.51.100.1");
    for n in 0..30 {
        let outcome = code(stranger.password("ann@example.com", "a guess").await);
        assert_eq!(outcome, if n < 10 { "sign_in_failed" } else { "rate_limited" }, "{n}");
    }
    for n in 2..30 {
        let stranger = Browser::at(&server, &format!("198.51.100.{n}"));
        assert_eq!(code(stranger.password("ann@example.com", "a guess").await), "sign_in_failed");
    }
    // The password works where she has signed in before, and anywhere else.
    assert_eq!(ann.password("ann@example.com", PASSWORD).await.unwrap().person, person);
    let elsewhere = Browser::at(&server, "203.0.113.9");
    assert_eq!(elsewhere.password("ann@example.com", PASSWORD).await.unwrap().person, person);
    // What is stolen of a device opens nothing by itself, and is counted for itself.
    for n in 0..11 {
        let outcome = code(ann.password("ann@example.com", "a guess").await);
        assert_eq!(outcome, if n < 10 { "sign_in_failed" } else { "rate_limited" }, "{n}");
    }
    server.clock.advance(SignedDuration::from_mins(2));
    assert!(ann.password("ann@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_stranger_who_asks_for_codes_voids_nobody_elses() {
    let server = TestServer::start().await;
    let person = Browser::new(&server).sign_up("ann").await;
    let stranger = Browser::at(&server, "198.51.100.1");
    // At once, and then for two days: more than all strangers may have sent to one address.
    for purpose in [CodePurpose::SignIn, CodePurpose::Reset].repeat(25) {
        stranger.ask("ann@example.com", purpose).await;
    }
    for _ in 0..48 * 12 {
        server.clock.advance(SignedDuration::from_mins(5));
        stranger.ask("ann@example.com", CodePurpose::SignIn).await;
    }
    let elsewhere = Browser::at(&server, "203.0.113.9");
    let flow = elsewhere.ask("ann@example.com", CodePurpose::SignIn).await;
    let given = elsewhere.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    assert!(matches!(given, CodeOutcome::SignedIn(signed) if signed.person == person));
    let flow = elsewhere.ask("ann@example.com", CodePurpose::Reset).await;
    let given = elsewhere.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    assert!(matches!(given, CodeOutcome::MayReset { .. }));
    let new = "a new password".to_owned().into();
    let reset = server.app.reset_password(&elsewhere.asker, flow, new).await.unwrap();
    assert_eq!(reset.person, person);
}

#[tokio::test]
async fn a_password_that_was_not_compared_is_no_try() {
    // No thread takes a job, and none waits: the pool is full from the start.
    fn park() {
        loop {
            std::thread::park();
        }
    }
    let hashing = Hashing { threads: NonZeroUsize::MIN, queue: 0, on_start: park };
    let server = TestServer::with(Setup { hashing, ..Setup::default() }).await;
    let ann = Browser::new(&server);
    for n in 0..30 {
        let tried = ann.password("ann@example.com", PASSWORD).await;
        // One second is the pool's answer; the throttle would say minutes.
        assert!(matches!(tried, Err(AppError::RateLimited { retry_after_secs: 1 })), "{n}: {tried:?}");
    }
}

#[tokio::test]
async fn the_throttle_outlives_a_node() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let stranger = Browser::new(&server);
    for _ in 0..10 {
        assert_eq!(code(stranger.password("ann@example.com", "a guess").await), "sign_in_failed");
    }
    let other = server.another_node().await;
    let tried =
        other.app.sign_in_with_password(&stranger.asker, "ann@example.com", PASSWORD.to_owned().into()).await;
    assert_eq!(code(tried), "rate_limited");
}

#[tokio::test]
async fn a_reset_ends_sessions_and_forgets_devices_and_is_told() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let (cookie, _) = ann.session(person).await;
    assert!(server.app.find_session(&cookie).await.unwrap().is_some());
    let elsewhere = Browser::new(&server);
    let flow = elsewhere.ask("ann@example.com", CodePurpose::Reset).await;
    let new = || "a new password".to_owned().into();
    assert_eq!(code(server.app.reset_password(&elsewhere.asker, flow, new()).await), "code_spent");
    elsewhere.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    assert_eq!(
        code(server.app.reset_password(&ann.asker, flow, new()).await),
        "code_spent",
        "another browser"
    );
    let short = server.app.reset_password(&elsewhere.asker, flow, "short".to_owned().into()).await;
    assert_eq!(code(short), "password");
    let reset = server.app.reset_password(&elsewhere.asker, flow, new()).await.unwrap();
    assert_eq!(reset.person, person);
    assert!(matches!(server.letter_to("ann@example.com").await.letter, Letter::PasswordChanged));
    assert!(server.app.find_session(&cookie).await.unwrap().is_none());
    assert_eq!(code(ann.password("ann@example.com", PASSWORD).await), "sign_in_failed");
    assert!(ann.password("ann@example.com", "a new password").await.unwrap().device.is_some(), "forgotten");
    assert_eq!(code(server.app.reset_password(&elsewhere.asker, flow, new()).await), "code_spent", "used");
}

#[tokio::test]
async fn a_sign_in_that_races_a_reset_begins_no_session() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    // Whoever knows the old password, or read an older code, has proved it just before.
    let thief = Browser::at(&server, "198.51.100.1");
    let by_password = thief.password("ann@example.com", PASSWORD).await.unwrap();
    let flow = thief.ask("ann@example.com", CodePurpose::SignIn).await;
    let by_code = thief.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    let CodeOutcome::SignedIn(by_code) = by_code else { panic!("{by_code:?}") };
    let flow = ann.ask("ann@example.com", CodePurpose::Reset).await;
    ann.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    let new = "a new password".to_owned().into();
    let reset = server.app.reset_password(&ann.asker, flow, new).await.unwrap();
    let begin = async |signed: SignedIn| {
        let device = Device { user_agent: "Test".to_owned(), address: ann.asker.address };
        server.app.begin_session(person, signed.proof, device, None).await.map(|new| new.session)
    };
    assert_eq!(code(begin(by_password).await), "sign_in_failed");
    assert_eq!(code(begin(by_code).await), "sign_in_failed");
    let session = begin(reset).await.unwrap();
    assert_eq!(server.app.list_sessions(person).await.unwrap().len(), 1);
    // So do those that race the end of all others.
    let late = thief.password("ann@example.com", "a new password").await.unwrap();
    server.app.end_other_sessions(person, Some(session.id)).await.unwrap();
    assert_eq!(code(begin(late).await), "sign_in_failed");
    assert_eq!(server.app.list_sessions(person).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_needs_the_old_password_or_a_recent_sign_in() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let (here, session) = ann.session(person).await;
    let (there, _) = ann.session(person).await;
    let change = |old: Option<&str>, new: &str| {
        server.app.change_password(
            &ann.asker,
            &session,
            old.map(|old| old.to_owned().into()),
            new.to_owned().into(),
        )
    };
    server.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(code(change(None, "another one").await), "sign_in_again");
    assert_eq!(code(change(Some("wrong"), "another one").await), "sign_in_failed");
    change(Some(PASSWORD), "another one").await.unwrap();
    assert!(server.app.find_session(&here).await.unwrap().is_some(), "this one stays");
    assert!(server.app.find_session(&there).await.unwrap().is_none());
    assert!(ann.password("ann@example.com", "another one").await.is_ok());
    assert!(server.app.has_password(person).await.unwrap());
}
