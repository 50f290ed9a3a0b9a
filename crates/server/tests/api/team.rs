//! A company's team under its two names: roles given, changed and taken, and nobody above themselves.

use hallpass_app::admin::{AdminCommand, PersonAsk};
use hallpass_core::role::{MEMBER, Role};
use hallpass_core::statement::KeyRights;
use hallpass_testkit::{Actor, TestCompany, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::{ids, may, once, statements, text};

/// The roles that API keys can have.
const KEY_ROLES: [Role; 5] =
    [Role::Owner, Role::Admin, Role::Moderator, Role::SalesManager, Role::Advertiser];

fn on_team(company: &TestCompany<'_>, user: &str, role: &str) -> Value {
    json!({ "company_id": company.id, "user_id": user, "role": role })
}

#[tokio::test]
async fn a_team_is_made_changed_and_listed_under_both_names() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    server.clock.advance(SignedDuration::from_secs(1));
    let ann = acme.user("ann").await;
    let made = key.post("/authorized_users", on_team(&acme, &ann, "moderator")).await.ok();
    let id = text(&made, "id").to_owned();
    assert!(id.starts_with("ausr_"), "{id}");
    assert_eq!(made["role"], "moderator");
    assert_eq!(made["company"], json!({ "id": acme.id, "title": "acme" }));
    assert_eq!(made["user"]["id"], json!(ann));
    assert_eq!(made["user"]["email"], json!(format!("ann@{}.test", acme.id.to_string().to_lowercase())));
    assert_eq!(key.get(&format!("/authorized_users/{id}")).await.ok(), made);
    assert_eq!(key.get(&format!("/authorized_users/{ann}")).await.ok(), made);
    // One table: the newer name shows the same.
    let newer = key.get(&format!("/team_members/{id}")).await.ok();
    assert_eq!((&newer["role"], &newer["status"]), (&json!("moderator"), &json!("joined")));
    assert_eq!((&newer["account_id"], &newer["email"]), (&json!(acme.id), &made["user"]["email"]));
    assert_eq!(newer["user"]["profile_picture"]["url"], json!("https://chat.test/assets/person.svg"));
    let changed = key.patch(&format!("/team_members/{id}"), json!({ "role": "admin" })).await.ok();
    assert_eq!((&changed["id"], &changed["role"]), (&json!(id), &json!("admin")));

    server.clock.advance(SignedDuration::from_secs(1));
    let ben = acme.user("ben").await;
    let body = json!({ "account_id": acme.id, "user_id": ben, "role": "advertiser" });
    let second = text(&key.post("/team_members", body).await.ok(), "id").to_owned();
    let list = async |query: &str| ids(&key.get(query).await.ok());
    let owner = list(&format!("/authorized_users?role=owner&company_id={}", acme.id)).await.remove(0);
    let all = [second.clone(), id.clone(), owner.clone()];
    assert_eq!(list("/authorized_users").await, all);
    let of = format!("/team_members?account_id={}", acme.id);
    assert_eq!(list(&of).await, all);
    assert_eq!(list(&format!("{of}&status=joined&order=created_at")).await, all);
    assert_eq!(list(&format!("{of}&direction=asc&first=2")).await, [owner, id.clone()]);
    assert_eq!(list(&format!("{of}&status=pending")).await, [""; 0]);
    assert_eq!(list(&format!("{of}&role=admin")).await, vec![id.clone()]);
    assert_eq!(list(&format!("{of}&user_id={ben}")).await, vec![second.clone()]);
    assert_eq!(list(&format!("{of}&created_after=2030-01-01")).await, [""; 0]);
    key.get(&format!("{of}&role=king")).await.refused(400, "parameter_invalid");
    key.get(&format!("{of}&status=left")).await.refused(400, "parameter_invalid");
    assert_eq!(key.get("/team_members").await.refused(400, "parameter_missing")["param"], "account_id");

    assert_eq!(key.delete(&format!("/authorized_users/{id}")).await.ok(), json!(true));
    key.delete(&format!("/authorized_users/{id}")).await.refused(404, "not_found");
    key.get(&format!("/team_members/{id}")).await.refused(404, "not_found");
    let gone = key.delete(&format!("/team_members/{second}")).await.ok();
    assert_eq!(gone, json!({ "success": true }));
    assert_eq!(list("/authorized_users").await.len(), 1);
}

