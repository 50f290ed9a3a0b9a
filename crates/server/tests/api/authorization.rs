//! The sweep: every route × every kind of credential that must not get in, and every role.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hallpass_core::role::Role;
use hallpass_testkit::{Answer, Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::{Case, all_cases, tenant};
use super::given::may;

fn verdict(answer: &Answer) -> String {
    match answer.body["error"]["code"].as_str() {
        Some(code) => format!("{} {code}", answer.status),
        None => answer.status.to_string(),
    }
}

#[tokio::test]
async fn without_a_live_credential_no_operation_says_anything() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let elsewhere =
        TestServer::with(Setup { public_url: "https://elsewhere.test".into(), seed: 99, ..Setup::default() })
            .await;
    let theirs = tenant(&elsewhere, "acme").await;
    let key_of = async |lives: i64| {
        let ask = hallpass_app::api_keys::CreateApiKey {
            company: acme.company,
            app: None,
            name: None,
            rights: hallpass_core::statement::KeyRights::Role(Role::Owner),
            expires_at: Some(server.app.clock().now() + SignedDuration::from_mins(lives)),
        };
        server.app.make_api_key(ask, None).await.unwrap()
    };
    let (expiring, revoked) = (key_of(1).await, key_of(600).await);
    server.app.end_api_key(revoked.key.id).await.unwrap();
    let soon =
        json!({ "company_id": acme.company, "user_id": acme.user, "expires_at": "2026-01-01T12:01:00Z" });
    let expiring_token = server.actor(&acme.key).post("/access_tokens", soon).await.ok();
    let revoked_token = acme.token_as(&server, None).await;
    let body = json!({ "token": revoked_token });
    server.actor(&acme.key).post("/access_tokens/revoke", body).await.ok();
    server.clock.advance(SignedDuration::from_mins(1));

    let mut altered = acme.token.clone();
    altered.pop();
    let credentials = [
        ("none", String::new(), "credential_missing"),
        ("garbage", "garbage".to_owned(), "credential_invalid"),
        ("cut token", altered, "credential_invalid"),
        ("cut key", acme.key[..acme.key.len() - 1].to_owned(), "credential_invalid"),
        ("token of another server", theirs.token.clone(), "credential_invalid"),
        (
            "key of another server",
            elsewhere.key(theirs.company, may(theirs.company, &["chat:read"])).await,
            "credential_invalid",
        ),
        ("expired key", expiring.secret.expose().to_owned(), "credential_expired"),
        ("expired token", expiring_token["token"].as_str().unwrap().to_owned(), "credential_expired"),
        ("revoked key", revoked.secret.expose().to_owned(), "credential_revoked"),
        ("revoked token", revoked_token, "credential_revoked"),
    ];
    for case in all_cases(&acme) {
        for (what, bearer, code) in &credentials {
            let answer = case.send(&server, bearer).await;
            assert_eq!(verdict(&answer), format!("401 {code}"), "{what} at {}", case.name);
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer "), "{challenge}");
        }
    }
}

/// The golden table: what those get who have a live credential, but not for this.
#[tokio::test]
async fn a_live_credential_opens_only_what_it_is_for() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let rival_owner = rival.token_as(&server, Some(Role::Owner)).await;
    let scopeless_key = acme.key_with(&server, may(acme.company, &["stats:read"])).await;
    let scopeless_token = acme.token_with(&server, &["openid"]).await;
    let columns = [
        ("another company's key", rival.key.clone()),
        ("another company's owner", rival_owner),
        ("a user without scopes", scopeless_token),
        ("a key without scopes", scopeless_key),
    ];
    let mut table = String::new();
    let mut swept = BTreeSet::new();
    for case in all_cases(&acme) {
        swept.insert(case.operation().to_owned());
        // What these may do to the tenant is not to spoil it for the ones after them.
        if case.name == "access_tokens.revoke/token" {
            continue;
        }
        writeln!(table, "{}", case.name).unwrap();
        for (who, bearer) in &columns {
            let answer = case.send(&server, bearer).await;
            assert!(answer.status < 500, "{who} at {}: {:#}", case.name, answer.body);
            writeln!(table, "    {who}: {}", verdict(&answer)).unwrap();
        }
    }
    let routes: BTreeSet<String> =
        hallpass_http::routes_of_api().into_iter().map(|(_, _, name)| name).collect();
    assert_eq!(swept, routes);
    insta::assert_snapshot!("live_credentials", table);
    // The positive control: the same requests by the company's own key succeed.
    for case in all_cases(&acme) {
        let answer = case.send(&server, &acme.key).await;
        let success =
            if matches!(case.name.as_str(), "accounts.create" | "files.create") { 201 } else { 200 };
        assert_eq!(answer.status, success, "{}: {:#}", case.name, answer.body);
    }
}

