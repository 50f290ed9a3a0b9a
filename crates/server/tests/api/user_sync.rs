//! Companies, users and members: syncing an app's own users, as the guide does.

use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::tenant;
use super::given::{enrolment, ids, may, text};

// ---- companies

#[tokio::test]
async fn enrolling_makes_a_connected_account_and_its_owner() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let metadata = json!({ "external_id": "42", "nested": { "list": [1, "two", null, true] } });
    let mut body = enrolment(acme.id, "ann@example.com", "Ann Lee");
    body["metadata"] = metadata.clone();
    body["country"] = json!("de");
    body["send_customer_emails"] = json!(false);
    let made = acme.as_key().post("/companies", body).await.ok();
    assert!(text(&made, "id").starts_with("biz_"));
    assert_eq!(made["title"], "Ann Lee");
    assert_eq!(made["metadata"], metadata);
    assert_eq!(made["send_customer_emails"], false);
    assert_eq!(made["owner_user"]["name"], "Ann Lee");
    assert_eq!(made["owner_user"]["username"], "ann-lee");
    let user = text(&made["owner_user"], "id");
    let found = acme.as_key().get(&format!("/companies/{}", text(&made, "id"))).await.ok();
    assert_eq!(found, made);
    // Enrolled with the parent: a member there, and a token for it can be minted.
    let members = acme.as_key().get(&format!("/members?company_id={}", acme.id)).await.ok();
    assert_eq!(members["data"][0]["user"]["id"], user);
    assert_eq!(members["data"][0]["user"]["email"], "ann@example.com");
    let token = server.actor(acme.token(user).await);
    assert_eq!(token.get("/users/me").await.ok()["name"], "Ann Lee");
    // And the member count of the parent counts them.
    let parent = acme.as_key().get(&format!("/companies/{}", acme.id)).await.ok();
    assert_eq!(parent["member_count"], 1);
}

#[tokio::test]
async fn the_same_address_is_the_same_user_in_a_new_company() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let enrol =
        async |email: &str| acme.as_key().post("/companies", enrolment(acme.id, email, "t")).await.ok();
    let first = enrol("Ann@Example.com").await;
    for email in ["Ann@Example.com", "ann@example.com"] {
        let again = enrol(email).await;
        assert_ne!(again["id"], first["id"]);
        assert_eq!(again["owner_user"]["id"], first["owner_user"]["id"], "{email}");
    }
    // Sub-addresses are people of their own.
    let tagged = enrol("ann+tag@example.com").await;
    assert_ne!(tagged["owner_user"]["id"], first["owner_user"]["id"]);
    assert_ne!(tagged["owner_user"]["username"], first["owner_user"]["username"]);
    // Under another parent: another user.
    let other = server.company("other").await;
    let there = other.as_key().post("/companies", enrolment(other.id, "ann@example.com", "t")).await.ok();
    assert_ne!(there["owner_user"]["id"], first["owner_user"]["id"]);
    // The same username is free there.
    assert_eq!(there["owner_user"]["username"], first["owner_user"]["username"]);
}

