//! The authority log: what narrows bites here at once and on every node within a second.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use hallpass_app::authority::Authority;
use hallpass_core::Clock;
use hallpass_core::authority::Change;
use hallpass_core::id::{CompanyId, TokenId, UserId};
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_testkit::{Answer, Body, CHAT_SCOPES, SeededEntropy, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::given::{
    Lasting, claims, enrolment, eventually, may, refused_within_a_second, request, text, two_nodes,
};

/// A company, a user of it whose token is warm, and a private channel the user was let into.
struct World {
    company: CompanyId,
    key: String,
    /// The connected account that the user owns.
    account: CompanyId,
    user: String,
    experience: String,
    channel: String,
    token: String,
    /// Mints the token; another than `key`.
    minter: String,
    minter_id: String,
}

async fn world(server: &TestServer) -> World {
    let acme = server.company("acme").await;
    let made = acme.as_key().post("/companies", enrolment(acme.id, "ann@acme.test", "ann")).await.ok();
    let user = text(&made["owner_user"], "id").to_owned();
    let (experience, channel) = acme.channel("Private", false).await;
    acme.as_key().put(&format!("/experiences/{experience}/members/{user}")).await.ok();
    let body = json!({ "child_company_id": acme.id, "role": "admin", "name": "minter" });
    let minter = acme.as_key().post(&format!("/companies/{}/api_keys", acme.id), body).await.ok();
    let minter_secret = text(&minter, "secret_key").to_owned();
    let token = server.actor(&minter_secret).mint(acme.id, &user, &CHAT_SCOPES).await.ok();
    World {
        company: acme.id,
        account: text(&made, "id").parse().unwrap(),
        user,
        experience,
        channel,
        token: text(&token, "token").to_owned(),
        minter: minter_secret,
        minter_id: text(&minter, "id").to_owned(),
        key: acme.key,
    }
}

impl World {
    async fn read(&self, server: &TestServer) -> Answer {
        server.actor(&self.token).get(&format!("/messages?channel_id={}", self.channel)).await
    }
    async fn write(&self, server: &TestServer) -> Answer {
        server.actor(&self.token).say(&self.channel, "still here").await
    }
    fn user_id(&self) -> UserId {
        self.user.parse().unwrap()
    }
}

/// Narrows on one node; it bites there at once, on another one within a second, and on a third that
/// starts afterwards.
async fn bites(narrow: impl AsyncFnOnce(&TestServer, &World), status: u16, code: &str) {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    for node in [&a, &b] {
        world.read(node).await.ok();
        world.write(node).await.ok();
    }
    narrow(&a, &world).await;
    let is_refused =
        |answer: &Answer| answer.status == status && answer.body["error"]["code"].as_str() == Some(code);
    refused_within_a_second(&b, async || world.read(&b).await, is_refused, "reading on the other node").await;
    world.write(&b).await.refused(status, code);
    world.read(&a).await.refused(status, code);
    world.write(&a).await.refused(status, code);
    let c = a.another_node().await;
    world.read(&c).await.refused(status, code);
}

#[tokio::test]
async fn a_revoked_token_is_dead_on_every_node() {
    let narrow = async |a: &TestServer, world: &World| {
        let body = json!({ "token": world.token });
        a.actor(&world.key).post("/access_tokens/revoke", body).await.ok();
        // At once on this node, without waiting for anybody.
        world.read(a).await.refused(401, "credential_revoked");
    };
    bites(narrow, 401, "credential_revoked").await;
}

#[tokio::test]
async fn a_user_revokes_their_own_token() {
    let narrow = async |a: &TestServer, world: &World| {
        a.actor(&world.token).post("/access_tokens/revoke", json!({ "token": world.token })).await.ok();
    };
    bites(narrow, 401, "credential_revoked").await;
}

#[tokio::test]
async fn a_revoked_jti_is_dead_on_every_node() {
    let narrow = async |a: &TestServer, world: &World| {
        let body = json!({ "jti": claims(&world.token)["jti"] });
        a.actor(&world.key).post("/access_tokens/revoke", body).await.ok();
        world.read(a).await.refused(401, "credential_revoked");
    };
    bites(narrow, 401, "credential_revoked").await;
}

#[tokio::test]
async fn a_revoked_users_tokens_are_dead_on_every_node() {
    let narrow = async |a: &TestServer, world: &World| {
        let body = json!({ "user_id": world.user, "company_id": world.company });
        a.actor(&world.key).post("/access_tokens/revoke", body).await.ok();
        world.read(a).await.refused(401, "credential_revoked");
    };
    bites(narrow, 401, "credential_revoked").await;
}

#[tokio::test]
async fn a_revoked_key_and_what_it_minted_are_dead_on_every_node() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    for node in [&a, &b] {
        world.read(node).await.ok();
        node.actor(&world.minter).get(&format!("/companies/{}", world.company)).await.ok();
    }
    a.actor(&world.key).post("/access_tokens/revoke", json!({ "api_key_id": world.minter_id })).await.ok();
    a.actor(&world.minter).mint(world.company, &world.user, &[]).await.refused(401, "credential_revoked");
    world.read(&a).await.refused(401, "credential_revoked");
    let dead = |answer: &Answer| answer.status == 401;
    refused_within_a_second(&b, async || world.read(&b).await, dead, "the token").await;
    let mint = async || b.actor(&world.minter).mint(world.company, &world.user, &[]).await;
    refused_within_a_second(&b, mint, dead, "the key").await;
    // The other key of the company goes on.
    b.actor(&world.key).mint(world.company, &world.user, &[]).await.ok();
}

