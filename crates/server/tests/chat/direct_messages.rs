//! Direct messages: who begins them with whom, who is in them, and that nobody else is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hallpass_app::api_keys::CreateApiKey;
use hallpass_core::catalogue::scopes::{CHAT_READ, DMS_CHANNEL_MANAGE, DMS_READ};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_store::EventKind;
use hallpass_testkit::{Actor, Answer, Engine, TestCompany, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::messages::events;

/// A text of an answer.
#[track_caller]
pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value:#}")).to_owned()
}

/// The ids of a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|item| text(item, "id")).collect()
}

/// Begins a direct message; the answer.
pub(crate) async fn begin(who: &Actor<'_>, with: &[&str]) -> Answer {
    who.post("/dm_channels", json!({ "with_user_ids": with })).await
}

/// Begins a direct message; its id.
pub(crate) async fn dm(who: &Actor<'_>, with: &[&str]) -> String {
    text(&begin(who, with).await.ok(), "id")
}

/// Who is in a direct message, as `who` sees it.
pub(crate) async fn members(who: &Actor<'_>, channel: &str) -> Vec<Value> {
    let page = who.get(&format!("/dm_members?channel_id={channel}&first=100")).await.ok();
    page["data"].as_array().unwrap().clone()
}

/// The path of somebody's seat.
pub(crate) async fn seat(who: &Actor<'_>, channel: &str, user: &str) -> String {
    let members = members(who, channel).await;
    let member = members.iter().find(|member| member["user_id"] == user).unwrap();
    format!("/dm_members/{}", text(member, "id"))
}

async fn username(server: &TestServer, id: &str) -> String {
    let user = server.app.store().read().await.unwrap().find_user(id.parse().unwrap()).await.unwrap();
    user.unwrap().username
}

async fn dms(who: &Actor<'_>) -> Vec<String> {
    ids(&who.get("/dm_channels?first=100").await.ok())
}

#[tokio::test]
async fn a_direct_message_is_shown_as_the_contract_has_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let made = as_ann
        .post(
            "/dm_channels",
            json!({ "with_user_ids": [ben], "company_id": acme.id, "custom_name": "Plans" }),
        )
        .await
        .ok();
    assert_eq!(made["name"], "Plans");
    assert_eq!(made["created_at"], server.app.clock().now().as_millisecond().to_string());
    assert_eq!(made["last_message_at"], Value::Null);
    let id = text(&made, "id");
    id.parse::<FeedId>().unwrap();
    let at = format!("/dm_channels/{id}");
    for who in [&as_ann, &as_ben] {
        assert_eq!(who.get(&at).await.ok(), made);
        assert_eq!(who.get("/dm_channels").await.ok()["data"], json!([made]));
    }
    let seats = members(&as_ben, &id).await;
    assert_eq!(seats.len(), 2);
    for seat in &seats {
        assert_eq!((&seat["status"], &seat["last_viewed_at"]), (&json!("accepted"), &Value::Null));
        assert_eq!(seat["channel_id"], id);
        assert_eq!(seat["is_admin"], seat["user_id"] == ann);
        assert!(seat.get("notification_preference").is_none());
        let one = as_ben.get(&format!("/dm_members/{}", text(seat, "id"))).await.ok();
        assert_eq!(one["notification_preference"], "all");
    }
    server.clock.advance(SignedDuration::from_secs(5));
    let sent = as_ann.say(&id, "hello").await.ok();
    let now = as_ben.get(&at).await.ok();
    assert_eq!(now["last_message_at"], sent["created_at"]);
    // Sending is having seen; being sent to is not.
    for seat in members(&as_ben, &id).await {
        let seen = server.app.clock().now().as_millisecond().to_string();
        let expected = if seat["user_id"] == ann { json!(seen) } else { Value::Null };
        assert_eq!(seat["last_viewed_at"], expected);
    }
    assert_eq!(as_ben.get(&format!("/messages?channel_id={id}")).await.ok()["data"], json!([sent]));
}

#[tokio::test]
async fn the_same_people_again_are_the_same_conversation() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let cleo = acme.user("cleo").await;
    let (pair, group) = (dm(&as_ann, &[&ben]).await, dm(&as_ann, &[&ben, &cleo]).await);
    assert_ne!(pair, group);
    let name = username(&server, &ben).await;
    for (who, with) in [
        (&as_ann, vec![ben.as_str()]),
        (&as_ben, vec![&ann]),
        (&as_ann, vec![&ann, &ben, &ben]),
        (&as_ann, vec![&name.to_uppercase(), &name]),
    ] {
        assert_eq!(dm(who, &with).await, pair, "{with:?}");
    }
    assert_eq!(dm(&as_ben, &[&cleo, &ann]).await, group);
    // A name given again changes nothing.
    let again = json!({ "with_user_ids": [ben], "custom_name": "renamed" });
    assert_eq!(as_ann.post("/dm_channels", again).await.ok()["name"], Value::Null);
    // Who joins or leaves later does not change what it is about.
    let joined = json!({ "channel_id": pair, "user_id": cleo });
    as_ann.post("/dm_members", joined).await.ok();
    assert_eq!(dm(&as_ann, &[&ben]).await, pair);
    assert_eq!(dm(&as_ann, &[&ben, &cleo]).await, group);
    assert_eq!(dms(&as_ann).await.len(), 2);
}