#[tokio::test]
async fn two_at_once_with_one_address_make_one_user() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let enrol = || key.post("/companies", enrolment(acme.id, "ann@example.com", "Ann"));
    let (a, b, c) = tokio::join!(enrol(), enrol(), enrol());
    let users: std::collections::BTreeSet<String> =
        [a, b, c].map(|made| text(&made.ok()["owner_user"], "id").to_owned()).into();
    assert_eq!(users.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_new_company_is_named() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let child = acme.as_key().post("/companies", enrolment(acme.id, "c@acme.test", "child")).await.ok();
    let base = || enrolment(acme.id, "ann@example.com", "Ann");
    let with = |field: &str, value: Value| {
        let mut body = base();
        body[field] = value;
        body
    };
    for (body, status, param) in [
        (with("title", json!(null)), 400, "title"),
        (with("title", json!("")), 422, "title"),
        (with("title", json!(" \t")), 422, "title"),
        (with("title", json!("x".repeat(256))), 422, "title"),
        (with("email", json!(null)), 400, "email"),
        (with("email", json!("ann")), 400, "email"),
        (with("email", json!("a b@example.com")), 400, "email"),
        (with("email", json!("a@b@c")), 400, "email"),
        (with("email", json!("@example.com")), 400, "email"),
        (with("email", json!(format!("{}@example.com", "a".repeat(300)))), 400, "email"),
        (with("country", json!("DE")), 400, "country"),
        (with("country", json!("xx")), 400, "country"),
        (with("country", json!("deu")), 400, "country"),
        (with("metadata", json!([])), 400, "metadata"),
        (with("metadata", json!({ "x": "y".repeat(17_000) })), 422, "metadata"),
        (with("description", json!("x".repeat(10_001))), 422, "description"),
        (with("logo", json!({ "id": "file_01" })), 400, "logo"),
        (with("parent_company_id", json!(null)), 400, "parent_company_id"),
        (with("parent_company_id", json!("acme")), 400, "parent_company_id"),
        (with("parent_account_id", child["id"].clone()), 400, "parent_account_id"),
        (with("parent_company_id", child["id"].clone()), 422, "parent_company_id"),
    ] {
        let answer = acme.as_key().post("/companies", body.clone()).await;
        assert_eq!((answer.status, answer.body["error"]["param"].as_str()), (status, Some(param)), "{body}");
    }
    for title in ["x".repeat(255), "é".repeat(255), "👩‍👩‍👧‍👦".to_owned()] {
        assert_eq!(acme.as_key().post("/companies", with("title", json!(title))).await.ok()["title"], title);
    }
}

