//! API keys: by role and by permissions, never wider than their maker, shown once.

use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_testkit::{TestCompany, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::given::{enrolment, ids, may, statements, text};

/// Makes a key over the API; the answer.
async fn make(
    acme: &TestCompany<'_>,
    by: &str,
    server: &TestServer,
    body: Value,
) -> hallpass_testkit::Answer {
    server.actor(by).post(&format!("/companies/{}/api_keys", acme.id), body).await
}

async fn child(acme: &TestCompany<'_>) -> String {
    let made = acme.as_key().post("/companies", enrolment(acme.id, "child@acme.test", "child")).await.ok();
    text(&made, "id").to_owned()
}

#[tokio::test]
async fn a_parent_makes_a_key_for_its_connected_account_and_sees_the_secret_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let account = child(&acme).await;
    let body = json!({ "child_company_id": account, "name": "Ann's key", "role": "admin" });
    let made = make(&acme, &acme.key, &server, body).await.ok();
    assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name", "secret_key"]);
    assert!(text(&made, "id").starts_with("apik_"));
    assert_eq!(made["name"], "Ann's key");
    let secret = text(&made, "secret_key");
    assert!(secret.starts_with("hpk_") && secret.len() == 53);
    let key = server.actor(secret);
    key.get(&format!("/companies/{account}")).await.ok();
    // It is the account's: neither the parent nor a sibling is in its reach.
    key.get(&format!("/companies/{}", acme.id)).await.refused(404, "not_found");
    let sibling = acme.as_key().post("/companies", enrolment(acme.id, "s@acme.test", "s")).await.ok();
    key.get(&format!("/companies/{}", text(&sibling, "id"))).await.refused(404, "not_found");

    // Stored is a hash and a hint.
    let kept = server.app.list_company_keys(account.parse().unwrap()).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(!format!("{kept:?}").contains(&secret[8..45]));
    let hint = &kept[0].hint;
    assert!(hint.len() < 16 && secret.ends_with(&hint[hint.len() - 4..]), "{hint}");
    assert_eq!(kept[0].rights, KeyRights::Role(Role::Admin));
    assert_eq!(kept[0].last_used_at, None);
}

#[tokio::test]
async fn each_key_role_holds_what_its_table_says() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let account = child(&acme).await;
    let company = format!("/companies/{account}");
    // Read the company, change it, manage keys of it.
    for (role, reads, writes, keys) in [
        ("owner", 200, 200, 200),
        ("admin", 200, 200, 200),
        ("moderator", 200, 403, 403),
        ("sales_manager", 200, 403, 403),
        ("advertiser", 200, 403, 403),
    ] {
        let made =
            make(&acme, &acme.key, &server, json!({ "child_company_id": account, "role": role })).await.ok();
        let key = server.actor(text(&made, "secret_key"));
        assert_eq!(key.get(&company).await.status, reads, "{role}");
        assert_eq!(key.patch(&company, json!({})).await.status, writes, "{role}");
        let body = json!({ "child_company_id": account, "role": "moderator" });
        assert_eq!(key.post(&format!("{company}/api_keys"), body).await.status, keys, "{role}");
    }
    for bad in ["support", "manager", "custom", "app_manager", "god", "", "Owner"] {
        let body = json!({ "child_company_id": account, "role": bad });
        assert_eq!(
            make(&acme, &acme.key, &server, body).await.refused(400, "parameter_invalid")["param"],
            "role"
        );
    }
}