#[tokio::test]
async fn who_left_or_was_removed_begins_anew_and_is_never_put_back() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    let old = dm(&as_ann, &[&ben, &cleo]).await;
    as_ann.say(&old, "before").await.ok();
    // Removed, and left.
    let (of_ben, of_cleo) = (seat(&as_ann, &old, &ben).await, seat(&as_ann, &old, &cleo).await);
    as_ann.delete(&of_ben).await.ok();
    as_cleo.delete(&of_cleo).await.ok();
    as_ann.say(&old, "behind their backs").await.ok();
    let new = dm(&as_ben, &[&cleo, &ann]).await;
    assert_ne!(new, old);
    assert_eq!(dm(&as_cleo, &[&ann, &ben]).await, new);
    assert_eq!(dm(&as_ann, &[&ben, &cleo]).await, new);
    for who in [&as_ben, &as_cleo] {
        who.get(&format!("/dm_channels/{old}")).await.refused(404, "not_found");
        who.get(&format!("/messages?channel_id={old}")).await.refused(404, "not_found");
        assert_eq!(dms(who).await, std::slice::from_ref(&new));
        assert_eq!(who.get(&format!("/messages?channel_id={new}")).await.ok()["data"], json!([]));
    }
    // The old one goes on for those who stayed.
    as_ann.say(&old, "still here").await.ok();
    assert_eq!(dms(&as_ann).await.len(), 2);
}

#[tokio::test]
async fn whoever_stayed_begins_anew_with_whoever_left() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let old = dm(&as_ann, &[&ben]).await;
    assert_eq!(dm(&as_ben, &[&ann]).await, old);
    as_ben.delete(&seat(&as_ben, &old, &ben).await).await.ok();
    let new = dm(&as_ann, &[&ben]).await;
    assert_ne!(new, old, "what is said in the old one would not reach them");
    as_ann.say(&new, "are you there?").await.ok();
    assert_eq!(
        as_ben.get(&format!("/messages?channel_id={new}")).await.ok()["data"][0]["content"],
        "are you there?"
    );
}

#[tokio::test]
async fn the_owner_stays_in_what_keys_began() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ben = acme.user("ben").await;
    let key = acme.as_key();
    let owner = server.actor(acme.token(&acme.owner.to_string()).await);
    let id = dm(&key, &[&ben]).await;
    let of_owner = seat(&key, &id, &acme.owner.to_string()).await;
    for who in [&owner, &key] {
        who.delete(&of_owner).await.refused(422, "owner_stays");
    }
    key.say(&id, "still here").await.ok();
    key.delete(&format!("/dm_channels/{id}")).await.ok();
}

#[tokio::test]
async fn whom_a_direct_message_may_be_begun_with() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, as_ann) = acme.member("ann").await;
    let ben = acme.user("ben").await;
    let eve = rival.user("eve").await;
    let gone = acme.user("gone").await;
    acme.as_key().delete(&format!("/companies/{}/members/{gone}", acme.id)).await.ok();
    let off = acme.user("off").await;
    server.app.deactivate_user(off.parse().unwrap()).await.unwrap();
    let (eve_name, gone_name) = (username(&server, &eve).await, username(&server, &gone).await);
    let nobody = UserId::from_bits(1).to_string();
    let said = begin(&as_ann, &[&nobody]).await.refused(404, "not_found")["message"].clone();
    for with in [&eve, &gone, &off, &eve_name, &gone_name, "nosuchname", "x@y.test"] {
        for with in [vec![with], vec![&ben, with]] {
            let error = begin(&as_ann, &with).await.refused(404, "not_found");
            assert_eq!(error["message"], said, "{with:?}");
        }
    }
    begin(&as_ann, &[&ann]).await.refused(422, "no_other_member");
    begin(&as_ann, &[]).await.refused(422, "no_other_member");
    begin(&as_ann, &[""]).await.refused(400, "parameter_invalid");
    begin(&as_ann, &[&"x".repeat(255)]).await.refused(400, "parameter_invalid");
    as_ann.post("/dm_channels", json!({})).await.refused(400, "parameter_missing");
    as_ann.post("/dm_channels", json!({ "with_user_ids": "x" })).await.refused(400, "parameter_invalid");
    as_ann.post("/dm_channels", json!({ "with_user_ids": ["a\0b"] })).await.refused(422, "nul_character");
    let many: Vec<&str> = vec![&ben; 101];
    begin(&as_ann, &many).await.refused(422, "too_many_members");
    let elsewhere = json!({ "with_user_ids": [ben], "company_id": rival.id });
    as_ann.post("/dm_channels", elsewhere).await.refused(404, "not_found");
    for (name, code) in
        [(String::new(), "blank"), (" \u{200b}\u{202e} ".to_owned(), "blank"), ("x".repeat(256), "too_long")]
    {
        let body = json!({ "with_user_ids": [ben], "custom_name": name });
        as_ann.post("/dm_channels", body).await.refused(422, code);
    }
    assert_eq!(dms(&as_ann).await, Vec::<String>::new());
}

