//! Refreshing: rotation, its grace, reuse, and what ends it.

use hallpass_app::oauth::OAuthPolicy;
use hallpass_testkit::{Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::client::*;
use crate::browser::location;

fn refresh_token(tokens: &Value) -> String {
    text(tokens, "refresh_token")
}

#[tokio::test]
async fn a_token_gets_a_successor_and_the_same_again_while_it_is_unused() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let first = refresh_token(&client.tokens(&mut browser, &[]).await);
    let second = client.refresh(&first).await.ok();
    assert_ne!(refresh_token(&second), first);
    assert!(second["id_token"].is_string() && second["access_token"].is_string());
    server.clock.advance(SignedDuration::from_secs(29));
    // The answer was lost, or another tab asks.
    let again = client.refresh(&first).await.ok();
    assert_eq!(refresh_token(&again), refresh_token(&second));
    assert_ne!(again["access_token"], second["access_token"]);
    // Using the successor ends the grace.
    let third = client.refresh(&refresh_token(&second)).await.ok();
    refused(&client.refresh(&first).await, 400, "invalid_grant");
    refused(&client.refresh(&refresh_token(&third)).await, 400, "invalid_grant");
}

#[tokio::test]
async fn reuse_after_the_grace_revokes_everything_of_the_grant() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let first = client.tokens(&mut browser, &[]).await;
    let elsewhere = client.tokens(&mut browser, &[]).await;
    let second = client.refresh(&refresh_token(&first)).await.ok();
    server.clock.advance(SignedDuration::from_secs(30));
    refused(&client.refresh(&refresh_token(&first)).await, 400, "invalid_grant");
    refused(&client.refresh(&refresh_token(&second)).await, 400, "invalid_grant");
    for tokens in [&first, &second] {
        refused(&userinfo(&server, &text(tokens, "access_token")).await, 401, "invalid_token");
    }
    // Another sign-in of the same person is another grant.
    userinfo(&server, &text(&elsewhere, "access_token")).await.ok();
    client.refresh(&refresh_token(&elsewhere)).await.ok();
}

#[tokio::test]
async fn without_a_grace_every_second_use_is_reuse() {
    let oauth = OAuthPolicy { refresh_grace: SignedDuration::ZERO, ..OAuthPolicy::default() };
    let server = TestServer::with(Setup { oauth, ..Setup::default() }).await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let first = refresh_token(&client.tokens(&mut browser, &[]).await);
    let second = refresh_token(&client.refresh(&first).await.ok());
    refused(&client.refresh(&first).await, 400, "invalid_grant");
    refused(&client.refresh(&second).await, 400, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_are_one_family_and_one_successor() {
    let server = server().await;
    let other = server.another_node().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let first = refresh_token(&client.tokens(&mut browser, &[]).await);
    let fields = client.refreshing(&first);
    // SQLite has one node; PostgreSQL any number.
    let nodes = if server.app.store().is_shared() { [&server, &other] } else { [&server, &server] };
    let tries = (0..20).map(|n| form(nodes[n % 2], "/oauth/token", &fields));
    let answers = futures_util::future::join_all(tries).await;
    let mut successors: Vec<String> = answers.into_iter().map(|answer| refresh_token(&answer.ok())).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    client.refresh(&successors[0]).await.ok();
}

#[tokio::test]
async fn threat_24_a_used_token_stays_used_on_another_node_and_after_a_restart() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let first = refresh_token(&client.tokens(&mut browser, &[]).await);
    let second = refresh_token(&client.refresh(&first).await.ok());
    let restarted = server.another_node().await;
    // In the grace a restart loses nothing either.
    let again = form(&restarted, "/oauth/token", &client.refreshing(&first)).await.ok();
    assert_eq!(refresh_token(&again), second);
    // The session that it came from changed its secret; the memory of use is the grant's.
    browser.sign_in("ann").await;
    server.clock.advance(SignedDuration::from_hours(1));
    refused(&form(&restarted, "/oauth/token", &client.refreshing(&first)).await, 400, "invalid_grant");
    refused(&client.refresh(&second).await, 400, "invalid_grant");
}

#[tokio::test]
async fn threat_11_altered_refresh_tokens_are_refused_and_revoke_nothing() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let token = refresh_token(&client.tokens(&mut browser, &[]).await);
    for at in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        refused(&client.refresh(&altered).await, 400, "invalid_grant");
    }
    for altered in [&token[..token.len() - 1], &format!("{token}A"), "hpr_"] {
        refused(&client.refresh(altered).await, 400, "invalid_grant");
    }
    client.refresh(&token).await.ok();
}