#[tokio::test]
async fn a_company_is_changed_field_by_field() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let path = format!("/companies/{}", acme.id);
    let change = async |body: Value| acme.as_key().patch(&path, body).await;
    let before = acme.as_key().get(&path).await.ok();
    server.clock.advance(SignedDuration::from_secs(60));
    let links = json!([{ "url": "https://x.com/acme", "website": "x" }, { "url": "http://acme.test", "website": "website" }]);
    let after =
        change(json!({ "title": "ACME", "description": "d", "route": "acme-inc", "target_audience": "all",
        "metadata": { "a": 1 }, "social_links": links, "send_customer_emails": false }))
        .await
        .ok();
    assert_eq!(
        (&after["title"], &after["description"], &after["route"]),
        (&json!("ACME"), &json!("d"), &json!("acme-inc"))
    );
    assert_eq!(after["social_links"].as_array().unwrap().len(), 2);
    assert_eq!(after["metadata"], json!({ "a": 1 }));
    assert_eq!(after["updated_at"], "2026-01-01T12:01:00.000Z");
    assert_eq!(after["created_at"], before["created_at"]);
    // What is absent stays; null clears what can be cleared and is no value elsewhere.
    let cleared = change(json!({ "description": null, "metadata": null, "title": null })).await.ok();
    assert_eq!((&cleared["description"], &cleared["metadata"]), (&json!(null), &json!(null)));
    assert_eq!((&cleared["title"], &cleared["target_audience"]), (&json!("ACME"), &json!("all")));
    let other = server.company("other").await;
    let error = other
        .as_key()
        .patch(&format!("/companies/{}", other.id), json!({ "route": "acme-inc" }))
        .await
        .refused(422, "route_taken");
    assert_eq!(error["param"], "route");
    for bad in ["", "UPPER", "with space", "-start", "end-", "é", "a/b"] {
        assert_eq!(
            change(json!({ "route": bad })).await.refused(400, "parameter_invalid")["param"],
            "route",
            "{bad}"
        );
    }
    for bad in [
        json!([{ "url": "javascript:alert(1)", "website": "x" }]),
        json!([{ "url": "https://x", "website": "myspace" }]),
        json!([{}]),
    ] {
        change(json!({ "social_links": bad })).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn a_key_lists_itself_or_its_connected_accounts() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for n in 0..3 {
        server.clock.advance(SignedDuration::from_secs(10));
        acme.user(&format!("u{n}")).await;
    }
    let own = acme.as_key().get("/companies").await.ok();
    assert_eq!(ids(&own), [acme.id.to_string()]);
    for page in ["last=1", "first=1", "direction=asc"] {
        let own = acme.as_key().get(&format!("/companies?{page}")).await.ok();
        assert_eq!(ids(&own), [acme.id.to_string()], "{page}");
    }
    let list = async |more: &str| {
        let path = format!("/companies?parent_company_id={}{more}", acme.id);
        let page = acme.as_key().get(&path).await.ok();
        page["data"].as_array().unwrap().iter().map(|c| text(c, "title").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["u2", "u1", "u0"]);
    assert_eq!(list("&direction=asc").await, ["u0", "u1", "u2"]);
    assert_eq!(list("&created_after=2026-01-01T12:00:10Z").await, ["u2", "u1"]);
    assert_eq!(list("&created_before=2026-01-01T12:00:30Z").await, ["u1", "u0"]);
    assert_eq!(list("&created_after=2026-01-01T12:00:10Z&created_before=2026-01-01T12:00:30Z").await, ["u1"]);
    assert_eq!(list("&created_after=2026-01-02").await, Vec::<String>::new());
}

// ---- users

#[tokio::test]
async fn a_company_overrides_a_name_for_itself_alone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("c", true).await;
    let (ann, token) = acme.member("ann").await;
    token.say(&channel, "hello").await.ok();
    // Ann is enrolled with another company as well.
    let other = server.company("other").await;
    server.app.make_member(other.id, ann.parse().unwrap()).await.unwrap();
    let path = format!("/users/{ann}?account_id={}", acme.id);
    let shown = acme.as_key().patch(&path, json!({ "name": "Ann of Acme" })).await.ok();
    assert_eq!(shown["name"], "Ann of Acme");
    assert_eq!(acme.as_key().get(&path).await.ok()["name"], "Ann of Acme");
    let me_there = format!("/users/me?account_id={}", acme.id);
    assert_eq!(token.get(&me_there).await.ok()["name"], "Ann of Acme");
    assert_eq!(token.get("/users/me").await.ok()["name"], "ann");
    let message = token.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert_eq!(message["data"][0]["user"]["name"], "Ann of Acme");
    let listed = acme.as_key().get("/users?query=of+acme").await.ok();
    assert_eq!(ids(&listed), [ann.as_str()]);
    let elsewhere = other.as_key().get(&format!("/users/{ann}")).await.ok();
    assert_eq!(elsewhere["name"], "ann");
    // By the body, as the older SDK sends it; both and different: an error.
    let body = json!({ "name": "By body", "company_id": acme.id });
    assert_eq!(acme.as_key().patch(&format!("/users/{ann}"), body).await.ok()["name"], "By body");
    acme.as_key()
        .patch(&path, json!({ "name": "x", "company_id": other.id }))
        .await
        .refused(400, "parameter_invalid");
    // The global name shows through where the override is cleared.
    let global = acme.as_key().patch(&format!("/users/{ann}"), json!({ "name": "Ann Global" })).await.ok();
    assert_eq!(global["name"], "Ann Global");
    assert_eq!(acme.as_key().get(&path).await.ok()["name"], "By body");
    assert_eq!(acme.as_key().patch(&path, json!({ "name": null })).await.ok()["name"], "Ann Global");
    assert_eq!(other.as_key().get(&format!("/users/{ann}")).await.ok()["name"], "Ann Global");
    // An override is a name; the rest of a profile is global.
    for field in ["username", "bio"] {
        acme.as_key().patch(&path, json!({ field: "x" })).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn who_may_edit_whose_profile() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, ann_token) = acme.member("ann").await;
    let (ben, _) = acme.member("ben").await;
    let other = server.company("other").await;
    server.app.make_member(other.id, ann.parse().unwrap()).await.unwrap();
    let edit = json!({ "name": "edited" });
    let (global, here) = (format!("/users/{ann}"), format!("/users/{ann}?account_id={}", acme.id));
    let there = format!("/users/{ann}?account_id={}", other.id);
    // The company that made the user: everything of it; not what another company shows.
    acme.as_key().patch(&global, edit.clone()).await.ok();
    acme.as_key().patch(&here, edit.clone()).await.ok();
    acme.as_key().patch(&there, edit.clone()).await.refused(404, "not_found");
    // Another company where they are enrolled: what it shows itself; not the global profile.
    other.as_key().patch(&there, edit.clone()).await.ok();
    other.as_key().patch(&global, edit.clone()).await.refused(403, "not_own_user");
    other.as_key().patch(&here, edit.clone()).await.refused(404, "not_found");
    // Themselves.
    let can = server.actor(acme.token_with(&ann, &["user:profile:update"]).await);
    can.patch("/users/me", json!({ "bio": "mine", "username": "ann-2" })).await.ok();
    can.patch(&format!("/users/me?account_id={}", acme.id), edit.clone()).await.ok();
    can.patch("/users/ann-2", edit.clone()).await.ok();
    can.patch(&format!("/users/{ben}"), edit.clone()).await.refused(403, "not_own_profile");
    can.patch(&format!("/users/me?account_id={}", other.id), edit.clone()).await.refused(404, "not_found");
    ann_token.patch("/users/me", edit.clone()).await.refused(403, "scope_missing");
    // An admin's token is no key.
    server.app.set_team_role(acme.id, ben.parse().unwrap(), Some(Role::Admin)).await.unwrap();
    let admin = server.actor(acme.token_with(&ben, &["user:profile:update"]).await);
    admin.patch(&global, edit.clone()).await.refused(403, "not_own_profile");
    // A key has no user of its own.
    acme.as_key().patch("/users/me", edit).await.refused(403, "api_key");
    acme.as_key().get("/users/me").await.refused(403, "api_key");
    let narrow = server.key(acme.id, may(acme.id, &["chat:read"])).await;
    server.actor(narrow).patch(&here, json!({ "name": "x" })).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn usernames_are_letters_digits_hyphens_and_unique_in_their_company() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, ben) = (acme.user("ann").await, acme.user("ben").await);
    let rename = async |user: &str, name: &str| {
        acme.as_key().patch(&format!("/users/{user}"), json!({ "username": name })).await
    };
    for good in ["a", "Ann-2", "0", &"x".repeat(42)] {
        assert_eq!(rename(&ann, good).await.ok()["username"], *good);
    }
    for bad in
        ["", "a b", "a_b", "ann@", "é", "a/b", &"x".repeat(43), "me", "ME", "everyone", "..", "a\u{200b}"]
    {
        assert_eq!(rename(&ann, bad).await.refused(422, "username_invalid")["param"], "username", "{bad}");
    }
    rename(&ann, "Ann").await.ok();
    for taken in ["Ann", "ann", "ANN"] {
        assert_eq!(rename(&ben, taken).await.refused(422, "username_taken")["param"], "username");
    }
    // One's own in another case is free; another company's is, too.
    rename(&ann, "aNN").await.ok();
    let other = server.company("other").await;
    let theirs = other.user("zoe").await;
    other.as_key().patch(&format!("/users/{theirs}"), json!({ "username": "aNN" })).await.ok();
    // A username is looked up in the company that is meant.
    assert_eq!(acme.as_key().get("/users/ann").await.ok()["id"], ann);
    assert_eq!(acme.as_key().get("/users/@ANN").await.ok()["id"], ann);
    assert_eq!(other.as_key().get("/users/ann").await.ok()["id"], theirs);
    // Two at once for one name: one gets it.
    let (a, b) = tokio::join!(rename(&ann, "wanted"), rename(&ben, "wanted"));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
}

