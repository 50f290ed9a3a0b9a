//! The flaws that peers shipped, each proved absent: one test or more per row of the list, named by it.

use std::collections::BTreeSet;

use hallpass_core::role::Role;
use hallpass_testkit::{Answer, CHAT_SCOPES, Captured, Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::{all_cases, tenant};
use super::given::{
    Lasting, claims, decode, encode, enrolment, header, may, once, raw_json, request, text, two_nodes,
    with_headers,
};

// ---- 1: what was revoked goes on. The REST half; authority.rs has each narrowing on several nodes.

#[tokio::test]
async fn threat_01_after_revocation_no_request_is_answered_not_even_from_warm_caches() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let ann = server.actor(&acme.token);
    let asks = [
        format!("/messages?channel_id={}", acme.channel),
        format!("/messages/{}", acme.message),
        format!("/chat_channels/{}", acme.channel),
        format!("/experiences/{}", acme.experience),
        "/users/me".to_owned(),
    ];
    for _ in 0..3 {
        for ask in &asks {
            ann.get(ask).await.ok();
        }
    }
    server.actor(&acme.key).post("/access_tokens/revoke", json!({ "token": acme.token })).await.ok();
    for ask in &asks {
        ann.get(ask).await.refused(401, "credential_revoked");
    }
    ann.say(&acme.channel, "still here").await.refused(401, "credential_revoked");
    let listed = server.actor(&acme.key).get(&asks[0]).await.ok();
    assert!(!listed.to_string().contains("still here"));
}

// ---- 2: a credential is minted for whoever the body names.

#[tokio::test]
async fn threat_02_only_the_legal_cells_of_credential_by_ids_mint() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let dead = acme.key_with(&server, may(acme.company, &["chat:read"])).await;
    let found = server.app.list_company_keys(acme.company).await.unwrap();
    let dead_id = found.iter().find(|key| dead.ends_with(&key.hint[key.hint.len() - 4..])).unwrap().id;
    server.app.end_api_key(dead_id).await.unwrap();
    let admin = acme.token_as(&server, Some(Role::Owner)).await;
    let credentials = [
        ("none", "", 401),
        ("dead key", dead.as_str(), 401),
        ("user token", acme.token.as_str(), 403),
        ("owner's token", admin.as_str(), 403),
    ];
    let (company, user) = (json!(acme.company), json!(acme.user));
    let (other, stranger) = (json!(rival.company), json!(rival.user));
    let nobody = json!("user_01KDWPVNG0W1GTXMFFD0000001");
    let bodies = [
        (json!({ "company_id": company, "user_id": user }), (200, 404)),
        (json!({ "account_id": company, "user_id": user }), (200, 404)),
        (json!({ "company_id": acme.account, "user_id": user }), (200, 404)),
        (json!({ "company_id": other, "user_id": stranger }), (404, 200)),
        (json!({ "company_id": company, "user_id": stranger }), (404, 404)),
        (json!({ "company_id": other, "user_id": user }), (404, 404)),
        (json!({ "company_id": company, "user_id": nobody }), (404, 404)),
        (json!({ "company_id": company }), (400, 400)),
        (json!({ "user_id": user }), (400, 400)),
        (json!({}), (400, 400)),
        (json!({ "company_id": company, "account_id": other, "user_id": user }), (400, 400)),
        (json!({ "company_id": null, "user_id": user }), (400, 400)),
        (json!({ "company_id": user, "user_id": company }), (400, 400)),
    ];
    for (body, (own, others)) in bodies {
        for (who, bearer, status) in credentials {
            let answer = server.actor(bearer).post("/access_tokens", body.clone()).await;
            assert!(
                answer.status == status || (answer.status == 400 && status == 403),
                "{who} {body}: {answer:?}"
            );
            assert!(answer.body.get("token").is_none());
        }
        for (bearer, status) in [(&acme.key, own), (&rival.key, others)] {
            let answer = server.actor(bearer).post("/access_tokens", body.clone()).await;
            assert_eq!(answer.status, status, "{body}: {:#}", answer.body);
            if status == 200 {
                let claims = claims(text(&answer.body, "token"));
                let asked = body.get("company_id").or(body.get("account_id")).unwrap();
                assert_eq!((&claims["company_id"], &claims["sub"]), (asked, &body["user_id"]));
            }
        }
    }
}

// ---- 3: keys cached by `kid` alone.

#[tokio::test]
async fn threat_03_two_issuers_with_the_same_kid_do_not_cross_verify() {
    // The same master key and a copy of the signing keys: the same `kid` on both, another issuer.
    let first = TestServer::start().await;
    let second =
        TestServer::with(Setup { public_url: "https://second.test".into(), ..Setup::default() }).await;
    let rows = first.app.store().read().await.unwrap().list_signing_keys().await.unwrap();
    let doomed = second.app.store().read().await.unwrap().list_signing_keys().await.unwrap();
    second
        .app
        .store()
        .write((rows, doomed), |(rows, doomed), tx| {
            Box::pin(async move {
                for row in doomed {
                    let at = row.changed_at;
                    tx.move_signing_key(&row.kid, row.state, hallpass_store::KeyState::Gone, at).await?;
                }
                for row in rows {
                    assert!(tx.insert_signing_key(row).await?);
                }
                Ok::<_, hallpass_store::StoreError>(())
            })
        })
        .await
        .unwrap();
    second.app.keyring().reload().await.unwrap();
    let (one, two) = (tenant(&first, "acme").await, tenant(&second, "acme").await);
    assert_eq!(header(&one.token)["kid"], header(&two.token)["kid"]);
    let me = async |server: &TestServer, token: &str| server.actor(token).get("/users/me").await;
    // Cold, warm, and at once.
    for _ in 0..3 {
        me(&first, &one.token).await.ok();
        me(&second, &two.token).await.ok();
        me(&first, &two.token).await.refused(401, "credential_invalid");
        me(&second, &one.token).await.refused(401, "credential_invalid");
    }
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let token = if n % 2 == 0 { one.token.clone() } else { two.token.clone() };
            let app = first.app.clone();
            tokio::spawn(async move { (n % 2 == 0, app.authenticate(&token).await.is_ok()) })
        })
        .collect();
    for task in tasks {
        let (own, accepted) = task.await.unwrap();
        assert_eq!(own, accepted);
    }
}

