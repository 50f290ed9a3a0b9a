//! Webhooks as a resource: made, shown, changed, deleted. What is delivered is in `tests/webhooks`.

use hallpass_testkit::TestServer;
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn make(server: &TestServer, key: &str, body: Value) -> Value {
    server.actor(key).post("/webhooks", body).await.ok()
}

#[tokio::test]
async fn a_webhook_lives_and_dies() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let made = make(&server, &acme.key, json!({ "url": "https://a.test/x?y=1" })).await;
    assert_eq!(made["resource_id"], acme.id.to_string());
    assert_eq!(made["events"], json!(["chat.message.created", "chat.reaction.created"]));
    assert_eq!(made["testable_events"], made["events"]);
    assert_eq!((&made["enabled"], &made["api_version"]), (&json!(true), &json!("v1")));
    assert_eq!(made["child_resource_events"], false);
    let secret = made["webhook_secret"].as_str().unwrap();
    assert!(secret.starts_with("ws_") && secret.len() == 67, "{secret}");

    let id = made["id"].as_str().unwrap();
    let path = format!("/webhooks/{id}");
    let mut shown = key.get(&path).await.ok();
    assert_eq!(shown.as_object_mut().unwrap().insert("webhook_secret".into(), secret.into()), None);
    assert_eq!(shown, made);
    let changed = key
        .patch(&path, json!({ "url": "https://b.test/", "events": ["hallpass.user.enrolled", "payment.succeeded",
             "hallpass.user.enrolled"], "enabled": false, "api_version": "v5", "child_resource_events": true }))
        .await
        .ok();
    assert_eq!(changed["url"], "https://b.test/");
    assert_eq!(changed["events"], json!(["hallpass.user.enrolled", "payment.succeeded"]));
    assert_eq!(
        changed["testable_events"],
        json!(["chat.message.created", "chat.reaction.created", "hallpass.user.enrolled"])
    );
    assert_eq!((&changed["enabled"], &changed["api_version"]), (&json!(false), &json!("v5")));
    assert_eq!(changed["disabled_reason"], "by_hand");
    assert_eq!(key.patch(&path, json!({ "url": null, "events": null, "enabled": null })).await.ok(), changed);
    let listed = key.get(&format!("/webhooks?company_id={}", acme.id)).await.ok();
    assert_eq!(listed["data"][0]["id"], id);
    assert!(
        listed["data"][0].get("resource_id").is_none() && listed["data"][0].get("testable_events").is_none()
    );
    assert_eq!(key.delete(&path).await.ok(), json!(true));
    key.get(&path).await.refused(404, "not_found");
    key.delete(&path).await.refused(404, "not_found");
    assert_eq!(key.get("/webhooks").await.ok()["data"], json!([]));
}

/// No `events`, or null, is the contract's two; an empty list is none at all.
#[tokio::test]
async fn no_events_named_is_not_an_empty_list() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let two = json!(["chat.message.created", "chat.reaction.created"]);
    for (events, want) in [(None, two.clone()), (Some(Value::Null), two), (Some(json!([])), json!([]))] {
        let mut body = json!({ "url": "https://a.test/" });
        if let Some(events) = events {
            body["events"] = events;
        }
        let made = make(&server, &acme.key, body).await;
        assert_eq!(made["events"], want);
        let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
        assert_eq!(acme.as_key().patch(&path, json!({ "events": null })).await.ok()["events"], want);
        assert_eq!(acme.as_key().patch(&path, json!({ "events": [] })).await.ok()["events"], json!([]));
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let id = make(&server, &acme.key, json!({ "url": "https://a.test/" })).await["id"].clone();
    let path = format!("/webhooks/{}", id.as_str().unwrap());
    for (url, status) in [
        (json!("not a url"), 422),
        (json!("ftp://a.test/"), 422),
        (json!("https://user:word@a.test/"), 422),
        (json!("https://a.test/#x"), 422),
        (json!("https:///"), 422),
        (json!(format!("https://a.test/{}", "x".repeat(3000))), 422),
        (json!("https://a.test/\u{0}"), 422),
        (json!(7), 400),
    ] {
        for answer in [
            key.post("/webhooks", json!({ "url": url })).await,
            key.patch(&path, json!({ "url": url })).await,
        ] {
            assert_eq!(answer.status, status, "{url}: {:#}", answer.body);
            assert_eq!(answer.body["error"]["param"], "url", "{url}");
        }
    }
    for (body, param) in [
        (json!({}), "url"),
        (json!({ "url": "https://a.test/", "events": ["chat.message.deleted"] }), "events"),
        (json!({ "url": "https://a.test/", "events": "chat.message.created" }), "events"),
        (json!({ "url": "https://a.test/", "events": vec!["payment.failed"; 101] }), "events"),
        (json!({ "url": "https://a.test/", "api_version": "v3" }), "api_version"),
        (json!({ "url": "https://a.test/", "resource_id": "app_1" }), "resource_id"),
        (json!({ "url": "https://a.test/", "enabled": "yes" }), "enabled"),
    ] {
        let answer = key.post("/webhooks", body.clone()).await;
        assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &json!(param)), "{body}");
    }
    key.post(&format!("{path}/test"), json!({})).await.refused(400, "parameter_missing");
    key.post(&format!("{path}/test"), json!({ "event": "payment.failed" }))
        .await
        .refused(400, "parameter_invalid");
    let absent = "msg_01KDY9S800000000000000000A";
    key.post(&format!("{path}/deliveries/{absent}/replay"), json!({})).await.refused(404, "not_found");
    key.post(&format!("{path}/deliveries/nonsense/replay"), json!({}))
        .await
        .refused(400, "parameter_invalid");
}