#[tokio::test]
async fn who_is_on_the_team_stays_once_and_in_one_role() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let made = acme.as_key().post("/authorized_users", on_team(&acme, &ann, "support")).await.ok();
    assert_eq!(acme.as_key().post("/authorized_users", on_team(&acme, &ann, "support")).await.ok(), made);
    let refused = acme.as_key().post("/authorized_users", on_team(&acme, &ann, "moderator")).await;
    assert_eq!(refused.headers["x-should-retry"], "false");
    refused.refused(409, "on_team");
    // Each POST once per key, also when the place was taken away between.
    let body = json!({ "account_id": acme.id, "user_id": acme.user("ben").await, "role": "moderator" });
    let first = once(&server, &acme.key, "/team_members", "k", body.clone()).await.ok();
    assert_eq!(once(&server, &acme.key, "/team_members", "k", body.clone()).await.ok(), first);
    let mut other = body;
    other["role"] = "admin".into();
    once(&server, &acme.key, "/team_members", "k", other).await.refused(409, "idempotency_mismatch");
}

#[tokio::test]
async fn bodies_that_name_nobody_are_told_so() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let ann = acme.user("ann").await;
    for (path, role) in [("/authorized_users", "king"), ("/team_members", "support")] {
        let error = key.post(path, on_team(&acme, &ann, role)).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "role", "{path}");
    }
    let elevated = |elevation: Value, emails: Value| {
        let mut body = on_team(&acme, &ann, "moderator");
        body["elevation"] = elevation;
        body["send_emails"] = emails;
        body
    };
    for (elevation, emails, param) in [
        (json!("x"), json!(true), "elevation"),
        (json!({ "totp_code": 1 }), json!(null), "elevation.totp_code"),
        (json!(null), json!("no"), "send_emails"),
    ] {
        let error = key.post("/authorized_users", elevated(elevation, emails)).await;
        assert_eq!(error.refused(400, "parameter_invalid")["param"], param);
    }
    key.post("/authorized_users", elevated(json!({ "totp_code": "123456" }), json!(true))).await.ok();
}

/// Threat 30: whether an address, or an id, is somebody's is no answer's business.
#[tokio::test]
async fn threat_30_an_address_or_a_stranger_gets_one_answer() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let theirs = rival.user("bob").await;
    let ours = acme.user("ann").await;
    let shown = acme.as_key().get(&format!("/members/{ours}")).await.ok();
    let known = text(&shown["user"], "email");
    for path in ["/authorized_users", "/team_members"] {
        let ask = async |user: &str| {
            let mut error =
                acme.as_key().post(path, on_team(&acme, user, "moderator")).await.body["error"].clone();
            error["request_id"] = Value::Null;
            error
        };
        // Addresses are no ids, known or not.
        assert_eq!(ask(known).await, ask("nobody@nowhere.test").await);
        assert_eq!(ask(known).await["param"], "user_id");
        // Another tenant's user is nobody.
        let absent = ask("user_01KDWPVNG0W1GTXMFFD0000001").await;
        assert_eq!(ask(&theirs).await, absent);
        assert_eq!(absent["type"], "not_found");
    }
    // Nor is a place on another team.
    let place = ids(&rival.as_key().get("/authorized_users").await.ok()).remove(0);
    for path in [format!("/team_members/{place}"), format!("/authorized_users/{place}")] {
        acme.as_key().get(&path).await.refused(404, "not_found");
        acme.as_key().delete(&path).await.refused(404, "not_found");
    }
    acme.as_key()
        .patch(&format!("/team_members/{place}"), json!({ "role": "admin" }))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_parents_key_keeps_its_accounts_teams_and_names_the_company_it_means() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let body = json!({ "company_id": acme.account, "user_id": acme.recruit, "role": "moderator" });
    let made = key.post("/authorized_users", body).await.ok();
    let path = format!("/authorized_users/{}", text(&made, "id"));
    assert_eq!(ids(&key.get(&format!("/team_members?account_id={}", acme.account)).await.ok()).len(), 2);
    key.delete(&format!("{path}?company_id={}", acme.company)).await.refused(404, "not_found");
    key.delete(&format!("{path}?company_id={}&account_id={}", acme.company, acme.account))
        .await
        .refused(400, "parameter_invalid");
    assert_eq!(key.delete(&format!("{path}?account_id={}", acme.account)).await.ok(), json!(true));
}

