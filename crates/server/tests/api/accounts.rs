//! Accounts: companies under their newer name.

use hallpass_testkit::http::Method;
use hallpass_testkit::{Actor, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::{ids, may, once, text};

async fn made(key: &Actor<'_>, body: Value) -> Value {
    key.post("/accounts", body).await.created()
}

#[tokio::test]
async fn an_account_is_a_connected_account_of_the_keys_company() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let account = made(
        &key,
        json!({ "email": "jane@acme.test", "title": "Jane Doe", "country": "de",
                                     "metadata": { "external_id": "u1" } }),
    )
    .await;
    assert_eq!(account["parent_account_id"], json!(acme.id));
    assert_eq!(
        (&account["title"], &account["email"], &account["country"]),
        (&json!("Jane Doe"), &json!("jane@acme.test"), &json!("de"))
    );
    assert_eq!(account["metadata"], json!({ "external_id": "u1" }));
    let path = format!("/accounts/{}", text(&account, "id"));
    assert_eq!(key.get(&path).await.ok(), account);
    // The same thing as the company of that id.
    let company = key.get(&format!("/companies/{}", text(&account, "id"))).await.ok();
    assert_eq!((&company["route"], &company["owner_user"]["name"]), (&account["route"], &json!("Jane Doe")));
    // The same address: the same user, another account.
    let again = made(&key, json!({ "email": "jane@acme.test", "title": "Again" })).await;
    assert_ne!(again["id"], account["id"]);
    let company = key.get(&format!("/companies/{}", text(&again, "id"))).await.ok();
    assert_eq!(company["owner_user"]["name"], "Jane Doe");
    assert_eq!(
        key.post("/accounts", json!({ "title": "x" })).await.refused(400, "parameter_missing")["param"],
        "email"
    );
}

#[tokio::test]
async fn a_title_is_made_of_what_there_is_and_shows_no_address() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let by_id = made(&key, json!({ "email": "a@acme.test", "metadata": { "external_id": "user 42" } })).await;
    assert_eq!(by_id["title"], "user 42");
    for metadata in [json!({}), json!({ "external_id": 42 }), json!({ "external_id": " " }), json!(null)] {
        let plain = made(&key, json!({ "email": "secret-name@acme.test", "metadata": metadata })).await;
        assert_eq!(plain["title"], "secret-name@acme.test");
        assert!(!text(&plain, "route").contains("secret"), "{plain:#}");
        let company = key.get(&format!("/companies/{}", text(&plain, "id"))).await.ok();
        let owner = &company["owner_user"];
        assert_eq!(owner["name"], json!(null));
        assert!(text(owner, "username").starts_with("user"), "{owner:#}");
    }
}

#[tokio::test]
async fn a_key_lists_its_own_company_among_its_accounts() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    rival.user("bob").await;
    let key = acme.as_key();
    let mut all = vec![acme.id.to_string()];
    for n in 0..4 {
        server.clock.advance(SignedDuration::from_secs((n + 1) % 2));
        let account = made(&key, json!({ "email": format!("u{n}@acme.test"), "title": "t" })).await;
        all.push(text(&account, "id").to_owned());
    }
    let whole = ids(&key.get("/accounts?order=created_at&direction=asc").await.ok());
    assert_eq!(whole.first(), all.first());
    let (mut sorted, mut expected) = (whole.clone(), all);
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    for (direction, size, edge, cursor, more) in [
        ("asc", "first", "after", "end_cursor", "has_next_page"),
        ("desc", "last", "before", "start_cursor", "has_previous_page"),
        ("desc", "first", "after", "end_cursor", "has_next_page"),
    ] {
        let mut walked = Vec::new();
        let mut from = String::new();
        loop {
            let page = key.get(&format!("/accounts?direction={direction}&{size}=2{from}")).await.ok();
            let mut found = ids(&page);
            if size == "last" {
                found.reverse();
            }
            walked.extend(found);
            if page["page_info"][more] == json!(false) {
                break;
            }
            from = format!("&{edge}={}", text(&page["page_info"], cursor));
        }
        if direction == "desc" && size == "first" {
            walked.reverse();
        }
        assert_eq!(walked, whole, "{direction} {size}");
    }
    assert_eq!(key.get("/accounts?order=title").await.refused(400, "parameter_invalid")["param"], "order");
}

