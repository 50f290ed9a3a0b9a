//! Experiences: making, finding, changing, attaching, copying, deleting.

use hallpass_core::id::CompanyId;
use hallpass_core::role::Role;
use hallpass_testkit::{Actor, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

pub(crate) fn product(n: u128) -> String {
    format!("prod_{n:013}")
}

async fn names(who: &Actor<'_>, list: &str) -> Vec<String> {
    let page = who.get(list).await.ok();
    page["data"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
}

async fn listed(who: &Actor<'_>, company: CompanyId) -> Vec<String> {
    names(who, &format!("/experiences?company_id={company}")).await
}

#[tokio::test]
async fn an_experience_is_made_private_unless_said_otherwise_and_named_after_its_app() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let body = json!({ "app_id": server.app.builtin_app(), "company_id": acme.id });
    let made = acme.as_key().post("/experiences", body).await.ok();
    assert_eq!(made["name"], "Chat");
    assert_eq!(made["is_public"], false);
    assert_eq!(made["company"]["id"], acme.id.to_string());
    assert_eq!(made["products"], json!([]));
    let id = made["id"].as_str().unwrap();
    assert_eq!(acme.as_key().get(&format!("/experiences/{id}")).await.ok(), made);
    // Its channel is there, with no rules.
    let channel = acme.as_key().get(&format!("/chat_channels/{id}")).await.ok();
    assert_eq!(channel["experience"], json!({ "id": id, "name": "Chat" }));
    assert_eq!(channel["who_can_post"], "everyone");
    assert_eq!(channel["user_posts_cooldown_seconds"], Value::Null);
}

#[tokio::test]
async fn what_an_experience_cannot_be_made_of() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let app = server.app.builtin_app();
    let key = acme.as_key();
    let make = async |body: Value| key.post("/experiences", body).await;
    make(json!({ "company_id": acme.id })).await.refused(400, "parameter_missing");
    make(json!({ "app_id": app })).await.refused(400, "parameter_missing");
    make(json!({ "app_id": "app_x", "company_id": acme.id })).await.refused(400, "parameter_invalid");
    let unknown = hallpass_core::id::AppId::from_bits(1);
    make(json!({ "app_id": unknown, "company_id": acme.id })).await.refused(404, "not_found");
    make(json!({ "app_id": app, "company_id": rival.id })).await.refused(404, "not_found");
    make(json!({ "app_id": app, "company_id": acme.id, "name": " " })).await.refused(422, "blank");
    make(json!({ "app_id": app, "company_id": acme.id, "name": "x".repeat(256) }))
        .await
        .refused(422, "too_long");
    make(json!({ "app_id": app, "company_id": acme.id, "name": "a\0b" })).await.refused(422, "nul_character");
    assert_eq!(listed(&key, acme.id).await, Vec::<String>::new());
    let (_, ann) = acme.member("ann").await;
    ann.post("/experiences", json!({ "app_id": app, "company_id": acme.id }))
        .await
        .refused(403, "scope_missing");
}

