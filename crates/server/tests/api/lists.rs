//! Every list, page by page: both ways, stable while things are added, by cursors that open nothing else.

use hallpass_core::role::Role;
use hallpass_testkit::{Actor, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::given::{ids, text};

/// Walks a list to its end, or backwards to its start, with something done between pages.
async fn walk(who: &Actor<'_>, list: &str, back: bool, between: impl AsyncFn()) -> Vec<String> {
    let (size, edge, cursor, more) = if back {
        ("last", "before", "start_cursor", "has_previous_page")
    } else {
        ("first", "after", "end_cursor", "has_next_page")
    };
    let join = if list.contains('?') { '&' } else { '?' };
    let mut seen = Vec::new();
    let mut from = String::new();
    for _ in 0..50 {
        let page = who.get(&format!("{list}{join}{size}=2{from}")).await.ok();
        let found = ids(&page);
        assert!(found.len() <= 2);
        if back {
            seen.splice(0..0, found);
        } else {
            seen.extend(found);
        }
        if page["page_info"][more] == json!(false) {
            if !back {
                // Clients walk until there is no cursor.
                assert_eq!(page["page_info"]["end_cursor"], json!(null));
            }
            return seen;
        }
        from = format!("&{edge}={}", text(&page["page_info"], cursor));
        between().await;
    }
    panic!("{list} does not end");
}

/// Seven of everything that lists show.
async fn filled(server: &TestServer) -> (hallpass_testkit::TestCompany<'_>, String, Vec<String>) {
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("c0", true).await;
    for n in 0..7 {
        // Some at the same time, some later: order is by the key, not by luck.
        server.clock.advance(SignedDuration::from_secs(n % 2));
        let user = acme.user(&format!("u{n}")).await;
        acme.role(&user, Some(Role::ALL[usize::try_from(n).unwrap()])).await;
        acme.channel(&format!("c{n}"), n % 3 != 0).await;
        acme.as_key().post("/apps", json!({ "name": format!("a{n}") })).await.ok();
        acme.as_key().say(&channel, &format!("m{n}")).await.ok();
    }
    let lists = vec![
        format!("/companies?parent_company_id={}", acme.id),
        format!("/companies?parent_company_id={}&direction=asc", acme.id),
        "/users".to_owned(),
        "/users?direction=asc".to_owned(),
        "/users?query=u".to_owned(),
        format!("/members?company_id={}", acme.id),
        format!("/members?company_id={}&order=joined_at&direction=asc", acme.id),
        format!("/members?company_id={}&order=most_recent_action", acme.id),
        format!("/members?company_id={}&statuses[]=joined&access_level=admin", acme.id),
        "/authorized_users".to_owned(),
        "/apps".to_owned(),
        "/apps?query=a&direction=asc".to_owned(),
        format!("/team_members?account_id={}&direction=asc", acme.id),
        format!("/experiences?company_id={}", acme.id),
        format!("/experiences?company_id={}&app_id={}", acme.id, server.app.builtin_app()),
        format!("/chat_channels?company_id={}", acme.id),
        format!("/messages?channel_id={channel}"),
        format!("/messages?channel_id={channel}&direction=asc"),
    ];
    (acme, channel, lists)
}

#[tokio::test]
async fn every_list_shows_each_item_once_both_ways() {
    let server = TestServer::start().await;
    let (acme, _, lists) = filled(&server).await;
    let key = acme.as_key();
    for list in &lists {
        let join = if list.contains('?') { '&' } else { '?' };
        let whole = ids(&key.get(&format!("{list}{join}first=50")).await.ok());
        assert!(whole.len() >= 7, "{list}: {whole:?}");
        assert_eq!(walk(&key, list, false, async || {}).await, whole, "{list}");
        assert_eq!(walk(&key, list, true, async || {}).await, whole, "{list} backwards");
    }
}

#[tokio::test]
async fn every_list_is_stable_while_items_are_added() {
    let server = TestServer::start().await;
    let (acme, channel, lists) = filled(&server).await;
    let key = acme.as_key();
    let count = std::cell::Cell::new(0);
    for list in &lists {
        let join = if list.contains('?') { '&' } else { '?' };
        let before = ids(&key.get(&format!("{list}{join}first=50")).await.ok());
        let add = async || {
            count.set(count.get() + 1);
            server.clock.advance(SignedDuration::from_secs(1));
            acme.user(&format!("u-added-{}", count.get())).await;
            acme.channel("added", true).await;
            acme.as_key().say(&channel, "added").await.ok();
        };
        // Ascending walks end only when nothing is added; a few times are enough.
        let enough = count.get() + 2;
        let add = async || {
            if count.get() < enough {
                add().await;
            }
        };
        let walked = walk(&key, list, false, add).await;
        let old: Vec<_> = walked.iter().filter(|id| before.contains(id)).cloned().collect();
        assert_eq!(old, before, "{list}");
        let mut unique = walked.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), walked.len(), "{list} repeats");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let server = TestServer::start().await;
    let (acme, _, lists) = filled(&server).await;
    let rival = server.company("rival").await;
    for n in 0..3 {
        rival.user(&format!("r{n}")).await;
    }
    let key = acme.as_key();
    let mut cursors: Vec<(String, String)> = Vec::new();
    for list in &lists {
        let join = if list.contains('?') { '&' } else { '?' };
        let page = key.get(&format!("{list}{join}first=1")).await.ok();
        cursors.push((list.clone(), text(&page["page_info"], "end_cursor").to_owned()));
    }
    for (list, cursor) in &cursors {
        let join = if list.contains('?') { '&' } else { '?' };
        for (other, _) in cursors.iter().filter(|(other, _)| other != list) {
            let join = if other.contains('?') { '&' } else { '?' };
            let error =
                key.get(&format!("{other}{join}after={cursor}")).await.refused(400, "parameter_invalid");
            assert_eq!(error["param"], "after", "{list} at {other}");
        }
        // The same list in another direction or with another filter is another list.
        for more in ["direction=asc", "direction=desc"] {
            if !list.contains("direction") && more == "direction=asc" {
                key.get(&format!("{list}{join}{more}&after={cursor}"))
                    .await
                    .refused(400, "parameter_invalid");
            }
        }
        key.get(&format!("{list}{join}after={cursor}")).await.ok();
        key.get(&format!("{list}{join}before={cursor}")).await.ok();
    }
    // Another tenant's cursor of the same list.
    let theirs = rival.as_key().get("/users?first=1").await.ok();
    let theirs = text(&theirs["page_info"], "end_cursor");
    key.get(&format!("/users?after={theirs}")).await.refused(400, "parameter_invalid");
    // Made up, or from another server with other keys.
    let elsewhere = TestServer::with(hallpass_testkit::Setup { master: [8; 32], ..Default::default() }).await;
    let (alike, ..) = filled(&elsewhere).await;
    let made = alike.as_key().get("/users?first=1").await.ok();
    for forged in
        [text(&made["page_info"], "end_cursor"), "AAAA", "WyJjdXJzb3IiLDFd", "null", "-", &"A".repeat(3000)]
    {
        key.get(&format!("/users?after={forged}")).await.refused(400, "parameter_invalid");
        key.get(&format!("/users?before={forged}")).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn a_cursor_outlives_restarts_and_what_it_points_at() {
    let lasting = super::given::Lasting::new().await;
    let (key, rest, cursor, channel) = {
        let server = lasting.start(1).await;
        let (acme, channel, _) = filled(&server).await;
        let page = acme.as_key().get(&format!("/messages?channel_id={channel}&first=3")).await.ok();
        let cursor = text(&page["page_info"], "end_cursor").to_owned();
        let edge = &ids(&page)[2];
        let all = ids(&acme.as_key().get(&format!("/messages?channel_id={channel}")).await.ok());
        acme.as_key().delete(&format!("/messages/{edge}")).await.ok();
        (acme.key.clone(), all[3..].to_vec(), cursor, channel)
    };
    let server = lasting.start(2).await;
    let page = server.actor(&key).get(&format!("/messages?channel_id={channel}&after={cursor}")).await.ok();
    assert_eq!(ids(&page), rest);
}

#[tokio::test]
async fn page_parameters_that_exclude_each_other_are_refused() {
    let server = TestServer::start().await;
    let (acme, _, lists) = filled(&server).await;
    let key = acme.as_key();
    for list in &lists {
        let join = if list.contains('?') { '&' } else { '?' };
        let page = key.get(&format!("{list}{join}first=1")).await.ok();
        let cursor = text(&page["page_info"], "end_cursor");
        for bad in [
            "first=1&last=1".to_owned(),
            format!("after={cursor}&before={cursor}"),
            format!("last=1&after={cursor}"),
            format!("first=1&before={cursor}"),
            "first=0".to_owned(),
            "last=-5".to_owned(),
            "first=x".to_owned(),
        ] {
            key.get(&format!("{list}{join}{bad}")).await.refused(400, "parameter_invalid");
        }
    }
}

#[tokio::test]
async fn an_empty_list_is_a_page_without_cursors() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let empty: Value = json!({ "data": [], "page_info": { "end_cursor": null, "start_cursor": null,
        "has_next_page": false, "has_previous_page": false } });
    for list in [
        format!("/companies?parent_company_id={}", acme.id),
        format!("/members?company_id={}", acme.id),
        format!("/experiences?company_id={}", acme.id),
        format!("/chat_channels?company_id={}", acme.id),
    ] {
        assert_eq!(acme.as_key().get(&list).await.ok(), empty, "{list}");
    }
}
