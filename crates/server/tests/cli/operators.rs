//! Commands: through the running server's socket, and on a stopped server's folder.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use hallpass_testkit::postgres::fresh_database;
use serde_json::{Value, json};

use super::process::{Ended, Process, finish, hallpass, me, mint, request, run};

const SERVE: &[&str] = &["serve", "--port", "0", "--data-dir", "data"];

/// A command on the folder, answering in JSON.
pub(crate) fn ask(folder: &Path, args: &[&str]) -> Ended {
    run(folder, &[args, &["--data-dir", "data", "--json"]].concat())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A company with an owner, made on the folder.
pub(crate) fn acme(folder: &Path) -> Value {
    let args = [
        "company",
        "create",
        "--title",
        "Acme",
        "--owner-email",
        "olive@acme.example",
        "--owner-username",
        "olive",
    ];
    ask(folder, &args).json()
}

#[test]
fn a_first_company_is_made_before_the_server_ever_ran_and_works_once_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let missing = ask(folder.path(), &["keys", "list"]);
    assert!(missing.complaint().contains("there is no database in data"), "{}", missing.stderr);
    assert!(!folder.path().join("data").exists());

    let company = acme(folder.path());
    assert_eq!(text(&company["owner"]["password"]).len(), 20);
    let key =
        ask(folder.path(), &["key", "create", "--company", text(&company["id"]), "--role", "owner"]).json();
    assert!(text(&key["secret"]).starts_with("hpk_"));
    // Shown once.
    let listed = ask(folder.path(), &["key", "list", "--company", text(&company["id"])]);
    assert_eq!(listed.json()[0]["id"], key["id"]);
    assert!(!listed.stdout.contains(text(&key["secret"])));

    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    let token = mint(serve.port(), text(&key["secret"]), &company["id"], &company["owner"]["id"]);
    drop(token);
    serve.stop();
}

#[test]
fn commands_reach_the_running_server_and_bite_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| ask(folder.path(), args);
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    let port = serve.port();
    let company = acme(folder.path());
    let (biz, owner) = (text(&company["id"]), text(&company["owner"]["id"]));
    let create_key = || ask(&["key", "create", "--company", biz, "--role", "owner", "--name", "ci"]).json();
    let key = create_key();
    let ann = ask(&["user", "create", "--company", biz, "--email", "ann@acme.example"]).json();
    let mint_ann = || mint(port, text(&key["secret"]), &company["id"], &ann["id"]);

    // One token, by its text, which is in no list of processes.
    let token = mint_ann();
    assert_eq!(me(port, &token), 200);
    let refused = ask(&["token", "revoke", "--token", &token]);
    assert!(refused.complaint().contains("standard input"), "{}", refused.stderr);
    let args = ["token", "revoke", "--token", "-", "--data-dir", "data"];
    let revoked = finish(&mut hallpass(folder.path(), &args), &format!("{token}\n"));
    assert!(revoked.status.success(), "{}", revoked.stderr);
    assert_eq!(me(port, &token), 401);

    // All of a user in a company.
    let token = mint_ann();
    ask(&["token", "revoke", "--user", text(&ann["id"]), "--company", biz]).json();
    assert_eq!(me(port, &token), 401);

    // Un-enrolled and enrolled again; deactivated and reactivated.
    let token = mint_ann();
    ask(&["user", "unenrol", text(&ann["id"]), "--company", biz]).json();
    assert_eq!(me(port, &token), 401);
    ask(&["user", "enrol", text(&ann["id"]), "--company", biz]).json();
    let token = mint_ann();
    ask(&["user", "deactivate", text(&ann["id"])]).json();
    assert_eq!(me(port, &token), 401);
    ask(&["user", "reactivate", text(&ann["id"])]).json();
    let token = mint_ann();

    // A role, and the refusal to take the owner's.
    let role = ask(&["user", "role", text(&ann["id"]), "--company", biz, "--role", "moderator"]).json();
    assert_eq!(role["role"], "moderator");
    ask(&["user", "role", text(&ann["id"]), "--company", biz, "--none"]).json();
    let refused = ask(&["user", "role", owner, "--company", biz, "--none"]);
    assert!(refused.complaint().contains("owner stays on the team"), "{}", refused.stderr);

    // Signing keys: tokens live through a rotation, and die with their key.
    let before = ask(&["keys", "list"]).json();
    assert!(ask(&["keys", "rotate"]).complaint().contains("--now"));
    let after = ask(&["keys", "rotate", "--now"]).json();
    assert_eq!(after.as_array().unwrap().len(), 3);
    assert_eq!(me(port, &token), 200);
    ask(&["keys", "retire", text(&before[0]["kid"]), "--now"]).json();
    assert_eq!(me(port, &token), 401);

    // An API key, and with it what it minted.
    let token = mint_ann();
    ask(&["key", "revoke", text(&key["id"])]).json();
    assert_eq!(me(port, &token), 401);
    assert_eq!(request(port, "GET", "/api/v1/companies", Some(text(&key["secret"])), None).0, 401);

    // Settings.
    let settings = ask(&["company", "settings", biz, "--explicit-scopes", "true"]).json();
    assert_eq!((&settings["explicit_scopes"], &settings["open_enrolment"]), (&true.into(), &false.into()));
    assert_eq!(ask(&["company", "show", biz]).json(), settings);
    assert_eq!(ask(&["company", "list", "--owner", owner]).json()[0]["id"], company["id"]);
    assert!(ask(&["company", "detach", biz]).complaint().contains("no such connected account"));
    assert_eq!(ask(&["migrate"]).json()["by"], "the running server");
    serve.stop();

    // Stopped, the same commands work on the folder.
    assert_eq!(ask(&["company", "show", biz]).json(), settings);
    assert_eq!(ask(&["migrate"]).json()["by"], "this command");
    create_key();
    assert_eq!(ask(&["key", "list", "--company", biz]).json().as_array().unwrap().len(), 2);
}

