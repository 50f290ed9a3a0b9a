//! Files: made, sent, looked at, served, and forgotten.

use hallpass_app::files::FilesPolicy;
use hallpass_core::statement::KeyRights;
use hallpass_http::HttpPolicy;
use hallpass_testkit::files::header;
use hallpass_testkit::http::{Method, Request, StatusCode};
use hallpass_testkit::s3::{S3, files_below};
use hallpass_testkit::{Actor, Answer, Body, PUBLIC_URL, Setup, TestServer, pictures};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::given::text;

const JSON: &str = "application/json";

async fn with_files(files: FilesPolicy) -> TestServer {
    TestServer::with(Setup { files, ..Setup::default() }).await
}

/// A ready file's address.
fn url(file: &Value) -> String {
    assert_eq!(file["upload_status"], "ready", "{file:#}");
    text(file, "url").to_owned()
}

/// What every file says as it is served.
#[track_caller]
fn assert_sandboxed(answer: &Answer) {
    assert_eq!(header(&answer.headers, "content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header(&answer.headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(&answer.headers, "cross-origin-resource-policy"), "cross-origin");
}

#[tokio::test]
async fn a_file_is_made_sent_and_ready() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, ann) = acme.member("ann").await;
    for by in [acme.as_key(), ann] {
        let made = by.post("/files", json!({ "filename": "notes.txt" })).await.created();
        assert_eq!(
            (&made["upload_status"], &made["visibility"], &made["filename"]),
            (&json!("pending"), &json!("public"), &json!("notes.txt"))
        );
        for empty in ["content_type", "size", "url"] {
            assert_eq!(made[empty], json!(null), "{empty}");
        }
        assert_eq!(made["upload_headers"], json!({}));
        let upload = text(&made, "upload_url");
        assert!(upload.starts_with(&format!("{PUBLIC_URL}/uploads/file_")), "{upload}");
        let path = format!("/files/{}", text(&made, "id"));
        assert_eq!(by.get(&path).await.ok()["upload_status"], "pending");

        let sent = server.put(upload, "grüße").await;
        assert_eq!((sent.status, sent.text.as_str()), (200, ""));
        let ready = by.get(&path).await.ok();
        assert_eq!(
            (&ready["upload_status"], &ready["content_type"], &ready["size"]),
            (&json!("ready"), &json!("text/plain"), &json!("7"))
        );
        let got = server.fetch(&url(&ready)).await;
        assert_eq!((got.status, got.text.as_str()), (200, "grüße"));
        assert_sandboxed(&got);
        assert_eq!(header(&got.headers, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(header(&got.headers, "content-disposition"), "attachment; filename=\"notes.txt\"");
        assert_eq!(header(&got.headers, "cache-control"), "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn bodies_that_make_no_file() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for (body, status, code) in [
        (json!({}), 400, "parameter_missing"),
        (json!({ "filename": null }), 400, "parameter_missing"),
        (json!({ "filename": 7 }), 400, "parameter_invalid"),
        (json!({ "filename": " " }), 422, "blank"),
        (json!({ "filename": "x".repeat(1025) }), 422, "too_long"),
        (json!({ "filename": "a\0b" }), 422, "nul_character"),
        (json!({ "filename": "a", "visibility": "secret" }), 400, "parameter_invalid"),
        (json!({ "filename": "a", "visibility": ["public"] }), 400, "parameter_invalid"),
    ] {
        acme.as_key().post("/files", body).await.refused(status, code);
    }
    acme.as_key().post("/files", json!({ "filename": "a", "visibility": null })).await.created();
}

#[tokio::test]
async fn threat_20_a_file_is_its_makers_alone() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, ben) = (acme.member("ann").await, acme.member("ben").await);
    let again = server.actor(acme.token(&ann.0).await);
    let other_key =
        server.actor(server.key(acme.id, KeyRights::Role(hallpass_core::role::Role::Owner)).await);
    let of = |file: Value| format!("/files/{}", text(&file, "id"));
    let by_ann = of(ann.1.upload_as("a.txt", "private", "a").await);
    let by_key = of(acme.as_key().upload_as("b.txt", "private", "b").await);
    for (who, actor, anns, keys) in [
        ("ann", &ann.1, 200, 404),
        ("ann, by another token", &again, 200, 404),
        ("ben", &ben.1, 404, 404),
        ("the key", &acme.as_key(), 404, 200),
        ("another key of the company", &other_key, 404, 404),
        ("another company's key", &rival.as_key(), 404, 404),
    ] {
        assert_eq!(actor.get(&by_ann).await.status, anns, "{who}");
        assert_eq!(actor.get(&by_key).await.status, keys, "{who}");
    }
    server.actor("").get(&by_ann).await.refused(401, "credential_missing");
    ann.1.get("/files/file_01KDWPVNG0W1GTXMFFD0000001").await.refused(404, "not_found");
    ann.1.get("/files/whatever").await.refused(400, "parameter_invalid");
}

#[tokio::test]
async fn an_idempotency_key_makes_one_file_and_keeps_no_link() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let post = async || {
        let request = Request::post("/api/v1/files")
            .header("authorization", format!("Bearer {}", acme.key))
            .header("content-type", JSON)
            .header("idempotency-key", "once")
            .body(Body::from(json!({ "filename": "a.txt" }).to_string()));
        server.send(request.unwrap()).await.created()
    };
    let (first, second) = (post().await, post().await);
    assert_eq!(first["id"], second["id"]);
    server.put(text(&second, "upload_url"), "a").await.ok();
    let third = post().await;
    assert_eq!((&third["id"], &third["upload_status"]), (&first["id"], &json!("ready")));
    assert_eq!((&third["upload_url"], &third["upload_headers"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn threats_11_and_12_an_upload_link_is_for_one_file_one_hour_and_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (one, two) =
        (acme.as_key().pending_file("1", "public").await, acme.as_key().pending_file("2", "public").await);
    let (link, other) = (text(&one, "upload_url"), text(&two, "upload_url"));
    let base = link.rfind('/').unwrap() + 1;
    // Every byte flipped, every cut; the files of two links exchanged.
    for at in base..link.len() {
        let mut altered = link.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(server.put(&altered, "x").await.status, 404, "{altered}");
        if at > base {
            assert_eq!(server.put(&link[..at], "x").await.status, 404, "cut at {at}");
        }
    }
    for extended in
        [format!("{link}A"), format!("{link}."), format!("{link}%00"), link.replace(".1048", ".+1048")]
    {
        assert!(matches!(server.put(&extended, "x").await.status, 404 | 422), "{extended}");
    }
    let parts = |link: &str| link[base..].splitn(3, '.').map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (parts(link), parts(other));
    let mixed = format!("{PUBLIC_URL}/uploads/{}.{}.{}", b[0], b[1], a[2]);
    server.put(&mixed, "x").await.refused(404, "not_found");
    let wider = format!("{PUBLIC_URL}/uploads/{}.{}.{}", a[0], "9".repeat(12), a[2]);
    server.put(&wider, "x").await.refused(404, "not_found");

    server.put(link, "first").await.ok();
    let refused = server.put(link, "second").await;
    assert_eq!(header(&refused.headers, "x-should-retry"), "false");
    refused.refused(409, "upload_used");
    server.clock.advance(SignedDuration::from_mins(60));
    server.put(other, "late").await.refused(403, "upload_link_expired");
    // Whoever made the file asks for another link with the same idempotency key, or makes another file.
    let again = acme.as_key().get(&format!("/files/{}", text(&two, "id"))).await.ok();
    assert_eq!(again["upload_status"], "pending");
}

#[tokio::test]
async fn an_upload_dies_with_whoever_may_no_longer_act() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, by_ann) = acme.member("ann").await;
    let (ben, by_ben) = acme.member("ben").await;
    let body = json!({ "child_company_id": acme.id, "role": "owner" });
    let key = acme.as_key().post(&format!("/companies/{}/api_keys", acme.id), body).await.ok();
    let by_key = server.actor(text(&key, "secret_key"));
    let links: Vec<Value> = vec![
        by_ann.pending_file("a", "public").await,
        by_ben.pending_file("b", "public").await,
        by_key.pending_file("c", "public").await,
    ];
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    acme.as_key().delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    server.app.end_api_key(text(&key, "id").parse().unwrap()).await.unwrap();
    for made in links {
        server.put(text(&made, "upload_url"), "x").await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn threat_23_lengths_have_limits() {
    let server = with_files(FilesPolicy { max_bytes: 1000, ..FilesPolicy::default() }).await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    let link = text(&made, "upload_url");
    // By its declared length, before it comes.
    let declared = Request::put(link.strip_prefix(PUBLIC_URL).unwrap())
        .header("content-length", "1001")
        .body(Body::from("x".repeat(1001)))
        .unwrap();
    server.send(declared).await.refused(413, "body_too_large");
    // Without one, with the first byte too many.
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let streamed = Request::put(link.strip_prefix(PUBLIC_URL).unwrap())
        .body(Body::from_stream(futures_util::stream::iter(pieces)))
        .unwrap();
    server.send(streamed).await.refused(413, "body_too_large");
    server.put(link, "").await.refused(422, "file_empty");
    // One that breaks off leaves nothing.
    let pieces = [Ok("x".to_owned()), Err(std::io::Error::other("gone"))];
    let broken = Request::put(link.strip_prefix(PUBLIC_URL).unwrap())
        .body(Body::from_stream(futures_util::stream::iter(pieces)))
        .unwrap();
    server.send(broken).await.refused(400, "body_broken");
    assert_eq!(files_below(&server.files), Vec::<std::path::PathBuf>::new(), "no drafts, no copies");
    // None of this used the link up.
    server.put(link, "x".repeat(1000)).await.ok();
}

/// Sends raw bytes to a server that is patient for 200 ms, and says what came back.
async fn raw(server: &TestServer, link: &str, headers: &str, body: &[u8], hang_up: bool) -> String {
    let patience = std::time::Duration::from_millis(200);
    let policy = HttpPolicy { access_log: false, body_timeout: patience, ..HttpPolicy::default() };
    let mut stream = tokio::net::TcpStream::connect(server.listen_with(policy).await).await.unwrap();
    let path = link.strip_prefix(PUBLIC_URL).unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    if hang_up {
        stream.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn threat_23_a_slow_or_short_body_leaves_nothing() {
    let server = with_files(FilesPolicy { max_bytes: 1000, ..FilesPolicy::default() }).await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    let link = text(&made, "upload_url").to_owned();
    for (headers, body, hang_up, expected) in [
        ("content-length: 10", "12345", false, "HTTP/1.1 408 Request Timeout"),
        ("transfer-encoding: chunked", "5\r\n12345\r\n", false, "HTTP/1.1 408 Request Timeout"),
        ("content-length: 1001", "", false, "HTTP/1.1 413 Payload Too Large"),
        ("content-length: 10", "12345", true, ""),
        ("transfer-encoding: chunked", "5\r\n12345\r\n", true, ""),
        ("content-length: x", "12345", true, "HTTP/1.1 400 Bad Request"),
    ] {
        let answer = raw(&server, &link, headers, body.as_bytes(), hang_up).await;
        // Who hung up half-way may hear why, or nothing.
        let fits = answer == expected || (hang_up && (answer.is_empty() || answer.contains(" 400 ")));
        assert!(fits, "{headers}: {answer}");
        let file = acme.as_key().get(&format!("/files/{}", text(&made, "id"))).await.ok();
        assert_eq!(file["upload_status"], "pending", "{headers}");
    }
    assert_eq!(raw(&server, &link, "content-length: 5", b"12345", false).await, "HTTP/1.1 200 OK");
    assert_eq!(files_below(&server.files.join("quarantine")).len(), 0);
}

#[tokio::test]
async fn the_type_is_what_the_content_says() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let html = "<!doctype html><script>alert(1)</script>";
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("a.html", pictures::png(4, 4), "image/png", "inline"),
        ("a.png", html.into(), "application/octet-stream", "attachment"),
        ("a.svg", svg.into(), "application/octet-stream", "attachment"),
        ("a.xml", "<?xml version='1.0'?><x/>".into(), "application/octet-stream", "attachment"),
        ("a.txt", "just text".into(), "text/plain", "attachment"),
        ("a.js", "alert(1)".into(), "text/plain", "attachment"),
        ("a.pdf", "%PDF-1.7\n%".into(), "application/pdf", "inline"),
        ("a.exe", b"MZ\x90\0\x03".to_vec(), "application/octet-stream", "attachment"),
        ("a.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec(), "video/mp4", "inline"),
        ("a.bin", b"\0\x01\x02".to_vec(), "application/octet-stream", "attachment"),
        ("a.gif", pictures::halves(4, 4, pictures::Format::Gif), "image/gif", "inline"),
        ("a.webp", pictures::halves(4, 4, pictures::Format::WebP), "image/webp", "inline"),
    ];
    for (name, content, kind, how) in cases {
        let file = acme.as_key().upload_as(name, "public", content).await;
        assert_eq!(file["content_type"], kind, "{name}");
        let got = server.fetch(&url(&file)).await;
        assert_eq!(header(&got.headers, "content-type").split(';').next(), Some(kind), "{name}");
        assert!(header(&got.headers, "content-disposition").starts_with(how), "{name}");
        assert_sandboxed(&got);
        assert_eq!(file["size"], json!(got.bytes.len().to_string()), "{name}");
    }
}

#[tokio::test]
async fn types_that_are_not_allowed_are_octets() {
    let policy = FilesPolicy { types: vec!["image/png".to_owned()], ..FilesPolicy::default() };
    let server = with_files(policy).await;
    let acme = server.company("acme").await;
    for (content, kind) in [
        (pictures::png(4, 4), "image/png"),
        (b"%PDF-1.7".to_vec(), "application/octet-stream"),
        (b"text".to_vec(), "application/octet-stream"),
        (pictures::photo(8, 8), "application/octet-stream"),
    ] {
        assert_eq!(acme.as_key().upload_as("a", "public", content).await["content_type"], kind);
    }
}

#[tokio::test]
async fn pictures_are_written_anew() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let photo = pictures::photo(64, 32);
    assert!(photo.windows(4).any(|window| window == b"GPS "));
    let got = server.fetch(&url(&acme.as_key().upload_as("p.jpg", "public", photo).await)).await;
    for trace in [b"GPS ", b"Exif"] {
        assert!(!got.bytes.windows(4).any(|window| window == trace), "what the camera said is gone");
    }
    assert_eq!(pictures::size(&got.bytes), (32, 64), "turned upright");
    let script = b"<script>alert(1)</script>";
    for format in
        [pictures::Format::Png, pictures::Format::Jpeg, pictures::Format::Gif, pictures::Format::WebP]
    {
        let polyglot = [&pictures::halves(8, 8, format)[..], script].concat();
        let got = server.fetch(&url(&acme.as_key().upload_as("p", "public", polyglot).await)).await;
        assert_eq!(header(&got.headers, "content-type"), format.to_mime_type());
        assert!(!got.bytes.windows(8).any(|window| window == b"<script>"), "{format:?}");
    }
}

#[tokio::test]
async fn threat_23_hostile_pictures_fail() {
    let server = with_files(FilesPolicy { max_pixels: 1_000_000, ..FilesPolicy::default() }).await;
    let acme = server.company("acme").await;
    let png = pictures::png(64, 64);
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0;".to_vec();
    for (what, content, codes) in [
        ("cut", png[..png.len() / 2].to_vec(), ["picture_unreadable"; 2]),
        ("a head alone", png[..24].to_vec(), ["picture_unreadable"; 2]),
        ("claims 20,000 by 20,000", pictures::claiming(20_000, 20_000), ["picture_too_large"; 2]),
        ("claims 1,001 by 1,000", pictures::claiming(1_001, 1_000), ["picture_too_large"; 2]),
        ("claims nothing", pictures::claiming(0, 0), ["picture_unreadable"; 2]),
        ("too many pixels in truth", pictures::png(1_200, 1_000), ["picture_too_large"; 2]),
        ("a mark and nothing", b"\xff\xd8\xff\xe0".to_vec(), ["picture_unreadable"; 2]),
        ("a GIF without frames", gif, ["picture_unreadable", "picture_too_large"]),
        ("a page with a mark", b"\x89PNG\r\n\x1a\n<html>".to_vec(), ["picture_unreadable"; 2]),
    ] {
        let made = acme.as_key().pending_file("a.png", "public").await;
        let refused = server.put(text(&made, "upload_url"), content).await;
        let code = refused.body["error"]["code"].as_str().unwrap().to_owned();
        assert!(refused.status == 422 && codes.contains(&code.as_str()), "{what}: {} {code}", refused.status);
        let file = acme.as_key().get(&format!("/files/{}", text(&made, "id"))).await.ok();
        assert_eq!((&file["upload_status"], &file["url"]), (&json!("failed"), &json!(null)), "{what}");
        server.put(text(&made, "upload_url"), png.clone()).await.refused(409, "upload_used");
    }
    assert_eq!(files_below(&server.files), Vec::<std::path::PathBuf>::new(), "nothing of them stays");
}

#[tokio::test]
async fn names_lead_nowhere_and_break_no_header() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    for (sent, kept) in [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\r\nset-cookie: x=1.txt", "a__set-cookie_ x=1.txt"),
        ("\"; filename=evil.html", "_; filename=evil.html"),
        ("evil\u{202e}gnp.exe", "evil_gnp.exe"),
        ("Grüße 世界 😀.pdf", "Grüße 世界 😀.pdf"),
        ("100%.txt", "100%.txt"),
        ("a?b#c&d.txt", "a_b#c&d.txt"),
        (".", "file"),
    ] {
        let file = acme.as_key().upload_as(sent, "public", "x").await;
        assert_eq!(file["filename"], kept, "{sent:?}");
        let address = url(&file);
        assert!(address.is_ascii() && !address.contains(".."), "{address}");
        let got = server.fetch(&address).await;
        assert_eq!(got.status, 200, "{sent:?} at {address}");
        let disposition = header(&got.headers, "content-disposition");
        assert!(
            disposition.is_ascii() && disposition.starts_with("attachment; filename=\""),
            "{disposition}"
        );
        assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
        assert!(got.headers.get("set-cookie").is_none());
    }
    let file = acme.as_key().upload_as("a.txt", "public", "x").await;
    let misnamed = url(&file).replace("a.txt", "invoice.pdf");
    server.fetch(&misnamed).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_private_file_is_read_by_links_of_five_minutes() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, by_ann) = acme.member("ann").await;
    let file = by_ann.upload_as("secret.txt", "private", "secret").await;
    let (link, path) = (url(&file), format!("/files/{}", text(&file, "id")));
    let got = server.fetch(&link).await;
    assert_eq!((got.status, got.text.as_str()), (200, "secret"));
    assert_eq!(header(&got.headers, "cache-control"), "private, no-store");
    assert_sandboxed(&got);

    let (plain, query) = link.split_once('?').unwrap();
    let missing = server.fetch(plain).await;
    assert_eq!(header(&missing.headers, "cache-control"), "private, no-store");
    missing.refused(404, "not_found");
    // Threats 11 and 12: every byte; and an upload link is none.
    for at in "link=".len()..query.len() {
        let mut altered = query.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = format!("{plain}?{}", String::from_utf8(altered).unwrap());
        assert_eq!(server.fetch(&altered).await.status, 404, "{altered}");
    }
    let upload = by_ann.pending_file("x", "private").await;
    let upload = text(&upload, "upload_url").rsplit('/').next().unwrap().to_owned();
    server.fetch(&format!("{plain}?link={upload}")).await.refused(404, "not_found");
    // Another file's link.
    let other = by_ann.upload_as("secret.txt", "private", "other").await;
    let (_, others) = text(&other, "url").split_once('?').unwrap();
    server.fetch(&format!("{plain}?{others}")).await.refused(404, "not_found");

    server.clock.advance(SignedDuration::from_mins(5));
    server.fetch(&link).await.refused(403, "link_expired");
    let token = acme.token(&ann).await;
    let fresh = url(&server.actor(token).get(&path).await.ok());
    assert_ne!(fresh, link);
    server.fetch(&fresh).await.ok_status();
    // Threat 21: the reader is gone, and so is the link.
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    server.fetch(&fresh).await.refused(404, "not_found");
}

/// A 200, whatever the body.
trait OkStatus {
    fn ok_status(self);
}
impl OkStatus for Answer {
    #[track_caller]
    fn ok_status(self) {
        assert_eq!(self.status, 200, "{}", self.text);
    }
}

#[tokio::test]
async fn threat_21_the_media_of_a_deactivated_user_is_dead() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, by_ann) = acme.member("ann").await;
    let public = url(&by_ann.upload_as("a.txt", "public", "a").await);
    let of_key = url(&acme.as_key().upload_as("b.txt", "public", "b").await);
    server.fetch(&public).await.ok_status();
    server.app.deactivate_user(ann.parse().unwrap()).await.unwrap();
    server.fetch(&public).await.refused(404, "not_found");
    server.fetch(&of_key).await.ok_status();
    server.app.reactivate_user(ann.parse().unwrap()).await.unwrap();
    server.fetch(&public).await.ok_status();
}

