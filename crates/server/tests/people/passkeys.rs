use hallpass_app::people::NewAccount;
use hallpass_core::mail::Letter;
use hallpass_core::session::Amr;
use hallpass_testkit::{PUBLIC_URL, Setup, SoftPasskey, TestServer};
use jiff::SignedDuration;

use super::browser::{Browser, account, code};

#[tokio::test]
async fn an_account_with_nothing_but_a_passkey() {
    let server = TestServer::start().await;
    let ann = Browser::new(&server);
    let flow = ann.prove("ann@example.com").await;
    let wanted = || NewAccount { password: None, ..account("ann") };
    let options = server.app.begin_passkey_sign_up(&ann.asker, flow, &wanted()).await.unwrap();
    let mut device = SoftPasskey::new(-7);
    let made = device.create(&options, PUBLIC_URL).to_string();
    let signed_up =
        server.app.create_account_with_passkey(&ann.asker, flow, wanted(), "Phone", &made).await.unwrap();
    assert!(!server.app.has_password(signed_up.person).await.unwrap());

    let elsewhere = Browser::new(&server);
    let options = server.app.begin_passkey_sign_in(&elsewhere.asker).await.unwrap();
    let got = device.get(&options, PUBLIC_URL).to_string();
    let signed_in = server.app.sign_in_with_passkey(&elsewhere.asker, &got).await.unwrap();
    assert_eq!((signed_in.person, signed_in.proof.amr()), (signed_up.person, &[Amr::Pop, Amr::User][..]));
    let listed = server.app.list_passkeys(signed_up.person).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "Phone"));
    assert!(listed[0].last_used_at.is_some());
}

#[tokio::test]
async fn threat_16_a_challenge_is_answered_once_in_its_browser_on_any_node() {
    let server = TestServer::start().await;
    let other = server.another_node().await;
    let mut ann = Browser::new(&server);
    let person = ann.sign_up("ann").await;
    let (_, session) = ann.session(person).await;
    let mut device = SoftPasskey::new(-8);
    let options = server.app.begin_passkey(&ann.asker, &session).await.unwrap();
    let made = device.create(&options, PUBLIC_URL).to_string();
    let eve = Browser::new(&server);
    assert_eq!(code(server.app.add_passkey(&eve.asker, &session, "", &made).await), "sign_in_failed");
    other.app.add_passkey(&ann.asker, &session, "", &made).await.unwrap();
    assert_eq!(code(server.app.add_passkey(&ann.asker, &session, "", &made).await), "sign_in_failed");
    assert!(matches!(server.letter_to("ann@example.com").await.letter, Letter::PasskeyAdded { .. }));

    let options = server.app.begin_passkey_sign_in(&ann.asker).await.unwrap();
    let got = device.get(&options, PUBLIC_URL).to_string();
    assert_eq!(code(server.app.sign_in_with_passkey(&eve.asker, &got).await), "sign_in_failed");
    let (one, two) = tokio::join!(
        server.app.sign_in_with_passkey(&ann.asker, &got),
        other.app.sign_in_with_passkey(&ann.asker, &got),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    // Too late.
    let options = server.app.begin_passkey_sign_in(&ann.asker).await.unwrap();
    server.clock.advance(SignedDuration::from_mins(6));
    let got = device.get(&options, PUBLIC_URL).to_string();
    assert_eq!(code(server.app.sign_in_with_passkey(&ann.asker, &got).await), "sign_in_failed");
    // One made for another purpose.
    let (_, session) = ann.session(person).await;
    let options = server.app.begin_passkey(&ann.asker, &session).await.unwrap();
    let made = SoftPasskey::new(-8).create(&options, PUBLIC_URL).to_string();
    assert_eq!(code(server.app.sign_in_with_passkey(&ann.asker, &made).await), "sign_in_failed");
}

#[tokio::test]
async fn a_passkey_is_one_persons_renamed_and_removed() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (Browser::new(&server), Browser::new(&server));
    let (annie, benny) = (ann.sign_up("ann").await, ben.sign_up("ben").await);
    let (_, session) = ann.session(annie).await;
    let (_, bens) = ben.session(benny).await;
    let mut device = SoftPasskey::new(-7);
    let options = server.app.begin_passkey(&ann.asker, &session).await.unwrap();
    let made = device.create(&options, PUBLIC_URL).to_string();
    let passkey = server.app.add_passkey(&ann.asker, &session, "Phone", &made).await.unwrap();
    // The same device for somebody else: its id is known.
    let options = server.app.begin_passkey(&ben.asker, &bens).await.unwrap();
    let again = device.create(&options, PUBLIC_URL).to_string();
    assert_eq!(code(server.app.add_passkey(&ben.asker, &bens, "", &again).await), "passkey_known");
    assert_eq!(code(server.app.rename_passkey(benny, passkey.id, "Mine").await), "not_found");
    assert_eq!(code(server.app.rename_passkey(annie, passkey.id, "a\0").await), "name");
    server.app.rename_passkey(annie, passkey.id, "Key ring").await.unwrap();
    assert_eq!(code(server.app.remove_passkey(&ben.asker, &bens, passkey.id).await), "not_found");
    server.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(code(server.app.remove_passkey(&ann.asker, &session, passkey.id).await), "sign_in_again");
    assert_eq!(code(server.app.begin_passkey(&ann.asker, &session).await), "sign_in_again");
    let (_, session) = ann.session(annie).await;
    server.app.remove_passkey(&ann.asker, &session, passkey.id).await.unwrap();
    let letter = server.letter_to("ann@example.com").await.letter;
    assert!(matches!(letter, Letter::PasskeyRemoved { name } if name == "Key ring"));
    let options = server.app.begin_passkey_sign_in(&ann.asker).await.unwrap();
    let got = device.get(&options, PUBLIC_URL).to_string();
    assert_eq!(code(server.app.sign_in_with_passkey(&ann.asker, &got).await), "sign_in_failed");
}

#[tokio::test]
async fn nothing_odd_is_an_answer() {
    let server = TestServer::start().await;
    let ann = Browser::new(&server);
    for odd in ["", "{}", "null", "\0", "[1]", &"x".repeat(100_000)] {
        assert_eq!(code(server.app.sign_in_with_passkey(&ann.asker, odd).await), "sign_in_failed");
    }
}

#[tokio::test]
async fn none_are_offered_where_browsers_make_none() {
    let public_url = "http://127.0.0.1:3000".to_owned();
    let server = TestServer::with(Setup { public_url, ..Setup::default() }).await;
    assert!(!server.app.passkeys_work());
    let ann = Browser::new(&server);
    assert!(server.app.begin_passkey_sign_in(&ann.asker).await.is_err());
}