/// Sends a request whose body arrives only after `narrow` was done, which begins once the credential has
/// been accepted.
async fn meanwhile(
    server: &TestServer,
    bearer: &str,
    path: &str,
    body: Value,
    narrow: impl Future<Output = ()>,
) -> Answer {
    let (accepted, narrowed) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let signals = (Arc::clone(&accepted), Arc::clone(&narrowed));
    let body = stream::once(async move {
        signals.0.add_permits(1);
        drop(signals.1.acquire().await);
        Ok::<_, Infallible>(body.to_string())
    });
    let bearer = format!("Bearer {bearer}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let sending = server.send(request("POST", &format!("/api/v1{path}"), &headers, Body::from_stream(body)));
    let narrowing = async {
        drop(accepted.acquire().await);
        narrow.await;
        narrowed.add_permits(1);
    };
    tokio::join!(sending, narrowing).0
}

#[tokio::test]
async fn a_credential_that_is_revoked_while_the_body_arrives_does_nothing() {
    let server = TestServer::start().await;
    let w = world(&server).await;
    let say = json!({ "channel_id": w.channel, "content": "too late" });
    let revoke = async |body: Value| {
        server.actor(&w.key).post("/access_tokens/revoke", body).await.ok();
    };
    let by_token =
        meanwhile(&server, &w.token, "/messages", say.clone(), revoke(json!({ "token": w.token })));
    by_token.await.refused(401, "credential_revoked");
    let fresh = server.actor(&w.minter).mint(w.company, &w.user, &CHAT_SCOPES).await.ok();
    let by_user = revoke(json!({ "user_id": w.user, "company_id": w.company }));
    let by_user = meanwhile(&server, text(&fresh, "token"), "/messages", say.clone(), by_user);
    by_user.await.refused(401, "credential_revoked");
    let by_key = revoke(json!({ "api_key_id": w.minter_id }));
    let by_key = meanwhile(&server, &w.minter, "/messages", say, by_key);
    by_key.await.refused(401, "credential_revoked");
    let body = json!({ "child_company_id": w.company, "role": "admin", "name": "minter" });
    let other = server.actor(&w.key).post(&format!("/companies/{}/api_keys", w.company), body).await.ok();
    let mint = json!({ "company_id": w.company, "user_id": w.user });
    let by_key = revoke(json!({ "api_key_id": other["id"] }));
    let by_key = meanwhile(&server, text(&other, "secret_key"), "/access_tokens", mint, by_key);
    by_key.await.refused(401, "credential_revoked");
    let listed = server.actor(&w.key).get(&format!("/messages?channel_id={}", w.channel)).await.ok();
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn an_unenrolled_user_is_out_on_every_node_and_back_only_with_a_new_token() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    world.read(&b).await.ok();
    let member = format!("/companies/{}/members/{}", world.company, world.user);
    a.actor(&world.key).delete(&member).await.ok();
    world.read(&a).await.refused(401, "credential_revoked");
    refused_within_a_second(&b, async || world.read(&b).await, |answer| answer.status == 401, "reading")
        .await;
    let mint =
        async |node: &TestServer| node.actor(&world.key).mint(world.company, &world.user, &CHAT_SCOPES).await;
    mint(&a).await.refused(404, "not_found");
    mint(&b).await.refused(404, "not_found");
    // Back again: old tokens stay dead, access to the private channel does not come back by itself.
    a.actor(&world.key).put(&member).await.ok();
    let again = mint(&b).await.ok();
    world.read(&a).await.refused(401, "credential_revoked");
    world.read(&b).await.refused(401, "credential_revoked");
    let list = format!("/messages?channel_id={}", world.channel);
    b.actor(text(&again, "token")).get(&list).await.refused(404, "not_found");
    a.actor(text(&again, "token")).get(&list).await.refused(404, "not_found");
}

#[tokio::test]
async fn lost_access_to_a_private_experience_bites_on_every_node() {
    let narrow = async |a: &TestServer, world: &World| {
        let path = format!("/experiences/{}/members/{}", world.experience, world.user);
        a.actor(&world.key).delete(&path).await.ok();
        world.read(a).await.refused(404, "not_found");
    };
    bites(narrow, 404, "not_found").await;
}

#[tokio::test]
async fn an_experience_made_private_bites_on_every_node() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    let path = format!("/experiences/{}", world.experience);
    let list = format!("/messages?channel_id={}", world.channel);
    let outsider =
        a.actor(&world.key).post("/companies", enrolment(world.company, "ben@acme.test", "ben")).await.ok();
    let ben = text(&outsider["owner_user"], "id");
    let token = a.actor(&world.key).mint(world.company, ben, &CHAT_SCOPES).await.ok();
    let (ben_a, ben_b) = (a.actor(text(&token, "token")), b.actor(text(&token, "token")));
    a.actor(&world.key).patch(&path, json!({ "is_public": true })).await.ok();
    ben_a.get(&list).await.ok();
    eventually(&b, async || ben_b.get(&list).await.status == 200, "the opening on the other node").await;
    a.actor(&world.key).patch(&path, json!({ "access_level": "private" })).await.ok();
    ben_a.get(&list).await.refused(404, "not_found");
    ben_a.say(&world.channel, "in?").await.refused(404, "not_found");
    refused_within_a_second(&b, async || ben_b.get(&list).await, |answer| answer.status == 404, "reading")
        .await;
    ben_b.say(&world.channel, "in?").await.refused(404, "not_found");
    // Who was let in stays in.
    world.read(&b).await.ok();
}

