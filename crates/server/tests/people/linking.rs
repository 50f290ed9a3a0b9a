use hallpass_core::id::{CompanyId, UserId};
use hallpass_testkit::{TestCompany, TestServer};
use serde_json::json;

use super::browser::Browser;

/// A user that a company made for an address.
async fn local(company: &TestCompany<'_>, email: &str) -> UserId {
    let body = json!({ "email": email, "title": "Local", "parent_company_id": company.id });
    let made = company.as_key().post("/companies", body).await.ok();
    made["owner_user"]["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn who_proved_the_address_enters_as_the_user_made_for_it() {
    let server = TestServer::start().await;
    let (acme, other) = (server.company("acme").await, server.company("other").await);
    let (made, elsewhere) = (local(&acme, "Ann@Example.com").await, local(&other, "zoe@example.com").await);
    let before = acme.as_key().get(&format!("/users/{made}?account_id={}", acme.id)).await.ok();
    let person = Browser::new(&server).sign_up("ann").await;
    let own = server.app.user_for(person, None).await.unwrap().unwrap();
    assert_ne!(own, made);
    let company: CompanyId = acme.id;
    assert_eq!(server.app.user_for(person, Some(company)).await.unwrap(), Some(made));
    assert_eq!(server.app.user_for(person, Some(other.id)).await.unwrap(), Some(own));
    assert_ne!(elsewhere, own);
    // What the company sees is what it saw.
    let after = acme.as_key().get(&format!("/users/{made}?account_id={}", acme.id)).await.ok();
    assert_eq!(after, before);
    // Shut out there: not let in as somebody else.
    server.app.deactivate_user(made).await.unwrap();
    assert_eq!(server.app.user_for(person, Some(company)).await.unwrap(), None);
}

#[tokio::test]
async fn threat_29_a_user_made_for_an_address_is_nobodys_until_it_is_proved() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let made = local(&acme, "victim@example.com").await;
    let mut eve = Browser::new(&server);
    let eva = eve.sign_up("eve").await;
    let own = server.app.user_for(eva, None).await.unwrap();
    assert_eq!(server.app.user_for(eva, Some(acme.id)).await.unwrap(), own);
    // Asked for, and not proved.
    let (_, session) = eve.session(eva).await;
    server.app.begin_address(&eve.asker, &session, "victim@example.com").await.unwrap();
    assert_eq!(server.app.user_for(eva, Some(acme.id)).await.unwrap(), own);
    let victim = Browser::new(&server).sign_up("victim").await;
    assert_eq!(server.app.user_for(victim, Some(acme.id)).await.unwrap(), Some(made));
}

#[tokio::test]
async fn of_many_who_link_at_once_one_does() {
    let server = TestServer::start().await;
    let other = server.another_node().await;
    let acme = server.company("acme").await;
    let made = local(&acme, "ann@example.com").await;
    let person = Browser::new(&server).sign_up("ann").await;
    let entries = (0..8).map(|n| {
        let node = if n % 2 == 0 { &server } else { &other };
        node.app.user_for(person, Some(acme.id))
    });
    for entered in futures_util::future::join_all(entries).await {
        assert_eq!(entered.unwrap(), Some(made));
    }
}