// ---- 4: unverified claims decide a fetch.

#[tokio::test]
async fn threat_04_no_claim_or_header_of_an_unverified_token_is_fetched() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys.json", trap.local_addr().unwrap());
    let claims_of = claims(&acme.token);
    for name in ["jku", "x5u", "iss", "kid"] {
        let mut head = header(&acme.token);
        let mut body = claims_of.clone();
        if name == "iss" {
            body["iss"] = json!(url);
        } else {
            head[name] = json!(url);
        }
        let signature = acme.token.rsplit('.').next().unwrap();
        let forged = format!(
            "{}.{}.{signature}",
            encode(head.to_string().as_bytes()),
            encode(body.to_string().as_bytes())
        );
        server.actor(&forged).get("/users/me").await.refused(401, "credential_invalid");
        let revoke = json!({ "token": forged });
        server.actor(&acme.key).post("/access_tokens/revoke", revoke).await.refused(400, "parameter_invalid");
    }
    // Nobody knocked; our own knock is the first.
    let knock = tokio::net::TcpStream::connect(trap.local_addr().unwrap()).await.unwrap();
    let (_, peer) = trap.accept().await.unwrap();
    assert_eq!(peer, knock.local_addr().unwrap());
}

#[test]
fn threat_04_the_one_http_client_is_the_one_that_refuses_private_addresses() {
    let tree = |arguments: &[&str]| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--package", "hallpass", "--edges", "normal"])
            .args(["--prefix", "depth", "--format", " {p}"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(tree.status.success(), "no tree: {}", String::from_utf8_lossy(&tree.stderr));
        String::from_utf8(tree.stdout).unwrap()
    };
    let text = tree(&[]);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(names.contains("hyper"), "{text}");
    for client in ["ureq", "isahc", "curl", "awc", "surf", "attohttpc", "minreq"] {
        assert!(!names.contains(client), "{client} is in the server");
    }
    for client in ["reqwest", "hyper-rustls"] {
        let text = tree(&["--invert", client]);
        let users: BTreeSet<&str> = text
            .lines()
            .filter(|line| line.starts_with("1 "))
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        // The store of files fetches from where the operator says, and nowhere else.
        let homes: &[&str] =
            if client == "reqwest" { &["hallpass-outbound", "object_store"] } else { &["reqwest"] };
        assert_eq!(users, homes.iter().copied().collect(), "{text}");
    }
}

// ---- 8: mass assignment.

#[tokio::test]
async fn threat_08_read_only_fields_sent_through_every_write_change_nothing() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let key = server.actor(&acme.key);
    // Everything that answers show, rows hold or the contract names, and no body takes.
    let privileged = json!({
        "id": "biz_01KDWPVNG0W1GTXMFFD0000001", "owner_user": { "id": rival.user }, "owner_user_id": rival.user,
        "owner_id": rival.user, "owner": rival.user, "parent_id": rival.company, "verified": true,
        "member_count": 99, "published_reviews_count": 99, "created_at": "2001-01-01T00:00:00Z",
        "updated_at": "2001-01-01T00:00:00Z", "explicit_scopes": true, "open_enrolment": true,
        "home_company_id": rival.company, "person_id": "person_01KDWPVNG0W1GTXMFFD0000001",
        "deactivated_at": null, "deactivated": true, "is_admin": true, "admin": true, "access_level_": "admin",
        "on_team": true, "status": "left", "joined_at": "2001-01-01T00:00:00Z", "user": { "id": rival.user },
        "author": rival.user, "author_id": rival.user, "position": 1, "seq": 1, "is_edited": true,
        "view_count": 99, "reaction_counts": [{ "count": 9, "emoji": ":x:" }], "poll_votes": [{ "count": 9 }],
        "message_type": "system", "mentions": [rival.user], "mentions_everyone": true, "revoked_at": null,
        "expires_at_": "2099-01-01T00:00:00Z", "secret_hash": "00", "secret_key": "hpk_mine", "hint": "mine",
        "last_used_at": "2001-01-01T00:00:00Z", "app": { "id": rival.app }, "company": { "id": rival.company },
        "products": [{ "id": rival.product }], "company_token_balance": 9, "usd_total_spent": 9,
        "balance": { "url": "x" }, "verification": { "individual": {} }, "is_agent": true, "parent_account": { "id": rival.company }, "balances": [9], "total_usd": "9",
        "wallet": { "id": "x" }, "capabilities": { "transfer": "active" }, "require_2fa": true, "creator": { "id": rival.user }, "creator_user_id": rival.user,
        "client_secret": "hpc_mine", "client_secret_hash": "00", "api_key": { "token": "hpa_mine" },
        "domain_id": "mine", "origin": "https://evil.test", "hosted_url": "https://evil.test",
        "stats": { "dau": 9 }, "production_web_build": { "id": "x" }, "installed_at": "2001-01-01T00:00:00Z", "custom_scopes": "chat:moderate", "custom": "chat:moderate", "rev": 0, "iss": "x", "sub": rival.user,
        "jti": "tok_01KDWPVNG0W1GTXMFFD0000001", "kind": "oauth", "scope": "everything", "client_id": rival.company,
    });
    let polluted = |body: Value| {
        let mut all = privileged.as_object().unwrap().clone();
        all.extend(body.as_object().unwrap().clone());
        Value::Object(all)
    };
    // Fields that time and the write itself change.
    let stable = |mut value: Value| {
        for volatile in [
            "updated_at",
            "id",
            "route",
            "created_at",
            "secret_key",
            "order",
            "content",
            "client_secret",
            "api_key",
            "domain_id",
        ] {
            value.as_object_mut().unwrap().remove(volatile);
        }
        value
    };
    let done = |answer: Answer| {
        assert!(answer.status < 300, "{:#}", answer.body);
        answer.body
    };
    server.clock.advance(SignedDuration::from_secs(1));
    let pairs = [
        ("POST", "/companies".to_owned(), enrolment(acme.company, "mass@acme.test", "mass")),
        ("PATCH", format!("/companies/{}", acme.account), json!({ "description": "d" })),
        ("PATCH", format!("/users/{}", acme.user), json!({ "bio": "b" })),
        ("PATCH", format!("/users/{}?account_id={}", acme.user, acme.company), json!({ "name": "n" })),
        (
            "POST",
            "/experiences".to_owned(),
            json!({ "app_id": acme.app, "company_id": acme.company, "name": "x" }),
        ),
        ("PATCH", format!("/experiences/{}", acme.experience), json!({ "name": "y" })),
        ("POST", format!("/experiences/{}/attach", acme.experience), json!({ "product_id": acme.product })),
        ("POST", format!("/experiences/{}/detach", acme.experience), json!({ "product_id": acme.product })),
        ("POST", format!("/experiences/{}/duplicate", acme.experience), json!({ "name": "z" })),
        ("PATCH", format!("/chat_channels/{}", acme.channel), json!({ "ban_urls": true })),
        ("POST", "/messages".to_owned(), json!({ "channel_id": acme.channel, "content": "m" })),
        (
            "POST",
            "/authorized_users".to_owned(),
            json!({ "company_id": acme.company, "user_id": acme.recruit, "role": "custom" }),
        ),
        (
            "POST",
            "/team_members".to_owned(),
            json!({ "account_id": acme.company, "user_id": acme.user, "role": "advertiser" }),
        ),
        ("PATCH", format!("/team_members/{}", acme.team_member), json!({ "role": "moderator" })),
        ("POST", "/accounts".to_owned(), json!({ "email": "mass@acme.test", "title": "mass" })),
        ("PATCH", format!("/accounts/{}", acme.account), json!({ "description": "d" })),
        ("POST", "/apps".to_owned(), json!({ "name": "an app", "status": null })),
        ("PATCH", format!("/apps/{}", acme.own_app), json!({ "name": "another", "status": "live" })),
    ];
    for (method, path, body) in pairs {
        let (bearer, plain_body) = (acme.key.as_str(), body.clone());
        let plain = done(raw_json(&server, bearer, method, &path, plain_body.to_string()).await);
        let dirty = done(raw_json(&server, bearer, method, &path, polluted(body).to_string()).await);
        assert_eq!(stable(plain.clone()), stable(dirty.clone()), "{method} {path}");
        assert_ne!(dirty["id"], "biz_01KDWPVNG0W1GTXMFFD0000001");
        assert!(!dirty.to_string().contains("_mine") && dirty["domain_id"] != "mine", "{dirty:#}");
        assert!(dirty.get("created_at").is_none_or(|at| !at.to_string().contains("2001")), "{dirty:#}");
        if path == "/companies" || path == "/accounts" {
            let id = text(&dirty, "id").parse().unwrap();
            let settings = server.app.store().read().await.unwrap().find_company(id).await.unwrap().unwrap();
            assert_eq!(settings.parent, Some(acme.company));
            assert!(!settings.explicit_scopes && !settings.open_enrolment);
        }
    }
    let edited = server
        .actor(&acme.token)
        .patch(&format!("/messages/{}", acme.message), polluted(json!({ "content": "edited" })))
        .await
        .ok();
    assert_eq!((&edited["user"]["id"], &edited["mentions"]), (&json!(acme.user), &json!([])));
    // A key and a token are made of what was asked for, and nothing else.
    let body = polluted(json!({ "child_company_id": acme.account, "role": "moderator" }));
    let made = key.post(&format!("/companies/{}/api_keys", acme.company), body).await.ok();
    assert_ne!(made["secret_key"], "hpk_mine");
    server
        .actor(text(&made, "secret_key"))
        .patch(&format!("/companies/{}", acme.account), json!({}))
        .await
        .refused(403, "scope_missing");
    let body = polluted(
        json!({ "company_id": acme.company, "user_id": acme.user, "scoped_actions": ["chat:read"] }),
    );
    let minted = key.post("/access_tokens", body).await.ok();
    let said = claims(text(&minted, "token"));
    assert_eq!(
        (&said["sub"], &said["scope"], &said["kind"]),
        (&json!(acme.user), &json!("chat:read"), &json!("minted"))
    );
    // Revoking one thing revokes that thing.
    let body = polluted(json!({ "jti": said["jti"] }));
    assert_eq!(key.post("/access_tokens/revoke", body).await.ok(), json!({ "revoked": true }));
    server.actor(text(&minted, "token")).get("/users/me").await.refused(401, "credential_revoked");
    server.actor(&acme.token).get("/users/me").await.ok();
    server.actor(text(&made, "secret_key")).get(&format!("/companies/{}", acme.account)).await.ok();
    let own = server
        .app
        .store()
        .read()
        .await
        .unwrap()
        .find_user(acme.user.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((own.home, own.person, own.deactivated), (Some(acme.company), None, false));
}

/// Threat 8 over the router: every write, with everything added that answers show and its body does not take,
/// answers as without.
#[tokio::test]
async fn threat_08_no_write_of_the_router_takes_more_than_its_body_names() {
    let document: Value = serde_json::from_str(&hallpass_http::openapi_json()).unwrap();
    let taken = |operation: &str| -> BTreeSet<String> {
        let items = document["paths"].as_object().unwrap().values();
        let found = items
            .flat_map(|item| item.as_object().unwrap().values())
            .find(|found| found["operationId"] == operation)
            .unwrap();
        let schema = &found["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = schema.as_str().and_then(|name| name.rsplit('/').next()) else {
            return BTreeSet::new();
        };
        document["components"]["schemas"][name]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    // The same in the same order on two servers: what differs is what the additions did.
    let (plain, polluted) = (TestServer::start().await, TestServer::start().await);
    let (of_plain, of_polluted) = (tenant(&plain, "acme").await, tenant(&polluted, "acme").await);
    let strange = |name: &str, shown: &Value| match shown {
        Value::Bool(is) => json!(!is),
        Value::Number(_) => json!(97),
        Value::Array(_) => json!(["polluted"]),
        Value::Object(_) => json!({ "id": "polluted", "url": "https://polluted.test" }),
        _ if name.ends_with("_at") => json!("2001-01-01T00:00:00Z"),
        _ => json!("polluted"),
    };
    let (mut writes, mut added) = (0, 0);
    for (case, again) in all_cases(&of_plain).into_iter().zip(all_cases(&of_polluted)) {
        let expected = case.send(&plain, &of_plain.key).await;
        let mut case = again;
        if let (Some(body), Value::Object(shown)) = (&mut case.body, &expected.body) {
            writes += 1;
            let known = taken(case.name.split('/').next().unwrap());
            for (name, value) in shown.iter().filter(|(name, _)| !known.contains(*name)) {
                added += 1;
                body.insert(name.clone(), strange(name, value));
            }
        }
        let got = case.send(&polluted, &of_polluted.key).await;
        assert_eq!(got.status, expected.status, "{}: {:#}", case.name, got.body);
        assert!(!got.text.contains("polluted"), "{}: {:#}", case.name, got.body);
        assert_eq!(alike(&got.body), alike(&expected.body), "{}", case.name);
    }
    assert!(writes > 20 && added > 150, "{writes} writes, {added} additions");
}

/// An answer without what is drawn by lot: ids, secrets and signatures by their kind alone.
fn alike(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), alike(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(alike).collect(),
        Value::String(text) if text.starts_with("eyJ") => json!("a token"),
        Value::String(text) => {
            let drawn = |word: &str| word.len() >= 20 && word.bytes().any(|byte| byte.is_ascii_digit());
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            let parts: Vec<&str> = words.map(|word| if drawn(word) { "?" } else { word }).collect();
            json!(parts.join(" "))
        }
        other => other.clone(),
    }
}

// ---- 10: a recycled or re-created id inherits old rights.

#[tokio::test]
async fn threat_10_what_is_made_again_inherits_nothing() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    // The user, let into a private place and on the team, leaves and comes back.
    let company = server.app.store().read().await.unwrap().find_company(acme.company).await.unwrap().unwrap();
    let body = json!({ "app_id": acme.app, "company_id": acme.company, "name": "private" });
    let private = key.post("/experiences", body).await.ok();
    let private = text(&private, "id");
    key.put(&format!("/experiences/{private}/members/{}", acme.user)).await.ok();
    let list = format!("/messages?channel_id={private}");
    server.actor(&acme.token).get(&list).await.ok();
    server.app.set_team_role(company.id, acme.user.parse().unwrap(), Some(Role::Admin)).await.unwrap();
    let member = format!("/companies/{}/members/{}", acme.company, acme.user);
    key.delete(&member).await.ok();
    key.put(&member).await.ok();
    let back = acme.token_as(&server, None).await;
    let back = server.actor(back);
    back.get(&list).await.refused(404, "not_found");
    back.patch(&format!("/companies/{}", acme.company), json!({})).await.refused(403, "scope_missing");
    server.actor(&acme.token).get("/users/me").await.refused(401, "credential_revoked");

    // A deleted experience, and another of the same name and product: no message, nobody let in.
    key.delete(&format!("/experiences/{}", acme.experience)).await.ok();
    for gone in [
        format!("/messages/{}", acme.message),
        format!("/messages?channel_id={}", acme.channel),
        format!("/messages?channel_id={}", acme.experience),
        format!("/chat_channels/{}", acme.channel),
        format!("/experiences/{}", acme.experience),
    ] {
        key.get(&gone).await.refused(404, "not_found");
        back.get(&gone).await.refused(404, "not_found");
    }
    let body = json!({ "app_id": acme.app, "company_id": acme.company, "name": "acme-channel" });
    let again = key.post("/experiences", body).await.ok();
    let list = format!("/messages?channel_id={}", text(&again, "id"));
    assert_eq!(key.get(&list).await.ok()["data"], json!([]));
    back.get(&list).await.refused(404, "not_found");
}