#[test]
fn an_apps_key_works_where_the_app_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| ask(folder.path(), args);
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    let port = serve.port();
    let acme = acme(folder.path());
    let (biz, owner) = (text(&acme["id"]), &acme["owner"]["id"]);
    let shop = ask(&["company", "create", "--title", "Shop", "--owner", text(owner)]).json();
    let other = text(&shop["id"]);
    let app = ask(&["app", "create", "--company", biz, "--name", "Helper"]).json();
    let id = text(&app["id"]);
    assert!(id.starts_with("app_"));
    assert_eq!((&app["company_id"], &app["installed_at"]), (&acme["id"], &Value::Null));
    assert_eq!(ask(&["app", "list", "--company", biz]).json(), json!([app]));
    assert_eq!(ask(&["app", "list", "--company", other]).json(), json!([]));
    let keys = [&["--role", "admin"], &["--permission", "chat:read"]].map(|rights| {
        let key = ask(&[&["key", "create", "--company", biz, "--app", id], &rights[..]].concat()).json();
        text(&key["secret"]).to_owned()
    });
    let elsewhere = ask(&["key", "create", "--company", other, "--app", id, "--role", "admin"]);
    assert!(elsewhere.complaint().contains("no such app"), "{}", elsewhere.stderr);
    let body = json!({ "company_id": other, "user_id": owner });
    for key in &keys {
        assert!(key.starts_with("hpa_"));
        assert_eq!(me(port, &mint(port, key, &acme["id"], owner)), 200);
        assert_eq!(request(port, "POST", "/api/v1/access_tokens", Some(key), Some(&body)).0, 404);
    }
    for _ in 0..2 {
        assert_eq!(ask(&["app", "install", id, "--company", other]).json()["installed"], true);
    }
    assert_eq!(ask(&["app", "list", "--company", other]).json()[0]["id"], app["id"]);
    let tokens = keys.each_ref().map(|key| mint(port, key, &shop["id"], owner));
    let channels = format!("/api/v1/chat_channels?company_id={other}");
    for token in &tokens {
        assert_eq!(request(port, "GET", &channels, Some(token), None).0, 200);
    }
    ask(&["app", "uninstall", id, "--company", other]).json();
    for (key, token) in keys.iter().zip(&tokens) {
        assert_eq!(request(port, "GET", &channels, Some(token), None).0, 404);
        assert_eq!(request(port, "POST", "/api/v1/access_tokens", Some(key), Some(&body)).0, 404);
    }
    for (args, complaint) in [
        (["app", "uninstall", id, "--company", other], "no such installed app"),
        (["app", "install", id, "--company", biz], "nothing to install"),
        (["app", "install", "app_00000000000000000000000001", "--company", biz], "no such app"),
        (["app", "create", "--name= ", "--company", biz], "an app has a name"),
    ] {
        let refused = ask(&args);
        assert!(refused.complaint().contains(complaint), "{args:?}: {}", refused.stderr);
    }
    serve.stop();
}