#[tokio::test]
async fn whoever_may_not_have_it_changes_nothing() {
    let server = server().await;
    let client = Client::new(&server).await;
    let other = Client::of(&server, "rival", json!({})).await;
    let mut browser = client.person("ann").await;
    let token = refresh_token(&client.tokens(&mut browser, &[]).await);
    refused(&other.refresh(&token).await, 400, "invalid_grant");
    // It was given to a client that showed its secret: without, it is worth nothing.
    let bare = changed(client.refreshing(&token), &[("client_secret", "")]);
    refused(&form(&server, "/oauth/token", &bare).await, 401, "invalid_client");
    let wide = changed(client.refreshing(&token), &[("scope", "openid chat:moderate")]);
    refused(&form(&server, "/oauth/token", &wide).await, 400, "invalid_scope");
    let bound = changed(client.refreshing(&token), &[("company_id", &client.company.to_string())]);
    refused(&form(&server, "/oauth/token", &bound).await, 400, "invalid_grant");
    client.refresh(&token).await.ok();
}

#[tokio::test]
async fn the_original_scope_may_be_resent_and_a_part_of_it_narrows_the_access_token() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let scope = format!("{SCOPE} offline_access");
    let token = refresh_token(&client.tokens(&mut browser, &[("scope", &scope)]).await);
    let same =
        form(&server, "/oauth/token", &changed(client.refreshing(&token), &[("scope", &scope)])).await.ok();
    assert!(text(&same, "scope").contains("dms:read"));
    let part = changed(client.refreshing(&refresh_token(&same)), &[("scope", "openid chat:read")]);
    let narrow = form(&server, "/oauth/token", &part).await.ok();
    assert!(!text(&narrow, "scope").contains("dms:read") && text(&narrow, "scope").contains("chat:read"));
    // The grant is as wide as before.
    let wide = client.refresh(&refresh_token(&narrow)).await.ok();
    assert!(text(&wide, "scope").contains("dms:read"));
}

#[tokio::test]
async fn a_grant_bound_to_a_company_is_refreshed_with_it_alone() {
    let server = server().await;
    let client = Client::new(&server).await;
    let company = client.company.to_string();
    let mut browser = client.person("ann").await;
    let user = claims(&text(&client.tokens(&mut browser, &[]).await, "access_token"))["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    server.app.make_member(client.company, user.parse().unwrap()).await.unwrap();
    let tokens = client.tokens(&mut browser, &[("company_id", &company)]).await;
    assert_eq!(claims(&text(&tokens, "access_token"))["company_id"], company);
    let token = refresh_token(&tokens);
    refused(&client.refresh(&token).await, 400, "invalid_grant");
    for other in ["biz_00000000000000000000000001", "acme"] {
        let fields = changed(client.refreshing(&token), &[("company_id", other)]);
        refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_grant");
    }
    let fields = changed(client.refreshing(&token), &[("company_id", &company)]);
    let tokens = form(&server, "/oauth/token", &fields).await.ok();
    // Whoever is un-enrolled gets no more, and what they have is dead.
    server.app.end_membership(client.company, user.parse().unwrap()).await.unwrap();
    refused(&userinfo(&server, &text(&tokens, "access_token")).await, 401, "invalid_token");
    let fields = changed(client.refreshing(&refresh_token(&tokens)), &[("company_id", &company)]);
    refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_grant");
}

#[tokio::test]
async fn grants_end_when_idle_and_at_their_end() {
    let days = |n: i64| SignedDuration::from_hours(n * 24);
    let oauth = OAuthPolicy { refresh_idle: days(30), refresh_longest: days(80), ..OAuthPolicy::default() };
    let server = TestServer::with(Setup { oauth, ..Setup::default() }).await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let mut token = refresh_token(&client.tokens(&mut browser, &[]).await);
    for _ in 0..2 {
        server.clock.advance(days(29));
        token = refresh_token(&client.refresh(&token).await.ok());
    }
    server.clock.advance(days(22));
    refused(&client.refresh(&token).await, 400, "invalid_grant");
    let mut browser = client.person("ben").await;
    let token = refresh_token(&client.tokens(&mut browser, &[]).await);
    server.clock.advance(days(30));
    refused(&client.refresh(&token).await, 400, "invalid_grant");
}

#[tokio::test]
async fn signing_out_one_device_ends_what_it_gave_and_leaves_the_others() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut phone = client.person("ann").await;
    let on_phone = client.tokens(&mut phone, &[]).await;
    let mut laptop = crate::browser::Browser::new(&server);
    laptop.sign_in("ann").await;
    let on_laptop = client.tokens(&mut laptop, &[]).await;
    phone.get("/account").await;
    assert!(location(&phone.post("/sign-out", &[]).await).is_some());
    refused(&userinfo(&server, &text(&on_phone, "access_token")).await, 401, "invalid_token");
    refused(&client.refresh(&refresh_token(&on_phone)).await, 400, "invalid_grant");
    userinfo(&server, &text(&on_laptop, "access_token")).await.ok();
    client.refresh(&refresh_token(&on_laptop)).await.ok();
    // A session that ran out by itself ends nothing.
    server.clock.advance(SignedDuration::from_hours(24 * 15));
    assert!(!laptop.is_signed_in().await);
    assert_eq!(client.refresh(&refresh_token(&on_laptop)).await.status, 400, "used before");
}