/// Threat 30, and its other side: what a direct message may be begun by is what is shown, to the same callers.
#[tokio::test]
async fn a_proved_address_is_shown_exactly_where_it_resolves() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let ask = PersonAsk {
        email: "Zoe@Proved.test".to_owned(),
        username: "zoe".to_owned(),
        name: None,
        password: None,
    };
    let made = server.app.admin(AdminCommand::CreatePerson(ask)).await.unwrap();
    let zoe = text(&made, "id").to_owned();
    let key = acme.as_key();
    let resolves = async |who: &Actor<'_>| {
        let body = json!({ "with_user_ids": ["zoe@PROVED.test"] });
        match who.post("/dm_channels", body).await {
            answer if answer.status == 200 => true,
            answer => {
                answer.refused(404, "not_found");
                false
            }
        }
    };
    let found = async |who: &Actor<'_>, query: &str| {
        let page = who.get(&format!("/members?query={query}")).await.ok();
        page["data"].as_array().unwrap().iter().map(|m| m["user"]["email"].clone()).collect::<Vec<_>>()
    };
    let nobody = Vec::<Value>::new();
    assert!(!resolves(&key).await);
    server.app.make_member(acme.id, zoe.parse().unwrap()).await.unwrap();
    assert!(resolves(&key).await && !resolves(&rival.as_key()).await);
    assert_eq!(key.get(&format!("/members/{zoe}")).await.ok()["user"]["email"], "Zoe@Proved.test");
    assert_eq!(found(&key, "zoe%40proved").await, ["Zoe@Proved.test"]);
    assert_eq!(found(&rival.as_key(), "zoe%40proved").await, nobody);
    let on_team = key.post("/authorized_users", on_team(&acme, &zoe, "support")).await.ok();
    assert_eq!(on_team["user"]["email"], "Zoe@Proved.test");
    let newer = format!("/team_members/{}", text(&on_team, "id"));
    assert_eq!(key.get(&newer).await.ok()["email"], "Zoe@Proved.test");
    // Without the right there is nothing of it, either way.
    let blind = ["company:authorized_user:read", "dms:channel:manage", "dms:read"];
    let blind = server.actor(server.key(acme.id, statements(&[(&blind, true, "*")])).await);
    assert_eq!(blind.get(&newer).await.ok()["email"], Value::Null);
    assert!(!resolves(&blind).await);
    key.delete(&newer).await.ok();
    // Who has left has taken it with them.
    key.delete(&format!("/companies/{}/members/{zoe}", acme.id)).await.ok();
    assert!(!resolves(&key).await);
    assert_eq!(found(&key, "zoe").await, [Value::Null]);
    assert_eq!(found(&key, "zoe%40proved").await, nobody);
}

#[tokio::test]
async fn addresses_are_for_those_who_may_read_them() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let blind =
        server.actor(acme.key_with(&server, may(acme.company, &["company:authorized_user:read"])).await);
    blind.get("/authorized_users").await.refused(403, "scope_missing");
    blind.get(&format!("/authorized_users/{}", acme.team_member)).await.refused(403, "scope_missing");
    let newer = blind.get(&format!("/team_members/{}", acme.team_member)).await.ok();
    assert_eq!(newer["email"], json!(null));
    let listed = blind.get(&format!("/team_members?account_id={}", acme.company)).await.ok();
    assert!(!listed.to_string().contains('@'), "{listed:#}");
    let seeing = server.actor(&acme.key).get(&format!("/team_members/{}", acme.team_member)).await.ok();
    assert_eq!(seeing["email"], "acme-colleague@team.test");
}