#[tokio::test]
async fn threat_30_addresses_resolve_only_for_those_who_may_read_them() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let (owner, ben) = (acme.owner.to_string(), acme.user("ben").await);
    acme.role(&acme.user("boss").await, Some(Role::Admin)).await;
    let address = format!("ben@{}.test", acme.id.to_string().to_lowercase());
    let unknown = begin(&as_ann, &["nobody@nowhere.test"]).await.refused(404, "not_found");
    let known = begin(&as_ann, &[&address]).await.refused(404, "not_found");
    assert_eq!(known["message"], unknown["message"]);
    let scopes = ["dms:channel:manage", "dms:read", "member:email:read"];
    let reader = server.actor(acme.token_with(&owner, &scopes).await);
    let found = dm(&reader, &[&address.to_uppercase()]).await;
    assert_eq!(dm(&reader, &[&ben]).await, found);
    begin(&reader, &["nobody@nowhere.test"]).await.refused(404, "not_found");
    // A token that names the scope without its user having it.
    let (_, as_cleo) = acme.member("cleo").await;
    begin(&as_cleo, &[&address]).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_direct_message_has_at_most_fifty_members() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let mut people = Vec::new();
    for n in 0..50 {
        people.push(acme.user(&format!("user{n}")).await);
    }
    let all: Vec<&str> = people.iter().map(String::as_str).collect();
    begin(&as_ann, &all).await.refused(422, "too_many_members");
    let full = dm(&as_ann, &all[..49]).await;
    let more = json!({ "channel_id": full, "user_id": all[49] });
    as_ann.post("/dm_members", more.clone()).await.refused(422, "too_many_members");
    // Who is in it is no further one.
    as_ann.post("/dm_members", json!({ "channel_id": full, "user_id": all[0] })).await.ok();
    as_ann.delete(&seat(&as_ann, &full, all[3]).await).await.ok();
    as_ann.post("/dm_members", more).await.ok();
    assert_eq!(members(&as_ann, &full).await.len(), 50);
}

#[tokio::test]
async fn admins_add_remove_rename_and_delete() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    let (_, as_dan) = acme.member("dan").await;
    let id = dm(&as_ann, &[&ben]).await;
    let at = format!("/dm_channels/{id}");
    let add = json!({ "channel_id": id, "user_id": cleo });
    as_ben.post("/dm_members", add.clone()).await.refused(403, "not_admin");
    as_ben.patch(&at, json!({ "custom_name": "no" })).await.refused(403, "not_admin");
    as_ben.delete(&at).await.refused(403, "not_admin");
    as_ben.delete(&seat(&as_ben, &id, &ann).await).await.refused(403, "not_admin");
    for outsider in [&as_cleo, &as_dan, &acme.as_key()] {
        outsider.get(&at).await.refused(404, "not_found");
        outsider.get(&format!("/dm_members?channel_id={id}")).await.refused(404, "not_found");
        outsider.get(&seat(&as_ann, &id, &ben).await).await.refused(404, "not_found");
        outsider.post("/dm_members", add.clone()).await.refused(404, "not_found");
        outsider.patch(&at, json!({ "custom_name": "no" })).await.refused(404, "not_found");
        outsider.delete(&at).await.refused(404, "not_found");
        outsider.delete(&seat(&as_ann, &id, &ben).await).await.refused(404, "not_found");
    }
    let added = as_ann.post("/dm_members", add.clone()).await.ok();
    assert_eq!((&added["user_id"], &added["status"]), (&json!(cleo), &json!("accepted")));
    assert_eq!(as_ann.post("/dm_members", add.clone()).await.ok(), added, "who is in it stays");
    as_cleo.say(&id, "hi").await.ok();
    assert_eq!(as_ann.patch(&at, json!({ "custom_name": "Plans" })).await.ok()["name"], "Plans");
    assert_eq!(as_ann.patch(&at, json!({})).await.ok()["name"], "Plans");
    assert_eq!(as_cleo.get(&at).await.ok()["name"], "Plans");
    assert_eq!(as_ann.patch(&at, json!({ "custom_name": null })).await.ok()["name"], Value::Null);
    as_ann.delete(&seat(&as_ann, &id, &cleo).await).await.ok();
    as_cleo.say(&id, "still?").await.refused(404, "not_found");
    let kinds: Vec<EventKind> = events(&server, &id).await.into_iter().map(|(kind, _)| kind).collect();
    let expected = [
        EventKind::MemberAdded,
        EventKind::MessageCreated,
        EventKind::ChannelUpdated,
        EventKind::ChannelUpdated,
        EventKind::MemberRemoved,
    ];
    assert_eq!(kinds, expected);
    as_ann.delete(&at).await.ok();
    for who in [&as_ann, &as_ben] {
        who.get(&at).await.refused(404, "not_found");
        who.get(&format!("/messages?channel_id={id}")).await.refused(404, "not_found");
        assert_eq!(dms(who).await, Vec::<String>::new());
    }
    // Its people are free to begin anew, and inherit nothing.
    let next = dm(&as_ben, &[&ann]).await;
    assert_ne!(next, id);
    assert_eq!(as_ben.get(&format!("/messages?channel_id={next}")).await.ok()["data"], json!([]));
    let nothing = server.app.store().list_messages(id.parse().unwrap(), true, None, 9).await.unwrap();
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn the_last_admin_hands_on_and_the_last_member_ends_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    let id = dm(&as_ann, &[&ben]).await;
    server.clock.advance(SignedDuration::from_secs(1));
    as_ann.post("/dm_members", json!({ "channel_id": id, "user_id": cleo })).await.ok();
    let own = async |who: &Actor<'_>, user: &str| seat(who, &id, user).await;
    let ann =
        text(&members(&as_ann, &id).await.iter().find(|m| m["is_admin"] == true).unwrap().clone(), "user_id");
    as_ann.delete(&own(&as_ann, &ann).await).await.ok();
    let seats = members(&as_cleo, &id).await;
    let admins: Vec<&Value> = seats.iter().filter(|m| m["is_admin"] == true).map(|m| &m["user_id"]).collect();
    assert_eq!(admins, [&json!(ben)], "whoever came first");
    as_ben.patch(&format!("/dm_channels/{id}"), json!({ "custom_name": "mine now" })).await.ok();
    // Who cannot act on it does not inherit it.
    as_ben.post("/dm_members", json!({ "channel_id": id, "user_id": ann })).await.ok();
    acme.as_key().delete(&format!("/companies/{}/members/{cleo}", acme.id)).await.ok();
    as_ben.delete(&own(&as_ben, &ben).await).await.ok();
    let seats = members(&as_ann, &id).await;
    assert!(seats.iter().all(|m| (m["is_admin"] == true) == (m["user_id"] == ann)), "{seats:?}");
    as_ann.delete(&own(&as_ann, &cleo).await).await.ok();
    as_ann.delete(&own(&as_ann, &ann).await).await.ok();
    as_ann.get(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
    let last = events(&server, &id).await.pop().unwrap();
    assert_eq!(last, (EventKind::ChannelDeleted, id));
}

