//! Where an OAuth token is good: companies that own or installed its app, as the user is there.

use serde_json::json;

use super::client::*;
use crate::browser::location;

#[tokio::test]
async fn a_token_works_where_its_app_is_and_its_user_is_enrolled() {
    let server = server().await;
    let client = Client::new(&server).await;
    let rival = server.company("rival").await;
    let mut browser = client.person("ann").await;
    let access = text(&client.tokens(&mut browser, &[]).await, "access_token");
    let user: hallpass_core::id::UserId = claims(&access)["sub"].as_str().unwrap().parse().unwrap();
    let ann = server.actor(access);
    let channels = async |company| ann.get(&format!("/chat_channels?company_id={company}")).await;
    channels(client.company).await.refused(404, "not_found");
    server.app.make_member(client.company, user).await.unwrap();
    channels(client.company).await.ok();
    // Enrolled elsewhere, where the app is not.
    server.app.make_member(rival.id, user).await.unwrap();
    channels(rival.id).await.refused(404, "not_found");
    server
        .app
        .store()
        .write((client.id.parse().unwrap(), rival.id, server.app.clock().now()), |(app, company, at), tx| {
            Box::pin(async move { tx.insert_app_install(*app, *company, *at).await })
        })
        .await
        .unwrap();
    channels(rival.id).await.ok();
    // Un-enrolled: at once.
    server.app.end_membership(rival.id, user).await.unwrap();
    channels(rival.id).await.refused(404, "not_found");
    channels(client.company).await.ok();
    // What the user's role does not allow, no scope brings.
    ann.get(&format!("/members?company_id={}", client.company)).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn a_bound_token_is_good_in_its_company_alone() {
    let server = server().await;
    let client = Client::new(&server).await;
    let rival = server.company("rival").await;
    let mut browser = client.person("ann").await;
    let at_large = text(&client.tokens(&mut browser, &[]).await, "access_token");
    let user: hallpass_core::id::UserId = claims(&at_large)["sub"].as_str().unwrap().parse().unwrap();
    for company in [client.company, rival.id] {
        server.app.make_member(company, user).await.unwrap();
    }
    server
        .app
        .store()
        .write((client.id.parse().unwrap(), rival.id, server.app.clock().now()), |(app, company, at), tx| {
            Box::pin(async move { tx.insert_app_install(*app, *company, *at).await })
        })
        .await
        .unwrap();
    let company = client.company.to_string();
    let bound = text(&client.tokens(&mut browser, &[("company_id", &company)]).await, "access_token");
    for (token, elsewhere) in [(&at_large, true), (&bound, false)] {
        let actor = server.actor(token.clone());
        actor.get(&format!("/chat_channels?company_id={company}")).await.ok();
        let there = actor.get(&format!("/chat_channels?company_id={}", rival.id)).await;
        assert_eq!(there.status == 200, elsewhere, "{}", there.text);
    }
}

#[tokio::test]
async fn entering_a_company_enrols_where_it_is_open_and_is_refused_where_it_is_not() {
    let server = server().await;
    let client = Client::new(&server).await;
    let company = client.company.to_string();
    let mut browser = client.person("ann").await;
    let sent = location(&browser.get(&client.request_with(&[("company_id", &company)])).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
    let open = hallpass_app::admin::AdminCommand::SetCompany {
        id: client.company,
        explicit_scopes: None,
        open_enrolment: Some(true),
    };
    server.app.admin(open).await.unwrap();
    let tokens = client.tokens(&mut browser, &[("company_id", &company)]).await;
    let actor = server.actor(text(&tokens, "access_token"));
    actor.get(&format!("/chat_channels?company_id={company}")).await.ok();
    // Not before they allowed it.
    let mut ben = client.person("ben").await;
    assert_eq!(ben.get(&client.request_with(&[("company_id", &company)])).await.status, 200);
    let members = server.actor(client.key.clone()).get(&format!("/members?company_id={company}")).await.ok();
    assert!(!members.to_string().contains("ben"), "{members}");
    // In a company where the app is not, nobody enters by it.
    let rival = server.company("rival").await;
    let elsewhere = rival.id.to_string();
    let sent = location(&browser.get(&client.request_with(&[("company_id", &elsewhere)])).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn a_user_the_company_made_is_who_enters_it_once_the_address_is_proved() {
    let server = server().await;
    let client = Client::new(&server).await;
    let company = client.company.to_string();
    let made = server
        .actor(client.key.clone())
        .post(
            "/companies",
            json!({ "email": "Ann@example.com", "parent_company_id": company, "title": "Ann of acme" }),
        )
        .await
        .ok();
    let local = text(&made["owner_user"], "id");
    let mut browser = client.person("ann").await;
    let bound =
        claims(&text(&client.tokens(&mut browser, &[("company_id", &company)]).await, "access_token"));
    assert_eq!(bound["sub"], local);
    let at_large = claims(&text(&client.tokens(&mut browser, &[]).await, "access_token"));
    assert_ne!(at_large["sub"], local);
}

#[tokio::test]
async fn threat_29_nobody_is_linked_before_they_allowed_an_app_of_the_company() {
    let server = server().await;
    let client = Client::new(&server).await;
    let stranger = Client::of(&server, "rival", json!({})).await;
    let company = client.company.to_string();
    let made = server
        .actor(client.key.clone())
        .post(
            "/companies",
            json!({ "email": "ann@example.com", "parent_company_id": company, "title": "Ann" }),
        )
        .await
        .ok();
    let local: hallpass_core::id::UserId = text(&made["owner_user"], "id").parse().unwrap();
    let person =
        async || server.app.store().read().await.unwrap().find_user(local).await.unwrap().unwrap().person;
    let mut browser = client.person("ann").await;
    // Another company's app asks, silently; and an app of this one is looked at, and refused.
    let silent = [("company_id", company.as_str()), ("prompt", "none")];
    let sent = location(&browser.get(&stranger.request_with(&silent)).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
    browser.get(&client.request_with(&[("company_id", &company)])).await;
    decide(&mut browser, "deny").await;
    assert_eq!(person().await, None);
    client.tokens(&mut browser, &[("company_id", &company)]).await;
    assert!(person().await.is_some());
    // What the company's key minted tells nothing of whoever it is.
    let body = json!({ "company_id": company, "user_id": local, "scoped_actions": ["openid", "email"] });
    let minted = server.actor(client.key.clone()).post("/access_tokens", body).await.ok();
    refused(&userinfo(&server, &text(&minted, "token")).await, 403, "insufficient_scope");
}

#[tokio::test]
async fn whom_a_company_removed_does_not_let_themselves_back_in() {
    let server = server().await;
    let client = Client::new(&server).await;
    let open = hallpass_app::admin::AdminCommand::SetCompany {
        id: client.company,
        explicit_scopes: None,
        open_enrolment: Some(true),
    };
    server.app.admin(open).await.unwrap();
    let company = client.company.to_string();
    let mut browser = client.person("ann").await;
    // Never silently.
    client.code(&mut browser, &[]).await;
    let silent = client.request_with(&[("company_id", &company), ("prompt", "none")]);
    let sent = location(&browser.get(&silent).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("consent_required"));
    let tokens = client.tokens(&mut browser, &[("company_id", &company)]).await;
    let user = claims(&text(&tokens, "access_token"))["sub"].as_str().unwrap().parse().unwrap();
    server.app.end_membership(client.company, user).await.unwrap();
    let sent = location(&browser.get(&client.request_with(&[("company_id", &company)])).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("access_denied"));
    // Enrolled again by the company, the old tokens stay dead.
    server.app.make_member(client.company, user).await.unwrap();
    let fields = changed(client.refreshing(&text(&tokens, "refresh_token")), &[("company_id", &company)]);
    refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_grant");
    client.tokens(&mut browser, &[("company_id", &company)]).await;
}

#[tokio::test]
async fn threat_15_secrets_are_in_no_log_and_no_address() {
    use hallpass_testkit::Captured;

    let heard = Captured::default();
    let writer = heard.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let tokens = form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
    let next = client.refresh(&text(&tokens, "refresh_token")).await.ok();
    client.refresh(&text(&next, "refresh_token")).await.ok();
    // Reuse is recorded, without the token.
    refused(&client.refresh(&text(&tokens, "refresh_token")).await, 400, "invalid_grant");
    refused(&form(&server, "/oauth/token", &client.redemption(&code)).await, 400, "invalid_grant");
    let log = heard.text();
    assert!(log.contains("reused") && log.contains("redeemed twice"), "{log}");
    let session = browser.cookies.values().find(|value| value.starts_with("hps_")).unwrap().clone();
    let secrets = [
        code.clone(),
        client.secret.clone(),
        session,
        VERIFIER.to_owned(),
        crate::browser::PASSWORD.to_owned(),
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
        text(&tokens, "id_token"),
        text(&next, "refresh_token"),
    ];
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} was logged");
        // Of all of them only the code is ever in an address, and that one is the client's.
        let ours = browser.addresses.iter().filter(|address| !address.starts_with(REDIRECT));
        for address in ours {
            assert!(!address.contains(secret.as_str()), "{secret} in {address}");
        }
    }
}