#[tokio::test]
async fn names_and_bios_have_bounds() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let global = format!("/users/{ann}");
    let here = format!("/users/{ann}?account_id={}", acme.id);
    for path in [&global, &here] {
        acme.as_key().patch(path, json!({ "name": "é".repeat(100) })).await.ok();
        acme.as_key().patch(path, json!({ "name": "x".repeat(101) })).await.refused(422, "too_long");
        acme.as_key().patch(path, json!({ "name": " " })).await.refused(422, "blank");
    }
    acme.as_key().patch(&global, json!({ "bio": "x".repeat(1000) })).await.ok();
    acme.as_key().patch(&global, json!({ "bio": "x".repeat(1001) })).await.refused(422, "too_long");
    let cleared = acme.as_key().patch(&global, json!({ "bio": null, "name": null })).await.ok();
    assert_eq!((&cleared["bio"], &cleared["name"]), (&json!(null), &json!(null)));
    let picture = json!({ "profile_picture": { "id": "file_01KDWPVNG0W1GTXMFFD0000001" } });
    acme.as_key().patch(&here, picture).await.refused(404, "not_found");
    acme.as_key().patch(&here, json!({ "profile_picture": null })).await.ok();
    // Null is no value; where a company overrides nothing, there is nothing to clear either.
    let kept = acme.as_key().patch(&here, json!({ "bio": null, "username": null, "name": "Ann" })).await.ok();
    assert_eq!(kept["name"], "Ann");
    acme.as_key().patch(&here, json!({ "bio": "x" })).await.refused(400, "parameter_invalid");
}

