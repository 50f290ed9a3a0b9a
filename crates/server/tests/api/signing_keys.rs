//! Signing keys: published before they sign, kept until their tokens are dead, retired at once if need be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallpass_app::AppError;
use hallpass_testkit::{Answer, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::{Lasting, header, refused_within_a_second, request, text, two_nodes};

async fn jwks(server: &TestServer) -> Answer {
    server.send(request("GET", "/.well-known/jwks.json", &[], "")).await
}

async fn kids(server: &TestServer) -> Vec<String> {
    let set = jwks(server).await.body;
    set["keys"].as_array().unwrap().iter().map(|jwk| text(jwk, "kid").to_owned()).collect()
}

/// The kid of a state.
async fn kid(server: &TestServer, state: &str) -> String {
    let keys = server.app.keyring().list().await.unwrap();
    keys.into_iter().find(|key| key.state == state).unwrap_or_else(|| panic!("no {state} key")).kid
}

fn rotated(result: Result<(), AppError>) -> Option<&'static str> {
    match result {
        Ok(()) => None,
        Err(AppError::Conflict { code, .. }) => Some(code),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_key_set_holds_public_keys_alone_at_the_root() {
    let server = TestServer::start().await;
    let answer = jwks(&server).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    // Kept by caches for less than the half day in which clients do not look again.
    let control = answer.headers["cache-control"].to_str().unwrap();
    let age: u64 = control.strip_prefix("public, max-age=").unwrap().parse().unwrap();
    assert!((60..=43_200).contains(&age), "{control}");
    let keys = answer.body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "the active and the next");
    for jwk in keys {
        assert_eq!(
            (&jwk["kty"], &jwk["crv"], &jwk["alg"], &jwk["use"]),
            (&json!("EC"), &json!("P-256"), &json!("ES256"), &json!("sig"))
        );
        let names: Vec<&String> = jwk.as_object().unwrap().keys().collect();
        for private in ["d", "p", "q", "k", "oth"] {
            assert!(!names.iter().any(|name| *name == private), "{names:?}");
        }
        // The kid is the thumbprint of RFC 7638.
        let canonical =
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(jwk, "x"), text(jwk, "y"));
        let hash = hallpass_token::SecretHash::of(&canonical);
        assert_eq!(text(jwk, "kid"), super::given::encode(&hash.0));
    }
    let under_the_base = server.send(request("GET", "/api/v1/.well-known/jwks.json", &[], "")).await;
    assert_eq!(under_the_base.status, 404);
}

#[tokio::test]
async fn a_key_is_published_a_day_before_it_signs() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let (active, next) = (kid(&server, "active").await, kid(&server, "next").await);
    assert!(kids(&server).await.contains(&next));
    assert_eq!(header(&acme.token)["kid"], json!(active));
    assert_eq!(rotated(server.app.keyring().rotate(false).await), Some("key_too_young"));
    server.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert_eq!(rotated(server.app.keyring().rotate(false).await), Some("key_too_young"));
    server.clock.advance(SignedDuration::from_secs(1));
    let before = acme.token_with(&server, &["chat:read"]).await;
    assert_eq!(rotated(server.app.keyring().rotate(false).await), None);
    let after = acme.token_with(&server, &["chat:read"]).await;
    assert_eq!(header(&after)["kid"], json!(next));
    // The old token goes on, its key stays published, and another next is announced.
    server.actor(&before).get("/users/me").await.ok();
    server.actor(&after).get("/users/me").await.ok();
    let published = kids(&server).await;
    assert_eq!(published.len(), 3);
    assert!(published.contains(&active) && published.contains(&kid(&server, "next").await));
    assert_eq!(rotated(server.app.keyring().rotate(false).await), Some("key_too_young"));
}