#[tokio::test]
async fn threat_10_the_same_address_under_another_tenant_is_another_user() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let made = server
        .actor(&rival.key)
        .post("/companies", enrolment(rival.company, &acme.email, "taker"))
        .await
        .ok();
    let taker = text(&made["owner_user"], "id");
    assert_ne!(taker, acme.user);
    // Nothing of the first: not the name, not the messages, not the place in the company.
    let shown = server.actor(&rival.key).get(&format!("/users/{taker}")).await.ok();
    assert_eq!(shown["name"], "taker");
    server.actor(&acme.key).mint(acme.company, taker, &[]).await.refused(404, "not_found");
    server.actor(&rival.key).mint(acme.company, taker, &[]).await.refused(404, "not_found");
    // A username that was given up and taken by another does not lead to the first one's things.
    let key = server.actor(&acme.key);
    let old = key.get(&format!("/users/{}", acme.user)).await.ok();
    key.patch(&format!("/users/{}", acme.user), json!({ "username": "somebody-else" })).await.ok();
    let new = key.post("/companies", enrolment(acme.company, "new@acme.test", "new")).await.ok();
    let new = text(&new["owner_user"], "id");
    key.patch(&format!("/users/{new}"), json!({ "username": old["username"] })).await.ok();
    let found = key.get(&format!("/users/{}?account_id={}", text(&old, "username"), acme.company)).await.ok();
    assert_eq!(found["id"], new);
    let message = key.get(&format!("/messages/{}", acme.message)).await.ok();
    assert_eq!(message["user"]["id"], json!(acme.user));
}