#[tokio::test]
async fn a_lowered_role_bites_on_every_node() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    a.app.set_team_role(world.company, world.user_id(), Some(Role::Moderator)).await.unwrap();
    let minted =
        a.actor(&world.key).mint(world.company, &world.user, &["chat:read", "chat:moderate"]).await.ok();
    let moderate = async |node: &TestServer| {
        let path = format!("/chat_channels/{}", world.channel);
        node.actor(text(&minted, "token")).patch(&path, json!({ "ban_urls": true })).await
    };
    moderate(&a).await.ok();
    eventually(&b, async || moderate(&b).await.status == 200, "the promotion on the other node").await;
    a.app.set_team_role(world.company, world.user_id(), Some(Role::Support)).await.unwrap();
    moderate(&a).await.refused(403, "scope_missing");
    refused_within_a_second(&b, async || moderate(&b).await, |answer| answer.status == 403, "moderating")
        .await;
    // Not killed, only narrowed: what the role still allows goes on.
    world.read(&b).await.ok();
    a.app.set_team_role(world.company, world.user_id(), None).await.unwrap();
    moderate(&a).await.refused(403, "scope_missing");
    world.read(&a).await.ok();
}

#[tokio::test]
async fn a_detached_company_is_out_of_its_parents_reach_on_every_node() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    let minted = a.actor(&world.key).mint(world.account, &world.user, &["company:basic:read"]).await.ok();
    let path = format!("/companies/{}", world.account);
    let by_key = async |node: &TestServer| node.actor(&world.key).get(&path).await;
    let by_token = async |node: &TestServer| node.actor(text(&minted, "token")).get(&path).await;
    for node in [&a, &b] {
        by_key(node).await.ok();
        by_token(node).await.ok();
    }
    a.app.detach_company(world.account).await.unwrap();
    by_key(&a).await.refused(404, "not_found");
    by_token(&a).await.refused(401, "credential_revoked");
    refused_within_a_second(&b, async || by_key(&b).await, |answer| answer.status == 404, "the key").await;
    refused_within_a_second(&b, async || by_token(&b).await, |answer| answer.status == 401, "the token")
        .await;
    a.actor(&world.key).mint(world.account, &world.user, &[]).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_deactivated_user_is_out_on_every_node() {
    let narrow = async |a: &TestServer, world: &World| {
        a.app.deactivate_user(world.user_id()).await.unwrap();
        world.read(a).await.refused(401, "credential_revoked");
        let mint = a.actor(&world.key).mint(world.company, &world.user, &[]).await;
        mint.refused(404, "not_found");
    };
    bites(narrow, 401, "credential_revoked").await;
}