#[tokio::test]
async fn whose_global_profile_a_token_edits_depends_on_who_made_the_user() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let made = acme.as_key().post("/companies", enrolment(acme.id, "ann@acme.test", "Ann")).await.ok();
    let (account, ann) = (text(&made, "id").parse().unwrap(), text(&made["owner_user"], "id").to_owned());
    let scopes: [&str; 1] = ["user:profile:update"];
    let edit = async |key: &str| {
        let minted = server.actor(key).mint(account, &ann, &scopes).await.ok();
        let token = server.actor(text(&minted, "token"));
        token.patch("/users/me", json!({ "bio": "mine" })).await
    };
    edit(&acme.key).await.ok();
    // The account's own key says nothing about its parent's users.
    let own = server.key(account, KeyRights::Role(Role::Owner)).await;
    let refused = edit(&own).await.refused(403, "not_own_user");
    assert!(text(&refused, "message").contains("made by its company"), "{refused}");
    // A person's own user, as the demo's are, is nobody's but theirs.
    server.app.make_member(acme.id, acme.owner).await.unwrap();
    let token = server.actor(acme.token_with(&acme.owner.to_string(), &scopes).await);
    token.patch("/users/me", json!({ "bio": "mine" })).await.refused(403, "not_own_user");
    token.patch(&format!("/users/me?account_id={}", acme.id), json!({ "name": "Olive" })).await.ok();
}

#[tokio::test]
async fn the_owner_of_a_connected_account_is_a_member_there_and_of_the_parent() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let made = acme.as_key().post("/companies", enrolment(acme.id, "ann@acme.test", "Ann")).await.ok();
    assert_eq!(made["member_count"], 1);
    for company in [text(&made, "id"), &acme.id.to_string()] {
        let members = acme.as_key().get(&format!("/members?company_id={company}")).await.ok();
        let users: Vec<_> = members["data"].as_array().unwrap().iter().map(|m| &m["user"]["id"]).collect();
        assert!(users.contains(&&made["owner_user"]["id"]), "{members}");
    }
}

#[tokio::test]
async fn users_are_found_by_part_of_a_name_and_only_in_their_company() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let other = server.company("other").await;
    let (ann, hanna, ben) = (acme.user("ann").await, acme.user("Hanna").await, acme.user("be_n%").await);
    other.user("annette").await;
    let find = async |query: &str| {
        let mut found = ids(&acme.as_key().get(&format!("/users?query={query}")).await.ok());
        found.sort();
        found
    };
    assert_eq!(find("ANN").await, [ann.clone(), hanna.clone()]);
    assert_eq!(find("anna").await, std::slice::from_ref(&hanna));
    // What means something to SQL is only a character here.
    assert_eq!(find("%25").await, std::slice::from_ref(&ben));
    assert_eq!(find("_").await, std::slice::from_ref(&ben));
    assert_eq!(find("%5C").await, Vec::<String>::new());
    assert_eq!(find("annette").await, Vec::<String>::new());
    // Who is gone is not found.
    server.app.deactivate_user(hanna.parse().unwrap()).await.unwrap();
    acme.as_key().delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    assert_eq!(find("n").await.iter().filter(|id| **id == hanna || **id == ben).count(), 0);
    acme.as_key().get(&format!("/users?query={}", "x".repeat(201))).await.refused(422, "too_long");
}

// ---- members

