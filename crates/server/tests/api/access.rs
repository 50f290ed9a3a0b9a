//! Who has access to what: the answer is the decision's own.

use hallpass_core::role::Role;
use hallpass_testkit::{Actor, TestServer};
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::text;

async fn access(who: &Actor<'_>, user: &str, resource: &str) -> Value {
    who.get(&format!("/users/{user}/access/{resource}")).await.ok()
}

fn level(level: &str) -> Value {
    json!({ "has_access": level != "no_access", "access_level": level })
}

#[tokio::test]
async fn companies_and_public_experiences_are_for_the_enrolled() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (experience, _) = acme.channel("open", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    for resource in [acme.id.to_string(), experience] {
        assert_eq!(access(&key, &ann, &resource).await, level("customer"));
        assert_eq!(access(&key, "ann", &resource).await, level("customer"), "by username");
        assert_eq!(access(&as_ann, "me", &resource).await, level("customer"));
        assert_eq!(access(&key, &acme.owner.to_string(), &resource).await, level("admin"));
        assert_eq!(access(&as_ann, &acme.owner.to_string(), &resource).await, level("admin"));
        let ask = format!("/users/me/access/{resource}");
        key.get(&ask).await.refused(403, "api_key");
    }
    acme.role(&ann, Some(Role::Support)).await;
    assert_eq!(access(&as_ann, "me", &acme.id.to_string()).await, level("admin"));
}

#[tokio::test]
async fn a_private_experience_is_for_those_let_in_and_those_who_may_change_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (experience, channel) = acme.channel("private", false).await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let reads =
        async |who: &Actor<'_>| who.get(&format!("/messages?channel_id={channel}")).await.status == 200;
    assert_eq!(access(&key, &ann, &experience).await, level("no_access"));
    assert!(!reads(&as_ann).await);
    // Who is not let in does not learn that it is there.
    as_ann.get(&format!("/users/me/access/{experience}")).await.refused(404, "not_found");
    key.put(&format!("/experiences/{experience}/members/{ann}")).await.ok();
    assert_eq!(access(&key, &ann, &experience).await, level("customer"));
    assert_eq!(access(&as_ann, "me", &experience).await, level("customer"));
    assert!(reads(&as_ann).await);
    assert_eq!(access(&as_ann, &ben, &experience).await, level("no_access"));
    // What is told is what is decided, for every role.
    for role in Role::ALL {
        acme.role(&ben, Some(role)).await;
        let told = access(&key, &ben, &experience).await;
        assert_eq!(told["has_access"], json!(reads(&as_ben).await), "{role:?}");
        assert_eq!(told, level(if told["has_access"] == true { "admin" } else { "no_access" }), "{role:?}");
    }
    acme.role(&ben, Some(Role::Moderator)).await;
    assert_eq!(access(&key, &ben, &experience).await, level("no_access"));
    key.put(&format!("/experiences/{experience}/members/{ben}")).await.ok();
    assert_eq!(access(&key, &ben, &experience).await, level("admin"));
    // Gone is gone at once.
    key.delete(&format!("/experiences/{experience}/members/{ann}")).await.ok();
    assert_eq!(access(&key, &ann, &experience).await, level("no_access"));
    key.delete(&format!("/experiences/{experience}")).await.ok();
    key.get(&format!("/users/{ann}/access/{experience}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn products_open_nothing_but_to_the_team() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    assert_eq!(access(&key, &acme.user, &acme.product).await, level("no_access"));
    assert_eq!(access(&key, &acme.owner, &acme.product).await, level("admin"));
    key.get(&format!("/users/{}/access/prod_neverseen", acme.user)).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_parents_key_finds_the_products_of_its_accounts() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let key = server.actor(&acme.key);
    let attach = async |by: &Actor<'_>, company: &str, product: &str| {
        let body = json!({ "app_id": acme.app, "company_id": company });
        let place = text(&by.post("/experiences", body).await.ok(), "id").to_owned();
        by.post(&format!("/experiences/{place}/attach"), json!({ "product_id": product })).await.ok();
    };
    attach(&key, &acme.account, "prod_ofAccount").await;
    attach(&server.actor(&rival.key), &rival.account, "prod_ofRival").await;
    // The account's owner is its team.
    assert_eq!(access(&key, &acme.user, "prod_ofAccount").await, level("admin"));
    assert_eq!(access(&key, &acme.colleague, "prod_ofAccount").await, level("no_access"));
    let own = json!({ "child_company_id": acme.account, "role": "owner" });
    let own = key.post(&format!("/companies/{}/api_keys", acme.company), own).await.ok();
    let own = server.actor(text(&own, "secret_key"));
    assert_eq!(access(&own, &acme.user, "prod_ofAccount").await, level("admin"));
    // Up and sideways there is nothing.
    own.get(&format!("/users/{}/access/{}", acme.user, acme.product)).await.refused(404, "not_found");
    key.get(&format!("/users/{}/access/prod_ofRival", acme.user)).await.refused(404, "not_found");
    let token = server.actor(&acme.token);
    token.get("/users/me/access/prod_ofAccount").await.refused(404, "not_found");
    // Its own, if both have it.
    attach(&key, &acme.company.to_string(), "prod_ofAccount").await;
    assert_eq!(access(&key, &acme.user, "prod_ofAccount").await, level("no_access"));
}

