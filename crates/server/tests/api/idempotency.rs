//! `Idempotency-Key`: once per key, credential, company and path.

use hallpass_app::{AppError, IdempotencyScope};
use hallpass_core::role::Role;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;
use serde_json::json;

use super::cases::tenant;
use super::given::{enrolment, ids, may, once, text, with_headers};

#[tokio::test]
async fn the_same_key_and_body_replay_the_answer_and_do_it_once() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let say = json!({ "channel_id": acme.channel, "content": "once" });
    let first = once(&server, &acme.token, "/messages", "k", say.clone()).await.ok();
    for _ in 0..3 {
        assert_eq!(once(&server, &acme.token, "/messages", "k", say.clone()).await.ok(), first);
    }
    let listed = server.actor(&acme.token).get(&format!("/messages?channel_id={}", acme.channel)).await.ok();
    assert_eq!(ids(&listed), [text(&first, "id"), acme.message.as_str()]);
}

#[tokio::test]
async fn what_was_deleted_is_not_read_through_a_replay() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let say = json!({ "channel_id": acme.channel, "content": "regretted" });
    let first = once(&server, &acme.token, "/messages", "k", say.clone()).await.ok();
    let path = format!("/messages/{}", text(&first, "id"));
    server.actor(&acme.token).patch(&path, json!({ "content": "mended" })).await.ok();
    let again = once(&server, &acme.token, "/messages", "k", say.clone()).await.ok();
    assert_eq!((&again["id"], &again["content"]), (&first["id"], &json!("mended")));
    server.actor(&acme.token).delete(&path).await.ok();
    for _ in 0..2 {
        let answer = once(&server, &acme.token, "/messages", "k", say.clone()).await;
        assert!(!answer.body.to_string().contains("regretted"));
        answer.refused(409, "message_deleted");
    }
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_permanent_conflict() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let say = |content: &str| json!({ "channel_id": acme.channel, "content": content });
    once(&server, &acme.token, "/messages", "k", say("one")).await.ok();
    let answer = once(&server, &acme.token, "/messages", "k", say("two")).await;
    assert_eq!(answer.headers["x-should-retry"], "false");
    answer.refused(409, "idempotency_mismatch");
    let listed = server.actor(&acme.token).get(&format!("/messages?channel_id={}", acme.channel)).await.ok();
    assert!(!listed.to_string().contains("two"));
}

#[tokio::test]
async fn a_key_is_scoped_by_caller_company_and_path() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let other_key =
        acme.key_with(&server, may(acme.company, &["company:create_child", "company:basic:read"])).await;
    let body = enrolment(acme.company, "ann@acme.test", "ann");
    let mut made = std::collections::BTreeSet::new();
    for bearer in [&acme.key, &other_key] {
        made.insert(
            text(&once(&server, bearer, "/companies", "k", body.clone()).await.ok(), "id").to_owned(),
        );
    }
    assert_eq!(made.len(), 2);
    // Two experiences, one key: two copies.
    let second = server
        .actor(&acme.key)
        .post("/experiences", json!({ "app_id": acme.app, "company_id": acme.company, "name": "second" }))
        .await
        .ok();
    let mut copies = std::collections::BTreeSet::new();
    for experience in [acme.experience.as_str(), text(&second, "id")] {
        let path = format!("/experiences/{experience}/duplicate");
        copies.insert(text(&once(&server, &acme.key, &path, "k", json!({})).await.ok(), "id").to_owned());
    }
    assert_eq!(copies.len(), 2);
    // The same user in two companies: two callers.
    let token = server
        .actor(&acme.key)
        .mint(acme.account.parse().unwrap(), &acme.user, &["company:create", "company:basic:read"])
        .await
        .ok();
    server.app.set_team_role(acme.company, acme.user.parse().unwrap(), Some(Role::Admin)).await.unwrap();
    let here = acme.token_with(&server, &["company:create", "company:basic:read"]).await;
    let body = json!({ "title": "own" });
    let there = once(&server, text(&token, "token"), "/companies", "k", body.clone()).await.ok();
    assert_ne!(there["id"], once(&server, &here, "/companies", "k", body).await.ok()["id"]);
}