#[tokio::test]
async fn a_reactivated_users_old_tokens_stay_dead() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    world.read(&server).await.ok();
    server.app.deactivate_user(world.user_id()).await.unwrap();
    server.app.reactivate_user(world.user_id()).await.unwrap();
    world.read(&server).await.refused(401, "credential_revoked");
    server.actor(&world.key).mint(world.company, &world.user, &[]).await.ok();
}

#[tokio::test]
async fn an_expired_key_and_what_it_minted_are_dead() {
    let (a, b) = two_nodes().await;
    let acme = a.company("acme").await;
    let ann = acme.user("ann").await;
    let ask = hallpass_app::api_keys::CreateApiKey {
        company: acme.id,
        app: None,
        name: None,
        rights: KeyRights::Role(Role::Admin),
        expires_at: Some(a.app.clock().now() + SignedDuration::from_mins(30)),
    };
    let made = a.app.make_api_key(ask, None).await.unwrap();
    let key = made.secret.expose();
    // A token never outlives its key, whatever is asked for.
    let body = json!({ "company_id": acme.id, "user_id": ann, "expires_at": "2026-01-01T14:00:00Z" });
    let minted = a.actor(key).post("/access_tokens", body).await.ok();
    assert_eq!(minted["expires_at"], "2026-01-01T12:30:00.000Z");
    for node in [&a, &b] {
        node.actor(text(&minted, "token")).get("/users/me").await.ok();
        node.actor(key).get("/users").await.ok();
    }
    a.clock.advance(SignedDuration::from_mins(30));
    for node in [&a, &b] {
        node.actor(key).get("/users").await.refused(401, "credential_expired");
        node.actor(text(&minted, "token")).get("/users/me").await.refused(401, "credential_expired");
    }
}

#[tokio::test]
async fn who_is_enrolled_on_one_node_gets_a_token_on_another_at_once() {
    let (a, b) = two_nodes().await;
    let acme = a.company("acme").await;
    for n in 0..20 {
        // Absence was asked for on the other node just before; it must not be remembered there.
        let made =
            acme.as_key().post("/companies", enrolment(acme.id, &format!("u{n}@acme.test"), "u")).await.ok();
        let user = text(&made["owner_user"], "id");
        let member = format!("/companies/{}/members/{user}", acme.id);
        acme.as_key().delete(&member).await.ok();
        let mint = async || b.actor(&acme.key).mint(acme.id, user, &CHAT_SCOPES).await;
        refused_within_a_second(&b, mint, |answer| answer.status == 404, "minting").await;
        acme.as_key().put(&member).await.ok();
        let minted = mint().await.ok();
        b.actor(text(&minted, "token")).get("/users/me").await.ok();
        a.actor(text(&minted, "token")).get("/users/me").await.ok();
    }
}