/// Threat 31: whoever makes one cannot tell from the answer what is behind an address.
#[tokio::test]
async fn threat_31_an_address_is_not_looked_at_before_something_is_sent() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for url in [
        "http://127.0.0.1:1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://does-not-exist.invalid/",
        "https://localhost/",
    ] {
        let made = make(&server, &acme.key, json!({ "url": url })).await;
        assert_eq!(made["url"], url, "shown as it was given");
    }
}

#[tokio::test]
async fn a_company_has_at_most_fifty() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    for n in 0..50 {
        make(&server, &acme.key, json!({ "url": format!("https://a.test/{n}"), "enabled": false })).await;
        server.clock.advance(SignedDuration::from_millis(1));
    }
    let refused = key.post("/webhooks", json!({ "url": "https://a.test/" })).await;
    refused.refused(409, "too_many_webhooks");
    let mut listed = Vec::new();
    let mut after = String::new();
    loop {
        let page = key.get(&format!("/webhooks?first=20{after}")).await.ok();
        listed.extend(page["data"].as_array().unwrap().iter().map(|hook| hook["url"].clone()));
        let Some(cursor) = page["page_info"]["end_cursor"].as_str() else { break };
        after = format!("&after={cursor}");
    }
    let newest_first: Vec<Value> = (0..50).rev().map(|n| json!(format!("https://a.test/{n}"))).collect();
    assert_eq!(listed, newest_first);
    let id = key.get("/webhooks?first=1").await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
    key.delete(&format!("/webhooks/{id}")).await.ok();
    make(&server, &acme.key, json!({ "url": "https://a.test/" })).await;
}

/// Threat 20 for webhooks: a parent manages those of its connected accounts, and nobody else's.
#[tokio::test]
async fn threat_20_a_webhook_is_its_companys_and_its_parents() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let body = json!({ "email": "t@t.test", "parent_company_id": acme.id, "title": "tenant" });
    let child = acme.as_key().post("/companies", body).await.ok()["id"].as_str().unwrap().to_owned();
    let childs_key = server
        .key(
            child.parse().unwrap(),
            hallpass_core::statement::KeyRights::Role(hallpass_core::role::Role::Owner),
        )
        .await;
    let made = make(&server, &acme.key, json!({ "url": "https://a.test/", "resource_id": child })).await;
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    server.actor(&childs_key).get(&path).await.ok();
    acme.as_key().patch(&path, json!({ "url": "https://b.test/" })).await.ok();
    let own = make(&server, &acme.key, json!({ "url": "https://a.test/" })).await;
    let parents = format!("/webhooks/{}", own["id"].as_str().unwrap());
    for (who, path) in [(&rival.key, &path), (&rival.key, &parents), (&childs_key, &parents)] {
        let actor = server.actor(who);
        actor.get(path).await.refused(404, "not_found");
        actor.patch(path, json!({ "url": "https://stolen.test/" })).await.refused(404, "not_found");
        actor.delete(path).await.refused(404, "not_found");
        actor.get(&format!("{path}/deliveries")).await.refused(404, "not_found");
        actor.post(&format!("{path}/rotate_secret"), json!({})).await.refused(404, "not_found");
        let test = json!({ "event": "chat.message.created" });
        actor.post(&format!("{path}/test"), test).await.refused(404, "not_found");
    }
    let foreign = json!({ "url": "https://a.test/", "resource_id": acme.id });
    server.actor(&rival.key).post("/webhooks", foreign.clone()).await.refused(404, "not_found");
    server.actor(&childs_key).post("/webhooks", foreign).await.refused(404, "not_found");
    // A delivery of one is none of another.
    let tested =
        acme.as_key().post(&format!("{parents}/test"), json!({ "event": "chat.message.created" })).await.ok();
    let replay = format!("{path}/deliveries/{}/replay", tested["id"].as_str().unwrap());
    acme.as_key().post(&replay, json!({})).await.refused(404, "not_found");
}