#[tokio::test]
async fn members_are_filtered_and_ordered() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let mut users = Vec::new();
    for name in ["ann", "ben", "cleo", "dora"] {
        server.clock.advance(SignedDuration::from_secs(10));
        users.push(acme.user(name).await);
    }
    let [ann, ben, cleo, dora] = <[String; 4]>::try_from(users).unwrap();
    server.app.set_team_role(acme.id, ben.parse().unwrap(), Some(Role::Moderator)).await.unwrap();
    // Cleo leaves, Ann leaves and joins again.
    let member = |user: &str| format!("/companies/{}/members/{user}", acme.id);
    acme.as_key().delete(&member(&cleo)).await.ok();
    acme.as_key().delete(&member(&ann)).await.ok();
    server.clock.advance(SignedDuration::from_secs(10));
    let joined = acme.as_key().put(&member(&ann)).await.ok();
    assert_eq!(
        (&joined["status"], &joined["joined_at"]),
        (&json!("joined"), &json!("2026-01-01T12:00:50.000Z"))
    );
    let names = async |query: &str| {
        let page = acme.as_key().get(&format!("/members?company_id={}{query}", acme.id)).await.ok();
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| text(&m["user"], "name").to_owned())
            .collect::<Vec<_>>()
    };
    let none = Vec::<String>::new();
    assert_eq!(names("").await, ["dora", "cleo", "ben", "ann"]);
    assert_eq!(names("&direction=asc").await, ["ann", "ben", "cleo", "dora"]);
    assert_eq!(names("&order=created_at&direction=asc").await, ["ann", "ben", "cleo", "dora"]);
    assert_eq!(names("&order=joined_at").await, ["ann", "dora", "cleo", "ben"]);
    assert_eq!(names("&order=joined_at&direction=asc").await, ["ben", "cleo", "dora", "ann"]);
    assert_eq!(names("&statuses[]=joined").await, ["dora", "ben", "ann"]);
    assert_eq!(names("&statuses[]=left").await, ["cleo"]);
    assert_eq!(names("&statuses=left,joined").await, ["dora", "cleo", "ben", "ann"]);
    assert_eq!(names("&statuses[]=drafted").await, none);
    assert_eq!(names("&access_level=admin").await, ["ben"]);
    assert_eq!(names("&access_level=customer").await, ["dora", "ann"]);
    assert_eq!(names("&access_level=no_access").await, ["cleo"]);
    assert_eq!(names("&access_level=no_access&statuses[]=joined").await, none);
    assert_eq!(names(&format!("&user_ids[]={ann}&user_ids[]={dora}")).await, ["dora", "ann"]);
    assert_eq!(names(&format!("&user_ids={ann},{dora}")).await, ["dora", "ann"]);
    assert_eq!(names("&query=ANN").await, ["ann"]);
    assert_eq!(names("&query=dora@").await, ["dora"]);
    assert_eq!(
        names("&created_after=2026-01-01T12:00:10Z&created_before=2026-01-01T12:00:40Z").await,
        ["cleo", "ben"]
    );
    assert_eq!(names("&plan_ids[]=plan_x").await, none);
    assert_eq!(names("&promo_code_ids[]=x&product_ids[]=y").await, none);
    for (path, level) in [(&ben, "admin"), (&dora, "customer"), (&cleo, "no_access")] {
        let found = acme.as_key().get(&format!("/members/{path}")).await.ok();
        assert_eq!(found["access_level"], level);
        assert_eq!(found["company"]["id"], json!(acme.id));
        let by_id = acme.as_key().get(&format!("/members/{}", text(&found, "id"))).await.ok();
        assert_eq!(by_id, found);
    }
}

#[tokio::test]
async fn only_those_a_company_can_see_are_enrolled_by_it() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let key = server.actor(&acme.key);
    // A platform's user into a connected account of another user.
    let other = key.post("/companies", enrolment(acme.company, "other@acme.test", "other")).await.ok();
    let into = format!("/companies/{}/members/{}", text(&other, "id"), acme.user);
    let member = key.put(&into).await.ok();
    assert_eq!(member["status"], "joined");
    // Again is the same membership.
    assert_eq!(key.put(&into).await.ok()["id"], member["id"]);
    // Another tenant's user, or nobody, does not exist.
    let nobody = "user_01KDWPVNG0W1GTXMFFD0000001".to_owned();
    for user in [&rival.user, &rival.owner, &nobody] {
        key.put(&format!("/companies/{}/members/{user}", acme.company)).await.refused(404, "not_found");
    }
    // The owner stays; who is not enrolled cannot be un-enrolled.
    key.delete(&format!("/companies/{}/members/{}", acme.company, acme.owner)).await.refused(422, "owner");
    key.delete(&into).await.ok();
    key.delete(&into).await.refused(404, "not_found");
}