#[tokio::test]
async fn a_member_sets_their_own_status_and_notifications() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let id = dm(&as_ann, &[&ben]).await;
    let (of_ann, of_ben) = (seat(&as_ann, &id, &ann).await, seat(&as_ann, &id, &ben).await);
    for status in ["requested", "accepted", "hidden", "closed", "archived"] {
        assert_eq!(as_ben.patch(&of_ben, json!({ "status": status })).await.ok()["status"], status);
        assert_eq!(dms(&as_ben).await, std::slice::from_ref(&id), "{status}");
    }
    let quiet =
        as_ben.patch(&of_ben, json!({ "notification_preference": "mentions", "status": null })).await.ok();
    assert_eq!(
        (&quiet["notification_preference"], &quiet["status"]),
        (&json!("mentions"), &json!("archived"))
    );
    // Neither admins nor what is not to be written.
    as_ann.patch(&of_ben, json!({ "status": "accepted" })).await.refused(403, "not_own_membership");
    as_ben.patch(&of_ann, json!({})).await.refused(403, "not_own_membership");
    let read_only = json!({ "user_id": ann, "is_admin": true, "last_viewed_at": "9", "channel_id": "x" });
    assert_eq!(as_ben.patch(&of_ben, read_only).await.ok(), quiet);
    for bad in [json!({ "status": "gone" }), json!({ "status": 7 }), json!({ "notification_preference": "" })]
    {
        as_ben.patch(&of_ben, bad).await.refused(400, "parameter_invalid");
    }
    assert_eq!(events(&server, &id).await, []);
    as_ann.get(&format!("/dm_members/{}", FeedMemberId::from_bits(1))).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_read_marker_never_goes_back_nor_beyond_what_was_said() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (_, as_cleo) = acme.member("cleo").await;
    let id = dm(&as_ann, &[&ben]).await;
    let feed: FeedId = id.parse().unwrap();
    for n in 0..3 {
        as_ann.say(&id, &format!("{n}")).await.ok();
    }
    let (app, caller) = (&server.app, server.app.authenticate(&as_ben.bearer).await.unwrap());
    let read = async || {
        let found = app.store().read().await.unwrap().find_feed_member_of(feed, ben.parse().unwrap()).await;
        found.unwrap().unwrap().read_position
    };
    for (position, expected) in [(2, 2), (1, 2), (-5, 2), (i64::MIN, 2), (i64::MAX, 3), (0, 3)] {
        app.mark_feed_read(&caller, feed, position).await.unwrap();
        assert_eq!(read().await, expected, "{position}");
    }
    // Reading alone moves nothing.
    as_ann.say(&id, "4").await.ok();
    as_ben.get(&format!("/messages?channel_id={id}")).await.ok();
    assert_eq!(read().await, 3);
    let outsider = app.authenticate(&as_cleo.bearer).await.unwrap();
    app.mark_feed_read(&outsider, feed, 1).await.unwrap_err();
}