// ---- 11: truncated or altered opaque values accepted.

/// Every way a text may be altered by one byte, a cut or an extension.
fn alterations(text: &str) -> Vec<String> {
    let mut altered = Vec::new();
    for n in 0..text.len() {
        // As long as characters are ASCII: they are.
        let flipped: String = text
            .char_indices()
            .map(|(at, c)| if at == n { if c == 'A' { 'B' } else { 'A' } } else { c })
            .collect();
        altered.push(flipped);
        let other_case: String = text
            .char_indices()
            .map(|(at, c)| {
                if at != n {
                    c
                } else if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        altered.push(other_case);
        altered.push(text[..n].to_owned());
        altered.push(format!("{}{}", &text[..n], &text[n + 1..]));
    }
    for more in ["A", "=", ".", "%20", "0"] {
        altered.push(format!("{text}{more}"));
        altered.push(format!("{more}{text}"));
    }
    altered.retain(|other| other != text);
    altered
}

#[tokio::test]
async fn threat_11_no_altered_token_is_accepted() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    server.actor(&acme.token).get("/users/me").await.ok();
    for altered in alterations(&acme.token) {
        let refused = server.app.authenticate(&altered).await;
        assert!(matches!(refused, Err(hallpass_app::AppError::Unauthenticated(_))), "{altered}");
    }
    // The last character of the signature carries four bits that mean nothing: still one spelling only.
    let head = &acme.token[..acme.token.len() - 1];
    let spellings = (b'A'..=b'z').map(char::from).filter(char::is_ascii_alphanumeric);
    let mut accepted = 0;
    for last in spellings.chain("0123456789-_".chars()) {
        accepted += usize::from(server.app.authenticate(&format!("{head}{last}")).await.is_ok());
    }
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn threat_11_no_altered_key_is_accepted() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for altered in alterations(&acme.key) {
        let refused = server.app.authenticate(&altered).await;
        assert!(matches!(refused, Err(hallpass_app::AppError::Unauthenticated(_))), "{altered}");
    }
    acme.as_key().get("/users").await.ok();
}

#[tokio::test]
async fn threat_11_no_altered_cursor_is_accepted() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for name in ["a", "b", "c"] {
        acme.user(name).await;
    }
    let page = acme.as_key().get("/users?first=1").await.ok();
    let cursor = text(&page["page_info"], "end_cursor");
    acme.as_key().get(&format!("/users?first=1&after={cursor}")).await.ok();
    for altered in alterations(cursor) {
        // An empty value is an absent one.
        if altered.is_empty() {
            continue;
        }
        let answer = acme.as_key().get(&format!("/users?first=1&after={altered}")).await;
        let error = answer.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "after", "{altered}");
    }
}

