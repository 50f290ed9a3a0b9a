//! Apps: made with two credentials shown once, changed, and never shown to strangers.

use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_testkit::{Actor, TestServer};
use hallpass_token::{KeySecret, SecretHash};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::{ids, may, once, text};

/// As the guide makes one.
fn guides() -> Value {
    json!({ "name": "My App", "redirect_uris": ["http://localhost:3000/api/auth/callback/whop",
                                                "https://myapp.com/api/auth/callback/whop"] })
}

async fn made(key: &Actor<'_>, name: &str) -> String {
    text(&key.post("/apps", json!({ "name": name })).await.ok(), "id").to_owned()
}

#[tokio::test]
async fn the_guides_two_fields_make_an_app_and_its_credentials_are_shown_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let app = key.post("/apps", guides()).await.ok();
    let id = text(&app, "id").to_owned();
    assert_eq!(app["company"], json!({ "id": acme.id, "title": "acme" }));
    assert_eq!(app["creator"]["id"], json!(acme.owner));
    assert_eq!(app["redirect_uris"], guides()["redirect_uris"]);
    assert_eq!(
        (&app["status"], &app["app_type"], &app["verified"]),
        (&json!("unlisted"), &json!("b2b_app"), &json!(false))
    );
    let secret = text(&app, "client_secret").to_owned();
    let token = text(&app["api_key"], "token").to_owned();
    assert!(secret.starts_with("hpc_") && KeySecret::parse(&secret).is_ok(), "{secret}");
    assert!(token.starts_with("hpa_") && KeySecret::parse(&token).is_ok(), "{token}");

    // At rest only their hashes.
    let mut conn = server.app.store().read().await.unwrap();
    let kept = conn.find_client_secret_hash(id.parse().unwrap()).await.unwrap();
    assert_eq!(kept, Some(SecretHash::of(&secret).0));
    drop(conn);
    let shown = key.get(&format!("/apps/{id}")).await.ok();
    assert_eq!(shown["api_key"], json!(null));
    assert!(shown.get("client_secret").is_none());
    let listed = key.get("/apps").await.ok();
    assert_eq!(ids(&listed), [id]);
    for answer in [&shown, &listed] {
        assert!(!answer.to_string().contains(&secret) && !answer.to_string().contains(&token));
    }
    // One is a bearer credential, the other is none.
    server.actor(token).get(&format!("/companies/{}", acme.id)).await.ok();
    server.actor(secret).get("/apps").await.refused(401, "credential_invalid");
}

#[tokio::test]
async fn an_answer_with_secrets_is_given_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    once(&server, &acme.key, "/apps", "k", guides()).await.ok();
    let again = once(&server, &acme.key, "/apps", "k", guides()).await;
    assert_eq!(again.headers["x-should-retry"], "false");
    again.refused(409, "idempotency_secret");
    assert_eq!(ids(&acme.as_key().get("/apps").await.ok()).len(), 1);
}

/// The app's key: in the app's own company, what its maker may, and nothing where the app is installed.
#[tokio::test]
async fn an_apps_first_key_is_no_wider_than_its_maker() {
    let server = TestServer::start().await;
    let (acme, other) = (server.company("acme").await, server.company("other").await);
    let developer = ["developer:create_app", "developer:update_app", "chat:read"];
    // What can only come with a role is not named: this one cannot make apps at all.
    let narrow = server.actor(server.key(acme.id, may(acme.id, &developer)).await);
    narrow.post("/apps", guides()).await.refused(403, "scope_missing");
    let admin = server.actor(server.key(acme.id, KeyRights::Role(Role::Admin)).await);
    let app = admin.post("/apps", guides()).await.ok();
    let by_app = server.actor(text(&app["api_key"], "token"));
    by_app.get(&format!("/companies/{}", acme.id)).await.ok();
    let (user, _) = acme.member("ann").await;
    by_app.mint(acme.id, &user, &["chat:read"]).await.ok();
    // Neither what no app may, nor what a key is only given by its role.
    by_app.post("/apps", guides()).await.refused(403, "scope_missing");
    let body = json!({ "company_id": acme.id, "user_id": user, "role": "custom" });
    by_app.post("/authorized_users", body).await.refused(403, "scope_missing");
    let body = json!({ "child_company_id": acme.id, "role": "moderator" });
    by_app.post(&format!("/companies/{}/api_keys", acme.id), body).await.refused(403, "scope_missing");
    // Installed elsewhere it reaches that company, and may do nothing there.
    by_app.get(&format!("/companies/{}", other.id)).await.refused(404, "not_found");
    install(&server, text(&app, "id"), other.id).await;
    by_app.get(&format!("/companies/{}", other.id)).await.refused(403, "scope_missing");
    let key = text(&app["api_key"], "id").parse().unwrap();
    server.app.end_api_key(key).await.unwrap();
    by_app.get("/apps").await.refused(401, "credential_revoked");
}