#[tokio::test]
async fn statements_grant_and_deny() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (open, _) = acme.channel("open", true).await;
    let (shut, _) = acme.channel("shut", true).await;
    let permissions = json!([
        { "actions": ["chat:read", "chat:message:create"], "grant": true, "resources": [acme.id] },
        { "actions": ["chat:read"], "grant": false, "resources": [format!("{}|{shut}", acme.id)] },
        { "actions": ["experience:update"], "grant": true, "resources": [format!("{}|{open}", acme.id)] },
    ]);
    let body = json!({ "child_company_id": acme.id, "permissions": permissions });
    let made = make(&acme, &acme.key, &server, body).await.ok();
    assert_eq!(made["name"], json!(null));
    let key = server.actor(text(&made, "secret_key"));
    key.get(&format!("/messages?channel_id={open}")).await.ok();
    key.get(&format!("/messages?channel_id={shut}")).await.refused(403, "scope_missing");
    key.say(&shut, "blind").await.ok();
    key.patch(&format!("/experiences/{open}"), json!({ "name": "o" })).await.ok();
    key.patch(&format!("/experiences/{shut}"), json!({ "name": "s" })).await.refused(403, "scope_missing");
    key.patch(&format!("/companies/{}", acme.id), json!({})).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn a_key_is_never_wider_than_its_maker() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let admin = server.key(acme.id, KeyRights::Role(Role::Admin)).await;
    let ask = |rights: Value| {
        let mut body = json!({ "child_company_id": acme.id });
        body.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
        body
    };
    let grant = |action: &str| json!({ "permissions": [{ "actions": [action], "grant": true, "resources": [acme.id] }] });
    make(&acme, &admin, &server, ask(json!({ "role": "admin" }))).await.ok();
    let error =
        make(&acme, &admin, &server, ask(json!({ "role": "owner" }))).await.refused(403, "scope_exceeds_key");
    assert!(text(&error, "message").contains("company:delete"), "{error}");
    make(&acme, &admin, &server, ask(grant("company:delete"))).await.refused(403, "scope_exceeds_key");
    make(&acme, &acme.key, &server, ask(grant("company:delete"))).await.ok();
    // What no statement may name, also not by the owner.
    for never in ["developer:manage_api_key", "authorized_user:update"] {
        let error = make(&acme, &acme.key, &server, ask(grant(never))).await.refused(403, "not_grantable");
        assert!(text(&error, "message").contains(never));
    }
    // Denying it is fine.
    let deny = json!({ "permissions": [
        { "actions": ["chat:read"], "grant": true, "resources": [acme.id] },
        { "actions": ["developer:manage_api_key"], "grant": false, "resources": ["*"] },
    ] });
    make(&acme, &acme.key, &server, ask(deny)).await.ok();
    // Keys that do not manage keys make none, users' tokens neither.
    let moderator = server.key(acme.id, KeyRights::Role(Role::Moderator)).await;
    make(&acme, &moderator, &server, ask(json!({ "role": "moderator" }))).await.refused(403, "scope_missing");
    let (ann, _) = acme.member("ann").await;
    acme.role(&ann, Some(Role::Owner)).await;
    let token = acme.token_with(&ann, &["developer:manage_api_key"]).await;
    make(&acme, &token, &server, ask(json!({ "role": "moderator" }))).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn resources_lie_in_the_company_the_key_is_for() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let rival = server.company("rival").await;
    let account = child(&acme).await;
    let ask = |resource: &str| {
        json!({ "child_company_id": account, "permissions":
        [{ "actions": ["chat:read"], "grant": true, "resources": [resource] }] })
    };
    for foreign in [rival.id.to_string(), acme.id.to_string(), format!("{}|exp_*", rival.id)] {
        let error = make(&acme, &acme.key, &server, ask(&foreign)).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "permissions", "{foreign}");
    }
    for malformed in ["", "|", "biz x", "a|b|c|d", "biz_x\u{e9}", &"x".repeat(201)] {
        make(&acme, &acme.key, &server, ask(malformed)).await.refused(400, "parameter_invalid");
    }
    // A star covers what the key reaches, which is no more than its company.
    let made = make(&acme, &acme.key, &server, ask("*")).await.ok();
    let key = server.actor(text(&made, "secret_key"));
    key.get(&format!("/chat_channels?company_id={account}")).await.ok();
    for other in [acme.id, rival.id] {
        key.get(&format!("/chat_channels?company_id={other}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_denial_that_could_not_be_honoured_makes_no_key() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (open, _) = acme.channel("open", true).await;
    let app = server.app.builtin_app();
    let ask = |resource: &str| {
        json!({ "child_company_id": acme.id, "permissions": [
            { "actions": ["chat:read"], "grant": true, "resources": [acme.id] },
            { "actions": ["chat:read"], "grant": false, "resources": [resource] },
        ] })
    };
    for inner in [
        app.to_string(),
        format!("{app}|{open}"),
        format!("prod_01KDWPVNG0W1GTXMFFD0000001|{open}"),
        format!("*|{open}"),
        "pass_*".to_owned(),
        open.to_lowercase(),
    ] {
        let resource = format!("{}|{inner}", acme.id);
        let error = make(&acme, &acme.key, &server, ask(&resource)).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "permissions", "{resource}");
    }
    for resource in [open.clone(), acme.id.to_string().to_lowercase()] {
        make(&acme, &acme.key, &server, ask(&resource)).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn channel_lists_leave_out_what_the_key_is_denied() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (secret, _) = acme.channel("secret", true).await;
    let (muted, muted_feed) = acme.channel("muted", true).await;
    server.clock.advance(SignedDuration::from_secs(1));
    let (open, open_feed) = acme.channel("open", true).await;
    for experience in [&muted, &open] {
        acme.as_key()
            .patch(&format!("/chat_channels/{experience}"), json!({ "banned_words": ["x"] }))
            .await
            .ok();
    }
    let (company, part) = (acme.id.to_string(), |id: &str| format!("{}|{id}", acme.id));
    let rights = |denials: &[(&[&str], bool, &str)]| {
        let grant: (&[&str], bool, &str) = (&["chat:read", "chat:moderate"], true, &company);
        statements(&[&[grant], denials].concat())
    };
    let (secret, muted) = (part(&secret), part(&muted));
    let denials: [(&[&str], bool, &str); 2] =
        [(&["chat:read"], false, &secret), (&["chat:moderate"], false, &muted)];
    let key = server.key(acme.id, rights(&denials)).await;
    let key = server.actor(key);
    let (ann, _) = acme.member("ann").await;
    acme.role(&ann, Some(Role::Moderator)).await;
    let minted = key.mint(acme.id, &ann, &["chat:read", "chat:moderate"]).await.ok();
    let token = server.actor(text(&minted, "token"));
    for caller in [&key, &token] {
        let listed = caller.get(&format!("/chat_channels?company_id={}", acme.id)).await.ok();
        assert_eq!(ids(&listed), [open_feed.as_str(), muted_feed.as_str()]);
        assert_eq!(listed["data"][0]["banned_words"], json!(["x"]));
        assert_eq!(listed["data"][1]["banned_words"], json!([]));
        // Pages are full, and end where there is no more.
        let page = caller.get(&format!("/chat_channels?company_id={}&first=2", acme.id)).await.ok();
        assert_eq!((ids(&page).len(), &page["page_info"]["has_next_page"]), (2, &json!(false)));
    }
    let blind = server.key(acme.id, rights(&[(&["chat:read"], false, &part("*"))])).await;
    server
        .actor(blind)
        .get(&format!("/chat_channels?company_id={}", acme.id))
        .await
        .refused(403, "scope_missing");
}

#[tokio::test]
async fn a_key_makes_none_without_its_own_denials() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (shut, _) = acme.channel("shut", true).await;
    let part = format!("{}|{shut}", acme.id);
    let rights = statements(&[
        (&["chat:read", "chat:moderate", "developer:manage_api_key"], true, &acme.id.to_string()),
        (&["chat:read"], false, &part),
    ]);
    let denied = server.key(acme.id, rights).await;
    let ask = |action: &str| {
        json!({ "child_company_id": acme.id, "permissions":
            [{ "actions": [action], "grant": true, "resources": [acme.id] }] })
    };
    make(&acme, &denied, &server, ask("chat:moderate")).await.ok();
    make(&acme, &denied, &server, ask("chat:read")).await.refused(403, "scope_exceeds_key");
}

#[tokio::test]
async fn what_is_wrong_with_a_new_key_is_named() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let rival = server.company("rival").await;
    let account = child(&acme).await;
    let good = json!({ "actions": ["chat:read"], "grant": true, "resources": [account] });
    let many = |n: usize| std::iter::repeat_n(good.clone(), n).collect::<Vec<_>>();
    for (body, status) in [
        (json!({ "role": "admin" }), 400),
        (json!({ "child_company_id": account }), 400),
        (json!({ "child_company_id": account, "role": "admin", "permissions": [good] }), 400),
        (json!({ "child_company_id": account, "permissions": [] }), 400),
        (json!({ "child_company_id": account, "permissions": many(101) }), 400),
        (
            json!({ "child_company_id": account, "permissions": [{ "actions": ["nonsense"], "grant": true, "resources": [account] }] }),
            400,
        ),
        (
            json!({ "child_company_id": account, "permissions": [{ "actions": ["chat:read"], "grant": true, "resources": [] }] }),
            400,
        ),
        (
            json!({ "child_company_id": account, "permissions": [{ "actions": ["chat:read"], "resources": [account] }] }),
            400,
        ),
        (
            json!({ "child_company_id": account, "permissions": [{ "actions": ["chat:read"], "grant": "yes", "resources": [account] }] }),
            400,
        ),
        (json!({ "child_company_id": account, "role": "admin", "name": "" }), 422),
        (json!({ "child_company_id": account, "role": "admin", "name": "x".repeat(101) }), 422),
        (json!({ "child_company_id": rival.id, "role": "admin" }), 404),
        (json!({ "child_company_id": "biz_01KDWPVNG0W1GTXMFFD0000001", "role": "admin" }), 404),
        (json!({ "child_company_id": account, "child_account_id": acme.id, "role": "admin" }), 400),
    ] {
        let answer = make(&acme, &acme.key, &server, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {:#}", answer.body);
    }
    assert!(server.app.list_company_keys(account.parse().unwrap()).await.unwrap().is_empty());
    make(&acme, &acme.key, &server, json!({ "child_company_id": account, "permissions": many(100) }))
        .await
        .ok();
}

#[tokio::test]
async fn an_expired_key_is_dead_and_makes_room() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let expiring = |at| hallpass_app::api_keys::CreateApiKey {
        company: acme.id,
        app: None,
        name: None,
        rights: KeyRights::Role(Role::Admin),
        expires_at: Some(at),
    };
    let now = server.app.clock().now();
    assert!(server.app.make_api_key(expiring(now), None).await.is_err());
    for _ in 0..99 {
        server.app.make_api_key(expiring(now + SignedDuration::from_mins(5)), None).await.unwrap();
    }
    let last = server.app.make_api_key(expiring(now + SignedDuration::from_mins(5)), None).await;
    assert!(matches!(last, Err(hallpass_app::AppError::Conflict { code: "too_many_keys", .. })));
    server.clock.advance(SignedDuration::from_mins(5));
    server.key(acme.id, may(acme.id, &["chat:read"])).await;
}

#[tokio::test]
async fn revoking_a_key_kills_what_it_minted_and_nothing_else() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let body = json!({ "child_company_id": acme.id, "role": "admin" });
    let doomed = make(&acme, &acme.key, &server, body).await.ok();
    let key = server.actor(text(&doomed, "secret_key"));
    let minted = key.mint(acme.id, &ann, &[]).await.ok();
    let other = acme.token(&ann).await;
    let revoke = json!({ "api_key_id": doomed["id"] });
    acme.as_key().post("/access_tokens/revoke", revoke.clone()).await.ok();
    acme.as_key().post("/access_tokens/revoke", revoke).await.ok();
    key.get("/users").await.refused(401, "credential_revoked");
    server.actor(text(&minted, "token")).get("/users/me").await.refused(401, "credential_revoked");
    server.actor(other).get("/users/me").await.ok();
    // A key may end itself.
    let body = json!({ "child_company_id": acme.id, "role": "admin" });
    let own = make(&acme, &acme.key, &server, body).await.ok();
    let key = server.actor(text(&own, "secret_key"));
    key.post("/access_tokens/revoke", json!({ "api_key_id": own["id"] })).await.ok();
    key.get("/users").await.refused(401, "credential_revoked");
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let used = async || {
        server.app.do_chores().await.unwrap();
        server.app.list_company_keys(acme.id).await.unwrap()[0].last_used_at
    };
    assert_eq!(used().await, None);
    acme.as_key().get("/users").await.ok();
    let first = server.app.clock().now();
    assert_eq!(used().await, Some(first));
    // A refused attempt with a lesser right is a use, too; another's is not.
    server.clock.advance(SignedDuration::from_mins(10));
    server.company("rival").await.as_key().get("/users").await.ok();
    assert_eq!(used().await, Some(first));
    acme.as_key().get("/companies/biz_01KDWPVNG0W1GTXMFFD0000001").await.refused(404, "not_found");
    assert_eq!(used().await, Some(first + SignedDuration::from_mins(10)));
}

#[tokio::test]
async fn a_dev_key_is_refused_by_a_server_that_is_not_dev() {
    let server = TestServer::start().await;
    let secret = hallpass_token::KeySecret::generate(hallpass_token::KeyRealm::Dev, server.app.entropy());
    server.actor(secret.expose()).get("/users").await.refused(401, "credential_invalid");
}