#[tokio::test]
async fn me_is_the_credentials_own_account() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let me = server.actor(&acme.key).get("/accounts/me").await.ok();
    assert_eq!((&me["id"], &me["parent_account_id"]), (&json!(acme.company), &json!(null)));
    assert_eq!(
        (&me["balances"], &me["wallet"], &me["llc_formation"]),
        (&json!([]), &json!(null), &json!({}))
    );
    for scope in ["company:balance:read", "company:basic:read"] {
        let key = server.actor(acme.key_with(&server, may(acme.company, &[scope])).await);
        let seen = key.get("/accounts/me").await.ok();
        assert_eq!(seen["id"], json!(acme.company));
        // Addresses are for those who may read them.
        assert_eq!(seen["email"], json!(null));
    }
    server.actor(&acme.token).get("/accounts/me").await.refused(403, "scope_missing");
}

#[tokio::test]
async fn what_we_keep_is_changed_and_what_belongs_to_commerce_is_ignored() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let path = format!("/accounts/{}", acme.account);
    let before = key.get(&path).await.ok();
    let ours = json!({ "title": "New", "route": "new-route", "description": "d", "target_audience": "t",
                       "country": "fr", "send_customer_emails": false, "metadata": { "k": 1 },
                       "social_links": [{ "url": "https://x.com/a", "website": "x" }] });
    let after = key.patch(&path, ours.clone()).await.ok();
    for field in
        ["title", "route", "description", "target_audience", "country", "send_customer_emails", "metadata"]
    {
        assert_eq!(after[field], ours[field], "{field}");
    }
    assert_eq!(
        after["social_links"],
        json!([{ "id": "link_1", "title": null, "url": "https://x.com/a", "website": "x" }])
    );
    let theirs = json!({
        "business_address": { "line1": "x" }, "business_type": "x", "home_preferences": ["x"], "industry_group": "x",
        "industry_type": "x", "invoice_prefix": "x", "onboarding_type": "x", "opengraph_image_variant": "x",
        "other_business_description": "x", "other_industry_description": "x", "product_tax_code_id": "x",
        "require_2fa": true, "show_joined_whops": true, "show_reviews_dtc": true, "show_user_directory": true,
        "store_page_config": { "x": 1 }, "tax_collection_enabled_states": ["CA"], "tax_remitted_by": "self",
        "tax_identifiers": [{ "tax_id_type": "eu_vat", "tax_id_value": "x" }], "featured_affiliate_product_id": "x",
        "affiliate_application_required": true, "use_logo_as_opengraph_image_fallback": true, "opengraph_image": {},
    });
    assert_eq!(key.patch(&path, theirs).await.ok(), after);
    assert_eq!(key.get(&path).await.ok(), after);
    let cleared = key
        .patch(&path, json!({ "description": null, "country": null, "metadata": null, "title": null }))
        .await
        .ok();
    assert_eq!(
        (&cleared["description"], &cleared["country"], &cleared["metadata"]),
        (&json!(null), &json!(null), &json!({}))
    );
    assert_eq!((&cleared["title"], &cleared["id"]), (&json!("New"), &before["id"]));
    for (body, param) in [
        (json!({ "country": "Atlantis" }), "country"),
        (json!({ "route": "No Slug" }), "route"),
        (json!({ "social_links": [{ "url": "ftp://x", "website": "x" }] }), "social_links"),
    ] {
        assert_eq!(key.patch(&path, body).await.refused(400, "parameter_invalid")["param"], param);
    }
}

#[tokio::test]
async fn an_account_is_made_once_a_key_and_by_nobody_below() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let ask = json!({ "email": "once@acme.test", "title": "Once" });
    let first = once(&server, &acme.key, "/accounts", "k", ask.clone()).await;
    let again = once(&server, &acme.key, "/accounts", "k", ask.clone()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    // A connected account has none of its own.
    let child = server
        .key(
            acme.account.parse().unwrap(),
            hallpass_core::statement::KeyRights::Role(hallpass_core::role::Role::Owner),
        )
        .await;
    server.actor(child).post("/accounts", ask).await.refused(422, "nested_account");
    // A user's account is nobody's connected account.
    let token = server.actor(acme.token_as(&server, Some(hallpass_core::role::Role::Admin)).await);
    assert_eq!(token.post("/accounts", json!({})).await.refused(400, "parameter_missing")["param"], "title");
    let own = made(&token, json!({ "title": "Mine" })).await;
    assert_eq!(own["parent_account_id"], json!(null));
    let answer = server.call(&acme.key, Method::GET, &format!("/accounts/{}", text(&own, "id")), None).await;
    answer.refused(404, "not_found");
}