#[tokio::test]
async fn taking_consent_back_revokes_and_asks_again() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let page = browser.get("/account").await;
    assert!(page.text.contains("My App"), "{}", page.text);
    let fields = hidden_fields(&page.text, "/account/apps/revoke");
    let pairs: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(location(&browser.post("/account/apps/revoke", &pairs).await).is_some());
    refused(&userinfo(&server, &text(&tokens, "access_token")).await, 401, "invalid_token");
    refused(&client.refresh(&refresh_token(&tokens)).await, 400, "invalid_grant");
    assert!(!browser.get("/account").await.text.contains("My App"));
    assert_eq!(browser.get(&client.request_with(&[])).await.status, 200, "asked again");
}

/// The hidden fields of a form, but for its token.
fn hidden_fields(page: &str, action: &str) -> Vec<(String, String)> {
    let action = format!("action=\"{}\"", action.replace('/', "&#x2f;"));
    let form = page.split("<form ").find(|form| form.contains(&action)).unwrap();
    form.split("type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        })
        .filter(|(name, _)| name != "csrf")
        .collect()
}

#[tokio::test]
async fn threat_21_a_deactivated_user_refreshes_and_reads_nothing() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let user = claims(&text(&tokens, "access_token"))["sub"].as_str().unwrap().to_owned();
    let command = hallpass_app::admin::AdminCommand::DeactivateUser { id: user.parse().unwrap() };
    server.app.admin(command).await.unwrap();
    refused(&userinfo(&server, &text(&tokens, "access_token")).await, 401, "invalid_token");
    refused(&client.refresh(&refresh_token(&tokens)).await, 400, "invalid_grant");
    let sent = location(&browser.get(&client.request_with(&[])).await);
    assert!(sent.is_none_or(|sent| query_of(&sent, "code").is_none()));
    assert!(!browser.is_signed_in().await);
    // Undone, nothing of before lives again.
    let command = hallpass_app::admin::AdminCommand::ReactivateUser { id: user.parse().unwrap() };
    server.app.admin(command).await.unwrap();
    refused(&client.refresh(&refresh_token(&tokens)).await, 400, "invalid_grant");
    refused(&userinfo(&server, &text(&tokens, "access_token")).await, 401, "invalid_token");
    assert!(!browser.is_signed_in().await);
    browser.sign_in("ann").await;
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn a_code_on_its_way_ends_with_the_consent() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let page = browser.get("/account").await;
    let fields = hidden_fields(&page.text, "/account/apps/revoke");
    let pairs: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(location(&browser.post("/account/apps/revoke", &pairs).await).is_some());
    refused(&form(&server, "/oauth/token", &client.redemption(&code)).await, 400, "invalid_grant");
}

/// PostgreSQL runs writers at once: whatever order they come in, nothing that was ended lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redeeming_beside_signing_out_or_taking_consent_back_leaves_nothing_alive() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let session = async |browser: &crate::browser::Browser<'_>| {
        let cookie = browser.cookies.values().find(|value| value.starts_with("hps_")).unwrap();
        server.app.find_session(cookie).await.unwrap().unwrap()
    };
    for round in 0..10 {
        let code = client.code(&mut browser, &[]).await;
        let there = session(&browser).await;
        let fields = client.redemption(&code);
        let ending = async {
            if round % 2 == 0 {
                server.app.end_session(there.person, there.id).await.unwrap();
            } else {
                let apps = server.app.list_authorized_apps(there.person).await.unwrap();
                let consent = &apps[0].consent;
                let (user, app) = (consent.user, consent.app);
                server.app.revoke_consent(there.person, user, app, None).await.unwrap();
            }
        };
        let (redeemed, ()) = tokio::join!(form(&server, "/oauth/token", &fields), ending);
        if redeemed.status == 200 {
            refused(&client.refresh(&refresh_token(&redeemed.body)).await, 400, "invalid_grant");
            refused(&userinfo(&server, &text(&redeemed.body, "access_token")).await, 401, "invalid_token");
        }
        if round % 2 == 0 {
            browser.sign_in("ann").await;
            server.clock.advance(SignedDuration::from_mins(10));
        }
    }
}