#[tokio::test]
async fn answers_that_hold_a_secret_are_never_given_twice() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let path = format!("/companies/{}/api_keys", acme.company);
    let body = json!({ "child_company_id": acme.account, "role": "moderator" });
    let first = once(&server, &acme.key, &path, "k", body.clone()).await.ok();
    let again = once(&server, &acme.key, &path, "k", body.clone()).await;
    assert_eq!(again.headers["x-should-retry"], "false");
    assert!(!again.body.to_string().contains(text(&first, "secret_key")));
    again.refused(409, "idempotency_secret");
    let account = acme.account.parse().unwrap();
    assert_eq!(server.app.list_company_keys(account).await.unwrap().len(), 1);
}

#[tokio::test]
async fn minting_ignores_the_key() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let body = json!({ "company_id": acme.company, "user_id": acme.user });
    let one = once(&server, &acme.key, "/access_tokens", "k", body.clone()).await.ok();
    let two = once(&server, &acme.key, "/access_tokens", "k", body).await.ok();
    assert_ne!(one["token"], two["token"]);
    once(&server, &acme.key, "/access_tokens", "k", json!({})).await.refused(400, "parameter_missing");
}

#[tokio::test]
async fn a_replay_checks_rights_again() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let user = acme.user.parse().unwrap();
    let token = acme.token_as(&server, Some(Role::Admin)).await;
    let attach = (format!("/experiences/{}/attach", acme.experience), json!({ "product_id": acme.product }));
    let detach = (format!("/experiences/{}/detach", acme.experience), json!({ "product_id": acme.product }));
    let copy = (format!("/experiences/{}/duplicate", acme.experience), json!({}));
    let make = ("/experiences".to_owned(), json!({ "app_id": acme.app, "company_id": acme.company }));
    let found = ("/companies".to_owned(), json!({ "title": "mine" }));
    let all = [attach, detach, copy, make, found];
    for (path, body) in &all {
        let first = once(&server, &token, path, "k", body.clone()).await.ok();
        assert_eq!(once(&server, &token, path, "k", body.clone()).await.ok(), first, "{path}");
    }
    server.app.set_team_role(acme.company, user, None).await.unwrap();
    for (path, body) in &all {
        once(&server, &token, path, "k", body.clone()).await.refused(403, "scope_missing");
    }
    // Who lost the credential altogether gets nothing.
    server.actor(&acme.key).post("/access_tokens/revoke", json!({ "token": token })).await.ok();
    for (path, body) in &all {
        once(&server, &token, path, "k", body.clone()).await.refused(401, "credential_revoked");
    }
}

#[tokio::test]
async fn whoever_may_write_but_not_read_gets_their_replay() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let writer = acme.token_with(&server, &["chat:message:create"]).await;
    let say = json!({ "channel_id": acme.channel, "content": "w" });
    let first = once(&server, &writer, "/messages", "k", say.clone()).await.ok();
    assert_eq!(once(&server, &writer, "/messages", "k", say).await.ok(), first);
}

#[tokio::test]
async fn the_same_key_at_once_has_exactly_one_effect() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let body = enrolment(acme.company, "ann@acme.test", "ann");
    let ask = || once(&server, &acme.key, "/companies", "k", body.clone());
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let mut made = std::collections::BTreeSet::new();
    for answer in [a, b, c, d] {
        if answer.status == 200 {
            made.insert(text(&answer.body, "id").to_owned());
        } else {
            // Still under way: worth trying again.
            assert_eq!(answer.headers["x-should-retry"], "true");
            answer.refused(409, "idempotency_busy");
        }
    }
    made.insert(text(&ask().await.ok(), "id").to_owned());
    assert_eq!(made.len(), 1);
    let listed =
        server.actor(&acme.key).get(&format!("/companies?parent_company_id={}", acme.company)).await.ok();
    assert_eq!(ids(&listed).len(), 2);
}