// ---- 14: unsigned, `alg: none` or key-confused tokens.

#[tokio::test]
async fn threat_14_the_algorithm_and_the_key_are_ours_to_choose() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let [head, body, signature] = acme.token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let kid = header(&acme.token)["kid"].clone();
    let jwks = server.send(request("GET", "/.well-known/jwks.json", &[], "")).await.body;
    let own_jwk = jwks["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == kid).unwrap().clone();
    let next = jwks["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] != kid).unwrap()["kid"].clone();
    let heads = [
        json!({ "alg": "none", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "None", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "ES384", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "ES256", "typ": "JWT", "kid": kid }),
        json!({ "alg": "ES256", "typ": "id+jwt", "kid": kid }),
        json!({ "alg": "ES256", "typ": "at+jwt" }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": next }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": "unknown" }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid, "jwk": own_jwk }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid, "crit": ["exp"] }),
    ];
    for forged in heads {
        let forged_head = encode(forged.to_string().as_bytes());
        for end in [signature, "", "AAAA"] {
            let token = format!("{forged_head}.{body}.{end}");
            server.actor(&token).get("/users/me").await.refused(401, "credential_invalid");
        }
    }
    // The right header around other claims, the signature of another token, no signature.
    let mut richer = claims(&acme.token);
    richer["scope"] = json!("company:update");
    let richer = encode(richer.to_string().as_bytes());
    for token in [format!("{head}.{richer}.{signature}"), format!("{head}.{body}."), format!("{head}.{body}")]
    {
        server.actor(&token).get("/users/me").await.refused(401, "credential_invalid");
    }
    assert_eq!(decode(signature).len(), 64);
}

#[tokio::test]
async fn threat_14_a_token_signed_with_a_key_of_the_attackers_is_refused() {
    // An attacker's server with the same names for everything.
    let server = TestServer::start().await;
    let attacker = TestServer::start().await;
    let (_, theirs) = (tenant(&server, "acme").await, tenant(&attacker, "acme").await);
    server.actor(&theirs.token).get("/users/me").await.refused(401, "credential_invalid");
}

// ---- 15: secrets through cookies, URLs, referrers, logs.