/// Every role a key can have, and every role there is to give, change and take.
#[tokio::test]
async fn nobody_lifts_or_pulls_down_above_themselves() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let mut allowed = 0;
    for own in KEY_ROLES {
        let key = server.actor(server.key(acme.id, KeyRights::Role(own)).await);
        for (n, target) in Role::ALL.into_iter().enumerate() {
            let what = format!("{} over {}", own.name(), target.name());
            let user = acme.user(&format!("{}-{n}", own.name().replace('_', "-"))).await;
            let within = target.scopes().minus(&MEMBER).is_subset(&own.scopes());
            let manages = matches!(own, Role::Owner | Role::Admin);
            let expected = match (manages, within) {
                (false, _) => (403, Some("scope_missing")),
                (true, false) => (403, Some("role_above_own")),
                (true, true) => (200, None),
            };
            let verdict = |answer: &hallpass_testkit::Answer| {
                (answer.status, answer.body["error"]["code"].as_str().map(str::to_owned))
            };
            let expected = (expected.0, expected.1.map(str::to_owned));
            let made = key.post("/authorized_users", on_team(&acme, &user, target.name())).await;
            assert_eq!(verdict(&made), expected, "{what}: {:#}", made.body);
            // Now they are that, whoever made them so.
            acme.role(&user, Some(target)).await;
            let place =
                ids(&acme.as_key().get(&format!("/authorized_users?user_id={user}")).await.ok()).remove(0);
            let path = format!("/team_members/{place}");
            let lowered = key.patch(&path, json!({ "role": "advertiser" })).await;
            assert_eq!(verdict(&lowered), expected, "{what}, lowering: {:#}", lowered.body);
            acme.role(&user, Some(Role::Custom)).await;
            if target != Role::Custom && target.fits_key() {
                let raised = key.patch(&path, json!({ "role": target.name() })).await;
                assert_eq!(verdict(&raised), expected, "{what}, raising: {:#}", raised.body);
            }
            acme.role(&user, Some(target)).await;
            let removed = key.delete(&path).await;
            assert_eq!(verdict(&removed), expected, "{what}, removing: {:#}", removed.body);
            allowed += usize::from(removed.status == 200);
        }
    }
    // An owner's key over all nine, an admin's over all but owners.
    assert_eq!(allowed, 9 + 8);
}

#[tokio::test]
async fn named_rights_give_no_role_that_has_more() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let all: Vec<&str> = hallpass_core::Scope::all()
        .filter(|scope| !scope.flags().has(hallpass_core::catalogue::NOT_KEY))
        .map(hallpass_core::Scope::name)
        .collect();
    let biz = acme.id.to_string();
    // All that can be named, but for one part of the company: no moderator.
    let (experience, _) = acme.channel("hidden", false).await;
    let part = format!("{biz}|{experience}");
    let rights = statements(&[(&all, true, &biz), (&["chat:moderate"], false, &part)]);
    let key = server.actor(server.key(acme.id, rights).await);
    key.post("/authorized_users", on_team(&acme, &ann, "moderator")).await.refused(403, "role_above_own");
    let made = key.post("/authorized_users", on_team(&acme, &ann, "custom")).await.ok();
    assert_eq!(made["role"], "custom");
    // What can only come with a role is not named: no admins either.
    let key = server.actor(server.key(acme.id, may(acme.id, &all)).await);
    let ben = acme.user("ben").await;
    key.post("/authorized_users", on_team(&acme, &ben, "admin")).await.refused(403, "role_above_own");
    key.post("/authorized_users", on_team(&acme, &ben, "moderator")).await.ok();
    key.patch(&format!("/team_members/{ben}"), json!({ "role": "advertiser" }))
        .await
        .refused(403, "scope_missing");
}

#[tokio::test]
async fn the_owner_stays_and_stays_the_owner() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let path = format!("/team_members/{}", acme.owner);
    for answer in [
        key.delete(&path).await,
        key.delete(&format!("/authorized_users/{}", acme.owner)).await,
        key.patch(&path, json!({ "role": "admin" })).await,
    ] {
        assert_eq!(answer.headers["x-should-retry"], "false");
        answer.refused(409, "last_owner");
    }
    assert_eq!(key.patch(&path, json!({ "role": "owner" })).await.ok()["role"], "owner");
    // Another owner comes and goes.
    let ann = acme.user("ann").await;
    key.post("/authorized_users", on_team(&acme, &ann, "owner")).await.ok();
    key.delete(&format!("/team_members/{ann}")).await.ok();
}