#[tokio::test]
async fn ranges_conditions_and_heads() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let address = url(&acme.as_key().upload_as("a.bin", "public", b"\x000123456789".to_vec()).await);
    let get =
        async |headers: &[(&'static str, &str)]| server.fetch_with(Method::GET, &address, headers).await;
    let whole = get(&[]).await;
    assert_eq!((whole.status, header(&whole.headers, "accept-ranges")), (200, "bytes"));
    assert_eq!(header(&whole.headers, "content-length"), "11");
    let tag = header(&whole.headers, "etag").to_owned();

    let part = get(&[("range", "bytes=1-3")]).await;
    assert_eq!((part.status, &part.bytes[..]), (206, &b"012"[..]));
    assert_eq!(header(&part.headers, "content-range"), "bytes 1-3/11");
    assert_eq!(header(&part.headers, "content-length"), "3");
    assert_sandboxed(&part);
    assert_eq!(&get(&[("range", "bytes=-2")]).await.bytes[..], b"89");
    assert_eq!(&get(&[("range", "bytes=9-")]).await.bytes[..], b"89");
    let beyond = get(&[("range", "bytes=11-")]).await;
    assert_eq!((beyond.status, header(&beyond.headers, "content-range")), (416, "bytes */11"));
    assert_eq!(get(&[("range", "bytes=0-0,2-2")]).await.status, 200);
    assert_eq!(get(&[("range", "bytes=1-3"), ("if-range", "\"other\"")]).await.status, 200);
    assert_eq!(get(&[("range", "bytes=1-3"), ("if-range", &tag)]).await.status, 206);
    let unchanged = get(&[("if-none-match", &tag)]).await;
    assert_eq!((unchanged.status, unchanged.bytes.len()), (304, 0));

    let head = server.fetch_with(Method::HEAD, &address, &[]).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(header(&head.headers, "content-length"), "11");
    assert_eq!(header(&head.headers, "etag"), tag);
}

#[tokio::test]
async fn browsers_may_send_and_fetch_from_any_page() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    let link = text(&made, "upload_url");
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = server.fetch_with(Method::OPTIONS, link, &asked).await;
    assert_eq!(preflight.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-headers", "content-type"),
        ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE"),
    ] {
        assert_eq!(header(&preflight.headers, name), value);
    }
    let sent = server.put(link, "x").await;
    assert_eq!(header(&sent.headers, "access-control-allow-origin"), "*");
    let refused = server.put(link, "x").await;
    assert_eq!(header(&refused.headers, "access-control-allow-origin"), "*");
    for answer in [preflight, sent, refused] {
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
    }
    for method in [Method::GET, Method::POST, Method::DELETE] {
        assert_eq!(server.fetch_with(method, link, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn an_origin_of_their_own_is_the_only_one_that_serves_files() {
    let policy = FilesPolicy { public_url: Some("https://files.test".to_owned()), ..FilesPolicy::default() };
    let server = with_files(policy).await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    assert!(text(&made, "upload_url").starts_with(PUBLIC_URL));
    let file = acme.as_key().upload_as("a.txt", "public", "x").await;
    let address = url(&file);
    let path = address.strip_prefix("https://files.test").unwrap();
    assert_eq!(server.fetch_with(Method::GET, path, &[("host", "files.test")]).await.status, 200);
    for host in ["chat.test", "CHAT.test"] {
        assert_eq!(server.fetch_with(Method::GET, path, &[("host", host)]).await.status, 404);
    }
}

#[tokio::test]
async fn the_same_content_is_kept_once_and_removed_with_its_last_user() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, ann) = acme.member("ann").await;
    let (one, two) = (
        ann.upload_as("1.txt", "public", "same").await,
        acme.as_key().upload_as("2.txt", "public", "same").await,
    );
    let copies = || files_below(&server.files.join("files")).len();
    assert_eq!(copies(), 1);
    let days = |days: i64| server.clock.advance(SignedDuration::from_hours(24 * days));
    days(10);
    let three = acme.as_key().upload_as("3.txt", "public", "same").await;
    server.app.do_chores().await.unwrap();
    assert_eq!(copies(), 1);
    for file in [&one, &two, &three] {
        server.fetch(&url(file)).await.ok_status();
    }
    // Nothing used the first two for thirty days.
    days(20);
    server.app.do_chores().await.unwrap();
    for (file, status) in [(&one, 404), (&two, 404), (&three, 200)] {
        assert_eq!(server.fetch(&url(file)).await.status, status);
    }
    assert_eq!(copies(), 1, "the third still has it");
    days(11);
    for _ in 0..2 {
        server.app.do_chores().await.unwrap();
    }
    assert_eq!(server.fetch(&url(&three)).await.status, 404);
    assert_eq!(copies(), 0);
    // And it comes back.
    let four = acme.as_key().upload_as("4.txt", "public", "same").await;
    server.fetch(&url(&four)).await.ok_status();
}

#[tokio::test]
async fn what_never_arrived_is_forgotten_after_a_day() {
    let server = with_files(FilesPolicy { max_pixels: 100, ..FilesPolicy::default() }).await;
    let acme = server.company("acme").await;
    let pending = acme.as_key().pending_file("a", "public").await;
    let failed = acme.as_key().pending_file("b", "public").await;
    server.put(text(&failed, "upload_url"), pictures::png(11, 10)).await.refused(422, "picture_too_large");
    let status = async |made: &Value| acme.as_key().get(&format!("/files/{}", text(made, "id"))).await.status;
    server.clock.advance(SignedDuration::from_hours(23));
    server.app.do_chores().await.unwrap();
    assert_eq!((status(&pending).await, status(&failed).await), (200, 200));
    server.clock.advance(SignedDuration::from_hours(2));
    server.app.do_chores().await.unwrap();
    assert_eq!((status(&pending).await, status(&failed).await), (404, 404));
}

/// Marks a file as a node would have that died right after the upload had arrived.
async fn die_after_quarantine(server: &TestServer, made: &Value, draft: &str) {
    let ask = (
        text(made, "id").parse().unwrap(),
        draft.to_owned(),
        server.app.clock().now() + SignedDuration::from_mins(5),
    );
    let begun: Result<bool, hallpass_app::AppError> = server
        .app
        .store()
        .write(ask, |(id, draft, due_at), tx| {
            Box::pin(async move { Ok(tx.begin_file(*id, draft, *due_at).await?) })
        })
        .await;
    assert!(begun.unwrap());
}

#[tokio::test]
async fn an_upload_that_a_node_left_in_the_middle_is_taken_up_or_fails() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let kept = acme.as_key().pending_file("kept.txt", "public").await;
    let lost = acme.as_key().pending_file("lost.txt", "public").await;
    std::fs::write(server.files.join("quarantine/draft-1"), "it was all there").unwrap();
    die_after_quarantine(&server, &kept, "draft-1").await;
    die_after_quarantine(&server, &lost, "draft-2").await;
    let status = async |made: &Value| {
        let file = acme.as_key().get(&format!("/files/{}", text(made, "id"))).await.ok();
        text(&file, "upload_status").to_owned()
    };
    server.app.do_chores().await.unwrap();
    assert_eq!((status(&kept).await, status(&lost).await), ("processing".into(), "processing".into()));
    server.put(text(&kept, "upload_url"), "x").await.refused(409, "upload_used");
    server.clock.advance(SignedDuration::from_mins(5));
    server.app.do_chores().await.unwrap();
    assert_eq!((status(&kept).await, status(&lost).await), ("ready".into(), "failed".into()));
    let ready = acme.as_key().get(&format!("/files/{}", text(&kept, "id"))).await.ok();
    assert_eq!(server.fetch(&url(&ready)).await.text, "it was all there");
    assert_eq!(files_below(&server.files.join("quarantine")).len(), 0);
}

#[tokio::test]
async fn of_two_uploads_at_once_one_is_the_file() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    let link = text(&made, "upload_url");
    let answers =
        futures_util::future::join_all((0..4).map(|n| server.put(link, format!("upload {n}")))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    let file = acme.as_key().get(&format!("/files/{}", text(&made, "id"))).await.ok();
    assert_eq!(server.fetch(&url(&file)).await.text, format!("upload {winner}"));
    assert_eq!(files_below(&server.files.join("quarantine")).len(), 0);
}

async fn round_trip(server: &TestServer, actor: &Actor<'_>) {
    let large: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    for content in [b"small".to_vec(), large, pictures::png(300, 200)] {
        let file = actor.upload_as("a", "private", content.clone()).await;
        let got = server.fetch(&url(&file)).await;
        assert_eq!(got.status, 200);
        if file["content_type"] == "image/png" {
            assert_eq!(pictures::size(&got.bytes), (300, 200));
        } else {
            assert!(got.bytes == content);
        }
        let part = server.fetch_with(Method::GET, &url(&file), &[("range", "bytes=2-4")]).await;
        assert_eq!((part.status, &part.bytes), (206, &got.bytes.slice(2..5)));
    }
}

#[tokio::test]
async fn files_lie_in_a_bucket_as_well_as_in_a_folder() {
    let s3 = S3::start().await;
    let server = TestServer::with(Setup { blobs: Some(s3.blobs()), ..Setup::default() }).await;
    let acme = server.company("acme").await;
    round_trip(&server, &acme.as_key()).await;
    assert_eq!(
        s3.objects().iter().filter(|path| path.components().any(|c| c.as_os_str() == "blobs")).count(),
        3
    );
    assert_eq!(files_below(&server.files).len(), 0, "nothing stays on this machine");
    server.clock.advance(SignedDuration::from_hours(24 * 31));
    for _ in 0..2 {
        server.app.do_chores().await.unwrap();
    }
    assert_eq!(
        s3.objects().iter().filter(|path| path.components().any(|c| c.as_os_str() == "blobs")).count(),
        0
    );

    let folder = TestServer::start().await;
    let acme = folder.company("acme").await;
    round_trip(&folder, &acme.as_key()).await;
}

#[tokio::test]
async fn a_bucket_that_refuses_costs_no_upload() {
    let s3 = S3::start().await;
    let server = TestServer::with(Setup { blobs: Some(s3.blobs_with("wrong")), ..Setup::default() }).await;
    let acme = server.company("acme").await;
    let made = acme.as_key().pending_file("a.txt", "public").await;
    server.put(text(&made, "upload_url"), "x").await.refused(503, "unavailable");
    // The link is as good as before, and nothing is left lying about.
    let file = acme.as_key().get(&format!("/files/{}", text(&made, "id"))).await.ok();
    assert_eq!(file["upload_status"], "pending");
    assert_eq!(files_below(&server.files).len(), 0);
}