#[test]
fn usernames_are_not_made_of_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let company = acme(folder.path());
    let create = |args: &[&str]| {
        let user =
            ask(folder.path(), &[&["user", "create", "--company", text(&company["id"])], args].concat());
        text(&user.json()["username"]).to_owned()
    };
    let named = create(&["--email", "secret.address@acme.example", "--name", "Ann Lee"]);
    assert!(named.starts_with("ann-lee-"), "{named}");
    let nameless = create(&["--email", "secret.address2@acme.example"]);
    assert!(nameless.starts_with("user-") && !nameless.contains("secret"), "{nameless}");
}

#[test]
fn companies_are_listed_all_of_them_or_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| ask(folder.path(), args);
    let acme = acme(folder.path());
    let owner = text(&acme["owner"]["id"]);
    let create = |title: &str| ask(&["company", "create", "--title", title, "--owner", owner]).json();
    let (second, third) = (create("Second"), create("Third"));
    let all = [&third["id"], &second["id"], &acme["id"]];
    for narrowed in [&[][..], &["--owner", owner]] {
        let list = |args: &[&str]| {
            let ended = ask(&[&["company", "list"], narrowed, args].concat());
            let ids: Vec<Value> =
                ended.json().as_array().unwrap().iter().map(|company| company["id"].clone()).collect();
            (ids, ended.stderr)
        };
        let (ids, hint) = list(&[]);
        assert_eq!((ids.iter().collect::<Vec<_>>().as_slice(), hint.as_str()), (&all[..], ""));
        let (ids, hint) = list(&["--limit", "2"]);
        assert_eq!(ids.iter().collect::<Vec<_>>(), all[..2]);
        assert!(hint.contains(&format!("--after {}", text(all[1]))), "{hint}");
        let (ids, hint) = list(&["--limit", "2", "--after", text(all[1])]);
        assert_eq!((ids.iter().collect::<Vec<_>>().as_slice(), hint.as_str()), (&all[2..], ""));
    }
    assert_eq!(ask(&["company", "list", "--parent", text(&acme["id"])]).json(), json!([]));
    let refused = ask(&["company", "list", "--parent", text(&acme["id"]), "--owner", owner]);
    assert!(refused.complaint().contains("cannot be used with"), "{}", refused.stderr);
}

#[test]
fn a_server_starts_on_a_folder_that_was_only_migrated() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(ask(folder.path(), &["migrate"]).json()["by"], "this command");
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    serve.stop();
}