#[tokio::test]
async fn threat_15_planted_secrets_are_in_no_log_error_url_header_or_debug_output() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the ear is open");

    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let body = json!({ "child_company_id": acme.account, "role": "owner" });
    let made =
        server.actor(&acme.key).post(&format!("/companies/{}/api_keys", acme.company), body).await.ok();
    let new_key = text(&made, "secret_key").to_owned();
    let words = "PlantedMessageText";
    server.actor(&acme.token).say(&acme.channel, words).await.ok();
    let secrets = [
        acme.key.clone(),
        acme.token.clone(),
        new_key,
        words.to_owned(),
        "planted-secret-email@x.test".into(),
    ];

    let mut heard = Vec::new();
    let mut hear = |answer: Answer| {
        heard.push(format!("{:?}", answer.headers));
        if answer.status >= 400 {
            heard.push(answer.body.to_string());
        }
    };
    for secret in &secrets {
        // In each place where a client may put it by mistake.
        let inner = json!(secret);
        for (method, path, body) in [
            ("POST", "/access_tokens", json!({ "company_id": secret, "user_id": secret })),
            (
                "POST",
                "/access_tokens",
                json!({ "company_id": acme.company, "user_id": acme.user, "scoped_actions": [secret] }),
            ),
            (
                "POST",
                "/access_tokens",
                json!({ "company_id": acme.company, "user_id": acme.user, "expires_at": secret }),
            ),
            ("POST", "/access_tokens", json!({ "company_id": { "nested": secret } })),
            ("POST", "/access_tokens/revoke", json!({ "token": format!("{secret}x") })),
            ("POST", "/access_tokens/revoke", json!({ "jti": secret })),
            ("POST", "/access_tokens/revoke", json!({ "api_key_id": secret })),
            (
                "POST",
                "/companies",
                json!({ "title": "t", "parent_company_id": acme.company, "email": format!("{secret} ") }),
            ),
            ("POST", "/companies", json!({ "title": [secret] })),
            ("PATCH", "/users/me", json!({ "username": secret })),
            ("POST", "/messages", json!({ "channel_id": secret, "content": secret })),
        ] {
            hear(raw_json(&server, &acme.key, method, path, body.to_string()).await);
        }
        for bearer in [format!("{secret}x"), secret[..secret.len() - 1].to_owned()] {
            hear(server.actor(bearer.replace(['@', ' '], "")).get("/users").await);
        }
        hear(
            raw_json(&server, &acme.key, "POST", "/companies", format!("{{\"title\": {inner}, broken")).await,
        );
        hear(once(&server, &acme.key, "/companies", secret, json!({ "title": 7 })).await);
        for path in [
            format!("/users/{secret}"),
            format!("/companies/{secret}"),
            format!("/users?first={secret}"),
            format!("/users?after={secret}"),
            format!("/nowhere/{secret}?token={secret}"),
        ] {
            hear(server.actor(&acme.key).get(&path).await);
        }
    }
    // A fault of the server's own, with the database's words in the log.
    hear(server.actor(&acme.key).get("/users").await);
    drop(guard);
    let log = captured.text();
    assert!(log.contains("the ear is open"), "nothing was captured");
    let debug = {
        let caller = server.app.authenticate(&acme.key).await.unwrap();
        let minted = hallpass_app::revocation::Revoke::Token(acme.token.clone());
        format!("{} {minted:?}", caller.id())
    };
    let said = heard.join("\n");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a secret in the log");
        assert!(
            !said.contains(secret.as_str()),
            "a secret in an answer: {}",
            &said[..said.find(secret.as_str()).unwrap_or(0)]
        );
        assert!(!debug.contains(secret.as_str()), "a secret in debug output: {debug}");
    }
    assert!(!said.contains("set-cookie"), "the API sets no cookies");
}

// ---- 16: replay of one-time things across nodes or restarts.