/// Threats 21 and 27: who is not enrolled any more, or not active, reads nothing from then on.
#[tokio::test]
async fn who_is_unenrolled_or_deactivated_has_no_direct_messages() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let id = dm(&as_ann, &[&ben]).await;
    as_ann.say(&id, "secret").await.ok();
    acme.as_key().delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    as_ben.get(&format!("/messages?channel_id={id}")).await.refused(401, "credential_revoked");
    acme.as_key().mint(acme.id, &ben, &[]).await.refused(404, "not_found");
    // The same person come back has the same conversations.
    acme.as_key().put(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    let back = server.actor(acme.token(&ben).await);
    assert_eq!(dms(&back).await, std::slice::from_ref(&id));
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    as_ann.get(&format!("/messages?channel_id={id}")).await.refused(401, "credential_revoked");
}

#[tokio::test]
async fn keys_take_part_only_in_what_keys_began() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let owner = acme.owner.to_string();
    let (ben, as_ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    let as_owner = server.actor(acme.token(&owner).await);
    let personal = dm(&as_owner, &[&ben]).await;
    let official = dm(&acme.as_key(), &[&ben]).await;
    assert_ne!(personal, official);
    assert_eq!(dm(&as_owner, &[&ben]).await, personal);
    assert_eq!(dm(&as_ben, &[&owner]).await, personal);
    assert_eq!(dm(&acme.as_key(), &[&ben, &owner]).await, official);
    let sent = acme.as_key().say(&official, "From the company").await.ok();
    assert_eq!(sent["user"]["id"], owner);
    for other in [&personal, &dm(&as_ben, &[&cleo]).await] {
        let key = acme.as_key();
        key.get(&format!("/dm_channels/{other}")).await.refused(404, "not_found");
        key.get(&format!("/messages?channel_id={other}")).await.refused(404, "not_found");
        key.say(other, "x").await.refused(404, "not_found");
        key.delete(&format!("/dm_channels/{other}")).await.refused(404, "not_found");
    }
    assert_eq!(ids(&acme.as_key().get("/dm_channels").await.ok()), std::slice::from_ref(&official));
    let mut both = dms(&as_owner).await;
    both.sort();
    let mut expected = vec![personal, official.clone()];
    expected.sort();
    assert_eq!(both, expected, "the owner sees what was said in their name");
    as_cleo.get(&format!("/dm_channels/{official}")).await.refused(404, "not_found");
    // What a key may not do anywhere inside, it may not do here.
    let statement = |grant, resource: &str| Statement {
        actions: ScopeSet::of(&[DMS_READ, DMS_CHANNEL_MANAGE, CHAT_READ]),
        grant,
        resources: vec![Pattern::try_from(resource.to_owned()).unwrap()],
    };
    let company = acme.id.to_string();
    let denied = vec![statement(true, &company), statement(false, &format!("{company}|*"))];
    let denied = server.actor(server.key(acme.id, KeyRights::Statements(denied)).await);
    denied.get("/dm_channels").await.refused(403, "scope_missing");
    denied.get(&format!("/dm_channels/{official}")).await.refused(403, "scope_missing");
}