#[tokio::test]
async fn a_retiring_key_goes_when_its_newest_token_is_dead() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let old = kid(&server, "active").await;
    let body =
        json!({ "company_id": acme.company, "user_id": acme.user, "expires_at": "2026-01-01T15:00:00Z" });
    let longest = server.actor(&acme.key).post("/access_tokens", body).await.ok();
    server.app.keyring().rotate(true).await.unwrap();
    server.clock.advance(SignedDuration::from_hours(3) - SignedDuration::from_secs(1));
    server.app.do_chores().await.unwrap();
    server.actor(text(&longest, "token")).get("/users/me").await.ok();
    assert!(kids(&server).await.contains(&old));
    server.clock.advance(SignedDuration::from_mins(15));
    server.app.do_chores().await.unwrap();
    assert!(!kids(&server).await.contains(&old));
}

#[tokio::test]
async fn in_an_emergency_a_key_and_its_tokens_die_at_once_on_every_node() {
    let (a, b) = two_nodes().await;
    let acme = tenant(&a, "acme").await;
    let me = async |node: &TestServer, token: &str| node.actor(token).get("/users/me").await;
    me(&b, &acme.token).await.ok();
    let leaked = kid(&a, "active").await;
    assert_eq!(rotated(a.app.keyring().retire(&leaked, false).await), Some("key_in_use"));
    a.app.keyring().retire(&leaked, true).await.unwrap();
    let refused = me(&a, &acme.token).await;
    assert_eq!(refused.status, 401);
    refused_within_a_second(
        &b,
        async || me(&b, &acme.token).await,
        |answer| answer.status == 401,
        "the token",
    )
    .await;
    assert!(!kids(&a).await.contains(&leaked));
    // Minting goes on with the next one, on both.
    for node in [&a, &b] {
        let token = acme.token_with(node, &["chat:read"]).await;
        assert_ne!(header(&token)["kid"], json!(leaked));
        me(&a, &token).await.ok();
        me(&b, &token).await.ok();
    }
    // An unused next one may be withdrawn as well; nothing that works is lost.
    let next = kid(&a, "next").await;
    a.app.keyring().retire(&next, true).await.unwrap();
    assert!(!kids(&a).await.contains(&next));
    assert_ne!(kid(&a, "next").await, next);
    assert!(matches!(a.app.keyring().retire("nonsense", true).await, Err(AppError::NotFound(_))));
}

#[tokio::test]
async fn a_node_learns_of_a_key_it_never_saw_at_once() {
    let (a, b) = two_nodes().await;
    let acme = tenant(&a, "acme").await;
    b.actor(&acme.token).get("/users/me").await.ok();
    // Twice, so that the signing key was not yet made when the other node last looked.
    a.app.keyring().rotate(true).await.unwrap();
    a.app.keyring().rotate(true).await.unwrap();
    let token = acme.token_with(&a, &["chat:read"]).await;
    b.actor(&token).get("/users/me").await.ok();
    b.actor(&acme.token).get("/users/me").await.ok();
    b.actor(&acme.key).post("/access_tokens/revoke", json!({ "token": token })).await.ok();
}

#[tokio::test]
async fn however_often_keys_are_made_no_node_refuses_one_it_never_saw() {
    let (a, b) = two_nodes().await;
    let acme = tenant(&a, "acme").await;
    for _ in 0..8 {
        a.app.keyring().rotate(true).await.unwrap();
        a.app.keyring().rotate(true).await.unwrap();
        let token = acme.token_with(&a, &["chat:read"]).await;
        b.actor(&token).get("/users/me").await.ok();
    }
}