#[tokio::test]
async fn threat_16_an_idempotency_key_used_on_one_node_is_used_on_all() {
    let (a, b) = two_nodes().await;
    let acme = a.company("acme").await;
    let body = enrolment(acme.id, "ann@acme.test", "ann");
    let first = once(&a, &acme.key, "/companies", "k1", body.clone()).await.ok();
    let second = once(&b, &acme.key, "/companies", "k1", body).await.ok();
    assert_eq!(first, second);
    let key = json!({ "child_company_id": acme.id, "role": "moderator" });
    let path = format!("/companies/{}/api_keys", acme.id);
    once(&a, &acme.key, &path, "k2", key.clone()).await.ok();
    once(&b, &acme.key, &path, "k2", key).await.refused(409, "idempotency_secret");
    assert_eq!(b.app.list_company_keys(acme.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn threat_16_an_idempotency_key_stays_used_after_a_restart() {
    let lasting = Lasting::new().await;
    let (key, id, first) = {
        let server = lasting.start(1).await;
        let acme = server.company("acme").await;
        let body = enrolment(acme.id, "ann@acme.test", "ann");
        let first = once(&server, &acme.key, "/companies", "k1", body).await.ok();
        (acme.key.clone(), acme.id, first)
    };
    let server = lasting.start(2).await;
    let again = once(&server, &key, "/companies", "k1", enrolment(id, "ann@acme.test", "ann")).await.ok();
    assert_eq!(again, first);
    let other = once(&server, &key, "/companies", "k1", enrolment(id, "ben@acme.test", "ben")).await;
    assert_eq!(other.headers["x-should-retry"], "false");
    other.refused(409, "idempotency_mismatch");
}

// ---- 17: forwarded headers believed from anyone. (With trusted proxies: limits.rs.)

#[tokio::test]
async fn threat_17_forwarded_headers_of_anyone_change_no_answer() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let forwarded = [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=10.0.0.1;host=evil.test;proto=http"),
        ("host", "evil.test"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-url", "/livez"),
        ("x-rewrite-url", "/livez"),
        ("x-http-method-override", "DELETE"),
    ];
    let body = json!({ "company_id": acme.company, "user_id": acme.user });
    let minted =
        with_headers(&server, &acme.key, ("POST", "/access_tokens"), &forwarded, Some(body)).await.ok();
    let said = claims(text(&minted, "token"));
    assert_eq!((&said["iss"], &said["aud"]), (&json!("https://chat.test"), &json!("https://chat.test")));
    let path = format!("/messages/{}", acme.message);
    let plain = with_headers(&server, &acme.token, ("GET", &path), &[], None).await;
    let dressed = with_headers(&server, &acme.token, ("GET", &path), &forwarded, None).await;
    assert_eq!(plain.ok(), dressed.ok());
}

// ---- 18: a malformed header makes a check pass.

#[tokio::test]
async fn threat_18_every_malformed_authorization_denies() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let (key, token) = (&acme.key, &acme.token);
    let ask = async |values: &[Vec<u8>]| {
        let mut ask = request("GET", "/api/v1/users", &[], "");
        for value in values {
            let value = hallpass_testkit::http::HeaderValue::from_bytes(value).expect("a header value");
            ask.headers_mut().append("authorization", value);
        }
        server.send(ask).await
    };
    ask(&[format!("Bearer {key}").into()]).await.ok();
    ask(&[format!("bearer {key}").into()]).await.ok();
    let malformed: Vec<Vec<Vec<u8>>> = [
        String::new(),
        " ".into(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer  ".into(),
        key.clone(),
        format!(" {key}"),
        format!("Bearer  {key}"),
        format!("Bearer\t{key}"),
        format!("Bearer {key} {token}"),
        format!("Bearer {key},{token}"),
        format!("Bearer {key};"),
        format!("Bearer \"{key}\""),
        format!("Bearer={key}"),
        format!("Bearer: {key}"),
        format!("BearerBearer {key}"),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Digest {key}"),
        "Bearer null".into(),
        "Bearer undefined".into(),
        "Bearer [object Object]".into(),
        "Bearer ..".into(),
        "Bearer hpk_".into(),
        "Bearer hp".into(),
        format!("Bearer {}", key.to_lowercase()),
        format!("Bearer {}", "a".repeat(7000)),
        format!("Bearer hpk_{}", "a".repeat(7000)),
        format!("Bearer {}", ".".repeat(500)),
        format!("Bearer hpd_{}", &key[4..]),
        format!("Bearer hpa_{}", &key[4..]),
        "Bearer %00".into(),
        format!("Bearer {key}%20"),
        format!("Bearer {key}é"),
    ]
    .into_iter()
    .map(|value| vec![value.into_bytes()])
    .chain([
        vec![b"Bearer \xff\xfe".to_vec()],
        vec![[b"Bearer ".as_slice(), key.as_bytes(), b"\xff"].concat()],
        // Two of them: never one of the two.
        vec![format!("Bearer {key}").into(), format!("Bearer {key}").into()],
        vec![format!("Bearer {key}").into(), format!("Bearer {token}").into()],
        vec![Vec::new(), format!("Bearer {key}").into()],
    ])
    .collect();
    for values in malformed {
        let answer = ask(&values).await;
        let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        assert_eq!(answer.status, 401, "{shown:?}");
    }
    // Other places where a credential might be looked for.
    for (path, headers) in [
        (format!("/users?access_token={key}"), vec![]),
        (format!("/users?authorization=Bearer%20{key}&api_key={key}&token={key}"), vec![]),
        ("/users".to_owned(), vec![("x-api-key", key.as_str()), ("x-whop-user-token", token.as_str())]),
        ("/users".to_owned(), vec![("cookie", key.as_str()), ("proxy-authorization", key.as_str())]),
    ] {
        let answer = server.send(request("GET", &format!("/api/v1{path}"), &headers, "")).await;
        answer.refused(401, "credential_missing");
    }
}

// ---- 20: authorization.rs has the matrix. Here: what lists and names might leak.

#[tokio::test]
async fn threat_20_a_token_of_one_tenant_lists_no_companies_of_another() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    // The owner of the rival company joins acme's team, and acme's key mints for them.
    let owner = rival.owner.parse().unwrap();
    server.app.make_member(acme.company, owner).await.unwrap();
    server.app.set_team_role(acme.company, owner, Some(Role::Admin)).await.unwrap();
    let minted = server.actor(&acme.key).mint(acme.company, &rival.owner, &["company:basic:read"]).await.ok();
    let listed = server.actor(text(&minted, "token")).get("/companies").await.ok();
    assert!(!listed.to_string().contains(&rival.company.to_string()), "{listed:#}");
    server
        .actor(text(&minted, "token"))
        .get(&format!("/companies/{}", rival.company))
        .await
        .refused(404, "not_found");
    // By a token of their own company they see it.
    let minted =
        server.actor(&rival.key).mint(rival.company, &rival.owner, &["company:basic:read"]).await.ok();
    let listed = server.actor(text(&minted, "token")).get("/companies").await.ok();
    assert_eq!(listed["data"][0]["id"], json!(rival.company));
}

// ---- 22: crafted content bricks a channel or breaks paging.

#[tokio::test]
async fn threat_22_hostile_content_and_equal_times_neither_brick_nor_break_a_walk() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let mut hostile: Vec<String> = [
        "\u{202e}right to left\u{202c}",
        "\u{200b}\u{200c}\u{200d}\u{feff}",
        "e\u{301}\u{301}\u{301}",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "\u{fffd}\u{ffff}",
        "\u{1}\u{2}\u{7f}\u{85}",
        "<script>alert(1)</script>",
        "'; DROP TABLE messages; --",
        "{{7*7}} ${7*7} %s %n",
        "@everyone @here <@user_01KDWPVNG0W1GTXMFFD0000001>",
        "](javascript:alert(1))",
        "\\u0000 \\x00 %00",
        "\u{2028}\u{2029}",
        "NULL",
        "\"",
        "\\",
    ]
    .map(str::to_owned)
    .into();
    hostile.push("e\u{301}".repeat(5_000));
    hostile.push("[".repeat(10_000));
    hostile.push("@a".repeat(5_000));
    hostile.push("> ".repeat(5_000) + "quoted");
    let mut accepted = vec![acme.message.clone()];
    for content in &hostile {
        let answer = server.actor(&acme.token).say(&acme.channel, content).await;
        assert!(answer.status == 200 || answer.status == 422, "{content:?}: {}", answer.body);
        if answer.status == 200 {
            assert_eq!(answer.body["content"], *content);
            accepted.push(text(&answer.body, "id").to_owned());
        }
    }
    assert!(accepted.len() > 15);
    for content in ["", " \n\t", "a\u{0}b", &"x".repeat(100_000)] {
        let answer = server.actor(&acme.token).say(&acme.channel, content).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    // The clock stands still, so all times are equal; each message comes once, both ways.
    for (way, edge, cursor) in [("first", "after", "end_cursor"), ("last", "before", "start_cursor")] {
        let mut walked = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/messages?channel_id={}&{way}=3{from}", acme.channel);
            let page = key.get(&path).await.ok();
            let ids = super::given::ids(&page);
            if way == "first" {
                walked.extend(ids);
            } else {
                walked.splice(0..0, ids);
            }
            let more = if way == "first" { "has_next_page" } else { "has_previous_page" };
            if page["page_info"][more] == json!(false) {
                break;
            }
            from = format!("&{edge}={}", text(&page["page_info"], cursor));
        }
        let mut expected = accepted.clone();
        expected.reverse();
        assert_eq!(walked, expected, "{way}");
    }
}

#[tokio::test]
async fn threat_22_names_and_titles_of_any_kind_come_back_as_they_were() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    for name in ["\u{202e}evil", "👩‍👩‍👧‍👦", "Ω≈ç√∫", "%", "_", "\\", "a'b\"c", "<b>", "\u{200d}x"]
    {
        let path = format!("/users/{}?account_id={}", acme.user, acme.company);
        assert_eq!(key.patch(&path, json!({ "name": name })).await.ok()["name"], *name);
        let made = key.post("/companies", enrolment(acme.company, &acme.email, name)).await.ok();
        assert_eq!(made["title"], *name);
        let listed = key.get(&format!("/users?account_id={}&first=50", acme.company)).await.ok();
        assert!(listed.to_string().contains(&acme.user));
    }
}