/// Threat 19 for what is built: a right reaches nothing that its role does not name.
#[tokio::test]
async fn threat_19_each_role_opens_what_the_golden_table_says() {
    let roles = [
        ("member", None),
        ("support", Some(Role::Support)),
        ("moderator", Some(Role::Moderator)),
        ("manager", Some(Role::Manager)),
        ("admin", Some(Role::Admin)),
        ("owner", Some(Role::Owner)),
    ];
    let mut rows: Vec<(String, Vec<bool>)> = Vec::new();
    for (name, role) in roles {
        let server = TestServer::start().await;
        let acme = tenant(&server, "acme").await;
        let token = acme.token_as(&server, role).await;
        for (n, case) in all_cases(&acme).into_iter().enumerate() {
            // Un-enrolling or revoking oneself is last, and ends the walk.
            let answer = case.send(&server, &token).await;
            assert!(answer.status < 500, "{name} at {}: {:#}", case.name, answer.body);
            if rows.len() == n {
                rows.push((case.name.clone(), Vec::new()));
            }
            rows[n].1.push(answer.status < 300);
            if case.name == "access_tokens.revoke/token" {
                break;
            }
        }
    }
    let ranks = [0, 2, 4, 5];
    let mut table = String::new();
    for (name, allowed) in &rows {
        let who: Vec<&str> =
            roles.iter().zip(allowed).filter(|(_, yes)| **yes).map(|((role, _), _)| *role).collect();
        writeln!(table, "{name}: {}", who.join(" ")).unwrap();
        let ordered: Vec<bool> = ranks.iter().map(|rank| allowed[*rank]).collect();
        assert!(ordered.is_sorted(), "{name}: a higher role may do less: {who:?}");
    }
    insta::assert_snapshot!("roles", table);
}

/// Every id that any path, query or body takes, as the OpenAPI document lists them.
/// What the reference says of permissions is what is decided.
#[tokio::test]
async fn an_operation_needs_the_permissions_that_the_reference_names() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let document = server.actor("").get("/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap().values();
    let operations: BTreeMap<&str, &Value> = paths
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| (operation["operationId"].as_str().unwrap(), operation))
        .collect();
    let mut keys: BTreeMap<Vec<&str>, String> = BTreeMap::new();
    let (mut needing, mut free) = (0, 0);
    for case in all_cases(&acme) {
        let named = operations[case.operation()]["x-permissions"].as_array().unwrap();
        // Of the families of scopes, that of the channel's kind.
        let family = match case.name.split('/').nth(1) {
            Some("dm") => "dms:",
            Some("support") => "support_chat:",
            _ => "",
        };
        let of_family = |set: &&Value| {
            set.as_array().unwrap().iter().all(|name| name.as_str().unwrap().starts_with(family))
        };
        let Some(named) = named.iter().find(of_family).or(named.first()) else {
            free += 1;
            continue;
        };
        let all: Vec<&str> = named.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let without = all.iter().map(|out| all.iter().copied().filter(|name| name != out).collect());
        for held in without.chain([all.clone()]) {
            // A key that holds nothing at all reaches nothing at all.
            let held = if held.is_empty() { vec!["stats:read"] } else { held };
            if !keys.contains_key(&held) {
                let key = server.key(acme.company, may(acme.company, &held)).await;
                keys.insert(held.clone(), key);
            }
            let answer = case.send(&server, &keys[&held]).await;
            let lacks = answer.body["error"]["code"] == "scope_missing";
            assert_eq!(lacks, held != all, "{} with {held:?}: {}", case.name, answer.body);
        }
        needing += 1;
    }
    assert!(needing > 25 && free > 3, "{needing} {free}");
}

fn id_inputs() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&hallpass_http::openapi_json()).unwrap();
    // An option is its poll's, not a tenant's.
    let is_id = |name: &str| {
        name != "poll_option_id"
            && (name == "id"
                || name.ends_with("_id")
                || name.ends_with("_ids[]")
                || name == "token"
                || name == "jti")
    };
    let mut inputs = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let Some(name) = operation["operationId"].as_str() else { continue };
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let parameter_name = parameter["name"].as_str().unwrap();
                if !is_id(parameter_name) {
                    continue;
                }
                let place = parameter["in"].as_str().unwrap();
                let label = if place == "path" {
                    let segments = path.trim_start_matches("/api/v1/").split('/');
                    let at = segments.clone().position(|s| s == format!("{{{parameter_name}}}")).unwrap();
                    format!("path {at}")
                } else {
                    format!("query {parameter_name}")
                };
                inputs.insert((name.to_owned(), label));
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(schema) = schema.as_str() else { continue };
            let schema = &document["components"]["schemas"][schema.rsplit('/').next().unwrap()];
            for field in schema["properties"].as_object().unwrap().keys().filter(|field| is_id(field)) {
                inputs.insert((name.to_owned(), format!("body {field}")));
            }
        }
    }
    inputs
}

