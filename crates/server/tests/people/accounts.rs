use hallpass_app::people::{CodeOutcome, CodePurpose, NewAccount};
use hallpass_testkit::TestServer;
use jiff::SignedDuration;

use super::browser::{Browser, account, code};

#[tokio::test]
async fn a_code_signs_up_whom_nobody_knows_and_in_whom_somebody_does() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let profile = server.app.own_profile(person).await.unwrap();
    assert_eq!((profile.user.username.as_str(), profile.user.home), ("ann", None));
    let flow = ann.ask("Ann@Example.com", CodePurpose::SignIn).await;
    let given = ann.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    let CodeOutcome::SignedIn(signed_in) = given else { panic!("{given:?}") };
    assert_eq!(signed_in.person, person);
    assert!(signed_in.device.is_none(), "this device was known");
}

#[tokio::test]
async fn threat_16_a_code_is_given_once_within_its_time_in_its_browser() {
    let server = TestServer::start().await;
    let (ann, eve) = (Browser::new(&server), Browser::new(&server));
    let flow = ann.ask("ann@example.com", CodePurpose::SignIn).await;
    let secret = server.code_for("ann@example.com").await;
    assert_eq!(code(eve.give(flow, &secret).await), "code_spent", "another browser");
    assert_eq!(code(ann.give(flow, "00000000").await), "code_wrong");
    assert!(ann.give(flow, &secret).await.is_ok());
    assert_eq!(code(ann.give(flow, &secret).await), "code_spent", "used");
    // And on another node, and what it opened.
    let other = server.another_node().await;
    assert_eq!(code(other.app.give_code(&ann.asker, flow, &secret).await), "code_spent");
    assert!(other.app.create_account(&ann.asker, flow, account("ann")).await.is_ok());
    assert_eq!(code(server.app.create_account(&ann.asker, flow, account("ann2")).await), "code_spent");

    let late = ann.ask("ben@example.com", CodePurpose::SignIn).await;
    server.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(code(ann.give(late, &server.code_for("ben@example.com").await).await), "code_spent");
}

#[tokio::test]
async fn five_wrong_codes_end_a_flow() {
    let server = TestServer::start().await;
    let ann = Browser::new(&server);
    let flow = ann.ask("ann@example.com", CodePurpose::SignIn).await;
    let secret = server.code_for("ann@example.com").await;
    for wrong in ["", "1", "123456789", "\0", "99999999999"] {
        assert_eq!(code(ann.give(flow, wrong).await), "code_wrong", "{wrong:?}");
    }
    assert_eq!(code(ann.give(flow, &secret).await), "code_spent");
}

#[tokio::test]
async fn of_two_who_give_one_code_at_once_one_wins() {
    let server = TestServer::start().await;
    let other = server.another_node().await;
    let ann = Browser::new(&server);
    let flow = ann.prove("ann@example.com").await;
    let (one, two) = tokio::join!(
        server.app.create_account(&ann.asker, flow, account("ann")),
        other.app.create_account(&ann.asker, flow, account("ann-two")),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    let flow = ann.ask("ann@example.com", CodePurpose::SignIn).await;
    let secret = server.code_for("ann@example.com").await;
    let tries = (0..8).map(|n| {
        let node = if n % 2 == 0 { &server } else { &other };
        node.app.give_code(&ann.asker, flow, &secret)
    });
    let given = futures_util::future::join_all(tries).await;
    assert_eq!(given.iter().filter(|given| given.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_taken_username_leaves_the_flow_as_it_was() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let ben = Browser::new(&server);
    let flow = ben.prove("ben@example.com").await;
    assert_eq!(code(server.app.create_account(&ben.asker, flow, account("ANN")).await), "username_taken");
    let odd = NewAccount { username: "b\0n".to_owned(), ..account("ben") };
    assert_eq!(code(server.app.create_account(&ben.asker, flow, odd).await), "username");
    assert!(server.app.create_account(&ben.asker, flow, account("ben")).await.is_ok());
}

#[tokio::test]
async fn threat_29_an_address_is_proved_as_it_is_kept() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("mike").await;
    // A Kelvin sign is a small k to whoever compares without case.
    let eve = Browser::new(&server);
    eve.ask("mi\u{212a}e@example.com", CodePurpose::SignIn).await;
    let letter = server.letters().await.remove(0);
    assert_eq!(letter.to, "mike@example.com", "the letter goes to whom it would sign in");
    // Nobody gets at an account without a flow that proved its address.
    let asked = eve.ask("zoe@example.com", CodePurpose::SignIn).await;
    assert_eq!(code(server.app.create_account(&eve.asker, asked, account("zoe")).await), "code_spent");
    // A flow of another kind proves nothing here.
    let reset = eve.ask("mike@example.com", CodePurpose::Reset).await;
    let secret = server.code_for("mike@example.com").await;
    assert!(matches!(eve.give(reset, &secret).await.unwrap(), CodeOutcome::MayReset { .. }));
    assert_eq!(code(server.app.create_account(&eve.asker, reset, account("mike2")).await), "code_spent");
}

#[tokio::test]
async fn threat_30_asking_for_a_code_tells_nothing() {
    let server = TestServer::start().await;
    Browser::new(&server).sign_up("ann").await;
    let stranger = Browser::at(&server, "198.51.100.7");
    let before = server.letters().await.len();
    // To reset, only somebody who is there gets a letter; both get a flow.
    let (known, unknown) = (
        stranger.ask("ann@example.com", CodePurpose::Reset).await,
        stranger.ask("zoe@example.com", CodePurpose::Reset).await,
    );
    assert_eq!(server.letters().await.len(), before + 1);
    for flow in [known, unknown] {
        for _ in 0..5 {
            assert_eq!(code(stranger.give(flow, "00000000").await), "code_wrong");
        }
        assert_eq!(code(stranger.give(flow, "00000000").await), "code_spent");
    }
}

#[tokio::test]
async fn codes_to_one_address_are_few_and_its_owner_still_gets_some() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.sign_up("ann").await;
    let before = server.letters().await.len();
    // However often one network asks, it has a few letters of its own; and no word about it.
    let stranger = Browser::at(&server, "198.51.100.7");
    for _ in 0..40 {
        stranger.ask("ann@example.com", CodePurpose::SignIn).await;
    }
    let sent = server.letters().await.len() - before;
    assert!((1..=5).contains(&sent), "{sent}");
    // From where she has signed in before, strangers do not count.
    let flow = ann.ask("ann@example.com", CodePurpose::SignIn).await;
    assert_eq!(server.letters().await.len(), before + sent + 1);
    let given = ann.give(flow, &server.code_for("ann@example.com").await).await.unwrap();
    assert!(matches!(given, CodeOutcome::SignedIn(_)));
}

#[tokio::test]
async fn threat_21_who_was_deactivated_does_not_sign_in() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let own = server.app.own_profile(person).await.unwrap().user.id;
    server.app.deactivate_user(own).await.unwrap();
    assert_eq!(code(ann.password("ann@example.com", super::browser::PASSWORD).await), "sign_in_failed");
    let flow = ann.ask("ann@example.com", CodePurpose::SignIn).await;
    let secret = server.code_for("ann@example.com").await;
    assert_eq!(code(ann.give(flow, &secret).await), "sign_in_failed");
    assert_eq!(server.app.user_for(person, None).await.unwrap(), None);
}
