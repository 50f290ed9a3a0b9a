//! What a PATCH leaves alone.

use hallpass_testkit::TestServer;
use hallpass_testkit::http::Method;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::cases::{Tenant, all_cases, tenant};

/// All that a change could move: what is shown with its times, the channel's counters, the authority log.
async fn state(server: &TestServer, t: &Tenant) -> (Vec<Value>, Option<(i64, i64)>, u64) {
    let key = server.actor(&t.key);
    let mut shown = Vec::new();
    for path in [
        format!("/companies/{}", t.company),
        format!("/companies/{}", t.account),
        format!("/users/{}", t.user),
        format!("/experiences/{}", t.experience),
        format!("/chat_channels/{}", t.channel),
        format!("/messages/{}", t.message),
        format!("/apps/{}", t.own_app),
        format!("/team_members/{}", t.team_member),
    ] {
        shown.push(key.get(&path).await.ok());
    }
    let mut conn = server.app.store().read().await.unwrap();
    let head = conn.find_head(t.channel.parse().unwrap()).await.unwrap();
    (shown, head, conn.authority_head().await.unwrap().n)
}

#[tokio::test]
async fn an_empty_patch_changes_nothing() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let before = state(&server, &acme).await;
    server.clock.advance(SignedDuration::from_secs(60));
    let mut operations = 0;
    for mut case in all_cases(&acme).into_iter().filter(|case| case.method == Method::PATCH) {
        // A role must be named.
        if case.operation() == "team_members.update" {
            continue;
        }
        // Null in a field that cannot be cleared is no value.
        let title = Map::from_iter([("title".to_owned(), Value::Null)]);
        let public = Map::from_iter([("is_public".to_owned(), Value::Null)]);
        for body in [Map::new(), title, public] {
            case.body = Some(body);
            case.send(&server, &acme.key).await.ok();
            assert_eq!(state(&server, &acme).await, before, "{}", case.name);
        }
        operations += 1;
    }
    assert!(operations >= 8, "{operations}");
}
