use hallpass_token::SecretHash;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const CLIENT: &str = "app_00000000000000000000000001";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client() -> Client {
    Client {
        id: AppId::from_bits(1),
        company: Some(CompanyId::from_bits(2)),
        name: "App".into(),
        client_type: None,
        secret_hash: Some(SecretHash::of("x")),
        redirect_uris: vec!["https://app.test/cb".into()],
        base_url: None,
    }
}

fn good() -> Vec<(&'static str, String)> {
    [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "https://app.test/cb"),
        ("scope", "openid chat:read"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<_> = good().into_iter().filter(|(known, _)| *known != name).collect();
    pairs.push((name, value.to_owned()));
    pairs
}

fn check(pairs: &[(&str, String)]) -> Result<Request, Refusal> {
    let url = crate::redirect::with_answer("x:", pairs.iter().map(|(name, value)| (*name, value.as_str())));
    let params = Params::from_query(&url[3..]).unwrap();
    client_id(&params)?;
    Request::check(&params, Some(&client()), PkcePolicy::Always)
}

fn told(refusal: Result<Request, Refusal>) -> (&'static str, bool) {
    match refusal.unwrap_err() {
        Refusal::Page(error) => (error.code.name(), false),
        Refusal::Redirect { redirect_uri, error, .. } => {
            assert_eq!(redirect_uri, "https://app.test/cb");
            (error.code.name(), true)
        }
    }
}

#[test]
fn a_good_request_is_read() {
    let request = check(&good()).unwrap();
    assert_eq!(request.client, AppId::from_bits(1));
    assert_eq!((request.state.as_deref(), request.nonce.as_deref()), (Some("s"), Some("n")));
    assert_eq!(request.prompt, Prompt::default());
}

#[test]
fn each_flaw_has_its_answer() {
    for (name, value, error, redirected) in [
        ("client_id", "", "invalid_request", false),
        ("client_id", "app_x", "invalid_client", false),
        ("redirect_uri", "", "invalid_request", false),
        ("redirect_uri", "https://app.test/cb/", "invalid_request", false),
        ("response_type", "", "invalid_request", true),
        ("response_type", "token", "unsupported_response_type", true),
        ("response_type", "code id_token", "unsupported_response_type", true),
        ("response_mode", "fragment", "invalid_request", true),
        ("scope", "", "invalid_scope", true),
        ("scope", "openid everything", "invalid_scope", true),
        ("nonce", "", "invalid_request", true),
        ("code_challenge", "", "invalid_request", true),
        ("code_challenge_method", "plain", "invalid_request", true),
        ("code_challenge_method", "", "invalid_request", true),
        ("company_id", "acme", "invalid_request", true),
        ("prompt", "none login", "invalid_request", true),
        ("prompt", "sometimes", "invalid_request", true),
        ("max_age", "-1", "invalid_request", true),
        ("max_age", "x", "invalid_request", true),
        ("request", "x", "request_not_supported", true),
        ("request_uri", "https://evil.test", "request_uri_not_supported", true),
        ("registration", "x", "registration_not_supported", true),
    ] {
        assert_eq!(told(check(&with(name, value))), (error, redirected), "{name}={value}");
    }
}

#[test]
fn threat_13_any_repeated_parameter_is_refused_and_none_of_the_two_is_used() {
    for (name, value) in good() {
        let mut pairs = good();
        pairs.push((name, value));
        let redirected = !["client_id", "redirect_uri"].contains(&name);
        let refusal = check(&pairs);
        if let Err(Refusal::Redirect { state, .. }) = &refusal {
            assert_eq!(state.is_none(), name == "state");
        }
        assert_eq!(told(refusal), ("invalid_request", redirected), "{name}");
    }
    let mut pairs = good();
    pairs.extend([("x", "1".to_owned()), ("x", "2".to_owned())]);
    assert_eq!(told(check(&pairs)), ("invalid_request", true));
}

#[test]
fn an_unknown_client_is_told_on_a_page() {
    let params = Params::from_query(&format!("client_id={CLIENT}")).unwrap();
    assert_eq!(told(Request::check(&params, None, PkcePolicy::Always)), ("invalid_client", false));
    let builtin = Client { company: None, ..client() };
    assert_eq!(told(Request::check(&params, Some(&builtin), PkcePolicy::Always)), ("invalid_client", false));
}

#[test]
fn only_an_operator_relaxes_pkce_and_never_for_public_clients() {
    let bare: Vec<_> = good().into_iter().filter(|(name, _)| !name.starts_with("code_")).collect();
    let url = crate::redirect::with_answer("x:", bare.iter().map(|(name, value)| (*name, value.as_str())));
    let params = Params::from_query(&url[3..]).unwrap();
    for (client_type, policy, passes) in [
        (Some(ClientType::Confidential), PkcePolicy::Always, false),
        (Some(ClientType::Confidential), PkcePolicy::PublicClients, true),
        (Some(ClientType::Public), PkcePolicy::PublicClients, false),
        (None, PkcePolicy::PublicClients, false),
    ] {
        let client = Client { client_type, ..client() };
        assert_eq!(
            Request::check(&params, Some(&client), policy).is_ok(),
            passes,
            "{client_type:?} {policy:?}"
        );
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn there(auth_time: i64) -> SignedInFacts {
    SignedInFacts {
        auth_time: at(auth_time),
        is_hinted: true,
        may_enter: true,
        is_consented: true,
        has_just_allowed: false,
    }
}

/// What follows at second 1000 for somebody who signed in at 900.
fn follows(
    prompt: &str,
    max_age_secs: Option<i64>,
    asked_at: Option<i64>,
    there: Option<SignedInFacts>,
) -> String {
    let request = Request { prompt: Prompt::parse(prompt).unwrap(), max_age_secs, ..check(&good()).unwrap() };
    let facts = Facts { signed_in: there, asked_at: asked_at.map(at) };
    match next(&request, &facts, at(1000)) {
        Step::SignIn => "sign in".into(),
        Step::Consent => "consent".into(),
        Step::Issue => "issue".into(),
        Step::Refuse(error) => error.code.name().into(),
    }
}

#[test]
fn what_follows_is_a_table() {
    let known = || Some(there(900));
    let stranger = || Some(SignedInFacts { is_consented: false, ..there(900) });
    let allowed = || Some(SignedInFacts { is_consented: false, has_just_allowed: true, ..there(900) });
    let other = || Some(SignedInFacts { is_hinted: false, ..there(900) });
    let outsider = || Some(SignedInFacts { may_enter: false, ..there(900) });
    for (prompt, max_age, asked, who, expected) in [
        ("", None, None, None, "sign in"),
        ("none", None, None, None, "login_required"),
        ("", None, None, known(), "issue"),
        ("none", None, None, known(), "issue"),
        ("", None, None, stranger(), "consent"),
        ("none", None, None, stranger(), "consent_required"),
        ("", None, None, allowed(), "issue"),
        ("consent", None, None, known(), "consent"),
        ("consent", None, None, allowed(), "issue"),
        // Again, until they have since this request came.
        ("login", None, None, known(), "sign in"),
        ("login", None, Some(900), known(), "sign in"),
        ("login", None, Some(899), known(), "issue"),
        ("select_account", None, None, known(), "sign in"),
        ("create", None, Some(899), known(), "issue"),
        ("", Some(101), None, known(), "issue"),
        ("", Some(100), None, known(), "sign in"),
        ("", Some(0), None, known(), "sign in"),
        ("", Some(0), Some(899), known(), "issue"),
        ("none", Some(100), None, known(), "login_required"),
        ("", None, None, other(), "sign in"),
        ("none", None, None, other(), "login_required"),
        ("", None, None, outsider(), "access_denied"),
        ("none", None, None, outsider(), "access_denied"),
    ] {
        assert_eq!(
            follows(prompt, max_age, asked, who.clone()),
            expected,
            "{prompt} {max_age:?} {asked:?} {who:?}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_is_issued_to_nobody_or_without_consent(
        none: bool, login: bool, consent: bool,
        max_age_secs in prop::option::of(0_i64..2000),
        asked in prop::option::of(0_i64..2000),
        auth_time in 0_i64..1000,
        is_hinted: bool, may_enter: bool, is_consented: bool, has_just_allowed: bool, signed_in: bool,
    ) {
        let prompt = Prompt { none, login, consent, create: false };
        let request = Request { prompt, max_age_secs, ..check(&good()).unwrap() };
        let who = SignedInFacts { auth_time: at(auth_time), is_hinted, may_enter, is_consented, has_just_allowed };
        let facts = Facts { signed_in: signed_in.then_some(who), asked_at: asked.map(at) };
        let step = next(&request, &facts, at(1000));
        if step == Step::Issue {
            prop_assert!(signed_in && is_hinted && may_enter && (is_consented || has_just_allowed));
            prop_assert!(!login || asked.is_some_and(|asked| auth_time > asked));
            prop_assert!(!consent || has_just_allowed);
        }
        if none {
            prop_assert!(!matches!(step, Step::SignIn | Step::Consent));
        }
    }
}