/// What a key began is for the keys of the same holder: a company's own, an app's, a parent's.
#[tokio::test]
async fn threat_20_keys_take_part_only_in_what_keys_of_the_same_holder_began() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let child = json!({ "email": "child@acme.test", "parent_company_id": acme.id, "title": "Child" });
    let child = text(&acme.as_key().post("/companies", child).await.ok(), "id");
    let child: CompanyId = child.parse().unwrap();
    let (ann, _) = acme.member("ann").await;
    acme.as_key().put(&format!("/companies/{child}/members/{ann}")).await.ok();
    let app_key = async |name: &str| {
        let made = acme.as_key().post("/apps", json!({ "name": name })).await.ok();
        let app = text(&made, "id").parse().unwrap();
        let second = CreateApiKey {
            company: acme.id,
            app: Some(app),
            name: None,
            rights: KeyRights::Role(Role::Owner),
            expires_at: None,
        };
        let second = server.app.make_api_key(second, None).await.unwrap();
        [text(&made["api_key"], "token"), second.secret.expose().to_owned()].map(|key| server.actor(key))
    };
    let own = async |company| {
        let key = server.key(company, KeyRights::Role(Role::Owner)).await;
        [key, server.key(company, KeyRights::Role(Role::Owner)).await].map(|key| server.actor(key))
    };
    let (one, other, parents, childs) =
        (app_key("One").await, app_key("Other").await, own(acme.id).await, own(child).await);
    for (place, holders) in [(acme.id, vec![&one, &other, &parents]), (child, vec![&parents, &childs, &one])]
    {
        let begin = async |who: &Actor<'_>| {
            let body = json!({ "company_id": place, "with_user_ids": [ann] });
            text(&who.post("/dm_channels", body).await.ok(), "id")
        };
        let list =
            async |who: &Actor<'_>| ids(&who.get(&format!("/dm_channels?company_id={place}")).await.ok());
        let finds = async |who: &Actor<'_>| {
            let page = who.get(&format!("/messages/search?query=secret&company_id={place}")).await.ok();
            page["data"].as_array().unwrap().iter().map(|m| text(m, "channel_id")).collect::<Vec<_>>()
        };
        let mut found = Vec::new();
        for holder in &holders {
            let (id, again) = (begin(&holder[0]).await, begin(&holder[1]).await);
            assert_eq!(id, again, "keys of one holder share it");
            let file = text(&holder[0].upload_as("a.txt", "private", "secret text").await, "id");
            let sent = json!({ "channel_id": id, "content": "secret", "attachments": [{ "id": file }] });
            let sent = text(&holder[0].post("/messages", sent).await.ok(), "id");
            found.push((id, sent, file));
        }
        server.app.index_all().await.unwrap();
        let unique: BTreeSet<&String> = found.iter().map(|(id, ..)| id).collect();
        assert_eq!(unique.len(), holders.len(), "holders have their own");
        for (n, holder) in holders.iter().enumerate() {
            for who in *holder {
                assert_eq!(list(who).await, std::slice::from_ref(&found[n].0));
                assert_eq!(finds(who).await, std::slice::from_ref(&found[n].0));
                who.say(&found[n].0, "more").await.ok();
                let read = who.get(&format!("/messages/{}", found[n].1)).await.ok();
                assert_eq!(read["attachments"][0]["id"], found[n].2);
            }
            for (m, (id, sent, file)) in found.iter().enumerate().filter(|(m, _)| *m != n) {
                let of_ann = seat(&holders[m][0], id, &ann).await;
                for who in *holder {
                    for path in [
                        format!("/dm_channels/{id}"),
                        format!("/messages?channel_id={id}"),
                        format!("/messages/{sent}"),
                        format!("/messages/{sent}/edits"),
                        format!("/reactions?resource_id={sent}"),
                        format!("/dm_members?channel_id={id}"),
                        of_ann.clone(),
                        format!("/messages/search?query=secret&channel_id={id}"),
                        format!("/files/{file}"),
                    ] {
                        who.get(&path).await.refused(404, "not_found");
                    }
                    who.say(id, "x").await.refused(404, "not_found");
                    who.patch(&format!("/messages/{sent}"), json!({ "content": "x" }))
                        .await
                        .refused(404, "not_found");
                    who.delete(&format!("/messages/{sent}")).await.refused(404, "not_found");
                    who.post("/reactions", json!({ "resource_id": sent, "emoji": "👍" }))
                        .await
                        .refused(404, "not_found");
                    who.patch(&format!("/dm_channels/{id}"), json!({ "custom_name": "x" }))
                        .await
                        .refused(404, "not_found");
                    who.delete(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
                    who.delete(&of_ann).await.refused(404, "not_found");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_list_is_by_activity_and_pages() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (_, as_ann) = acme.member("ann").await;
    let mut made = Vec::new();
    for n in 0..7 {
        let user = acme.user(&format!("user{n}")).await;
        server.clock.advance(SignedDuration::from_secs(1));
        made.push(dm(&as_ann, &[&user]).await);
    }
    server.clock.advance(SignedDuration::from_secs(1));
    as_ann.say(&made[2], "up").await.ok();
    let order: Vec<String> = [2, 6, 5, 4, 3, 1, 0].iter().map(|n: &usize| made[*n].clone()).collect();
    assert_eq!(dms(&as_ann).await, order);
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let page = as_ann.get(&format!("/dm_channels?first=3{after}")).await.ok();
        walked.extend(ids(&page));
        match page["page_info"]["end_cursor"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => break,
        }
    }
    assert_eq!(walked, order);
    assert_eq!(ids(&as_ann.get(&format!("/dm_channels?company_id={}", acme.id)).await.ok()), order);
    as_ann.get(&format!("/dm_channels?company_id={}", rival.id)).await.refused(404, "not_found");
    // A cursor is of its own list.
    let (_, as_ben) = acme.member("ben").await;
    as_ben.get(&format!("/dm_channels?first=3{after}")).await.refused(400, "parameter_invalid");
}

#[tokio::test]
async fn both_generations_scopes_open_what_they_name() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, cleo) = (acme.user("ben").await, acme.user("cleo").await);
    let id = dm(&as_ann, &[&ben]).await;
    let (of_ann, of_ben) = (seat(&as_ann, &id, &ann).await, seat(&as_ann, &id, &ben).await);
    let at = format!("/dm_channels/{id}");
    let with = async |scopes: &[&str]| server.actor(acme.token_with(&ann, scopes).await);
    let add = json!({ "channel_id": id, "user_id": cleo });
    let (manager, writer, reader) =
        (with(&["dms:channel:manage"]).await, with(&["dms:message:manage"]).await, with(&["dms:read"]).await);
    let others =
        with(&["chat:read", "chat:message:create", "support_chat:read", "support_chat:message:create"]).await;
    let missing = |answer: Answer| answer.refused(403, "scope_missing");
    for who in [&manager, &writer] {
        who.post("/dm_members", add.clone()).await.ok();
        missing(who.get(&at).await);
        missing(who.get(&of_ben).await);
        missing(who.get("/dm_channels").await);
    }
    for who in [&reader, &others] {
        missing(who.post("/dm_members", add.clone()).await);
        missing(begin(who, &[&ben]).await);
        missing(who.patch(&at, json!({})).await);
        missing(who.patch(&of_ann, json!({})).await);
        missing(who.delete(&at).await);
        missing(who.say(&id, "x").await);
    }
    missing(others.get(&at).await);
    missing(others.get(&format!("/messages?channel_id={id}")).await);
    missing(manager.say(&id, "x").await);
    writer.say(&id, "x").await.ok();
    // An admin who only reads removes nobody but themselves.
    missing(reader.delete(&of_ben).await);
    missing(others.delete(&of_ben).await);
    writer.delete(&of_ben).await.ok();
    let of_cleo = seat(&as_ann, &id, &cleo).await;
    manager.delete(&of_cleo).await.ok();
}

