//! Errors and limits: whatever comes in, the answer is a clear 4xx.

use std::time::Duration;

use hallpass_app::Limits;
use hallpass_http::HttpPolicy;
use hallpass_testkit::{Answer, Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cases::{all_cases, tenant};
use super::given::{raw_json, request, text, with_headers};

#[tokio::test]
async fn every_error_has_one_shape_and_names_its_request() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let answers = [
        server.actor("").get("/users").await,
        server.actor(&acme.key).get("/nowhere").await,
        server.actor(&acme.key).get("/companies/nonsense").await,
        server.actor(&acme.key).post("/access_tokens", json!({})).await,
        server.actor(&acme.token).patch(&format!("/companies/{}", acme.company), json!({})).await,
        server.actor(&acme.token).say(&acme.channel, "").await,
    ];
    let mut requests = std::collections::BTreeSet::new();
    for answer in answers {
        let error = &answer.body["error"];
        for field in ["type", "message", "code", "request_id"] {
            assert!(error[field].is_string(), "{field} in {error}");
        }
        assert!(error["param"].is_string() || error["param"].is_null());
        assert_eq!(answer.headers["x-request-id"], text(error, "request_id"));
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(requests.insert(text(error, "request_id").to_owned()), "a request id twice");
    }
    // Those that went well are named as well.
    let fine = server.actor(&acme.key).get("/users").await;
    assert!(fine.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn threat_23_a_body_has_at_most_a_mebibyte() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let filled = |bytes: usize| {
        let empty = r#"{"title":""}"#.len();
        format!(r#"{{"title":"{}"}}"#, "x".repeat(bytes - empty))
    };
    let at = raw_json(&server, &acme.key, "POST", "/companies", filled(1 << 20)).await;
    at.refused(422, "too_long");
    let over = raw_json(&server, &acme.key, "POST", "/companies", filled((1 << 20) + 1)).await;
    over.refused(413, "body_too_large");
    // Who has no credential is not read at all.
    let nobody = raw_json(&server, "nobody", "POST", "/companies", filled(2 << 20)).await;
    nobody.refused(401, "credential_invalid");
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let send = async |kind: Option<&str>, body: &str| {
        let bearer = format!("Bearer {}", acme.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        server.send(request("POST", "/api/v1/access_tokens", &headers, body.to_owned())).await
    };
    let body = json!({ "company_id": acme.company, "user_id": acme.user }).to_string();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ] {
        send(Some(kind), &body).await.ok();
    }
    for kind in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/jsonx"),
        Some("json"),
        Some("text/json"),
    ] {
        send(kind, &body).await.refused(415, "unsupported_media_type");
    }
    // No bytes are the empty object, whatever the type says.
    send(Some("text/plain"), "").await.refused(400, "parameter_missing");
}

#[tokio::test]
async fn threat_23_broken_json_is_refused() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let deep =
        |open: &str, close: &str, n: usize| format!(r#"{{"x":{}{}}}"#, open.repeat(n), close.repeat(n));
    let bodies: Vec<Vec<u8>> = vec![
        b"{".into(),
        b"}".into(),
        b"{\"title\":".into(),
        b"{\"title\":\"x".into(),
        b"{\"title\":\"x\",}".into(),
        b"{title:\"x\"}".into(),
        b"{'title':'x'}".into(),
        b"[]".into(),
        b"\"x\"".into(),
        b"1".into(),
        b"true".into(),
        b"{} {}".into(),
        b"{}x".into(),
        b"\xef\xbb\xbf{}".into(),
        b"{\"title\":NaN}".into(),
        b"{\"title\":Infinity}".into(),
        b"{\"title\":\"\xff\xfe\"}".into(),
        b"{\"title\":\"\xc3\"}".into(),
        b"{\"title\":\"\xed\xa0\x80\"}".into(),
        b"{\"title\":\"\\ud800\"}".into(),
        b"{\"title\":\"\\x00\"}".into(),
        b"{\"title\":\"a\0b\"}".into(),
        b"{\"title\":\"x\",\"title\":\"y\"}".into(),
        b"{\"title\":1e999}".into(),
        b"{\"title\":\"x\",\"metadata\":{\"a\":1,\"a\":2}}".into(),
        b"{\"title\":\"x\",\"metadata\":{\"a\":{\"b\":1,\"b\":2}}}".into(),
        deep("[", "]", 33).into(),
        deep("[", "]", 100_000).into(),
        deep("{\"a\":", "}", 500).replace("}}", "1}}").into(),
        "[".repeat(500_000).into(),
        "{\"a\":".repeat(100_000).into(),
        format!(r#"{{"title":"x","metadata":{}1{}}}"#, r#"{"a":"#.repeat(17), "}".repeat(17)).into(),
        // What is deep is refused also where it would hide a NUL from the check.
        format!(r#"{{"x":{}{},"title":"a\u0000b"}}"#, "[".repeat(200), "]".repeat(200)).into(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = raw_json(&server, &acme.key, "POST", "/companies", body).await;
        assert_eq!(answer.status, 400, "{shown}: {:#}", answer.body);
        assert_eq!(answer.body["error"]["type"], "invalid_request_error");
    }
    // Brackets in texts are not depth; unknown members are passed over.
    let fine = json!({ "title": "[{".repeat(100), "email": "x@acme.test", "parent_company_id": acme.company, "unknown": [[[]]] });
    server.actor(&acme.key).post("/companies", fine).await.ok();
}

/// What serde's derived structs would read member by member.
#[tokio::test]
async fn an_array_is_no_object_at_any_level() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let mut bodies = 0;
    for case in all_cases(&acme).into_iter().filter(|case| case.body.is_some()) {
        bodies += 1;
        let mut items: Vec<Value> = case.body.as_ref().unwrap().values().cloned().collect();
        items.resize(20, Value::Null);
        for items in [&items[..], &[]] {
            let body = json!(items).to_string();
            let answer = raw_json(&server, &acme.key, case.method.as_str(), &case.target(), body).await;
            let error = answer.refused(400, "parameter_invalid");
            assert!(text(&error, "message").contains("expected an object"), "{}: {error}", case.name);
        }
    }
    assert!(bodies > 10, "only {bodies} bodies were tried");
    let (channel, company) = (&acme.channel, acme.company);
    for (path, body, param) in [
        ("/messages", json!([channel, "array body", null, null, null, null]), None),
        ("/access_tokens", json!([company, null, acme.user, [], null]), None),
        (
            "/messages",
            json!({ "channel_id": channel, "content": "x", "poll": [[{ "id": "1", "text": "a" }]] }),
            Some("poll"),
        ),
        (
            "/messages",
            json!({ "channel_id": channel, "content": "x", "poll": { "options": [["1", "a"], ["2", "b"]] } }),
            Some("poll.options[0]"),
        ),
        (
            "/messages",
            json!({ "channel_id": channel, "content": "x", "attachments": [["file_x"]] }),
            Some("attachments[0]"),
        ),
        (
            &format!("/companies/{company}/api_keys"),
            json!({ "child_company_id": company,
                    "permissions": [[["chat:read"], true, [company.to_string()]]] }),
            Some("permissions[0]"),
        ),
        (
            "/experiences",
            json!({ "company_id": company, "app_id": acme.app, "logo": ["file_x"] }),
            Some("logo"),
        ),
    ] {
        let error = server.actor(&acme.key).post(path, body).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"].as_str(), param, "{error}");
        assert!(text(&error, "message").ends_with("expected an object"), "{error}");
    }
}

/// Every text of every body, every query parameter, every path segment; on both engines.
#[tokio::test]
async fn a_nul_character_is_refused_wherever_a_text_goes() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let document: Value = serde_json::from_str(&hallpass_http::openapi_json()).unwrap();
    let mut fields = 0;
    for case in all_cases(&acme) {
        let (template, operation) = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().values().map(move |found| (path, found)))
            .find(|(_, operation)| operation["operationId"] == *case.operation())
            .unwrap();
        let template: Vec<&str> = template.trim_start_matches("/api/v1/").split('/').collect();
        let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = reference.as_str() {
            let schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
            for (field, kind) in schema["properties"].as_object().unwrap() {
                let kind = kind["type"].to_string();
                let bad = match kind.as_str() {
                    kind if kind.contains("string") => json!("a\u{0}b"),
                    kind if kind.contains("array") && field.contains("words") => json!(["a\u{0}b"]),
                    kind if kind.contains("array") && field.contains("scoped") => json!(["a\u{0}b"]),
                    _ if field == "metadata" => json!({ "a": [{ "b": "c\u{0}" }], "d\u{0}": 1 }),
                    _ => continue,
                };
                fields += 1;
                let mut bad_case = case.clone();
                bad_case.body.as_mut().unwrap().insert(field.clone(), bad);
                let error = bad_case.send(&server, &acme.key).await.refused(422, "nul_character");
                assert_eq!(error["param"], *field, "{}", case.name);
            }
        }
        for n in 0..case.query.len() {
            fields += 1;
            let mut bad_case = case.clone();
            bad_case.query[n].1 = "a%00b".to_owned();
            let error = bad_case.send(&server, &acme.key).await.refused(422, "nul_character");
            assert_eq!(error["param"], case.query[n].0.trim_end_matches("[]"));
        }
        for n in (0..case.path.len()).filter(|n| case.path[*n].contains('_') && case.path[*n].len() > 15) {
            if case.path[n].chars().any(char::is_uppercase) {
                fields += 1;
                let mut bad_case = case.clone();
                bad_case.path[n].push_str("%00");
                let error = bad_case.send(&server, &acme.key).await.refused(422, "nul_character");
                assert_eq!(error["param"], template[n].trim_matches(['{', '}']));
            }
        }
    }
    assert!(fields > 60, "only {fields} places were tried");
    // Deep inside, and in members that nobody reads or that have no name to repeat.
    for (body, param) in [
        (r#"{"poll":{"options":[{"id":"1","text":"\\\u0000"}]}}"#.to_owned(), json!("poll")),
        (r#"{"unknown":[{"a\u0000":1e999}]}"#.to_owned(), json!("unknown")),
        (r#"{"a\u0000":1}"#.to_owned(), json!(null)),
        (format!(r#"{{"{}":"\u0000"}}"#, "x".repeat(1000)), json!(null)),
    ] {
        let answer = raw_json(&server, &acme.key, "POST", "/messages", body).await;
        assert_eq!(answer.refused(422, "nul_character")["param"], param);
    }
    // Only an escaped backslash.
    let fine = json!({ "channel_id": acme.channel, "content": "\\u0000" });
    server.actor(&acme.key).post("/messages", fine).await.ok();
    for path in ["/users?query=%00", "/members?query=a%00", "/users/%00", "/users/a%00b"] {
        server.actor(&acme.key).get(path).await.refused(422, "nul_character");
    }
}

#[tokio::test]
async fn odd_paths_and_queries_are_clear_errors() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    for (path, status) in [
        ("/users/%FF%FE", 400),
        ("/users?query=%FF", 400),
        ("/users?%FF=1", 400),
        ("/companies/%2e%2e", 400),
        ("/companies/biz_%20", 400),
        ("/users/%F0%9F%98%80", 404),
        ("/users/nobody-of-that-name", 404),
        ("/users?first=1&first=2", 400),
        ("/users?account_id=biz_x", 400),
        ("/users?direction=up", 400),
        ("/members?order=shoe_size", 400),
        ("/members?statuses[]=dead", 400),
        ("/members?access_level=god", 400),
        ("/members?created_after=yesterday", 400),
        ("/companies?created_before=1e9", 400),
        ("/users?first=", 200),
        ("/users?unknown=1&unknown=2", 200),
        ("/users?&&&=&", 200),
        ("/users?query=%25_%5C", 200),
        ("/messages", 400),
        ("/experiences", 400),
        ("/chat_channels", 400),
        ("/companies/%2F", 400),
    ] {
        let answer = key.get(path).await;
        assert_eq!(answer.status, status, "{path}: {:#}", answer.body);
    }
    let many = format!("&user_ids[]={}", acme.user).repeat(101);
    key.get(&format!("/members?company_id={}{many}", acme.company)).await.refused(400, "parameter_invalid");
}

#[tokio::test]
async fn huge_numbers_are_clear_errors() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let path = format!("/chat_channels/{}", acme.channel);
    for number in
        ["604801", "-1", "1e3", "1.5", "99999999999999999999", "1e308", "-9223372036854775809", "4294967296"]
    {
        let body = format!(r#"{{"user_posts_cooldown_seconds":{number}}}"#);
        let answer = raw_json(&server, &acme.key, "PATCH", &path, body).await;
        assert_eq!(answer.status, 400, "{number}: {:#}", answer.body);
    }
    // In free metadata a number keeps its digits.
    let create = async |email: &str, metadata: &str| {
        let body = format!(
            r#"{{"title":"n","email":"{email}@acme.test","parent_company_id":"{}","metadata":{metadata}}}"#,
            acme.company
        );
        raw_json(&server, &acme.key, "POST", "/companies", body).await
    };
    let update = async |metadata: &str| {
        let path = format!("/companies/{}", acme.account);
        raw_json(&server, &acme.key, "PATCH", &path, format!(r#"{{"metadata":{metadata}}}"#)).await
    };
    let kept = r#"{"n":12345678901234567890123,"m":-1e308,"k":0.10000000000000000000000001,"l":1.0}"#;
    for answer in [create("n", kept).await, update(kept).await] {
        assert!(answer.text.contains(&format!(r#""metadata":{kept},"#)), "{}", answer.text);
        let id = answer.ok()["id"].clone();
        let read = server.actor(&acme.key).get(&format!("/companies/{}", id.as_str().unwrap())).await;
        assert!(read.text.contains(&format!(r#""metadata":{kept},"#)), "{}", read.text);
    }
    // One that parsers of JSON do not reach is refused.
    for answer in [create("m", r#"{"n":[1e400]}"#).await, update(r#"{"n":[1e400]}"#).await] {
        assert_eq!(answer.refused(400, "parameter_invalid")["param"], "metadata");
    }
}

#[tokio::test]
async fn a_url_has_at_most_eight_kibibytes() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let at = "/api/v1/users?x=".len();
    let fits = format!("/users?x={}", "a".repeat(8192 - at));
    server.actor(&acme.key).get(&fits).await.ok();
    server.actor(&acme.key).get(&format!("{fits}a")).await.refused(414, "uri_too_long");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_json_errors() {
    let server = TestServer::start().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
        for path in [
            "/api/v1/_stainless_unknown_path",
            "/api/v1",
            "/api/v1/",
            "/api/v1/users/",
            "/api/v2/users",
            "/api/v1/companies/a/b/c/d",
        ] {
            let answer = server.send(request(method, path, &[], "")).await;
            answer.refused(404, "not_found");
        }
        let answer = server.send(request(method, "/nowhere", &[], "")).await;
        assert_eq!(answer.status, 404, "{method}");
    }
    for (method, path, allow) in [
        ("DELETE", "/api/v1/users", "GET"),
        ("PUT", "/api/v1/access_tokens", "POST"),
        ("GET", "/api/v1/access_tokens", "POST"),
        ("POST", "/api/v1/companies/x", "PATCH"),
        ("PROPFIND", "/api/v1/messages", "POST"),
    ] {
        let answer = server.send(request(method, path, &[], "")).await;
        assert!(answer.headers["allow"].to_str().unwrap().contains(allow), "{method} {path}");
        answer.refused(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn dated_versions_are_known_later_or_unknown() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let ask = async |dates: &[&str]| -> Answer {
        let headers: Vec<_> = dates.iter().map(|date| ("api-version-date", *date)).collect();
        with_headers(&server, &acme.key, ("GET", "/users"), &headers, None).await
    };
    for known in ["2025-01-01", "2026-07-08", "2026-07-08-1", "2026-07-18", "2026-07-20", "2026-07-20-2"] {
        ask(&[known]).await.ok();
    }
    for later in ["2026-07-22", "2026-07-29-1", "2026-10-15-1"] {
        let error = ask(&[later]).await.refused(400, "version_not_yet");
        assert!(text(&error, "message").contains("not served yet"), "{error}");
    }
    for unknown in ["", "2026-07-21", "2026-07-20-", "2026-07-20-x", "latest", "2026-07-20T00:00:00Z", "0"] {
        let error = ask(&[unknown]).await.refused(400, "version_unknown");
        assert!(text(&error, "message").contains("2026-07-20"), "{error}");
    }
    ask(&["2026-07-20", "2026-07-18"]).await.refused(400, "version_unknown");
    // What is no operation has no version either.
    let dated = [("api-version-date", "garbage")];
    server.send(request("GET", "/api/v1/nothing", &dated, "")).await.refused(404, "not_found");
    server.send(request("PUT", "/api/v1/messages", &dated, "")).await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn pages_of_other_origins_may_call_with_a_token_of_their_own() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let wanted =
        "authorization,content-type,api-version-date,idempotency-key,x-stainless-retry-count,x-whop-app-id";
    let headers = [
        ("origin", "https://app.test"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", wanted),
    ];
    let address = server.listen().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut preflight =
        client.request(reqwest::Method::OPTIONS, format!("http://{address}/api/v1/messages/x"));
    for (name, value) in headers {
        preflight = preflight.header(name, value);
    }
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(answer.headers().get("access-control-allow-credentials").is_none());
    let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
    for name in wanted.split(',') {
        assert!(allowed.split(", ").any(|known| known == name), "{name} is not in {allowed}");
    }
    assert_eq!(answer.headers()["vary"], "access-control-request-headers");
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains(method));
    }
    // The answers themselves, errors too, are readable there.
    for bearer in [acme.key.as_str(), "garbage"] {
        let answer = with_headers(&server, bearer, ("GET", "/users"), &headers[..1], None).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"));
    }
}

#[tokio::test]
async fn a_preflight_allows_whatever_headers_a_client_sends() {
    let server = TestServer::start().await;
    let url = format!("http://{}/api/v1/messages", server.listen().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let allowed = async |wanted: &[&str]| {
        let mut preflight = client.request(reqwest::Method::OPTIONS, &url);
        for wanted in wanted {
            preflight = preflight.header("access-control-request-headers", *wanted);
        }
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status(), 204);
        answer.headers()["access-control-allow-headers"].to_str().unwrap().to_owned()
    };
    let wanted = "authorization,user-agent, X-Fern-Language,x-stainless-helper-method";
    assert_eq!(
        allowed(&[wanted, "x-whop-app-id"]).await,
        "authorization, user-agent, x-fern-language, x-stainless-helper-method, x-whop-app-id"
    );
    // Names only, and not without bound.
    assert_eq!(allowed(&["x-a b, \u{e9}, , <script>, x-d:e, x-f"]).await, "x-f");
    let many: Vec<String> = (0..1000).map(|n| format!("x-{n}")).collect();
    assert_eq!(allowed(&[&many.join(",")]).await.split(", ").count(), 64);
    assert_eq!(allowed(&[&"x".repeat(5000)]).await, "");
    // Who names none learns the usual ones.
    assert!(allowed(&[]).await.contains("authorization"));
}

// ---- rate limits

fn few(limits: Limits) -> Setup {
    Setup { limits: Some(limits), ..Setup::default() }
}

#[track_caller]
fn limited(answer: Answer) {
    let after: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&after), "{after}");
    let error = answer.refused(429, "rate_limited");
    assert_eq!(error["type"], "rate_limit_exceeded");
    assert_eq!(error["message"], format!("Try again in {after} seconds."));
}

#[tokio::test]
async fn mints_are_limited_by_key() {
    let server = TestServer::with(few(Limits { mints_per_minute: 3, ..Limits::default() })).await;
    let acme = server.company("acme").await;
    let ann = acme.user("ann").await;
    for _ in 0..3 {
        acme.as_key().mint(acme.id, &ann, &[]).await.ok();
    }
    limited(acme.as_key().mint(acme.id, &ann, &[]).await);
    // Other operations of the key, other keys, other tenants go on.
    acme.as_key().get("/users").await.ok();
    let other = server.key(acme.id, super::given::may(acme.id, &["chat:read"])).await;
    server.actor(other).mint(acme.id, &ann, &["chat:read"]).await.ok();
    let rival = server.company("rival").await;
    rival.member("ben").await;
}

#[tokio::test]
async fn calls_are_limited_by_user_and_operation() {
    let server = TestServer::with(few(Limits { user_calls_per_minute: 2, ..Limits::default() })).await;
    let acme = server.company("acme").await;
    let (id, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    for _ in 0..2 {
        ann.get("/users/me").await.ok();
    }
    limited(ann.get("/users/me").await);
    // The same operation by another path; not another operation, not another user.
    limited(ann.get(&format!("/users/{id}")).await);
    ann.get("/users").await.ok();
    ben.get("/users/me").await.ok();
    // A fresh token is the same user.
    limited(server.actor(acme.token(&id).await).get("/users/me").await);
    // In another company they are counted anew: one tenant does not exhaust another.
    let other = server.company("other").await;
    server.app.make_member(other.id, id.parse().unwrap()).await.unwrap();
    server.actor(other.token(&id).await).get("/users/me").await.ok();
}

#[tokio::test]
async fn calls_of_keys_are_limited_by_key_and_operation() {
    let server = TestServer::with(few(Limits { key_calls_per_minute: 2, ..Limits::default() })).await;
    let acme = server.company("acme").await;
    for _ in 0..2 {
        acme.as_key().get("/users").await.ok();
    }
    limited(acme.as_key().get("/users").await);
    acme.as_key().get(&format!("/companies/{}", acme.id)).await.ok();
}

/// GET over a socket with lines of headers as they are; the status.
async fn get_over(address: std::net::SocketAddr, lines: &[&str]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = "GET /api/v1/users HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    // The server may hang up before it has read what is too much.
    let _hung_up = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _hung_up = stream.read_to_end(&mut answer).await;
    status_of(&answer)
}

fn status_of(answer: &[u8]) -> u16 {
    let line = String::from_utf8_lossy(answer);
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status in {line:?}"))
}

#[tokio::test]
async fn threat_17_bad_credentials_are_limited_by_the_address_that_sent_them() {
    let server = TestServer::with(few(Limits { bad_credentials_per_minute: 2, ..Limits::default() })).await;
    let acme = server.company("acme").await;
    let address = server.listen().await;
    let guess = "authorization: Bearer guess";
    for n in 0..2 {
        assert_eq!(get_over(address, &[guess, &format!("x-forwarded-for: 10.0.0.{n}")]).await, 401);
    }
    // No proxy is trusted: a new address in the header is no new address.
    for header in ["x-forwarded-for: 10.0.0.9", "forwarded: for=10.0.0.9", "x-real-ip: 10.0.0.9"] {
        assert_eq!(get_over(address, &[guess, header]).await, 429, "{header}");
    }
    // A good credential from there still works, and having none is no guess.
    assert_eq!(get_over(address, &[&format!("authorization: Bearer {}", acme.key)]).await, 200);
    assert_eq!(get_over(address, &[]).await, 401);
}

/// Behind one address there may be many clients, whose tokens expire all the time.
#[tokio::test]
async fn expired_and_revoked_credentials_are_no_guesses() {
    let server = TestServer::with(few(Limits { bad_credentials_per_minute: 1, ..Limits::default() })).await;
    let acme = server.company("acme").await;
    let (_, revoked) = acme.member("ann").await;
    acme.as_key().post("/access_tokens/revoke", json!({ "token": revoked.bearer })).await.ok();
    let dead_key = server.actor(server.key(acme.id, super::given::may(acme.id, &["chat:read"])).await);
    dead_key.get("/users/me").await;
    for key in server.app.list_company_keys(acme.id).await.unwrap() {
        if dead_key.bearer.ends_with(&key.hint[key.hint.len() - 4..]) {
            server.app.end_api_key(key.id).await.unwrap();
        }
    }
    let (_, expired) = acme.member("ben").await;
    let ask = async || {
        for _ in 0..3 {
            revoked.get("/users/me").await.refused(401, "credential_revoked");
            dead_key.get("/users/me").await.refused(401, "credential_revoked");
        }
    };
    ask().await;
    let guess = server.actor("guess");
    guess.get("/users/me").await.refused(401, "credential_invalid");
    limited(guess.get("/users/me").await);
    // Also when others behind the address have guessed too often.
    ask().await;
    server.clock.advance(SignedDuration::from_hours(2));
    for _ in 0..3 {
        expired.get("/users/me").await.refused(401, "credential_expired");
    }
    limited(guess.get("/users/me").await);
}

#[tokio::test]
async fn threat_17_only_trusted_proxies_say_whose_address_it_is() {
    let server = TestServer::with(few(Limits { bad_credentials_per_minute: 1, ..Limits::default() })).await;
    let policy = HttpPolicy {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "10.1.0.0/16".parse().unwrap()],
        access_log: false,
        ..HttpPolicy::default()
    };
    let address = server.listen_with(policy).await;
    let guess = "authorization: Bearer guess";
    let from = async |lines: &[&str]| {
        let mut all = vec![guess];
        all.extend_from_slice(lines);
        get_over(address, &all).await
    };
    // Each client has an allowance of its own…
    assert_eq!(from(&["x-forwarded-for: 203.0.113.1"]).await, 401);
    assert_eq!(from(&["x-forwarded-for: 203.0.113.1"]).await, 429);
    assert_eq!(from(&["x-forwarded-for: 203.0.113.2"]).await, 401);
    // …which is not widened by what the client itself wrote to the left, through a second proxy…
    assert_eq!(from(&["x-forwarded-for: 198.51.100.7, 203.0.113.2, 10.1.2.3"]).await, 429);
    assert_eq!(from(&["x-forwarded-for: garbage, 203.0.113.2"]).await, 429);
    // …or into a header of its own, above the one that the proxy added.
    assert_eq!(from(&["x-forwarded-for: 198.51.100.8", "x-forwarded-for: 203.0.113.2"]).await, 429);
    // The same address in another spelling is the same.
    assert_eq!(from(&["x-forwarded-for: ::ffff:203.0.113.2"]).await, 429);
    // So it is with a port, or in brackets.
    for hop in ["203.0.113.2:5678", "[::ffff:203.0.113.2]:80", "[::ffff:203.0.113.2]"] {
        assert_eq!(from(&[&format!("x-forwarded-for: 198.51.100.9, {hop}")]).await, 429, "{hop}");
    }
    assert_eq!(from(&["x-forwarded-for: [2001:db8::1]:443, 10.1.2.3:80"]).await, 401);
    assert_eq!(from(&["x-forwarded-for: 2001:db8::1"]).await, 429);
    // Unreadable: the proxy's own address stands.
    assert_eq!(from(&["x-forwarded-for: garbage"]).await, 401);
    assert_eq!(from(&["x-forwarded-for: \u{e9}"]).await, 429);
    assert_eq!(from(&[]).await, 429);
}

// ---- time and size of requests, over a socket

fn impatient() -> HttpPolicy {
    HttpPolicy {
        access_log: false,
        body_timeout: Duration::from_millis(100),
        header_timeout: Duration::from_millis(100),
        ..HttpPolicy::default()
    }
}

#[tokio::test]
async fn threat_23_a_body_that_does_not_come_times_out() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let address = server.listen_with(impatient()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/access_tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"comp",
        acme.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    assert_eq!(status_of(&answer[..read]), 408);
    let said = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(said.contains("request_timeout"), "{said}");
}

#[tokio::test]
async fn a_body_declared_too_large_is_refused_before_it_comes() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let address = server.listen().await;
    for expect in ["", "expect: 100-continue\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/v1/companies HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 1048577\r\n{expect}\r\n",
            acme.key
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(status_of(&answer), 413, "{}", String::from_utf8_lossy(&answer));
        assert!(String::from_utf8_lossy(&answer).contains("body_too_large"));
    }
}

#[tokio::test]
async fn threat_23_headers_that_do_not_come_end_the_connection() {
    let server = TestServer::start().await;
    let address = server.listen_with(impatient()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Asks on an open connection, and reads as much as comes at once.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Proxies keep connections for a minute; one that was closed under a request is a 502.
#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_headers() {
    let server = TestServer::start().await;
    let address = server.listen_with(impatient()).await;
    let mut idle = connect(address).await;
    assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200"));
    // As long as headers may take, by the server's own clock.
    let mut silent = connect(address).await;
    let _reset = silent.read_to_end(&mut Vec::new()).await;
    assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200"));
    // On a kept connection, too, a head must come in time.
    idle.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").await.unwrap();
    let _reset = idle.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn threat_23_an_idle_connection_ends() {
    let server = TestServer::start().await;
    let policy =
        HttpPolicy { access_log: false, keep_alive: Duration::from_millis(100), ..HttpPolicy::default() };
    let mut idle = connect(server.listen_with(policy).await).await;
    assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert_eq!(idle.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_arrives_although_the_body_was_not_read() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let url = format!("http://{}/api/v1/companies", server.listen().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let large = client.post(url).bearer_auth(&acme.key).body(vec![b'x'; 6 << 20]);
    assert_eq!(large.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn threat_23_a_client_that_does_not_read_is_let_go() {
    let server = TestServer::start().await;
    let policy = HttpPolicy {
        access_log: false,
        write_timeout: Duration::from_millis(100),
        max_connections: 1,
        ..HttpPolicy::default()
    };
    let address = server.listen_with(policy).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut greedy = socket.connect(address).await.unwrap();
    let ask_much = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(400);
    greedy.write_all(&ask_much).await.unwrap();
    // Its place is free again once the server gave it up.
    let free = async || {
        let mut next = connect(address).await;
        let asked = next.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 64];
        let read = next.read(&mut answer).await.unwrap_or(0);
        asked.is_ok() && answer[..read].starts_with(b"HTTP/1.1 200")
    };
    super::given::eventually(&server, free, "the end of a stalled connection").await;
}

#[tokio::test]
async fn threat_23_connections_are_limited_in_all_and_by_address() {
    let server = TestServer::start().await;
    let limited = |all, per_address, trusted: &[&str]| HttpPolicy {
        access_log: false,
        max_connections: all,
        max_connections_per_address: per_address,
        trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
        ..HttpPolicy::default()
    };
    for (policy, admitted) in [
        (limited(3, 100, &[]), 3),
        (limited(100, 2, &[]), 2),
        // A proxy speaks for many.
        (limited(4, 2, &["127.0.0.0/8"]), 4),
    ] {
        let address = server.listen_with(policy).await;
        let mut open = Vec::new();
        for _ in 0..admitted {
            let mut stream = connect(address).await;
            assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
            open.push(stream);
        }
        let mut answer = String::new();
        connect(address).await.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
        // One that ends makes room for one.
        open.pop();
        let free = async || {
            let mut next = connect(address).await;
            let asked = next.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut answer = [0; 64];
            let read = next.read(&mut answer).await.unwrap_or(0);
            asked.is_ok() && answer[..read].starts_with(b"HTTP/1.1 200")
        };
        super::given::eventually(&server, free, "room").await;
    }
}

#[tokio::test]
async fn threat_23_headers_too_large_or_too_many_are_refused() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    // Refused while they are still arriving: as much as is buffered, and no end in sight.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut endless = b"GET /livez HTTP/1.1\r\nhost: x\r\nx-large: ".to_vec();
    endless.resize(64 << 10, b'a');
    stream.write_all(&endless).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(status_of(&answer), 431);
    let many: Vec<String> = (0..200).map(|n| format!("x-{n}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(get_over(address, &many).await, 431);
    assert_eq!(get_over(address, &["no colon in this line"]).await, 400);
    assert_eq!(get_over(address, &["x-odd: a\u{1}b"]).await, 400);
    assert_eq!(get_over(address, &[]).await, 401);
}

#[tokio::test]
async fn heads_over_the_limit_are_refused_in_the_usual_shape() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let large = |bytes: usize| format!("x-large: {}", "a".repeat(bytes));
    assert_eq!(get_over(address, &[&large(31 << 10)]).await, 401);
    for (path, line, status, code) in [
        ("/api/v1/users".to_owned(), large(33 << 10), 431, "headers_too_large"),
        (format!("/api/v1/users?x={}", "a".repeat(20 << 10)), "x: y".to_owned(), 414, "uri_too_long"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{line}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status_of(answer.as_bytes()), status);
        assert!(answer.contains(code) && answer.contains("x-request-id: req_"), "{answer}");
    }
}

#[tokio::test]
async fn conflicts_that_will_not_change_say_not_to_retry() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    // A hundred live keys: the hundred-and-first is a permanent conflict.
    let path = format!("/companies/{}/api_keys", acme.id);
    let body = json!({ "child_company_id": acme.id, "role": "moderator" });
    for _ in 0..99 {
        acme.as_key().post(&path, body.clone()).await.ok();
    }
    let answer = acme.as_key().post(&path, body.clone()).await;
    assert_eq!(answer.headers["x-should-retry"], "false");
    answer.refused(409, "too_many_keys");
    // One revoked makes room for one.
    let keys = server.app.list_company_keys(acme.id).await.unwrap();
    let revoke = json!({ "api_key_id": keys[0].id });
    acme.as_key().post("/access_tokens/revoke", revoke).await.ok();
    acme.as_key().post(&path, body.clone()).await.ok();
    acme.as_key().post(&path, body).await.refused(409, "too_many_keys");
}