#[tokio::test]
async fn a_new_key_works_on_another_node_at_once() {
    let (a, b) = two_nodes().await;
    let acme = a.company("acme").await;
    let key = a.key(acme.id, may(acme.id, &["company:basic:read"])).await;
    b.actor(&key).get(&format!("/companies/{}", acme.id)).await.ok();
}

#[tokio::test]
async fn a_node_that_cannot_read_the_log_answers_nobody_and_says_so() {
    let (a, b) = two_nodes().await;
    let world = world(&a).await;
    world.read(&b).await.ok();
    let ready = async || b.send(super::given::request("GET", "/readyz", &[], "")).await;
    assert_eq!(ready().await.status, 200);
    b.stop_background();
    eventually(&b, async || ready().await.status == 503, "saying so").await;
    let said = ready().await.body;
    assert_eq!(said["ready"], false);
    assert!(text(&said, "reason").contains("authority log"), "{said}");
    let refused = world.read(&b).await;
    assert_eq!(refused.headers["retry-after"], "1");
    refused.refused(503, "unavailable");
    b.actor(&world.key).mint(world.company, &world.user, &[]).await.refused(503, "unavailable");
    // What needs no rights goes on.
    let live = b.send(super::given::request("GET", "/livez", &[], "")).await;
    assert_eq!(live.status, 200);
    world.read(&a).await.ok();
}

#[tokio::test]
async fn narrowing_survives_a_restart() {
    let lasting = Lasting::new().await;
    let (world, revoked, fresh) = {
        let server = lasting.start(1).await;
        let world = world(&server).await;
        world.read(&server).await.ok();
        let key = server.actor(&world.key);
        let fresh = key.mint(world.company, &world.user, &CHAT_SCOPES).await.ok();
        let revoked = key.mint(world.company, &world.user, &CHAT_SCOPES).await.ok();
        key.post("/access_tokens/revoke", json!({ "token": revoked["token"] })).await.ok();
        key.post("/access_tokens/revoke", json!({ "api_key_id": world.minter_id })).await.ok();
        (world, text(&revoked, "token").to_owned(), text(&fresh, "token").to_owned())
    };
    let server = lasting.start(2).await;
    server.actor(&revoked).get("/users/me").await.refused(401, "credential_revoked");
    world.read(&server).await.refused(401, "credential_revoked");
    server.actor(&world.minter).get("/users").await.refused(401, "credential_revoked");
    // What was not revoked outlives the restart as well.
    server.actor(&fresh).get("/users/me").await.ok();
}

#[tokio::test]
async fn pruning_the_log_revives_nothing() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    server
        .actor(&world.key)
        .post("/access_tokens/revoke", json!({ "api_key_id": world.minter_id }))
        .await
        .ok();
    let body =
        json!({ "company_id": world.company, "user_id": world.user, "expires_at": "2026-01-01T15:00:00Z" });
    let longest = server.actor(&world.key).post("/access_tokens", body).await.ok();
    let body = json!({ "token": longest["token"] });
    server.actor(&world.key).post("/access_tokens/revoke", body).await.ok();
    for _ in 0..7 {
        server.clock.advance(SignedDuration::from_mins(29));
        server.app.do_chores().await.unwrap();
        let still = server.actor(text(&longest, "token")).get("/users/me").await;
        assert_eq!(still.status, 401, "{}", still.body);
        server.actor(&world.minter).get("/users").await.refused(401, "credential_revoked");
    }
    world.read(&server).await.refused(401, "credential_expired");
}