#[tokio::test]
async fn a_private_experience_is_there_for_those_let_in_and_for_the_team_that_runs_it() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (open, open_channel) = acme.channel("open", true).await;
    server.clock.advance(SignedDuration::from_secs(1));
    let (closed, closed_channel) = acme.channel("closed", false).await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Admin)).await;
    let key = acme.as_key();

    assert_eq!(listed(&as_ann, acme.id).await, ["open"]);
    assert_eq!(listed(&as_ben, acme.id).await, ["closed", "open"]);
    assert_eq!(listed(&key, acme.id).await, ["closed", "open"]);
    as_ann.get(&format!("/experiences/{closed}")).await.refused(404, "not_found");
    as_ann.get(&format!("/chat_channels/{closed_channel}")).await.refused(404, "not_found");
    as_ann.get(&format!("/chat_channels/{closed}")).await.refused(404, "not_found");
    as_ann.say(&closed_channel, "hello?").await.refused(404, "not_found");
    as_ann.get(&format!("/messages?channel_id={closed}")).await.refused(404, "not_found");
    let channels = format!("/chat_channels?company_id={}", acme.id);
    assert_eq!(as_ann.get(&channels).await.ok()["data"].as_array().unwrap().len(), 1);

    // Let in, out again, and in a public one access makes no difference.
    let access = format!("/experiences/{closed}/members/{ann}");
    as_ann.put(&access).await.refused(404, "not_found");
    key.put(&access).await.ok();
    key.put(&access).await.ok();
    assert_eq!(listed(&as_ann, acme.id).await, ["closed", "open"]);
    let said = as_ann.say(&closed, "hello").await.ok();
    let said = said["id"].as_str().unwrap();
    key.delete(&access).await.ok();
    key.delete(&access).await.refused(404, "not_found");
    assert_eq!(listed(&as_ann, acme.id).await, ["open"]);
    as_ann.get(&format!("/messages/{said}")).await.refused(404, "not_found");
    as_ann.patch(&format!("/messages/{said}"), json!({ "content": "x" })).await.refused(404, "not_found");
    as_ann.delete(&format!("/messages/{said}")).await.refused(404, "not_found");

    // Whoever is not enrolled cannot be let in; another company learns of nothing.
    let (stranger, as_stranger) = rival.member("eve").await;
    key.put(&format!("/experiences/{closed}/members/{stranger}")).await.refused(404, "not_found");
    for who in [&as_stranger, &rival.as_key()] {
        for id in [&open, &closed] {
            who.get(&format!("/experiences/{id}")).await.refused(404, "not_found");
            who.delete(&format!("/experiences/{id}")).await.refused(404, "not_found");
            who.put(&format!("/experiences/{id}/members/{ann}")).await.refused(404, "not_found");
        }
        who.say(&open_channel, "spam").await.refused(404, "not_found");
        who.get(&format!("/experiences?company_id={}", acme.id)).await.refused(404, "not_found");
        who.get(&channels).await.refused(404, "not_found");
    }

    // Made private, the open one closes too; made public, the closed one opens.
    key.patch(&format!("/experiences/{open}"), json!({ "access_level": "private" })).await.ok();
    key.patch(&format!("/experiences/{closed}"), json!({ "is_public": true })).await.ok();
    assert_eq!(listed(&as_ann, acme.id).await, ["closed"]);
    as_ann.say(&open, "hello?").await.refused(404, "not_found");
    as_ann.say(&closed, "hello").await.ok();
}

#[tokio::test]
async fn enrolment_that_ends_takes_access_with_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (closed, _) = acme.channel("closed", false).await;
    let (ann, as_ann) = acme.member("ann").await;
    let key = acme.as_key();
    key.put(&format!("/experiences/{closed}/members/{ann}")).await.ok();
    as_ann.say(&closed, "hello").await.ok();
    let member = format!("/companies/{}/members/{ann}", acme.id);
    key.delete(&member).await.ok();
    as_ann.say(&closed, "still there?").await.refused(401, "credential_revoked");
    key.put(&member).await.ok();
    let again = server.actor(acme.token(&ann).await);
    again.say(&closed, "and back?").await.refused(404, "not_found");
}