// ---- 23: unbounded work for a remote caller. (Sizes, depths and times of requests: limits.rs.)

#[tokio::test]
async fn threat_23_pages_are_bounded_whatever_is_asked_for() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    for n in 0..120 {
        server.actor(&acme.token).say(&acme.channel, &n.to_string()).await.ok();
    }
    let key = server.actor(&acme.key);
    for size in ["first=1000000", "last=9223372036854775807", "first=101"] {
        let page = key.get(&format!("/messages?channel_id={}&{size}", acme.channel)).await.ok();
        assert_eq!(super::given::ids(&page).len(), 100, "{size}");
    }
    let page = key.get(&format!("/messages?channel_id={}", acme.channel)).await.ok();
    assert_eq!(super::given::ids(&page).len(), 20);
    for bad in ["first=0", "first=-1", "last=0", "first=1e3", "first=99999999999999999999", "first=1&last=1"]
    {
        let answer = key.get(&format!("/messages?channel_id={}&{bad}", acme.channel)).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

// ---- 26: a shared cache serves another person's page.

#[tokio::test]
async fn threat_26_no_authenticated_answer_may_be_kept_by_a_shared_cache() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let scopeless = acme.token_with(&server, &["openid"]).await;
    for case in all_cases(&acme) {
        for bearer in ["", "garbage", &scopeless, &acme.key] {
            let answer = case.send(&server, bearer).await;
            let control = answer.headers["cache-control"].to_str().unwrap();
            assert_eq!(control, "private, no-store", "{} answered {}", case.name, answer.status);
            assert!(answer.headers.get("etag").is_none() && answer.headers.get("last-modified").is_none());
        }
    }
    for path in ["/api/v1/nowhere", "/api/v1/users/me"] {
        let answer = server.send(request("GET", path, &[], "")).await;
        assert_eq!(answer.headers["cache-control"], "private, no-store");
    }
}

// ---- 27: history served without the access check.

#[tokio::test]
async fn threat_27_an_outsider_gets_no_history_by_any_route() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("Secret", false).await;
    let insider = acme.user("insider").await;
    acme.as_key().put(&format!("/experiences/{experience}/members/{insider}")).await.ok();
    let insider = server.actor(acme.token(&insider).await);
    let message = insider.say(&channel, "for insiders").await.ok();
    let message = text(&message, "id");
    let (_, outsider) = acme.member("outsider").await;
    let (_, stranger) = server.company("rival").await.member("stranger").await;
    for who in [&outsider, &stranger] {
        for path in [
            format!("/messages?channel_id={channel}"),
            format!("/messages?channel_id={experience}"),
            format!("/messages/{message}"),
            format!("/chat_channels/{channel}"),
            format!("/chat_channels/{experience}"),
            format!("/experiences/{experience}"),
        ] {
            let answer = who.get(&path).await;
            assert!(!answer.body.to_string().contains("Secret"), "{path}");
            answer.refused(404, "not_found");
        }
        who.say(&channel, "in").await.refused(404, "not_found");
        who.say(&experience, "in").await.refused(404, "not_found");
        who.patch(&format!("/messages/{message}"), json!({ "content": "x" })).await.refused(404, "not_found");
        who.delete(&format!("/messages/{message}")).await.refused(404, "not_found");
    }
    // Not in the lists, and not as a reply in a channel of one's own.
    for path in
        [format!("/experiences?company_id={}", acme.id), format!("/chat_channels?company_id={}", acme.id)]
    {
        assert_eq!(outsider.get(&path).await.ok()["data"], json!([]));
        assert_eq!(insider.get(&path).await.ok()["data"].as_array().unwrap().len(), 1);
    }
    let (_, open) = acme.channel("Open", true).await;
    let reply = json!({ "channel_id": open, "content": "re", "replying_to_message_id": message });
    outsider.post("/messages", reply).await.refused(422, "reply_not_found");
    // A cursor of an insider opens nothing for an outsider.
    insider.say(&channel, "two").await.ok();
    let page = insider.get(&format!("/messages?channel_id={channel}&first=1")).await.ok();
    let cursor = text(&page["page_info"], "end_cursor");
    outsider.get(&format!("/messages?channel_id={channel}&after={cursor}")).await.refused(404, "not_found");
    outsider
        .get(&format!("/messages?channel_id={open}&after={cursor}"))
        .await
        .refused(400, "parameter_invalid");
    // The same for a token without the scope: being inside is not enough.
    let blind = acme.token_with(&server_user(&insider).await, &["chat:message:create"]).await;
    server.actor(blind).get(&format!("/messages/{message}")).await.refused(403, "scope_missing");
    assert_eq!(CHAT_SCOPES.len(), 7);
}

async fn server_user(actor: &hallpass_testkit::Actor<'_>) -> String {
    text(&actor.get("/users/me").await.ok(), "id").to_owned()
}