/// What a tenant sees of itself.
async fn portrait(server: &TestServer, t: &super::cases::Tenant) -> Vec<Value> {
    let key = server.actor(&t.key);
    let mut seen = Vec::new();
    for path in [
        format!("/companies/{}", t.company),
        format!("/companies/{}", t.account),
        format!("/companies?parent_company_id={}", t.company),
        format!("/users/{}", t.user),
        format!("/members?company_id={}", t.company),
        format!("/authorized_users?company_id={}", t.company),
        format!("/apps/{}", t.own_app),
        format!("/apps?company_id={}", t.company),
        format!("/experiences/{}", t.experience),
        format!("/experiences?company_id={}", t.company),
        format!("/chat_channels/{}", t.channel),
        format!("/messages?channel_id={}", t.channel),
        format!("/dm_channels/{}", t.dm),
        format!("/dm_channels?company_id={}", t.company),
        format!("/dm_members?channel_id={}", t.dm),
        format!("/messages?channel_id={}", t.dm),
        format!("/support_channels/{}", t.support),
        format!("/support_channels?company_id={}", t.company),
        format!("/messages?channel_id={}", t.support),
    ] {
        seen.push(key.get(&path).await.ok());
    }
    // Their token lives, their key mints.
    seen.push(server.actor(&t.token).get("/users/me").await.ok());
    key.mint(t.company, &t.user, &[]).await.ok();
    seen
}

/// Threat 20: with one's own credential and one foreign id anywhere, nothing is seen and nothing happens.
#[tokio::test]
async fn threat_20_no_input_takes_another_tenants_id() {
    let server = TestServer::start().await;
    let (acme, mut rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let owner = acme.token_as(&server, Some(Role::Owner)).await;
    // An app that belongs to the rival, for `app_id`; ours keeps the built-in one.
    let foreign_app = "app_01KDWPVNG0W1GTXMFFD0000001".parse().unwrap();
    let ask = (foreign_app, rival.company, server.app.clock().now());
    server
        .app
        .store()
        .write(ask, |(app, company, at), tx| Box::pin(tx.insert_app(*app, Some(*company), "Rival app", *at)))
        .await
        .unwrap();
    rival.app = foreign_app.to_string();

    let before = portrait(&server, &rival).await;
    let mut covered = BTreeSet::new();
    for (own, foreign) in all_cases(&acme).into_iter().zip(all_cases(&rival)) {
        for (input, mixed) in own.with_one_of(&foreign) {
            covered.insert((own.operation().to_owned(), input.clone()));
            for bearer in [&acme.key, &owner] {
                let answer = mixed.send(&server, bearer).await;
                assert_walled(&own, &input, &answer);
            }
        }
    }
    let uncovered: Vec<_> = id_inputs().difference(&covered).cloned().collect();
    assert!(uncovered.is_empty(), "inputs without a foreign id in the matrix: {uncovered:?}");
    assert_eq!(portrait(&server, &rival).await, before);
}

#[track_caller]
fn assert_walled(own: &Case, input: &str, answer: &Answer) {
    let name = &own.name;
    let said = answer.body.to_string();
    // What was sent comes back: an account shows its owner's address.
    let echoes = (own.operation(), input) == ("accounts.create", "body email");
    assert!(echoes || !said.contains("rival"), "{name}, {input}: {said}");
    match (answer.status, own.operation(), input) {
        // Filters that match nothing of ours.
        (
            200,
            "members.list"
            | "experiences.list"
            | "chat_channels.list"
            | "authorized_users.list"
            | "team_members.list",
            _,
        ) => {
            assert_eq!(answer.body["data"], json!([]), "{name}, {input}");
        }
        // A jti does not say whose it is; the entry speaks for our own company only.
        (200, "access_tokens.revoke", "body jti") => assert_eq!(answer.body, json!({ "revoked": true })),
        // Neither an address nor a product's id is a tenant's: the same one here is another one.
        (200, "users.check_access", "path 3") => assert_eq!(name, "users.check_access/prod"),
        (200 | 201, "companies.create" | "accounts.create", "body email")
        | (200, "experiences.attach" | "experiences.detach", "body product_id")
        | (400 | 403 | 404 | 422, ..) => {}
        _ => panic!("{name}, {input}: {} {said}", answer.status),
    }
}

#[tokio::test]
async fn threat_20_absent_and_foreign_things_look_the_same() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let elsewhere = TestServer::with(Setup { seed: 99, ..Setup::default() }).await;
    let mut nowhere = tenant(&elsewhere, "nowhere").await;
    nowhere.app = rival.app.clone();
    let scopeless = acme.token_with(&server, &["openid"]).await;
    let member = acme.token_as(&server, None).await;
    let narrow_key = acme.key_with(&server, may(acme.company, &["stats:read"])).await;
    for ((foreign, absent), own) in
        all_cases(&rival).into_iter().zip(all_cases(&nowhere)).zip(all_cases(&acme))
    {
        let (foreign, absent) = (own.with_one_of(&foreign), own.with_one_of(&absent));
        assert_eq!(foreign.len(), absent.len(), "{}", own.name);
        for ((input, foreign), (_, absent)) in foreign.into_iter().zip(absent) {
            // An address is nobody's.
            if matches!(input.as_str(), "body email" | "body token") {
                continue;
            }
            for bearer in [&acme.key, &member, &scopeless, &narrow_key] {
                let (a, b) = (foreign.send(&server, bearer).await, absent.send(&server, bearer).await);
                let message = |answer: &Answer| answer.body["error"]["message"].clone();
                assert_eq!((verdict(&a), message(&a)), (verdict(&b), message(&b)), "{}, {input}", own.name);
            }
        }
    }
}