#[tokio::test]
async fn an_experience_is_changed_in_part() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (id, channel) = acme.channel("General", true).await;
    let key = acme.as_key();
    let path = format!("/experiences/{id}");
    let before = key.get(&path).await.ok();
    let changed = key.patch(&path, json!({ "name": "Lobby", "order": "b" })).await.ok();
    assert_eq!((&changed["name"], &changed["order"]), (&json!("Lobby"), &json!("b")));
    assert_eq!(changed["is_public"], before["is_public"]);
    assert_eq!(key.get(&format!("/chat_channels/{channel}")).await.ok()["experience"]["name"], "Lobby");
    let cleared = key.patch(&path, json!({ "order": null, "name": null, "is_public": null })).await.ok();
    let mut expected = changed;
    expected["order"] = Value::Null;
    assert_eq!(cleared, expected);
    let both = json!({ "is_public": true, "access_level": "private" });
    key.patch(&path, both).await.refused(400, "parameter_invalid");
    key.patch(&path, json!({ "access_level": "secret" })).await.refused(400, "parameter_invalid");
    key.patch(&path, json!({ "order": "x".repeat(101) })).await.refused(422, "too_long");
    // What cannot be written is not.
    let read_only =
        json!({ "id": product(1), "company": { "id": "biz_x" }, "created_at": "1999-01-01T00:00:00Z" });
    assert_eq!(key.patch(&path, read_only).await.ok(), cleared);
    let (_, ann) = acme.member("ann").await;
    ann.patch(&path, json!({ "name": "mine" })).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn products_are_recorded_on_first_use_and_are_their_companys_alone() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (one, _) = acme.channel("one", true).await;
    server.clock.advance(SignedDuration::from_secs(1));
    let (two, _) = acme.channel("two", true).await;
    let (theirs, _) = rival.channel("theirs", true).await;
    let key = acme.as_key();
    let attach = async |id: &str, product: &str| {
        key.post(&format!("/experiences/{id}/attach"), json!({ "product_id": product })).await
    };
    let detach = async |id: &str, product: &str| {
        key.post(&format!("/experiences/{id}/detach"), json!({ "product_id": product })).await
    };
    let (gold, silver) = (product(1), product(2));
    detach(&one, &gold).await.refused(404, "not_found");
    let attached = attach(&one, &gold).await.ok();
    assert_eq!(attached["products"][0]["id"], gold);
    assert_eq!(attached["products"][0]["title"], gold);
    assert_eq!(attach(&one, &gold).await.ok(), attached);
    server.clock.advance(SignedDuration::from_secs(1));
    let both = attach(&one, &silver).await.ok();
    assert_eq!(both["products"].as_array().unwrap().len(), 2);
    attach(&two, &silver).await.ok();

    let with = async |product: &str| {
        names(&key, &format!("/experiences?company_id={}&product_id={product}", acme.id)).await
    };
    assert_eq!(with(&gold).await, ["one"]);
    assert_eq!(with(&silver).await, ["two", "one"]);
    let channels = format!("/chat_channels?company_id={}&product_id={gold}", acme.id);
    assert_eq!(key.get(&channels).await.ok()["data"].as_array().unwrap().len(), 1);
    assert_eq!(detach(&one, &gold).await.ok()["products"].as_array().unwrap().len(), 1);
    assert_eq!(detach(&one, &gold).await.ok()["products"].as_array().unwrap().len(), 1);
    assert_eq!(with(&gold).await, Vec::<String>::new());

    // Another company's product is like one that nobody ever named.
    let rival_key = rival.as_key();
    for id in [&silver, &product(9)] {
        let body = json!({ "product_id": id });
        let detach = format!("/experiences/{theirs}/detach");
        rival_key.post(&detach, body.clone()).await.refused(404, "not_found");
        let filtered = format!("/experiences?company_id={}&product_id={id}", rival.id);
        assert_eq!(names(&rival_key, &filtered).await, Vec::<String>::new());
        let attached = rival_key.post(&format!("/experiences/{theirs}/attach"), body.clone()).await.ok();
        assert_eq!(attached["products"].as_array().unwrap().last().unwrap()["id"], *id);
        assert_eq!(names(&rival_key, &filtered).await, ["theirs"]);
        rival_key.post(&format!("/experiences/{one}/attach"), body.clone()).await.refused(404, "not_found");
        rival_key.post(&detach, body).await.ok();
    }
    assert_eq!(with(&silver).await, ["two", "one"]);
    attach(&one, "prod_").await.refused(400, "parameter_invalid");
    attach(&one, "prod_not-one").await.refused(400, "parameter_invalid");
    key.post(&format!("/experiences/{one}/attach"), json!({})).await.refused(400, "parameter_missing");
}

