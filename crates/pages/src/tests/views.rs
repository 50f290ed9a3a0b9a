//! Every page in every state, by name: what the other tests walk.

use hallpass_core::ScopeSet;
use hallpass_core::catalogue::scopes::*;
use hallpass_core::locale::Locale;
use jiff::Timestamp;

use crate::*;

pub(super) fn shell(locale: Locale) -> Shell {
    Shell {
        locale,
        site: "chat.example.com".into(),
        csrf: Csrf::new(|action| format!("token-of-{}", action.replace('/', "."))),
        passkeys: true,
        here: Some(("/sign-in".into(), vec![("continue".into(), "/oauth/authorize?a=1&b=\"2\"".into())])),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const BAKERY: AskingApp<'_> =
    AskingApp { name: "Bakery", picture: Some("/pictures/file_1"), company: Some("Acme") };
const ANN: Consenting<'_> = Consenting { name: "Ann", picture: None };

/// What the guide asks for, and one that opens nothing here.
pub(super) fn guide() -> ScopeSet {
    ScopeSet::of(&[
        OPENID,
        PROFILE,
        EMAIL,
        CHAT_READ,
        CHAT_MESSAGE_CREATE,
        DMS_READ,
        DMS_MESSAGE_MANAGE,
        DMS_CHANNEL_MANAGE,
        SUPPORT_CHAT_READ,
        SUPPORT_CHAT_MESSAGE_CREATE,
        COURSES_READ,
    ])
}

fn consent<'a>(app: AskingApp<'a>, company: Option<Consenting<'a>>, before: &ScopeSet) -> Consent<'a> {
    Consent::new(
        app,
        company,
        ANN,
        "ann@example.com",
        &guide(),
        before,
        "bakery.example",
        "/oauth/consent",
        &[("state", "a&b")],
        "/sign-in?continue=%2Faccount",
    )
}

pub(super) fn account() -> Account<'static> {
    Account {
        profile: Profile { name: "Ann", username: "ann", picture: None },
        emails: vec![
            AccountAddress { email: "ann@example.com" },
            AccountAddress { email: "ann@work.example" },
        ],
        new_email: "",
        has_password: true,
        recent: false,
        passkeys: vec![
            AccountPasskey {
                id: "pkey_1",
                name: "Phone",
                added_at: at("2026-02-03T04:05:06Z"),
                used_at: Some(at("2026-11-20T10:00:00Z")),
            },
            AccountPasskey {
                id: "pkey_2",
                name: "Laptop",
                added_at: at("2026-05-09T04:05:06Z"),
                used_at: None,
            },
        ],
        sessions: vec![
            AccountSession::new(
                "sess_1",
                true,
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "192.0.2.7",
                at("2026-11-23T09:00:00Z"),
            ),
            AccountSession::new("sess_2", false, "curl/8", "2001:db8::7", at("2026-11-01T23:59:00Z")),
        ],
        apps: vec![
            AccountApp {
                id: "grant_1",
                name: "Bakery",
                picture: None,
                company: Some("Acme"),
                scopes: guide(),
                since: at("2026-11-02T12:00:00Z"),
            },
            AccountApp {
                id: "grant_2",
                name: "Cellar",
                picture: Some("/pictures/file_2"),
                company: None,
                scopes: ScopeSet::of(&[OPENID]),
                since: at("2026-11-03T12:00:00Z"),
            },
        ],
        notice: None,
        problem: None,
    }
}

/// Every page as it is mostly seen.
pub(super) fn plain(locale: Locale) -> Vec<(&'static str, String)> {
    let shell = &shell(locale);
    let to = "/oauth/authorize?client_id=app_1&scope=openid%20profile";
    let written = letters::write(
        &hallpass_core::mail::Letter::SignInCode { code: "12345678".into() },
        locale,
        "https://chat.example.com",
        "chat.example.com",
    );
    vec![
        ("sign_in", SignIn { app: Some(BAKERY), continue_to: to, ..SignIn::default() }.html(shell)),
        (
            "code",
            Code {
                purpose: CodeFor::SignIn,
                email: "ann@example.com",
                continue_to: to,
                notice: None,
                problem: None,
                action: CodeFor::SignIn.action(),
            }
            .html(shell),
        ),
        ("sign_up", SignUp { app: Some(BAKERY), continue_to: to, ..SignUp::default() }.html(shell)),
        (
            "new_account",
            NewAccount { email: "ann@example.com", continue_to: to, ..NewAccount::default() }.html(shell),
        ),
        ("reset", Reset { continue_to: to, ..Reset::default() }.html(shell)),
        (
            "new_password",
            NewPassword { email: "ann@example.com", continue_to: to, ..NewPassword::default() }.html(shell),
        ),
        (
            "consent",
            consent(
                BAKERY,
                Some(Consenting { name: "Town market", picture: None }),
                &ScopeSet::of(&[OPENID, PROFILE, EMAIL]),
            )
            .html(shell),
        ),
        (
            "error",
            ErrorPage {
                kind: ErrorKind::Redirect,
                code: "invalid_request",
                detail: Some("redirect_uri is not registered for this client_id"),
                request: "req_1",
            }
            .html(shell),
        ),
        ("sign_out", SignOut { app: None, action: "/sign-out", hidden: &[] }.html(shell)),
        ("signed_out", SignedOut { back: Some(("Bakery", "https://bakery.example/bye")) }.html(shell)),
        ("account", account().html(shell)),
        (
            "outbox",
            Outbox {
                letters: vec![OutboxLetter {
                    to: "ann@example.com",
                    at: at("2026-11-23T09:00:00Z"),
                    subject: &written.subject,
                    text: &written.text,
                }],
            }
            .html(shell),
        ),
    ]
}

/// Every page in its other states: each problem, each notice, each kind of error, with much and with
/// nothing in it.
pub(super) fn states(locale: Locale) -> Vec<(String, String)> {
    let shell = &Shell { here: None, ..shell(locale) };
    let nobody = AskingApp { name: "", picture: None, company: None };
    let mut pages: Vec<(String, String)> = vec![
        ("sign_in empty".into(), SignIn::default().html(shell)),
        ("sign_in again".into(), SignIn { again: true, email: "a@b", ..SignIn::default() }.html(shell)),
        ("sign_in alone".into(), SignIn { app: Some(nobody.clone()), ..SignIn::default() }.html(shell)),
        ("consent new".into(), consent(nobody, None, &ScopeSet::EMPTY).html(shell)),
        ("consent old".into(), consent(BAKERY, None, &guide()).html(shell)),
        ("sign_out app".into(), SignOut { app: Some("x"), action: "/y", hidden: &[("a", "b")] }.html(shell)),
        ("signed_out alone".into(), SignedOut::default().html(shell)),
        ("outbox empty".into(), Outbox { letters: Vec::new() }.html(shell)),
        (
            "account empty".into(),
            Account {
                emails: vec![AccountAddress { email: "ann@example.com" }],
                has_password: false,
                recent: true,
                passkeys: Vec::new(),
                sessions: account().sessions.into_iter().take(1).collect(),
                apps: Vec::new(),
                ..account()
            }
            .html(shell),
        ),
        ("account recent".into(), Account { recent: true, ..account() }.html(shell)),
        ("account of nobody".into(), Account { emails: Vec::new(), ..account() }.html(shell)),
    ];
    for problem in Problem::ALL.iter().copied().map(Some) {
        let name = |page: &str| format!("{page} {problem:?}");
        let code = |purpose: CodeFor| {
            let page = Code {
                purpose,
                email: "a@b",
                continue_to: "/account",
                notice: None,
                problem,
                action: purpose.action(),
            };
            (format!("code {purpose:?} {problem:?}"), page.html(shell))
        };
        pages.extend(CodeFor::ALL.map(code));
        pages.push((name("sign_in"), SignIn { problem, email: "a@b", ..SignIn::default() }.html(shell)));
        pages.push((name("sign_up"), SignUp { problem, ..SignUp::default() }.html(shell)));
        pages.push((
            name("new_account"),
            NewAccount { problem, name: "A", ..NewAccount::default() }.html(shell),
        ));
        pages.push((name("reset"), Reset { problem, ..Reset::default() }.html(shell)));
        pages.push((name("new_password"), NewPassword { problem, ..NewPassword::default() }.html(shell)));
        let mut asked = consent(BAKERY, None, &guide());
        asked.problem = problem;
        pages.push((name("consent"), asked.html(shell)));
        pages.push((name("account"), Account { problem, new_email: "x@y", ..account() }.html(shell)));
    }
    for notice in Notice::ALL.iter().copied().map(Some) {
        pages.push((format!("account {notice:?}"), Account { notice, ..account() }.html(shell)));
    }
    for kind in ErrorKind::ALL.iter().copied() {
        let page = ErrorPage { kind, code: "invalid_request", detail: None, request: "req_1" };
        pages.push((format!("error {kind:?}"), page.html(shell)));
    }
    pages
}

/// Every page, with `hostile` wherever somebody could have put it.
pub(super) fn hostile(hostile: &str) -> Vec<(&'static str, String)> {
    let shell = &Shell {
        site: hostile.into(),
        here: Some((hostile.into(), vec![(hostile.into(), hostile.into())])),
        ..shell(Locale::En)
    };
    let app = AskingApp { name: hostile, picture: Some(hostile), company: Some(hostile) };
    let who = Consenting { name: hostile, picture: Some(hostile) };
    let all = hallpass_core::ScopeSet::everything();
    let time = at("2026-11-23T09:00:00Z");
    vec![
        (
            "sign_in",
            SignIn {
                app: Some(app.clone()),
                email: hostile,
                continue_to: hostile,
                again: true,
                problem: None,
            }
            .html(shell),
        ),
        (
            "code",
            Code {
                purpose: CodeFor::Reset,
                email: hostile,
                continue_to: hostile,
                notice: None,
                problem: None,
                action: hostile,
            }
            .html(shell),
        ),
        (
            "sign_up",
            SignUp { app: Some(app.clone()), email: hostile, continue_to: hostile, problem: None }
                .html(shell),
        ),
        (
            "new_account",
            NewAccount {
                email: hostile,
                name: hostile,
                username: hostile,
                continue_to: hostile,
                problem: None,
            }
            .html(shell),
        ),
        ("reset", Reset { email: hostile, continue_to: hostile, problem: None }.html(shell)),
        ("new_password", NewPassword { email: hostile, continue_to: hostile, problem: None }.html(shell)),
        (
            "consent",
            Consent::new(
                app,
                Some(who.clone()),
                who,
                hostile,
                &all,
                &ScopeSet::EMPTY,
                hostile,
                hostile,
                &[(hostile, hostile)],
                hostile,
            )
            .html(shell),
        ),
        (
            "error",
            ErrorPage { kind: ErrorKind::Request, code: hostile, detail: Some(hostile), request: hostile }
                .html(shell),
        ),
        (
            "sign_out",
            SignOut { app: Some(hostile), action: hostile, hidden: &[(hostile, hostile)] }.html(shell),
        ),
        ("signed_out", SignedOut { back: Some((hostile, hostile)) }.html(shell)),
        (
            "account",
            Account {
                profile: Profile { name: hostile, username: hostile, picture: Some(hostile) },
                emails: vec![AccountAddress { email: hostile }, AccountAddress { email: hostile }],
                new_email: hostile,
                has_password: true,
                recent: false,
                passkeys: vec![AccountPasskey {
                    id: hostile,
                    name: hostile,
                    added_at: time,
                    used_at: Some(time),
                }],
                sessions: vec![
                    AccountSession::new(hostile, true, hostile, hostile, time),
                    AccountSession::new(hostile, false, hostile, hostile, time),
                ],
                apps: vec![AccountApp {
                    id: hostile,
                    name: hostile,
                    picture: Some(hostile),
                    company: Some(hostile),
                    scopes: all,
                    since: time,
                }],
                notice: None,
                problem: None,
            }
            .html(shell),
        ),
        (
            "outbox",
            Outbox { letters: vec![OutboxLetter { to: hostile, at: time, subject: hostile, text: hostile }] }
                .html(shell),
        ),
    ]
}
