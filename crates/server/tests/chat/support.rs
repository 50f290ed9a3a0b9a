//! Support chats: one per customer and company, with the team.

use hallpass_core::catalogue::scopes::SUPPORT_CHAT_READ;
use hallpass_core::id::{FeedId, UserId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_store::EventKind;
use hallpass_testkit::{Actor, Answer, TestCompany, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::direct_messages::{dm, ids, members, text};
use super::messages::events;

async fn open_for(who: &Actor<'_>, acme: &TestCompany<'_>, user: &str) -> Answer {
    who.post("/support_channels", json!({ "company_id": acme.id, "user_id": user })).await
}

async fn chat(acme: &TestCompany<'_>, user: &str) -> String {
    text(&open_for(&acme.as_key(), acme, user).await.ok(), "id")
}

async fn listed(who: &Actor<'_>, query: &str) -> Vec<String> {
    ids(&who.get(&format!("/support_channels?first=100{query}")).await.ok())
}

/// A user on the team who answers customers, with a token for all that a support role may.
async fn agent<'s>(server: &'s TestServer, acme: &TestCompany<'s>, name: &str, role: Role) -> Actor<'s> {
    let user = acme.user(name).await;
    acme.role(&user, Some(role)).await;
    let scopes = [
        "support_chat:create",
        "support_chat:read",
        "support_chat:message:create",
        "dms:read",
        "dms:channel:manage",
    ];
    server.actor(acme.token_with(&user, &scopes).await)
}

#[tokio::test]
async fn a_customer_has_one_support_chat() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    let body = json!({ "company_id": acme.id, "user_id": ann, "custom_name": "Help" });
    let made = acme.as_key().post("/support_channels", body).await.ok();
    let id = text(&made, "id");
    let expected = json!({
        "id": id, "company_id": acme.id, "account_id": acme.id, "custom_name": "Help",
        "customer_user": { "id": ann, "name": "ann", "username": made["customer_user"]["username"] },
        "last_message_at": null, "resolved_at": null,
    });
    assert_eq!(made, expected);
    let again = json!({ "account_id": acme.id, "user_id": made["customer_user"]["username"], "custom_name": "Other" });
    assert_eq!(as_agent.post("/support_channels", again).await.ok(), made);
    for who in [&as_ann, &as_agent, &acme.as_key()] {
        let seen = who.get(&format!("/support_channels/{id}")).await.ok();
        assert_eq!(seen["customer_user"], made["customer_user"]);
        assert_eq!(who.get("/support_channels").await.ok()["data"], json!([seen]));
        let sent = who.say(&id, "hello").await.ok();
        assert_eq!(who.get(&format!("/messages/{}", text(&sent, "id"))).await.ok(), sent);
        let now = who.get(&format!("/support_channels/{id}")).await.ok();
        assert_eq!(now["last_message_at"], sent["created_at"]);
    }
    // In the customer's list of direct messages, not in the team's.
    assert_eq!(ids(&as_ann.get("/dm_channels").await.ok()), std::slice::from_ref(&id));
    assert_eq!(ids(&as_agent.get("/dm_channels").await.ok()), Vec::<String>::new());
    assert_eq!(as_ann.get(&format!("/dm_channels/{id}")).await.ok()["name"], "Help");
    assert_eq!(as_agent.get(&format!("/dm_channels/{id}")).await.ok()["name"], "Help");
    assert_eq!(members(&as_agent, &id).await[0]["user_id"], ann);
}

#[tokio::test]
async fn others_see_nothing_of_it() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, as_ann) = acme.member("ann").await;
    let (_, as_ben) = acme.member("ben").await;
    let (_, eve) = rival.member("eve").await;
    let seller = agent(&server, &acme, "seller", Role::SalesManager).await;
    // Its token may name the scope, its role does not have it.
    let id = chat(&acme, &ann).await;
    let sent = as_ann.say(&id, "secret").await.ok();
    let message = format!("/messages/{}", text(&sent, "id"));
    for who in [&as_ben, &eve, &seller, &rival.as_key()] {
        who.get(&format!("/support_channels/{id}")).await.refused(404, "not_found");
        who.get(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
        who.get(&format!("/messages?channel_id={id}")).await.refused(404, "not_found");
        who.get(&message).await.refused(404, "not_found");
        who.say(&id, "x").await.refused(404, "not_found");
        who.post(&format!("/support_channels/{id}/resolve"), json!({})).await.refused(404, "not_found");
        who.delete(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
        assert_eq!(listed(who, "").await, Vec::<String>::new());
    }
    // A direct message is no support chat.
    let direct = dm(&as_ann, &[&acme.owner.to_string()]).await;
    as_ann.get(&format!("/support_channels/{direct}")).await.refused(404, "not_found");
    as_ann.post(&format!("/support_channels/{direct}/resolve"), json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn who_may_open_one_for_whom() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, as_ann) = acme.member("ann").await;
    let eve = rival.user("eve").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    open_for(&as_ann, &acme, &ann).await.refused(403, "scope_missing");
    let unknown =
        open_for(&as_agent, &acme, &UserId::from_bits(1).to_string()).await.refused(404, "not_found");
    for who in [eve.as_str(), "nosuchname", "ann@nowhere.test"] {
        let error = open_for(&as_agent, &acme, who).await.refused(404, "not_found");
        assert_eq!(error["message"], unknown["message"]);
    }
    open_for(&as_agent, &rival, &eve).await.refused(404, "not_found");
    open_for(&rival.as_key(), &acme, &ann).await.refused(404, "not_found");
    for body in [json!({ "user_id": ann }), json!({ "company_id": acme.id })] {
        as_agent.post("/support_channels", body).await.refused(400, "parameter_missing");
    }
    assert_eq!(listed(&acme.as_key(), "").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_team_resolves_and_the_customer_reopens() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    let id = chat(&acme, &ann).await;
    let at = format!("/support_channels/{id}");
    let resolve = format!("{at}/resolve");
    let reopen = format!("{at}/reopen");
    as_ann.post(&resolve, json!({})).await.refused(403, "not_team");
    as_ann.post(&reopen, json!({})).await.refused(403, "not_team");
    server.clock.advance(SignedDuration::from_secs(3));
    let resolved = as_agent.post(&resolve, json!({})).await.ok();
    assert_eq!(resolved["resolved_at"], "2026-01-01T12:00:03.000Z");
    server.clock.advance(SignedDuration::from_secs(3));
    assert_eq!(as_agent.post(&resolve, json!({})).await.ok(), resolved, "once");
    as_agent.say(&id, "solved, I think").await.ok();
    acme.as_key().say(&id, "and closed").await.ok();
    assert_eq!(as_ann.get(&at).await.ok()["resolved_at"], resolved["resolved_at"]);
    assert_eq!(listed(&as_agent, "&open=true").await, Vec::<String>::new());
    assert_eq!(listed(&as_ann, "&open=false").await, std::slice::from_ref(&id));
    as_ann.say(&id, "no!").await.ok();
    assert_eq!(as_agent.get(&at).await.ok()["resolved_at"], Value::Null);
    assert_eq!(listed(&as_agent, "&open=true").await, std::slice::from_ref(&id));
    assert_eq!(listed(&as_ann, "&open=false").await, Vec::<String>::new());
    as_agent.post(&resolve, json!({})).await.ok();
    assert_eq!(acme.as_key().post(&reopen, json!({})).await.ok()["resolved_at"], Value::Null);
    let kinds: Vec<EventKind> = events(&server, &id).await.into_iter().map(|(kind, _)| kind).collect();
    let expected = [
        EventKind::ChannelUpdated,
        EventKind::MessageCreated,
        EventKind::MessageCreated,
        EventKind::MessageCreated,
        EventKind::ChannelUpdated,
        EventKind::ChannelUpdated,
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn lists_by_view_state_order_and_direction() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    let (mut made, mut first) = (Vec::new(), None);
    for n in 0..5 {
        let (user, actor) = acme.member(&format!("user{n}")).await;
        server.clock.advance(SignedDuration::from_secs(1));
        made.push(chat(&acme, &user).await);
        first.get_or_insert(actor);
    }
    let as_first = first.unwrap();
    server.clock.advance(SignedDuration::from_secs(1));
    as_first.say(&made[0], "hello?").await.ok();
    as_agent.post(&format!("/support_channels/{}/resolve", made[3]), json!({})).await.ok();
    let of = |places: &[usize]| places.iter().map(|n| made[*n].clone()).collect::<Vec<_>>();
    for (query, expected) in [
        ("", vec![0, 4, 3, 2, 1]),
        ("&order=last_post_sent_at&direction=asc", vec![1, 2, 3, 4, 0]),
        ("&order=created_at", vec![4, 3, 2, 1, 0]),
        ("&order=created_at&direction=asc", vec![0, 1, 2, 3, 4]),
        ("&open=true", vec![0, 4, 2, 1]),
        ("&open=false", vec![3]),
        ("&open=true&order=created_at&direction=asc", vec![0, 1, 2, 4]),
        ("&view=admin", vec![0, 4, 3, 2, 1]),
        ("&view=all", vec![0, 4, 3, 2, 1]),
        ("&view=customer", vec![]),
    ] {
        assert_eq!(listed(&as_agent, query).await, of(&expected), "{query}");
        assert_eq!(listed(&acme.as_key(), query).await, of(&expected), "key {query}");
    }
    for (query, expected) in
        [("", vec![0]), ("&view=customer", vec![0]), ("&view=admin", vec![]), ("&open=false", vec![])]
    {
        assert_eq!(listed(&as_first, query).await, of(&expected), "customer {query}");
    }
    for (order, expected) in [("created_at", [4, 3, 2, 1, 0]), ("last_post_sent_at", [0, 4, 3, 2, 1])] {
        let (mut walked, mut after) = (Vec::new(), String::new());
        loop {
            let page = as_agent.get(&format!("/support_channels?first=2&order={order}{after}")).await.ok();
            walked.extend(ids(&page));
            match page["page_info"]["end_cursor"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        assert_eq!(walked, of(&expected), "{order}");
    }
    for bad in ["open=maybe", "view=team", "order=id", "direction=up"] {
        as_agent.get(&format!("/support_channels?{bad}")).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn a_platforms_key_sees_its_connected_accounts_chats() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let body = json!({ "email": "seller@acme.test", "parent_company_id": acme.id, "title": "Shop" });
    let shop = acme.as_key().post("/companies", body).await.ok();
    let (shop_id, seller) = (text(&shop, "id"), text(&shop["owner_user"], "id"));
    let ann = acme.user("ann").await;
    let own = chat(&acme, &ann).await;
    let open = json!({ "company_id": shop_id, "user_id": seller });
    let theirs = text(&acme.as_key().post("/support_channels", open).await.ok(), "id");
    let eve = rival.user("eve").await;
    chat(&rival, &eve).await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let both = sorted(vec![own.clone(), theirs.clone()]);
    assert_eq!(sorted(listed(&acme.as_key(), "").await), both);
    assert_eq!(
        sorted(listed(&acme.as_key(), &format!("&company_id={}&order=created_at", acme.id)).await),
        both
    );
    assert_eq!(
        listed(&acme.as_key(), &format!("&company_id={shop_id}")).await,
        std::slice::from_ref(&theirs)
    );
    // The account's own key sees its own.
    let shops = server.actor(server.key(shop_id.parse().unwrap(), KeyRights::Role(Role::Owner)).await);
    for query in [String::new(), format!("&company_id={shop_id}"), "&open=true".to_owned()] {
        assert_eq!(listed(&shops, &query).await, std::slice::from_ref(&theirs), "{query}");
    }
    // The platform's team is not the accounts' team.
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    assert_eq!(listed(&as_agent, "").await, std::slice::from_ref(&own));
    as_agent.get(&format!("/support_channels/{theirs}")).await.refused(404, "not_found");
    as_agent.get(&format!("/support_channels?company_id={shop_id}")).await.refused(404, "not_found");
    // A key that is denied one account by name is shown none of them unasked.
    let statement = |grant, resource: &str| Statement {
        actions: ScopeSet::of(&[SUPPORT_CHAT_READ]),
        grant,
        resources: vec![Pattern::try_from(resource.to_owned()).unwrap()],
    };
    let rights = vec![statement(true, &acme.id.to_string()), statement(false, &shop_id)];
    let denied = server.actor(server.key(acme.id, KeyRights::Statements(rights)).await);
    assert_eq!(listed(&denied, "").await, [own]);
    denied.get(&format!("/support_channels?company_id={shop_id}")).await.refused(403, "scope_missing");
    denied.get(&format!("/support_channels/{theirs}")).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn its_members_are_fixed_and_the_team_moderates() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let ben = acme.user("ben").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    let as_admin = agent(&server, &acme, "boss", Role::Admin).await;
    let id = chat(&acme, &ann).await;
    let add = json!({ "channel_id": id, "user_id": ben });
    for who in [&as_ann, &as_agent, &acme.as_key()] {
        who.post("/dm_members", add.clone()).await.refused(422, "support_members");
        let of_ann = format!("/dm_members/{}", text(&members(&as_ann, &id).await[0], "id"));
        who.delete(&of_ann).await.refused(422, "support_members");
    }
    let of_ann = format!("/dm_members/{}", text(&members(&as_ann, &id).await[0], "id"));
    assert_eq!(as_ann.patch(&of_ann, json!({ "status": "hidden" })).await.ok()["status"], "hidden");
    as_agent.patch(&of_ann, json!({ "status": "accepted" })).await.refused(403, "not_own_membership");
    let at = format!("/dm_channels/{id}");
    as_ann.patch(&at, json!({ "custom_name": "mine" })).await.refused(403, "not_admin");
    assert_eq!(as_agent.patch(&at, json!({ "custom_name": "Case 7" })).await.ok()["name"], "Case 7");
    let said = as_ann.say(&id, &format!("<@{ann}> <@{ben}> <@{}>", acme.owner)).await.ok();
    let mut mentioned: Vec<&str> =
        said["mentions"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    mentioned.sort_unstable();
    let owner = acme.owner.to_string();
    let mut expected = [ann.as_str(), &owner];
    expected.sort_unstable();
    assert_eq!(mentioned, expected);
    let message = format!("/messages/{}", text(&said, "id"));
    as_agent.delete(&message).await.refused(403, "not_author");
    as_admin.delete(&message).await.ok();
    as_ann.delete(&at).await.refused(403, "scope_missing");
    as_agent.delete(&at).await.ok();
    as_ann.get(&at).await.refused(404, "not_found");
    let next = chat(&acme, &ann).await;
    assert_ne!(next, id);
    assert_eq!(as_ann.get(&format!("/messages?channel_id={next}")).await.ok()["data"], json!([]));
}

#[tokio::test]
async fn who_leaves_the_team_or_the_company_leaves_its_chats() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let user = acme.user("agent").await;
    acme.role(&user, Some(Role::Support)).await;
    let as_agent = server.actor(acme.token(&user).await);
    let id = chat(&acme, &ann).await;
    as_agent.say(&id, "hello").await.ok();
    acme.role(&user, None).await;
    as_agent.say(&id, "still here").await.refused(404, "not_found");
    as_agent.get(&format!("/messages?channel_id={id}")).await.refused(404, "not_found");
    assert_eq!(listed(&as_agent, "").await, Vec::<String>::new());
    acme.as_key().delete(&format!("/companies/{}/members/{ann}", acme.id)).await.ok();
    as_ann.say(&id, "x").await.refused(401, "credential_revoked");
    assert_eq!(listed(&acme.as_key(), "").await, [id], "the company keeps what it was asked");
}

#[tokio::test]
async fn two_who_open_one_at_once_open_one() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let as_agent = agent(&server, &acme, "agent", Role::Support).await;
    for n in 0..6 {
        let user = acme.user(&format!("user{n}")).await;
        let key = acme.as_key();
        let (a, b, c) = tokio::join!(
            open_for(&key, &acme, &user),
            open_for(&as_agent, &acme, &user),
            open_for(&key, &acme, &user)
        );
        let made: std::collections::BTreeSet<String> =
            [a, b, c].into_iter().map(|a| text(&a.ok(), "id")).collect();
        assert_eq!(made.len(), 1);
    }
}

#[tokio::test]
async fn resolving_against_a_customers_message_ends_as_the_later_of_them_says() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let id = chat(&acme, &ann).await;
    let at = format!("/support_channels/{id}");
    for round in 0..8 {
        acme.as_key().post(&format!("{at}/reopen"), json!({})).await.ok();
        let before = events(&server, &id).await.len();
        let (resolve, key) = (format!("{at}/resolve"), acme.as_key());
        let (resolved, sent) = tokio::join!(key.post(&resolve, json!({})), as_ann.say(&id, "wait"));
        resolved.ok();
        sent.ok();
        let last = events(&server, &id).await.split_off(before).pop().unwrap().0;
        let open = acme.as_key().get(&at).await.ok()["resolved_at"].is_null();
        assert_eq!(open, last == EventKind::MessageCreated, "{round}: {last:?}");
    }
    id.parse::<FeedId>().unwrap();
}