#[tokio::test]
async fn a_copy_has_the_settings_and_products_but_neither_messages_nor_people() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (id, _) = acme.channel("original", false).await;
    let (ann, as_ann) = acme.member("ann").await;
    key.put(&format!("/experiences/{id}/members/{ann}")).await.ok();
    key.post(&format!("/experiences/{id}/attach"), json!({ "product_id": product(1) })).await.ok();
    let rules = json!({ "who_can_post": "admins", "ban_urls": true, "banned_words": ["spam"],
                        "user_posts_cooldown_seconds": 5 });
    key.patch(&format!("/chat_channels/{id}"), rules).await.ok();
    key.say(&id, "only here").await.ok();

    let copy = key.post(&format!("/experiences/{id}/duplicate"), json!({ "name": "copy" })).await.ok();
    assert_eq!((&copy["name"], &copy["is_public"]), (&json!("copy"), &json!(false)));
    assert_eq!(copy["products"][0]["id"], product(1));
    let copied = copy["id"].as_str().unwrap();
    assert_ne!(copied, id);
    let (mut one, mut two) = (
        key.get(&format!("/chat_channels/{id}")).await.ok(),
        key.get(&format!("/chat_channels/{copied}")).await.ok(),
    );
    assert_ne!(one["id"], two["id"]);
    for channel in [&mut one, &mut two] {
        let fields = channel.as_object_mut().unwrap();
        fields.remove("id");
        fields.remove("experience");
    }
    assert_eq!(one, two);
    assert_eq!(key.get(&format!("/messages?channel_id={copied}")).await.ok()["data"], json!([]));
    as_ann.get(&format!("/experiences/{copied}")).await.refused(404, "not_found");
    let unnamed = key.post(&format!("/experiences/{id}/duplicate"), json!({})).await.ok();
    assert_eq!(unnamed["name"], "original");
    as_ann.post(&format!("/experiences/{id}/duplicate"), json!({})).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn what_is_deleted_is_gone_everywhere() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (id, channel) = acme.channel("doomed", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    key.post(&format!("/experiences/{id}/attach"), json!({ "product_id": product(1) })).await.ok();
    let said = as_ann.say(&channel, "last words").await.ok();
    let said = said["id"].as_str().unwrap().to_owned();
    as_ann.delete(&format!("/experiences/{id}")).await.refused(403, "scope_missing");
    assert_eq!(key.delete(&format!("/experiences/{id}")).await.ok(), json!(true));

    for who in [&key, &as_ann] {
        assert_eq!(listed(who, acme.id).await, Vec::<String>::new());
        let lists = [
            format!("/experiences?company_id={}&product_id={}", acme.id, product(1)),
            format!("/chat_channels?company_id={}", acme.id),
        ];
        for list in lists {
            assert_eq!(who.get(&list).await.ok()["data"], json!([]), "{list}");
        }
        let gone = [
            who.get(&format!("/experiences/{id}")).await,
            who.patch(&format!("/experiences/{id}"), json!({ "name": "x" })).await,
            who.delete(&format!("/experiences/{id}")).await,
            who.post(&format!("/experiences/{id}/attach"), json!({ "product_id": product(1) })).await,
            who.post(&format!("/experiences/{id}/detach"), json!({ "product_id": product(1) })).await,
            who.post(&format!("/experiences/{id}/duplicate"), json!({})).await,
            who.put(&format!("/experiences/{id}/members/{ann}")).await,
            who.delete(&format!("/experiences/{id}/members/{ann}")).await,
            who.get(&format!("/chat_channels/{id}")).await,
            who.get(&format!("/chat_channels/{channel}")).await,
            who.patch(&format!("/chat_channels/{channel}"), json!({ "ban_urls": true })).await,
            who.get(&format!("/messages?channel_id={id}")).await,
            who.get(&format!("/messages?channel_id={channel}")).await,
            who.say(&id, "hello?").await,
            who.say(&channel, "hello?").await,
            who.get(&format!("/messages/{said}")).await,
            who.patch(&format!("/messages/{said}"), json!({ "content": "x" })).await,
            who.delete(&format!("/messages/{said}")).await,
        ];
        for answer in gone {
            answer.refused(404, "not_found");
        }
    }
    // The product lives on.
    let (next, _) = acme.channel("next", true).await;
    key.post(&format!("/experiences/{next}/attach"), json!({ "product_id": product(1) })).await.ok();
}

#[tokio::test]
async fn experiences_are_listed_by_time_app_and_product() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    for name in ["a", "b", "c"] {
        acme.channel(name, true).await;
        server.clock.advance(SignedDuration::from_mins(1));
    }
    let list =
        async |filter: &str| names(&key, &format!("/experiences?company_id={}&{filter}", acme.id)).await;
    assert_eq!(list("").await, ["c", "b", "a"]);
    assert_eq!(list("direction=asc").await, ["a", "b", "c"]);
    assert_eq!(list("created_after=2026-01-01T12:00:00Z").await, ["c", "b"]);
    assert_eq!(list("created_before=2026-01-01T12:02:00Z").await, ["b", "a"]);
    assert_eq!(list("created_after=2026-01-01T12:00:30Z&created_before=2026-01-01T12:01:30Z").await, ["b"]);
    assert_eq!(list(&format!("app_id={}", server.app.builtin_app())).await, ["c", "b", "a"]);
    assert_eq!(
        list(&format!("app_id={}", hallpass_core::id::AppId::from_bits(1))).await,
        Vec::<String>::new()
    );
    assert_eq!(list(&format!("product_id={}", product(9))).await, Vec::<String>::new());
    key.get(&format!("/experiences?company_id={}&created_after=soon", acme.id))
        .await
        .refused(400, "parameter_invalid");
    key.get("/experiences").await.refused(400, "parameter_missing");
    // A cursor belongs to its filters.
    let page = key.get(&format!("/experiences?company_id={}&first=1", acme.id)).await.ok();
    let cursor = page["page_info"]["end_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("first=1&after={cursor}")).await, ["b"]);
    for other in ["direction=asc", &format!("product_id={}", product(9))] {
        let path = format!("/experiences?company_id={}&first=1&after={cursor}&{other}", acme.id);
        key.get(&path).await.refused(400, "parameter_invalid");
    }
}
