//! Files as pictures: of users, companies and experiences.

use hallpass_testkit::files::header;
use hallpass_testkit::{Actor, TestServer, pictures};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::given::text;

async fn picture(actor: &Actor<'_>) -> String {
    actor.upload("me.png", pictures::png(600, 400)).await
}

fn shown(user: &Value) -> Option<&str> {
    user["profile_picture"]["url"].as_str()
}

#[tokio::test]
async fn the_guides_company_specific_name_and_picture() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, by_ann) = acme.member("ann").await;
    let (_, channel) = acme.channel("general", true).await;
    let (global, here) = (picture(&acme.as_key()).await, picture(&acme.as_key()).await);
    let user = format!("/users/{ann}");
    let key = acme.as_key();

    // By direct_upload_id or id, the company in the body or the query; the global one without.
    let body =
        json!({ "profile_picture": { "direct_upload_id": here }, "name": "Ann", "company_id": acme.id });
    let changed = key.patch(&user, body).await.ok();
    let local = shown(&changed).unwrap().to_owned();
    assert!(local.ends_with(&here), "{local}");
    assert_eq!(shown(&key.get(&user).await.ok()), None, "the global profile is left alone");
    let body = json!({ "profile_picture": { "id": global } });
    let changed = key.patch(&user, body).await.ok();
    assert!(shown(&changed).unwrap().ends_with(&global));
    let in_company = format!("{user}?account_id={}", acme.id);
    assert_eq!(shown(&key.get(&in_company).await.ok()), Some(local.as_str()));

    // Wherever the user is shown.
    let said = by_ann.say(&channel, "hello").await.ok();
    assert_eq!(said["user"]["profile_picture"]["url"], json!(local));
    let listed = key.get(&format!("/users?account_id={}", acme.id)).await.ok();
    let row = listed["data"].as_array().unwrap().iter().find(|row| row["id"] == json!(ann)).unwrap();
    assert_eq!(shown(row), Some(local.as_str()));

    // Null clears the override, and the global one shows through; then that is cleared, too.
    key.patch(&in_company, json!({ "profile_picture": null })).await.ok();
    assert!(shown(&key.get(&in_company).await.ok()).unwrap().ends_with(&global));
    let messages = key.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert!(text(&messages["data"][0]["user"]["profile_picture"], "url").ends_with(&global));
    key.patch(&user, json!({ "profile_picture": null })).await.ok();
    assert_eq!(shown(&key.get(&in_company).await.ok()), None);
    // An empty object is no value.
    key.patch(&user, json!({ "profile_picture": {} })).await.ok();
}

#[tokio::test]
async fn a_picture_comes_in_squares() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    let file = picture(&acme.as_key()).await;
    let body = json!({ "profile_picture": { "id": file } });
    let changed = acme.as_key().patch(&format!("/users/{ann}"), body).await.ok();
    let address = shown(&changed).unwrap();
    for (query, side) in
        [("", 256), ("?size=64", 64), ("?size=128", 128), ("?size=256", 256), ("?size=512", 400)]
    {
        let got = server.fetch(&format!("{address}{query}")).await;
        assert_eq!((got.status, header(&got.headers, "content-type")), (200, "image/jpeg"), "{query}");
        assert_eq!(pictures::size(&got.bytes), (side, side), "{query}: never larger than it was");
        let (left, right) =
            (pictures::pixel(&got.bytes, 2, 2), pictures::pixel(&got.bytes, side - 3, side / 2));
        assert!(left[0] > 200 && right[2] > 200, "{query}: {left:?} {right:?}");
        assert_eq!(header(&got.headers, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&got.headers, "content-security-policy"), "sandbox; default-src 'none'");
    }
    for bad in ["?size=65", "?size=x", "?size=-1", "?size=99999999999"] {
        server.fetch(&format!("{address}{bad}")).await.refused(400, "parameter_invalid");
    }
    // A file that nobody shows is no picture.
    let idle = picture(&acme.as_key()).await;
    server.fetch(&address.replace(&file, &idle)).await.refused(404, "not_found");
}