#[tokio::test]
async fn rotation_under_load_loses_no_request() {
    let (a, b) = two_nodes().await;
    let acme = tenant(&a, "acme").await;
    let stop = Arc::new(AtomicBool::new(false));
    let (a, b) = (Arc::new(a), Arc::new(b));
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let (mint_on, use_on) =
                if n % 2 == 0 { (Arc::clone(&a), Arc::clone(&b)) } else { (Arc::clone(&b), Arc::clone(&a)) };
            let (stop, key, company, user) =
                (Arc::clone(&stop), acme.key.clone(), acme.company, acme.user.clone());
            tokio::spawn(async move {
                let mut seen = std::collections::BTreeSet::new();
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) || done < 20 {
                    let minted = mint_on.actor(&key).mint(company, &user, &["chat:read"]).await.ok();
                    let token = text(&minted, "token");
                    seen.insert(header(token)["kid"].to_string());
                    use_on.actor(token).get("/users/me").await.ok();
                    mint_on.actor(token).get("/users/me").await.ok();
                    done += 1;
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    for n in 0..6 {
        let keyring = if n % 2 == 0 { a.app.keyring() } else { b.app.keyring() };
        keyring.rotate(true).await.unwrap();
    }
    // Two at once: each key signs in turn, none is skipped or lost.
    let (x, y) = tokio::join!(a.app.keyring().rotate(true), b.app.keyring().rotate(true));
    let outcomes = [rotated(x), rotated(y)];
    assert!(outcomes.contains(&None), "{outcomes:?}");
    assert!(outcomes.iter().flatten().all(|code| *code == "concurrent_rotation"), "{outcomes:?}");
    stop.store(true, Ordering::Relaxed);
    let mut seen = std::collections::BTreeSet::new();
    for task in tasks {
        seen.extend(task.await.unwrap());
    }
    assert!(seen.len() > 1, "no rotation was seen: {seen:?}");
    let keys = a.app.keyring().list().await.unwrap();
    for (state, count) in [("active", 1), ("next", 1)] {
        assert_eq!(keys.iter().filter(|key| key.state == state).count(), count, "{keys:?}");
    }
}

#[tokio::test]
async fn keys_and_tokens_survive_a_restart_and_another_master_key_does_not_start() {
    let lasting = Lasting::new().await;
    let (token, published) = {
        let server = lasting.start(1).await;
        let acme = tenant(&server, "acme").await;
        (acme.token, kids(&server).await)
    };
    {
        let server = lasting.start(2).await;
        server.actor(&token).get("/users/me").await.ok();
        assert_eq!(kids(&server).await, published);
    }
    let store = hallpass_store::Store::open(&lasting.database).await.unwrap();
    let clock = Arc::new(hallpass_testkit::FixedClock::new());
    let opened = hallpass_app::App::open(hallpass_app::AppParts {
        store,
        clock,
        entropy: Arc::new(hallpass_testkit::SeededEntropy::new(3)),
        master: hallpass_token::MasterKey::from_bytes([9; 32]),
        public_url: hallpass_testkit::PUBLIC_URL.to_owned(),
        dev: false,
        signing_seed: None,
        limits: None,
        publish_ahead: SignedDuration::from_hours(24),
        webhooks: hallpass_testkit::webhook_parts(hallpass_testkit::Setup::default().outbound, false),
        files: hallpass_app::files::FileStorage::nowhere(),
        oauth: hallpass_app::oauth::OAuthPolicy::default(),
        hashing: hallpass_testkit::hashing(),
        mail: hallpass_app::mail::Post::Outbox,
    })
    .await;
    assert!(matches!(opened, Err(AppError::Conflict { code: "wrong_master_key", .. })));
}

#[tokio::test]
async fn keys_rest_sealed() {
    let server = TestServer::start().await;
    let rows = server.app.store().read().await.unwrap().list_signing_keys().await.unwrap();
    for row in &rows {
        let public: Value = serde_json::from_str(&row.public_jwk).unwrap();
        assert!(public.get("d").is_none());
        // Not the DER of a private key, not JSON, not PEM.
        assert!(
            !row.sealed.starts_with(&[0x30])
                && !row.sealed.starts_with(b"{")
                && !row.sealed.starts_with(b"-")
        );
    }
    assert_ne!(rows[0].sealed, rows[1].sealed);
}