/// A clock that was a day ahead for a minute forgets what was revoked; it must not forget that.
#[tokio::test]
async fn a_clock_that_jumps_and_comes_back_revives_nothing() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    let key = server.actor(&world.key);
    key.post("/access_tokens/revoke", json!({ "token": world.token })).await.ok();
    world.read(&server).await.refused(401, "credential_revoked");
    server.clock.advance(SignedDuration::from_hours(24));
    key.patch(&format!("/companies/{}", world.company), json!({ "description": "later" })).await.ok();
    server.app.do_chores().await.unwrap();
    assert_eq!(world.read(&server).await.status, 401);
    server.clock.advance(SignedDuration::from_hours(-24));
    world.read(&server).await.refused(401, "credential_revoked");
    // Whoever mints now is served at once.
    let fresh = key.mint(world.company, &world.user, &CHAT_SCOPES).await.ok();
    server.actor(text(&fresh, "token")).get("/users/me").await.ok();
}

/// A node that was stopped while everything it had not read was pruned trusts nothing that it knew.
#[tokio::test]
async fn a_node_that_slept_through_the_log_starts_over() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    let clock: Arc<dyn Clock> = server.clock.clone();
    let asleep = Authority::open(server.app.store().clone(), clock).await.unwrap();
    let minter = Change::Key(world.minter_id.parse().unwrap());
    let (rev, stripes) = (asleep.rev(), asleep.stripes([&minter; 3]));
    assert!(asleep.holds(rev, stripes) && !asleep.killed(rev, [&minter]));
    let body = json!({ "api_key_id": world.minter_id });
    server.actor(&world.key).post("/access_tokens/revoke", body).await.ok();
    server.clock.advance(SignedDuration::from_hours(24));
    server.app.do_chores().await.unwrap();
    asleep.refresh().await.unwrap();
    assert_eq!(asleep.rev(), server.app.authority().rev());
    assert!(!asleep.holds(rev, stripes), "what was cached before is stale");
    // The log holds its newest entry, here the very revocation; one more, and it is pruned, too.
    let path = format!("/companies/{}", world.company);
    server.actor(&world.key).patch(&path, json!({ "description": "later" })).await.ok();
    server.app.do_chores().await.unwrap();
    server.clock.advance(SignedDuration::from_hours(24));
    server.app.do_chores().await.unwrap();
    asleep.refresh().await.unwrap();
    assert!(asleep.killed(rev, [&minter]), "what was issued before the revocation is dead");
}

#[tokio::test]
async fn a_jti_is_revoked_by_whoever_reaches_its_company() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    let parent = server.actor(&world.key);
    let body = json!({ "child_company_id": world.account, "role": "owner" });
    let child = parent.post(&format!("/companies/{}/api_keys", world.company), body).await.ok();
    let child = server.actor(text(&child, "secret_key"));
    let minted = child.mint(world.account, &world.user, &CHAT_SCOPES).await.ok();
    let token = server.actor(text(&minted, "token"));
    token.get("/users/me").await.ok();
    let jti = claims(text(&minted, "token"))["jti"].clone();
    // The child's key speaks for the child alone.
    let others = claims(&world.token)["jti"].clone();
    child.post("/access_tokens/revoke", json!({ "jti": others })).await.ok();
    world.read(&server).await.ok();
    parent.post("/access_tokens/revoke", json!({ "jti": jti })).await.ok();
    token.get("/users/me").await.refused(401, "credential_revoked");
}

#[tokio::test]
async fn a_jti_that_no_living_token_can_have_leaves_no_entry() {
    let server = TestServer::start().await;
    let world = world(&server).await;
    let key = server.actor(&world.key);
    let revoke = async |ahead: SignedDuration| {
        let at = server.clock.now() + ahead;
        let jti = TokenId::generate(at, &SeededEntropy::new(1));
        key.post("/access_tokens/revoke", json!({ "jti": jti })).await
    };
    let head = async || server.app.store().read().await.unwrap().authority_head().await.unwrap().n;
    let before = head().await;
    assert_eq!(revoke(SignedDuration::from_hours(-4)).await.ok()["revoked"], true, "dead it is");
    revoke(SignedDuration::from_mins(6)).await.refused(400, "parameter_invalid");
    assert_eq!(head().await, before);
    // A node whose clock is a little ahead may have minted it.
    revoke(SignedDuration::from_mins(4)).await.ok();
    assert_eq!(head().await, before + 1);
}