#[tokio::test]
async fn threats_20_and_27_only_ones_own_ready_pictures_are_taken() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, _) = acme.member("ann").await;
    let by_ann = server.actor(acme.token_with(&ann, &["user:profile:update", "chat:read"]).await);
    let theirs = picture(&rival.as_key()).await;
    let of_key = picture(&acme.as_key()).await;
    let of_ann = picture(&by_ann).await;
    let pending = text(&acme.as_key().pending_file("a.png", "public").await, "id").to_owned();
    let words = acme.as_key().upload("a.txt", "words").await;
    let here = format!("/users/{ann}?account_id={}", acme.id);
    let (experience, _) = acme.channel("general", true).await;
    let app = json!({ "name": "Tool" });
    let app = text(&acme.as_key().post("/apps", app).await.ok(), "id").to_owned();
    let places = [
        (format!("/apps/{app}"), "icon"),
        (here.clone(), "profile_picture"),
        (format!("/users/{ann}"), "profile_picture"),
        (format!("/companies/{}", acme.id), "logo"),
        (format!("/companies/{}", acme.id), "banner_image"),
        (format!("/experiences/{experience}"), "logo"),
    ];
    for (path, field) in &places {
        let set = async |by: &Actor<'_>, id: &str| by.patch(path, json!({ *field: { "id": id } })).await;
        let key = acme.as_key();
        set(&key, &theirs).await.refused(404, "not_found");
        set(&key, &of_ann).await.refused(404, "not_found");
        set(&key, "file_01KDWPVNG0W1GTXMFFD0000001").await.refused(404, "not_found");
        assert_eq!(set(&key, &pending).await.refused(422, "file_not_ready")["param"], *field);
        assert_eq!(set(&key, &words).await.refused(422, "not_a_picture")["param"], *field);
        assert_eq!(set(&key, "file_x").await.refused(400, "parameter_invalid")["param"], *field);
        let both = json!({ *field: { "id": of_key, "direct_upload_id": theirs } });
        key.patch(path, both).await.refused(400, "parameter_invalid");
        set(&key, &of_key).await.ok();
    }
    by_ann.patch(&here, json!({ "profile_picture": { "id": of_key } })).await.refused(404, "not_found");
    by_ann.patch(&here, json!({ "profile_picture": { "id": of_ann } })).await.ok();
    let create = json!({ "parent_company_id": acme.id, "email": "x@acme.test", "title": "X", "logo": { "id": theirs } });
    acme.as_key().post("/companies", create).await.refused(404, "not_found");
    let create =
        json!({ "company_id": acme.id, "app_id": server.app.builtin_app(), "logo": { "id": theirs } });
    acme.as_key().post("/experiences", create).await.refused(404, "not_found");
    let create = json!({ "name": "Tool", "icon": { "id": theirs } });
    acme.as_key().post("/apps", create).await.refused(404, "not_found");
}

#[tokio::test]
async fn logos_of_companies_and_experiences() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (one, two) = (picture(&acme.as_key()).await, picture(&acme.as_key()).await);
    let body =
        json!({ "parent_company_id": acme.id, "email": "x@acme.test", "title": "X", "logo": { "id": one } });
    let made = acme.as_key().post("/companies", body).await.ok();
    assert!(text(&made["logo"], "url").ends_with(&one));
    let path = format!("/companies/{}", text(&made, "id"));
    let changed = acme.as_key().patch(&path, json!({ "logo": { "id": two } })).await.ok();
    let logo = text(&changed["logo"], "url").to_owned();
    assert!(logo.ends_with(&two));
    assert_eq!(server.fetch(&logo).await.status, 200);
    acme.as_key().patch(&path, json!({ "title": "Y", "banner_image": { "id": two } })).await.ok();
    assert!(text(&acme.as_key().get(&path).await.ok()["logo"], "url").ends_with(&two), "left alone");
    assert_eq!(acme.as_key().patch(&path, json!({ "logo": null })).await.ok()["logo"], json!(null));
    // The banner still shows the file.
    assert_eq!(server.fetch(&format!("{logo}?size=1600")).await.status, 200);

    // One file as both: each in its own shape.
    acme.as_key().patch(&path, json!({ "logo": { "id": two } })).await.ok();
    let account = path.replace("/companies/", "/accounts/");
    let both = acme.as_key().get(&account).await.ok();
    for (field, size) in [("logo_url", (256, 256)), ("banner_image_url", (600, 400))] {
        assert_eq!(pictures::size(&server.fetch(text(&both, field)).await.bytes), size, "{field}");
    }

    let three = picture(&acme.as_key()).await;
    let body = json!({ "company_id": acme.id, "app_id": server.app.builtin_app(), "logo": { "id": three } });
    let made = acme.as_key().post("/experiences", body).await.ok();
    let image = text(&made["image"], "url").to_owned();
    assert_eq!(server.fetch(&image).await.status, 200);
    let path = format!("/experiences/{}", text(&made, "id"));
    let copy = acme.as_key().post(&format!("{path}/duplicate"), json!({})).await.ok();
    assert_eq!(copy["image"]["url"], json!(image));
    acme.as_key().delete(&path).await.ok();
    assert_eq!(server.fetch(&image).await.status, 200, "the copy shows it");
    let cleared =
        acme.as_key().patch(&format!("/experiences/{}", text(&copy, "id")), json!({ "logo": null })).await;
    assert_eq!(cleared.ok()["image"], json!(null));
    server.fetch(&image).await.refused(404, "not_found");
}