#[tokio::test]
async fn a_parent_asks_about_its_accounts_and_nobody_about_strangers() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let key = server.actor(&acme.key);
    assert_eq!(access(&key, &acme.user, &acme.account).await, level("admin"), "their own account");
    assert_eq!(access(&key, &acme.colleague, &acme.account).await, level("no_access"));
    for resource in
        [rival.company.to_string(), rival.account.clone(), rival.experience.clone(), rival.product.clone()]
    {
        for user in [&acme.user, &rival.user] {
            key.get(&format!("/users/{user}/access/{resource}")).await.refused(404, "not_found");
        }
    }
    key.get(&format!("/users/{}/access/{}", rival.user, acme.company)).await.refused(404, "not_found");
    for odd in ["user_1", "biz_1", "exp_", "prod_", "x", "post_01KDWPVNG0W1GTXMFFD0000001"] {
        let error =
            key.get(&format!("/users/{}/access/{odd}", acme.user)).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "resource_id", "{odd}");
    }
}

#[tokio::test]
async fn who_left_or_was_deactivated_has_no_access() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let company = acme.company.to_string();
    assert_eq!(access(&key, &acme.user, &company).await, level("customer"));
    server.app.deactivate_user(acme.user.parse().unwrap()).await.unwrap();
    assert_eq!(access(&key, &acme.user, &company).await, level("no_access"));
    assert_eq!(access(&key, &acme.user, &acme.experience).await, level("no_access"));
    server.app.reactivate_user(acme.user.parse().unwrap()).await.unwrap();
    key.delete(&format!("/companies/{company}/members/{}", acme.user)).await.ok();
    // Still seen from here: they own a connected account.
    assert_eq!(access(&key, &acme.user, &company).await, level("no_access"));
}

#[tokio::test]
async fn ones_own_profile_is_a_tokens_and_no_keys() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let token = server.actor(acme.token_with(&ann, &["user:profile:update"]).await);
    let me = token.get("/users/me").await.ok();
    assert_eq!(text(&me, "id"), ann);
    let changed = token.patch("/users/me", json!({ "bio": "hello" })).await.ok();
    assert_eq!((&changed["id"], &changed["bio"]), (&json!(ann), &json!("hello")));
    let shown = token
        .patch(&format!("/users/me?account_id={}", acme.id), json!({ "name": "Ann of Acme" }))
        .await
        .ok();
    assert_eq!(shown["name"], "Ann of Acme");
    assert_eq!(token.get("/users/me").await.ok()["name"], "ann");
    acme.as_key().patch("/users/me", json!({ "bio": "no" })).await.refused(403, "api_key");
    acme.as_key().get("/users/me").await.refused(403, "api_key");
    let narrow = server.actor(acme.token_with(&ann, &["chat:read"]).await);
    narrow.patch("/users/me", json!({ "bio": "no" })).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn members_are_filtered_and_ordered_by_what_last_happened() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let mut users = Vec::new();
    for name in ["ann", "ben", "cleo"] {
        users.push(acme.user(name).await);
        server.clock.advance(jiff::SignedDuration::from_secs(10));
    }
    key.delete(&format!("/companies/{}/members/{}", acme.id, users[0])).await.ok();
    server.clock.advance(jiff::SignedDuration::from_secs(10));
    acme.role(&users[1], Some(Role::Admin)).await;
    let list = async |query: &str| {
        let page = key.get(&format!("/members?direction=asc&{query}")).await.ok();
        let of = |item: &Value| text(&item["user"], "id").to_owned();
        page["data"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let [ann, ben, cleo] = users.clone().try_into().unwrap();
    for order in ["id", "created_at", "joined_at", "usd_total_spent"] {
        assert_eq!(list(&format!("order={order}")).await, users, "{order}");
    }
    assert_eq!(list("order=most_recent_action").await, [&ben, &cleo, &ann].map(String::clone));
    assert_eq!(list("most_recent_actions[]=left").await, vec![ann.clone()]);
    assert_eq!(
        list("most_recent_actions[]=joined&most_recent_actions[]=churned").await,
        [&ben, &cleo].map(String::clone)
    );
    for nobody in [
        "most_recent_actions[]=churned",
        "most_recent_actions[]=left&statuses[]=joined",
        "statuses[]=drafted",
        "access_level=no_access&statuses[]=joined",
        "plan_ids[]=plan_x",
    ] {
        assert_eq!(list(nobody).await, [""; 0], "{nobody}");
    }
    assert_eq!(list("access_level=no_access").await, [ann]);
    assert_eq!(list("access_level=admin").await, vec![ben.clone()]);
    assert_eq!(list("access_level=customer").await, [cleo]);
    // Who left but works for the company has not lost access.
    key.delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    acme.role(&ben, Some(Role::Admin)).await;
    assert_eq!(list("access_level=no_access").await.len(), 1);
    for (query, param) in [
        ("most_recent_actions[]=flew", "most_recent_actions"),
        ("order=luck", "order"),
        ("statuses[]=flew", "statuses"),
        ("access_level=king", "access_level"),
    ] {
        let error = key.get(&format!("/members?{query}")).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], param);
    }
    let left = key.get("/members?most_recent_actions=left").await.ok();
    assert_eq!(left["data"][0]["most_recent_action"], "left");
}
