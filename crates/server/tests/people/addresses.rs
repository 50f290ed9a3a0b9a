use hallpass_core::locale::Locale;
use hallpass_core::mail::Letter;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;

use super::browser::{Browser, code};

#[tokio::test]
async fn an_address_is_added_by_proving_it_and_the_last_one_stays() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let (_, session) = ann.session(person).await;
    assert_eq!(
        code(server.app.remove_address(Locale::En, &session, "ann@example.com").await),
        "last_address"
    );
    let flow = server.app.begin_address(&ann.asker, &session, "ann@work.example").await.unwrap();
    assert_eq!(code(server.app.prove_address(&ann.asker, &session, flow, "1").await), "code_wrong");
    let secret = server.code_for("ann@work.example").await;
    server.app.prove_address(&ann.asker, &session, flow, &secret).await.unwrap();
    let letter = server.letter_to("ann@example.com").await.letter;
    assert!(matches!(letter, Letter::AddressAdded { email } if email == "ann@work.example"));
    assert_eq!(server.app.list_addresses(person).await.unwrap().len(), 2);
    ann.wait();
    server.app.remove_address(Locale::En, &session, "ANN@example.com").await.unwrap();
    for told in ["ann@example.com", "ann@work.example"] {
        let letter = server.letter_to(told).await.letter;
        assert!(matches!(letter, Letter::AddressRemoved { email } if email == "ann@example.com"), "{told}");
    }
    assert_eq!(code(server.app.remove_address(Locale::En, &session, "ann@example.com").await), "not_found");
    assert_eq!(
        code(server.app.remove_address(Locale::En, &session, "ann@work.example").await),
        "last_address"
    );
    server.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(code(server.app.begin_address(&ann.asker, &session, "x@y.z").await), "sign_in_again");
}

#[tokio::test]
async fn threat_29_anothers_address_is_not_taken_and_anothers_flow_proves_nothing() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (Browser::new(&server), Browser::new(&server));
    let annie = ann.sign_up("ann").await;
    let eva = eve.sign_up("eve").await;
    let (_, session) = ann.session(annie).await;
    let (_, eves) = eve.session(eva).await;
    let flow = server.app.begin_address(&eve.asker, &eves, "ann@example.com").await.unwrap();
    let secret = server.code_for("ann@example.com").await;
    assert_eq!(code(server.app.prove_address(&ann.asker, &session, flow, &secret).await), "code_spent");
    // Even the holder of the mailbox does not lend it out: it is an account's.
    assert_eq!(code(server.app.prove_address(&eve.asker, &eves, flow, &secret).await), "email_taken");
    assert_eq!(server.app.list_addresses(eva).await.unwrap().len(), 1);
    // Its code signs nobody in.
    let flow = server.app.begin_address(&eve.asker, &eves, "new@example.com").await.unwrap();
    assert_eq!(code(eve.give(flow, &server.code_for("new@example.com").await).await), "code_spent");
}

#[tokio::test]
async fn of_two_removals_at_once_one_address_stays() {
    let server = TestServer::start().await;
    let other = server.another_node().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let (_, session) = ann.session(person).await;
    let flow = server.app.begin_address(&ann.asker, &session, "two@example.com").await.unwrap();
    let secret = server.code_for("two@example.com").await;
    server.app.prove_address(&ann.asker, &session, flow, &secret).await.unwrap();
    let (one, two) = tokio::join!(
        server.app.remove_address(Locale::En, &session, "ann@example.com"),
        other.app.remove_address(Locale::En, &session, "two@example.com"),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    assert_eq!(server.app.list_addresses(person).await.unwrap().len(), 1);
}