#[tokio::test]
async fn icons_of_apps() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (one, two) = (picture(&key).await, picture(&key).await);
    let made = key.post("/apps", json!({ "name": "Tool", "icon": { "id": one } })).await.ok();
    let first = text(&made["icon"], "url").to_owned();
    assert!(first.ends_with(&one));
    assert_eq!(pictures::size(&server.fetch(&first).await.bytes), (256, 256));
    let path = format!("/apps/{}", text(&made, "id"));
    let body = json!({ "company_id": acme.id, "app_id": made["id"], "name": "Room" });
    let room = key.post("/experiences", body).await.ok();
    assert_eq!(room["app"]["icon"], made["icon"], "where the app is shown");

    let changed = key.patch(&path, json!({ "icon": { "direct_upload_id": two } })).await.ok();
    assert!(text(&changed["icon"], "url").ends_with(&two));
    server.fetch(&first).await.refused(404, "not_found");
    assert_eq!(key.patch(&path, json!({ "name": "Other" })).await.ok()["icon"], changed["icon"]);
    let listed = key.get("/apps").await.ok();
    assert_eq!(listed["data"][0]["icon"], changed["icon"]);
    let room = key.get(&format!("/experiences/{}", text(&room, "id"))).await.ok();
    assert_eq!(room["app"]["icon"], changed["icon"]);
    assert_eq!(key.patch(&path, json!({ "icon": null })).await.ok()["icon"], json!(null));
    server.fetch(text(&changed["icon"], "url")).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_team_is_shown_with_its_pictures() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, _) = acme.member("ann").await;
    let key = acme.as_key();
    let body = json!({ "account_id": acme.id, "user_id": ann, "role": "moderator" });
    let member = key.post("/team_members", body).await.ok();
    let shown = async || {
        let found = key.get(&format!("/team_members/{}", text(&member, "id"))).await.ok();
        text(&found["user"]["profile_picture"], "url").to_owned()
    };
    let nobody = shown().await;
    assert_eq!(server.fetch(&nobody).await.status, 200, "there always is one");
    let (global, here) = (picture(&key).await, picture(&key).await);
    key.patch(&format!("/users/{ann}"), json!({ "profile_picture": { "id": global } })).await.ok();
    assert!(shown().await.ends_with(&global));
    let local = format!("/users/{ann}?account_id={}", acme.id);
    key.patch(&local, json!({ "profile_picture": { "id": here } })).await.ok();
    assert!(shown().await.ends_with(&here));
}

#[tokio::test]
async fn threats_10_and_21_a_picture_goes_with_its_last_use() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, ben) = (acme.user("ann").await, acme.user("ben").await);
    let file = picture(&acme.as_key()).await;
    let set = async |user: &str, value: Value| {
        let path = format!("/users/{user}?account_id={}", acme.id);
        acme.as_key().patch(&path, json!({ "profile_picture": value })).await.ok()
    };
    let address = shown(&set(&ann, json!({ "id": file })).await).unwrap().to_owned();
    let original = acme.as_key().get(&format!("/files/{file}")).await.ok();
    set(&ben, json!({ "id": file })).await;
    let status = async || server.fetch(&address).await.status;
    // Dead with the one who is deactivated, but not for the other.
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    assert_eq!(status().await, 200);
    server.app.deactivate_user(ben.parse().unwrap()).await.unwrap();
    assert_eq!(status().await, 404);
    server.app.reactivate_user(ben.parse().unwrap()).await.unwrap();
    assert_eq!(status().await, 200);
    // Who is enrolled again brings no picture back.
    acme.as_key().delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    acme.as_key().put(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    let seen = acme.as_key().get(&format!("/users/{ben}?account_id={}", acme.id)).await.ok();
    assert_eq!(shown(&seen), None);
    server.app.reactivate_user(ann.parse().unwrap()).await.unwrap();
    assert_eq!(status().await, 200);
    set(&ann, json!(null)).await;
    assert_eq!(status().await, 404);
    // The file itself, too, at once; and its copies with the next housekeeping.
    assert_eq!(server.fetch(text(&original, "url")).await.status, 404);
    acme.as_key().get(&format!("/files/{file}")).await.refused(404, "not_found");
    server.clock.advance(SignedDuration::from_hours(2));
    for _ in 0..2 {
        server.app.do_chores().await.unwrap();
    }
    assert_eq!(hallpass_testkit::s3::files_below(&server.files).len(), 0);
    // In use, it outlives any time.
    let kept = picture(&acme.as_key()).await;
    let address = shown(&set(&ann, json!({ "id": kept })).await).unwrap().to_owned();
    server.clock.advance(SignedDuration::from_hours(24 * 400));
    server.app.do_chores().await.unwrap();
    assert_eq!(server.fetch(&address).await.status, 200);
}