#[tokio::test]
async fn leaving_by_a_right_to_read_destroys_nothing() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let reader = server.actor(acme.token_with(&ann, &["dms:read"]).await);
    let id = dm(&as_ann, &[&ben]).await;
    let sent = text(&as_ann.say(&id, "kept").await.ok(), "id");
    let (of_ann, of_ben) = (seat(&as_ann, &id, &ann).await, seat(&as_ann, &id, &ben).await);
    reader.delete(&of_ben).await.refused(403, "scope_missing");
    as_ben.delete(&of_ben).await.ok();
    reader.delete(&of_ann).await.ok();
    let last = events(&server, &id).await.pop().unwrap();
    assert_eq!(last, (EventKind::MemberRemoved, ann.clone()));
    let message = server.app.store().read().await.unwrap().find_message(sent.parse().unwrap()).await.unwrap();
    assert_eq!(message.unwrap().content.as_deref(), Some("kept"));
    // It is nobody's now, and nobody's again.
    for who in [&as_ann, &as_ben, &acme.as_key()] {
        who.get(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
        who.get(&format!("/messages/{sent}")).await.refused(404, "not_found");
        who.say(&id, "hello?").await.refused(404, "not_found");
        who.delete(&format!("/dm_channels/{id}")).await.refused(404, "not_found");
        assert_eq!(dms(who).await, Vec::<String>::new());
    }
    let next = dm(&as_ann, &[&ben]).await;
    assert_ne!(next, id);
    assert_eq!(as_ben.get(&format!("/messages?channel_id={next}")).await.ok()["data"], json!([]));
    // Who may delete it ends it by leaving last.
    let (of_ann, of_ben) = (seat(&as_ann, &next, &ann).await, seat(&as_ann, &next, &ben).await);
    as_ben.delete(&of_ben).await.ok();
    as_ann.delete(&of_ann).await.ok();
    assert_eq!(events(&server, &next).await.pop().unwrap(), (EventKind::ChannelDeleted, next));
}

#[tokio::test]
async fn two_who_begin_the_same_at_once_begin_one() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    for round in 0..8 {
        let (with_ben, with_ann) = ([ben.as_str()], [ann.as_str()]);
        let (a, b, c, d) = tokio::join!(
            begin(&as_ann, &with_ben),
            begin(&as_ben, &with_ann),
            begin(&as_ann, &with_ben),
            begin(&as_ben, &with_ann)
        );
        let made: std::collections::BTreeSet<String> =
            [a, b, c, d].into_iter().map(|answer| text(&answer.ok(), "id")).collect();
        assert_eq!(made.len(), 1, "{round}: {made:?}");
        assert_eq!(dms(&as_ann).await.len(), 1);
        // Left by one of them, and begun again by both.
        let id = made.into_iter().next().unwrap();
        let admin = members(&as_ann, &id).await.into_iter().find(|m| m["is_admin"] == true).unwrap();
        let admin = if admin["user_id"] == ann { &as_ann } else { &as_ben };
        admin.delete(&format!("/dm_channels/{id}")).await.ok();
    }
}

#[tokio::test]
async fn a_send_that_comes_after_its_authors_removal_is_refused() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    for round in 0..8 {
        let id = dm(&as_ann, &[&ben]).await;
        let of_ben = seat(&as_ann, &id, &ben).await;
        let (sent, _, removed) =
            tokio::join!(as_ben.say(&id, "last"), as_ann.say(&id, "bye"), as_ann.delete(&of_ben));
        removed.ok();
        let events = events(&server, &id).await;
        let gone = events.iter().position(|(kind, _)| *kind == EventKind::MemberRemoved).unwrap();
        if sent.status == 200 {
            let message = text(&sent.body, "id");
            let place = events.iter().position(|(_, subject)| *subject == message).unwrap();
            assert!(place < gone, "{round}: sent after the removal");
        } else {
            sent.refused(404, "not_found");
        }
        as_ann.delete(&format!("/dm_channels/{id}")).await.ok();
    }
}