#[tokio::test]
async fn a_refused_attempt_does_not_use_the_key_up() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let say = |content: &str| json!({ "channel_id": acme.channel, "content": content });
    once(&server, &acme.token, "/messages", "k", say("")).await.refused(422, "content_empty");
    once(&server, &acme.token, "/messages", "k", say("now")).await.ok();
    let absent = enrolment("biz_01KDWPVNG0W1GTXMFFD0000001".parse().unwrap(), "a@a.test", "a");
    once(&server, &acme.key, "/companies", "k", absent).await.refused(404, "not_found");
    once(&server, &acme.key, "/companies", "k", enrolment(acme.company, "a@a.test", "a")).await.ok();
}

/// An attempt that took longer than its lease, and ends when another one has taken over.
#[tokio::test]
async fn who_outlived_the_lease_neither_frees_nor_answers_the_key() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let app = &server.app;
    let caller = app.authenticate(&acme.token).await.unwrap();
    let scope = |body| IdempotencyScope { operation: "o", path: "", key: "k", body };
    let claim = async |body| app.claim_idempotency(&caller, scope(body)).await;
    let first = claim(b"one").await.unwrap().unwrap();
    server.clock.advance(SignedDuration::from_secs(61));
    let second = claim(b"one").await.unwrap().unwrap();
    assert_eq!((second.bits(), second.is_again()), (first.bits(), true));
    app.release_idempotency(first, true).await.unwrap();
    app.release_idempotency(first, false).await.unwrap();
    app.complete_idempotency(first, 200, Some("late".to_owned())).await.unwrap();
    assert!(matches!(claim(b"one").await, Err(AppError::Conflict { code: "idempotency_busy", .. })));
    // Refused, which does not mean that the first one did nothing: the bits stay.
    app.release_idempotency(second, true).await.unwrap();
    assert!(matches!(claim(b"two").await, Err(AppError::Conflict { code: "idempotency_mismatch", .. })));
    let third = claim(b"one").await.unwrap().unwrap();
    assert_eq!((third.bits(), third.is_again()), (first.bits(), true));
    app.complete_idempotency(third, 200, Some("in time".to_owned())).await.unwrap();
    app.complete_idempotency(first, 200, Some("late".to_owned())).await.unwrap();
    assert_eq!(claim(b"one").await.unwrap().unwrap_err().answer, "in time");
}

#[tokio::test]
async fn a_key_is_one_visible_text_of_at_most_255_characters() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let body = || enrolment(acme.company, "a@a.test", "a");
    once(&server, &acme.key, "/companies", &"k".repeat(255), body()).await.ok();
    for bad in ["k".repeat(256), String::new()] {
        let error =
            once(&server, &acme.key, "/companies", &bad, body()).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "Idempotency-Key");
    }
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = with_headers(&server, &acme.key, ("POST", "/companies"), &two, Some(body())).await;
    answer.refused(400, "parameter_invalid");
    let latin = [("idempotency-key", "é")];
    let answer = with_headers(&server, &acme.key, ("POST", "/companies"), &latin, Some(body())).await;
    answer.refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let body = || enrolment(acme.company, "a@a.test", "a");
    let first = once(&server, &acme.key, "/companies", "k", body()).await.ok();
    server.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    server.app.do_chores().await.unwrap();
    assert_eq!(once(&server, &acme.key, "/companies", "k", body()).await.ok(), first);
    server.clock.advance(SignedDuration::from_secs(2));
    server.app.do_chores().await.unwrap();
    let second = once(&server, &acme.key, "/companies", "k", body()).await.ok();
    assert_ne!(first["id"], second["id"]);
}