#[test]
fn a_plan_names_the_migrations_and_runs_none() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let ask = |args: &[&str], url: Option<&str>| {
        let mut command = hallpass(folder.path(), &[args, &["--data-dir", "data", "--json"]].concat());
        finish(command.envs(url.map(|url| ("DATABASE_URL", url))), "")
    };
    for url in [None, Some(url.as_str())] {
        for _ in 0..2 {
            assert_eq!(ask(&["migrate", "--plan"], url).json()[0]["migration"], "0001_spine");
        }
        assert!(!folder.path().join("data").exists());
    }
    for url in [None, Some(url.as_str())] {
        ask(&["migrate"], url).json();
        assert_eq!(ask(&["migrate", "--plan"], url).json(), json!([]));
    }
    // Under a running server, too: the binary that is asked may be newer.
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    assert_eq!(ask(&["migrate", "--plan"], None).json(), json!([]));
    serve.stop();
    let none = ask(&["migrate", "--plan"], Some("postgres://nobody@127.0.0.1:1/none"));
    assert!(none.complaint().contains("database.url"), "{}", none.stderr);
}

#[test]
fn keys_have_a_role_or_permissions_and_may_expire() {
    let folder = tempfile::tempdir().unwrap();
    let company = acme(folder.path());
    let create = |args: &[&str]| {
        ask(folder.path(), &[&["key", "create", "--company", text(&company["id"])], args].concat())
    };
    let key =
        create(&["--permission", "chat:read", "--permission", "chat:message:create", "--expires-in", "30d"])
            .json();
    assert_eq!(key["permissions"][0]["actions"], "chat:message:create chat:read");
    assert!(text(&key["expires_at"]) > text(&key["created_at"]));
    for (args, complaint) in [
        (&["--permission", "chat:nonsense"][..], "unknown scope"),
        (&["--role", "king"], "there are owner, admin"),
        (&["--role", "support"], "cannot have the role"),
        (&["--role", "owner", "--expires-in", "soon"], "30d"),
        (&[], "--role"),
        (&["--role", "owner", "--app", "app_00000000000000000000000001"], "no such app"),
    ] {
        let refused = create(args);
        assert!(refused.complaint().contains(complaint), "{args:?}: {}", refused.stderr);
    }
}

#[test]
fn people_choose_their_passwords_on_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    acme(folder.path());
    let create = |stdin: &str, username: &str| {
        let email = format!("{username}@acme.example");
        let args = ["user", "create", "--email", &email, "--username", username, "--password-stdin"];
        finish(&mut hallpass(folder.path(), &[&args[..], &["--data-dir", "data", "--json"]].concat()), stdin)
    };
    let made = create("correct horse\n", "ann");
    assert_eq!(made.json()["username"], "ann");
    assert!(!made.stdout.contains("correct horse"));
    assert!(create("short\n", "ben").complaint().contains("8 characters"));
    assert!(create("", "ben").complaint().contains("standard input"));
    assert!(create("correct horse\n", "ann").complaint().contains("taken"));
    assert!(create("correct horse\n", "a_b").complaint().contains("a username is"));
}

#[test]
fn the_socket_survives_whatever_is_sent_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    let send = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(folder.path().join("data/admin.sock")).unwrap();
        // It may hang up before it has read everything.
        let _hung_up = stream.write_all(bytes);
        let _hung_up = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        answer
    };
    assert!(send(b"{}\n").contains("command_unknown"));
    assert!(send(b"\xff\xfe\n").is_empty());
    assert!(send(b"{\"command\":\"status\"}").contains("command_too_long"));
    assert!(!send(&vec![b'x'; 1 << 20]).contains("\"ok\""));
    assert!(!send(&[b"\n".to_vec(), vec![b'['; 60_000]].concat()).contains("\"ok\""));
    assert!(send(b"{\"command\":\"status\"}\n").starts_with("{\"ok\":"));
    serve.stop();
}

#[test]
fn a_folder_with_a_long_name_has_a_socket_too() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(120));
    let args = ["--data-dir", long.to_str().unwrap()];
    let mut serve =
        Process::start(&mut hallpass(folder.path(), &[&["serve", "--port", "0"], &args[..]].concat()));
    serve.port();
    let status = run(folder.path(), &[&["doctor"], &args[..]].concat());
    assert!(status.stdout.contains("runs and is ready"), "{}{}", status.stdout, status.stderr);
    serve.stop();
}