async fn install(server: &TestServer, app: &str, company: hallpass_core::id::CompanyId) {
    use hallpass_app::admin::AdminCommand;
    let command = AdminCommand::InstallApp { app: app.parse().unwrap(), company };
    server.app.admin(command).await.unwrap();
}

#[tokio::test]
async fn every_field_is_changed_cleared_and_left_alone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let path = format!("/apps/{}", made(&key, "First").await);
    let before = key.get(&path).await.ok();
    let change = json!({
        "name": "Second", "description": "What it does", "app_store_description": "kept nowhere",
        "base_url": "https://app.example.com:8443/start", "dashboard_path": "/dash/[companyId]",
        "discover_path": "/discover", "experience_path": "/experiences/[experienceId]",
        "openapi_path": "/openapi.json", "skills_path": "/skills.md",
        "redirect_uris": ["https://app.example.com/cb?x=%2F", "com.example.app:/oauth"],
        "oauth_client_type": "confidential", "required_scopes": ["read_user"], "route": "second-app",
        "status": "live", "app_type": "component",
        "requested_permissions": [{ "action": "chat:read", "justification": "To read", "required": false },
                                  { "action": "dms:read", "justification": "To read more" }],
    });
    let after = key.patch(&path, change.clone()).await.ok();
    for field in [
        "name",
        "description",
        "base_url",
        "dashboard_path",
        "discover_path",
        "experience_path",
        "openapi_path",
        "skills_path",
        "redirect_uris",
        "oauth_client_type",
        "route",
        "status",
        "app_type",
    ] {
        assert_eq!(after[field], change[field], "{field}");
    }
    assert_eq!(after["origin"], "https://app.example.com:8443");
    assert_eq!(
        after["requested_permissions"][0],
        json!({ "is_required": false, "justification": "To read",
        "permission_action": { "action": "chat:read", "name": "Read channels and their messages" } })
    );
    assert_eq!(after["requested_permissions"][1]["is_required"], true);
    assert_eq!(key.patch(&path, json!({})).await.ok(), after);
    assert_eq!(key.get(&path).await.ok(), after);
    let nulls: Vec<&str> = change.as_object().unwrap().keys().map(String::as_str).collect();
    let cleared: Value =
        nulls.iter().map(|name| ((*name).to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    let mut cleared = key.patch(&path, cleared).await.ok();
    // What cannot be cleared stays.
    for (field, kept) in [("name", "Second"), ("status", "live"), ("app_type", "component")] {
        assert_eq!(cleared[field], kept);
        cleared[field] = before[field].clone();
    }
    assert_eq!(cleared, before);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let path = format!("/apps/{}", made(&key, "First").await);
    key.patch(&format!("/apps/{}", made(&key, "Other").await), json!({ "route": "taken" })).await.ok();
    let many = |n: usize| (0..n).map(|n| format!("https://a.test/{n}")).collect::<Vec<_>>();
    let permission = |action: &str| json!([{ "action": action, "justification": "x" }]);
    for (body, status, code) in [
        (json!({ "name": "x".repeat(31) }), 422, "too_long"),
        (json!({ "name": " " }), 422, "blank"),
        (json!({ "route": "taken" }), 422, "route_taken"),
        (json!({ "route": "Not A Slug" }), 400, "parameter_invalid"),
        (json!({ "status": "famous" }), 400, "parameter_invalid"),
        (json!({ "app_type": "game" }), 400, "parameter_invalid"),
        (json!({ "oauth_client_type": "secret" }), 400, "parameter_invalid"),
        (json!({ "required_scopes": ["chat:read"] }), 400, "parameter_invalid"),
        (json!({ "base_url": "http://example.com" }), 400, "parameter_invalid"),
        (json!({ "base_url": "javascript:alert(1)" }), 400, "parameter_invalid"),
        (json!({ "dashboard_path": "//evil.test" }), 400, "parameter_invalid"),
        (json!({ "skills_path": "skills.md" }), 400, "parameter_invalid"),
        (json!({ "redirect_uris": ["https://ok.test/", "https://user@ok.test/"] }), 400, "parameter_invalid"),
        (json!({ "redirect_uris": many(51) }), 400, "parameter_invalid"),
        (json!({ "redirect_uris": "https://ok.test/" }), 400, "parameter_invalid"),
        (json!({ "requested_permissions": permission("chat:everything") }), 400, "parameter_invalid"),
        (json!({ "requested_permissions": permission("authorized_user:create") }), 400, "parameter_invalid"),
        (
            json!({ "requested_permissions": vec![permission("chat:read")[0].clone(); 2] }),
            400,
            "parameter_invalid",
        ),
        (
            json!({ "requested_permissions": vec![permission("chat:read")[0].clone(); 101] }),
            400,
            "parameter_invalid",
        ),
        (json!({ "secrets": { "1BAD": "x" } }), 400, "parameter_invalid"),
        (json!({ "secrets": { "BIG": "x".repeat(16_385) } }), 422, "too_long"),
        (json!({ "description": "a\u{0}b" }), 422, "nul_character"),
    ] {
        let error = key.patch(&path, body.clone()).await.refused(status, code);
        let param = body.as_object().unwrap().keys().next().unwrap();
        assert_eq!(error["param"], json!(param), "{body}");
    }
    key.patch(&path, json!({ "redirect_uris": many(50) })).await.ok();
    for uri in ["https://ok.test/#x", "http://ok.test/", "ok", "https://ok.test/\u{7}", "data:text/html,x"] {
        let error = key.post("/apps", json!({ "name": "x", "redirect_uris": [uri] })).await;
        assert_eq!(error.refused(400, "parameter_invalid")["param"], "redirect_uris", "{uri}");
    }
}

/// Threat 5, as far as registering goes: what comes back is what went in, byte for byte.
#[tokio::test]
async fn threat_05_redirect_uris_are_kept_raw() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let raw = [
        "https://Example.COM:443/Cb/?a=1&a=2&b=%7e",
        "https://example.com:443/cb",
        "https://example.com",
        "https://example.com/",
        "com.yourapp.bundle://oauth/callback",
        "myapp://auth/callback",
    ];
    let app = acme.as_key().post("/apps", json!({ "name": "raw", "redirect_uris": raw })).await.ok();
    assert_eq!(app["redirect_uris"], json!(raw));
    let shown = acme.as_key().get(&format!("/apps/{}", text(&app, "id"))).await.ok();
    assert_eq!(shown["redirect_uris"], json!(raw));
}