#[tokio::test]
async fn a_user_tokens_team_is_to_be_looked_at() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let owner = server.actor(acme.token_as(&server, Some(Role::Owner)).await);
    owner.get("/authorized_users").await.ok();
    let body = json!({ "company_id": acme.company, "user_id": acme.recruit, "role": "moderator" });
    owner.post("/authorized_users", body.clone()).await.refused(403, "scope_missing");
    owner.post("/team_members", body).await.refused(403, "scope_missing");
    let path = format!("/team_members/{}", acme.team_member);
    owner.patch(&path, json!({ "role": "admin" })).await.refused(403, "scope_missing");
    owner.delete(&path).await.refused(403, "scope_missing");
    // A member's does not even do that.
    let other = tenant(&server, "other").await;
    server.actor(&other.token).get("/authorized_users").await.refused(403, "scope_missing");
}

/// Threat 10: who comes back to a team comes back as somebody new.
#[tokio::test]
async fn threat_10_a_place_on_a_team_is_not_inherited() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let join = |role: &str| json!({ "company_id": acme.company, "user_id": acme.recruit, "role": role });
    let first = key.post("/authorized_users", join("admin")).await.ok();
    let experience = &acme.experience;
    key.patch(&format!("/experiences/{experience}"), json!({ "is_public": false })).await.ok();
    key.put(&format!("/experiences/{experience}/members/{}", acme.recruit)).await.ok();
    let scopes = ["chat:read", "experience:update"];
    let minted = key.mint(acme.company, &acme.recruit, &scopes).await.ok();
    let before = server.actor(text(&minted, "token"));
    before.get(&format!("/experiences/{experience}")).await.ok();
    key.delete(&format!("/authorized_users/{}", text(&first, "id"))).await.ok();
    before.get("/users/me").await.refused(401, "credential_revoked");
    let second = key.post("/authorized_users", join("custom")).await.ok();
    assert_ne!(second["id"], first["id"]);
    key.get(&format!("/authorized_users/{}", text(&first, "id"))).await.refused(404, "not_found");
    // Neither the token, nor the role, nor what they were let into.
    before.get("/users/me").await.refused(401, "credential_revoked");
    let minted = key.mint(acme.company, &acme.recruit, &["chat:read"]).await.ok();
    let after = server.actor(text(&minted, "token"));
    after.get(&format!("/experiences/{experience}")).await.refused(404, "not_found");
    let minted = key.mint(acme.company, &acme.recruit, &["experience:update"]).await.ok();
    let path = format!("/experiences/{experience}");
    let by_role = server.actor(text(&minted, "token")).patch(&path, json!({ "name": "mine" })).await;
    by_role.refused(404, "not_found");
}

#[tokio::test]
async fn a_lowered_role_bites_at_once_over_the_wire() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let body = json!({ "company_id": acme.company, "user_id": acme.user, "role": "moderator" });
    let place = text(&key.post("/authorized_users", body).await.ok(), "id").to_owned();
    let token = server.actor(acme.token_with(&server, &["chat:moderate", "chat:read"]).await);
    let rules = format!("/chat_channels/{}", acme.channel);
    token.patch(&rules, json!({ "ban_urls": true })).await.ok();
    key.patch(&format!("/team_members/{place}"), json!({ "role": "advertiser" })).await.ok();
    token.patch(&rules, json!({ "ban_urls": false })).await.refused(403, "scope_missing");
    key.patch(&format!("/team_members/{place}"), json!({ "role": "moderator" })).await.ok();
    token.patch(&rules, json!({ "ban_urls": false })).await.ok();
    key.delete(&format!("/team_members/{place}")).await.ok();
    token.patch(&rules, json!({ "ban_urls": true })).await.refused(403, "scope_missing");
    // They are a member still.
    token.get(&rules).await.ok();
}

#[tokio::test]
async fn a_deactivated_user_is_put_on_no_team() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    acme.as_key()
        .post("/authorized_users", on_team(&acme, &ann, "moderator"))
        .await
        .refused(404, "not_found");
}