/// What was begun with an idempotency key is found again by it, and shown only to who is still in it.
#[tokio::test]
async fn an_idempotency_key_begins_one() {
    let server = TestServer::start().await;
    let acme: TestCompany<'_> = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let ben = acme.user("ben").await;
    let once = async || {
        let request = hallpass_testkit::http::Request::post("/api/v1/dm_channels")
            .header("authorization", format!("Bearer {}", as_ann.bearer))
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .body(hallpass_testkit::Body::from(json!({ "with_user_ids": [ben] }).to_string()))
            .unwrap();
        server.send(request).await
    };
    let first = once().await.ok();
    assert_eq!(once().await.ok(), first);
    let id = text(&first, "id");
    as_ann.delete(&seat(&as_ann, &id, &ann).await).await.ok();
    once().await.refused(404, "not_found");
}

#[tokio::test]
async fn mentions_and_moderation_stay_among_the_members() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (mod_, as_mod) = acme.member("mod").await;
    acme.role(&mod_, Some(Role::Moderator)).await;
    let id = dm(&as_ann, &[&ben]).await;
    let sent = as_ben.say(&id, &format!("<@{ann}> <@{mod_}> <@{}>", acme.owner)).await.ok();
    assert_eq!(sent["mentions"], json!([ann]));
    let at = format!("/messages/{}", text(&sent, "id"));
    // Those who moderate the company's channels have no say here.
    as_mod.get(&at).await.refused(404, "not_found");
    as_mod.delete(&at).await.refused(404, "not_found");
    let group = dm(&as_ben, &[&ann, &mod_]).await;
    let there = as_ann.say(&group, "mine").await.ok();
    as_mod.delete(&format!("/messages/{}", text(&there, "id"))).await.refused(403, "not_author");
    as_ann.delete(&at).await.ok();
    as_ben.delete(&format!("/messages/{}", text(&there, "id"))).await.ok();
    // A reply stays inside.
    let reply = json!({ "channel_id": group, "content": "re", "replying_to_message_id": text(&as_ann.say(&id, "x").await.ok(), "id") });
    as_ann.post("/messages", reply).await.refused(422, "reply_not_found");
}

/// What a node has cached of who is in a direct message is no longer than the log lets it be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_on_one_node_bites_on_another_within_a_second() {
    let one = TestServer::on(Engine::Postgres).await;
    let two = one.another_node().await;
    let acme = one.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let elsewhere = two.actor(as_ben.bearer.clone());
    for _ in 0..4 {
        let id = dm(&as_ann, &[&ben]).await;
        // Let in on one node, there at once on the other; and cached there.
        elsewhere.say(&id, "hello").await.ok();
        as_ann.delete(&seat(&as_ann, &id, &ben).await).await.ok();
        let removed = Instant::now();
        loop {
            let asked = removed.elapsed();
            let answer = elsewhere.get(&format!("/messages?channel_id={id}")).await;
            if answer.status == 404 {
                break;
            }
            let late = asked >= Duration::from_secs(1);
            assert!(answer.status == 503 || !late, "{asked:?}: {}", answer.status);
            tokio::task::yield_now().await;
        }
        // A send is decided by the log itself, however old the cache.
        elsewhere.say(&id, "still?").await.refused(404, "not_found");
        as_ann.delete(&format!("/dm_channels/{id}")).await.ok();
    }
}

/// Threat 22: what people call a conversation, or say in one, spoils nobody's list.
#[tokio::test]
async fn threat_22_hostile_names_and_texts_break_no_list() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, as_ann) = acme.member("ann").await;
    let hostile = [
        "\u{202e}gnirts",
        "'; DROP TABLE feeds; --",
        "<script>alert(1)</script>",
        "\u{fffe}\u{10ffff}\u{7f}\u{1}",
        "%00 %_\\ $1 {}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    ];
    let mut made = Vec::new();
    for (n, name) in hostile.into_iter().enumerate() {
        let user = acme.user(&format!("user{n}")).await;
        server.clock.advance(SignedDuration::from_secs(1));
        let body = json!({ "with_user_ids": [user], "custom_name": name });
        let channel = as_ann.post("/dm_channels", body).await.ok();
        assert_eq!(channel["name"], name);
        as_ann.say(&text(&channel, "id"), name).await.ok();
        made.insert(0, text(&channel, "id"));
    }
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let page = as_ann.get(&format!("/dm_channels?first=1{after}")).await.ok();
        walked.extend(ids(&page));
        match page["page_info"]["end_cursor"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => break,
        }
    }
    assert_eq!(walked, made);
}