#[tokio::test]
async fn secrets_are_merged_sealed_and_shown_to_those_who_manage_keys() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let path = format!("/apps/{}", acme.own_app);
    let set =
        async |secrets: Value| key.patch(&path, json!({ "secrets": secrets })).await.ok()["secrets"].clone();
    assert_eq!(
        set(json!({ "ONE": "planted-secret", "TWO": "2" })).await,
        json!({ "ONE": "planted-secret", "TWO": "2" })
    );
    assert_eq!(
        set(json!({ "TWO": "zwei", "THREE": "3" })).await,
        json!({ "ONE": "planted-secret", "TWO": "zwei", "THREE": "3" })
    );
    assert_eq!(
        set(json!({ "TWO": null, "THREE": "", "NEVER": null })).await,
        json!({ "ONE": "planted-secret" })
    );
    let sealed = server
        .app
        .store()
        .read()
        .await
        .unwrap()
        .find_app_secrets(acme.own_app.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(!sealed.windows(7).any(|bytes| bytes == b"planted"));
    // Who may see the app may not see these.
    for bearer in [&acme.token, &acme.key_with(&server, may(acme.company, &["developer:update_app"])).await] {
        let shown = server.actor(bearer).get(&path).await.ok();
        assert_eq!(shown["secrets"], json!(null));
        assert!(!shown.to_string().contains("planted"));
    }
    assert!(!key.get("/apps").await.ok().to_string().contains("planted"));
    let many: Value =
        (0..101).map(|n| (format!("S{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    key.patch(&path, json!({ "secrets": many })).await.refused(422, "too_long");
    assert_eq!(set(json!({ "ONE": null })).await, json!({}));
    let kept = server
        .app
        .store()
        .read()
        .await
        .unwrap()
        .find_app_secrets(acme.own_app.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(kept, None);
}

#[tokio::test]
async fn a_rotated_secret_is_the_only_one() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let app = acme.as_key().post("/apps", guides()).await.ok();
    let path = format!("/apps/{}/rotate_secret", text(&app, "id"));
    let before = server.app.authority().rev();
    let rotated = acme.as_key().post(&path, json!({})).await.ok();
    assert_eq!(rotated["id"], app["id"]);
    assert_ne!(rotated["client_secret"], app["client_secret"]);
    let kept = async || {
        let mut conn = server.app.store().read().await.unwrap();
        conn.find_client_secret_hash(text(&app, "id").parse().unwrap()).await.unwrap()
    };
    assert_eq!(kept().await, Some(SecretHash::of(text(&rotated, "client_secret")).0));
    assert!(server.app.authority().rev() > before, "an entry in the log");
    // The API key is another credential, and lives.
    server.actor(text(&app["api_key"], "token")).get("/apps").await.ok();
    once(&server, &acme.key, &path, "k", json!({})).await.ok();
    once(&server, &acme.key, &path, "k", json!({})).await.refused(409, "idempotency_secret");
}

#[tokio::test]
async fn apps_are_listed_filtered_and_ordered() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let key = acme.as_key();
    let mut all = Vec::new();
    for name in ["Alpha", "Beta", "Gamma"] {
        server.clock.advance(SignedDuration::from_secs(1));
        all.insert(0, made(&key, name).await);
    }
    made(&rival.as_key(), "Alpha").await;
    let [gamma, beta, alpha] = all.clone().try_into().unwrap();
    key.patch(&format!("/apps/{beta}"), json!({ "experience_path": "/e", "app_type": "b2c_app" })).await.ok();
    key.patch(&format!("/apps/{gamma}"), json!({ "dashboard_path": "/d" })).await.ok();
    let list = async |query: &str| ids(&key.get(&format!("/apps?{query}")).await.ok());
    assert_eq!(list("").await, all);
    assert_eq!(list(&format!("company_id={}&order=total_installs_last_30_days", acme.id)).await, all);
    assert_eq!(list("direction=asc&first=1").await, vec![alpha.clone()]);
    assert_eq!(list("query=ALPH").await, vec![alpha]);
    assert_eq!(list("app_type=b2c_app").await, vec![beta.clone()]);
    assert_eq!(list("view_type=hub").await, vec![beta]);
    assert_eq!(list("view_type=dash").await, vec![gamma.clone()]);
    assert_eq!(list("view_type=dashboard").await, vec![gamma]);
    for nobody in [
        "view_type=analytics",
        "view_type=openapi",
        "verified_apps_only=true",
        "query=delta",
        "app_type=component",
    ] {
        assert_eq!(list(nobody).await, [""; 0], "{nobody}");
    }
    assert_eq!(list("verified_apps_only=false").await.len(), 3);
    for (query, param) in [
        ("order=luck", "order"),
        ("view_type=x", "view_type"),
        ("app_type=x", "app_type"),
        ("verified_apps_only=maybe", "verified_apps_only"),
    ] {
        assert_eq!(
            key.get(&format!("/apps?{query}")).await.refused(400, "parameter_invalid")["param"],
            param
        );
    }
    key.get(&format!("/apps?company_id={}", rival.id)).await.refused(404, "not_found");
}

/// Threats 20 and 21: an app is its company's, and an installer's while it is installed.
#[tokio::test]
async fn threat_21_an_uninstalled_app_is_out_of_sight() {
    use hallpass_app::admin::AdminCommand;
    let server = TestServer::start().await;
    let (acme, other) = (server.company("acme").await, server.company("other").await);
    let id = made(&acme.as_key(), "Ours").await;
    let path = format!("/apps/{id}");
    acme.as_key().patch(&path, json!({ "secrets": { "KEY": "v" } })).await.ok();
    other.as_key().get(&path).await.refused(404, "not_found");
    install(&server, &id, other.id).await;
    let seen = other.as_key().get(&path).await.ok();
    assert_eq!((&seen["company"]["title"], &seen["secrets"]), (&json!("acme"), &json!(null)));
    // Seen is not managed.
    other.as_key().patch(&path, json!({ "name": "Theirs" })).await.refused(404, "not_found");
    other.as_key().post(&format!("{path}/rotate_secret"), json!({})).await.refused(404, "not_found");
    assert_eq!(ids(&other.as_key().get("/apps").await.ok()), [""; 0]);
    let uninstall = AdminCommand::UninstallApp { app: id.parse().unwrap(), company: other.id };
    server.app.admin(uninstall).await.unwrap();
    other.as_key().get(&path).await.refused(404, "not_found");
    assert_eq!(acme.as_key().get(&path).await.ok()["name"], "Ours");
}

#[tokio::test]
async fn the_built_in_app_is_everybodys_and_nobodys() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let path = format!("/apps/{}", server.app.builtin_app());
    let key = server.actor(&acme.key);
    let shown = key.get(&path).await.ok();
    assert_eq!((&shown["name"], &shown["company"]["id"]), (&json!("Chat"), &json!(acme.company)));
    assert_eq!(shown["secrets"], json!(null));
    server.actor(&acme.token).get(&path).await.ok();
    key.patch(&path, json!({ "name": "Mine" })).await.refused(404, "not_found");
    key.post(&format!("{path}/rotate_secret"), json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_company_has_a_hundred_live_keys_its_apps_included() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for n in 1..100 {
        made(&acme.as_key(), &format!("app {n}")).await;
    }
    acme.as_key().post("/apps", guides()).await.refused(409, "too_many_keys");
    // Nothing of it stays.
    assert_eq!(ids(&acme.as_key().get("/apps?first=100").await.ok()).len(), 99);
}
