use aws_lc_rs::hmac;
use hallpass_core::ScopeSet;
use hallpass_core::id::{ApiKeyId, AppId, CompanyId, TokenId, UserId};
use proptest::prelude::*;

use super::*;
use crate::keys::{Jwk, VerifyingKey};
use crate::testing::{all_values, alterations};

const URL: &str = "https://chat.example";
const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn signer() -> Signer {
    Signer::new(SigningKey::from_seed(&[1; 32]))
}

fn verifier() -> Verifier {
    Verifier::new(URL, URL, [signer().key().verifying_key()])
}

fn minted() -> AccessClaims {
    AccessClaims {
        iss: URL.into(),
        aud: URL.into(),
        kind: TokenKind::Minted,
        sub: Subject::User(UserId::from_bits(1)),
        company_id: Some(CompanyId::from_bits(2)),
        client_id: ClientId::Key(ApiKeyId::from_bits(3)),
        scope: ScopeSet::parse("chat:message:create chat:read").unwrap(),
        rev: 7,
        jti: TokenId::from_bits(4),
        iat: NOW,
        exp: NOW + 3600,
        sid: None,
        grant: None,
    }
}

fn oauth() -> AccessClaims {
    AccessClaims {
        kind: TokenKind::OAuth,
        company_id: None,
        client_id: ClientId::App(AppId::from_bits(3)),
        sid: Some("sess \"1\"\n".into()),
        grant: Some("grnt_é".into()),
        ..minted()
    }
}

fn json(claims: &AccessClaims) -> String {
    let mut json = Vec::new();
    claims.write(&mut json);
    String::from_utf8(json).unwrap()
}

/// Signs anything, with our own key.
fn forge(header: &str, payload: &str) -> String {
    signer().compact(&format!("{}.", base64url::encode(header.as_bytes())), payload.as_bytes())
}

fn forge_payload(payload: &str) -> String {
    signer().compact(&signer().header, payload.as_bytes())
}

fn verify(token: &str) -> Result<AccessClaims, TokenError> {
    verifier().verify_access(token, at(NOW))
}

fn header(alg: &str, typ: &str) -> String {
    format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{}"}}"#, signer().kid())
}

#[test]
fn the_bytes_of_a_token_are_these() {
    let token = signer().sign_access(&minted());
    let [head, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    assert_eq!(base64url::decode(head).unwrap(), header("ES256", "at+jwt").as_bytes());
    let payload = String::from_utf8(base64url::decode(payload).unwrap()).unwrap();
    assert_eq!(
        payload,
        r#"{"iss":"https://chat.example","aud":"https://chat.example","kind":"minted","sub":"user_00000000000000000000000001","company_id":"biz_00000000000000000000000002","client_id":"apik_00000000000000000000000003","scope":"chat:message:create chat:read","rev":7,"jti":"tok_00000000000000000000000004","iat":1800000000,"exp":1800003600}"#
    );
    assert_eq!(signature.len(), 86);
}

#[test]
fn what_is_signed_verifies() {
    for claims in [
        minted(),
        oauth(),
        AccessClaims { company_id: minted().company_id, ..oauth() },
        AccessClaims { kind: TokenKind::Minted, company_id: minted().company_id, ..oauth() },
        AccessClaims { scope: ScopeSet::EMPTY, rev: u64::MAX, ..minted() },
        AccessClaims { scope: ScopeSet::everything(), ..minted() },
    ] {
        assert_eq!(verify(&signer().sign_access(&claims)), Ok(claims));
    }
}

#[test]
fn a_token_dies_on_the_second_of_exp() {
    let token = signer().sign_access(&minted());
    let verify_at = |now| verifier().verify_access(&token, now);
    assert!(verify_at(at(NOW + 3599)).is_ok());
    assert!(verify_at("2027-01-15T08:59:59.999Z".parse().unwrap()).is_ok());
    let expired = Err(TokenError::Expired { at: at(NOW + 3600) });
    assert_eq!(verify_at(at(NOW + 3600)), expired);
    assert_eq!(verify_at(at(NOW * 2)), expired);
}

#[test]
fn iat_may_be_a_minute_ahead_and_no_more() {
    let token = signer().sign_access(&minted());
    assert!(verifier().verify_access(&token, at(NOW - 60)).is_ok());
    assert_eq!(verifier().verify_access(&token, at(NOW - 61)), Err(TokenError::NotYetValid));
}

#[test]
fn errors_hold_nothing_of_the_token() {
    assert_eq!(TokenError::Expired { at: at(NOW) }.to_string(), "the token expired at 2027-01-15T08:00:00Z");
}

#[test]
fn any_order_and_spacing_of_the_header_is_read() {
    let reordered = format!(r#"{{ "kid":"{}", "typ":"at+jwt", "alg":"ES256" }}"#, signer().kid());
    assert_eq!(verify(&forge(&reordered, &json(&minted()))), Ok(minted()));
}

#[test]
fn an_unknown_kid_is_told_and_can_be_looked_up() {
    let other = Signer::new(SigningKey::from_seed(&[2; 32]));
    let token = other.sign_access(&minted());
    assert_eq!(verify(&token), Err(TokenError::UnknownKey));
    let kid = peek_kid(&token).unwrap();
    assert_eq!(kid, other.kid());
    assert!(!verifier().knows(&kid));
    let keys = [signer().key().verifying_key(), other.key().verifying_key()];
    let reread = verifier().with_keys(keys);
    assert!(reread.knows(&kid));
    assert!(reread.verify_access(&token, at(NOW)).is_ok());
}

#[test]
fn peeking_is_strict_too() {
    let long = "a".repeat(MAX_TOKEN_LEN);
    for token in ["", "a", ".", "e30.", &format!("{long}.")] {
        assert_eq!(peek_kid(token), Err(TokenError::Malformed), "{token:.20}");
    }
    assert_eq!(peek_kid(&forge(&header("ES256", "JWT"), "{}")), Err(TokenError::WrongType));
}

#[test]
fn the_length_is_capped_before_anything_is_read() {
    let token = signer().sign_access(&minted());
    for long in [
        format!("{token}{}", "A".repeat(MAX_TOKEN_LEN)),
        ".".repeat(MAX_TOKEN_LEN + 1),
        "é".repeat(MAX_TOKEN_LEN),
    ] {
        assert_eq!(verify(&long), Err(TokenError::Malformed));
    }
    let everything = AccessClaims { scope: ScopeSet::everything(), ..oauth() };
    assert!(signer().sign_access(&everything).len() <= MAX_TOKEN_LEN);
}

#[test]
fn claims_are_read_strictly() {
    let good = json(&minted());
    assert!(verify(&forge_payload(&good)).is_ok());
    for (from, to) in [
        // Missing.
        (r#""kind":"minted","#, ""),
        (r#""sub":"user_00000000000000000000000001","#, ""),
        (r#""company_id":"biz_00000000000000000000000002","#, ""),
        (r#""client_id":"apik_00000000000000000000000003","#, ""),
        (r#""scope":"chat:message:create chat:read","#, ""),
        (r#""rev":7,"#, ""),
        (r#""jti":"tok_00000000000000000000000004","#, ""),
        (r#""iat":1800000000,"#, ""),
        (r#","exp":1800003600"#, ""),
        (r#""iss":"https://chat.example","#, ""),
        (r#""aud":"https://chat.example","#, ""),
        // Of another type.
        (r#""aud":"https://chat.example""#, r#""aud":["https://chat.example"]"#),
        (r#""rev":7"#, r#""rev":-1"#),
        (r#""rev":7"#, r#""rev":"7""#),
        (r#""rev":7"#, r#""rev":7.0"#),
        (r#""rev":7"#, r#""rev":null"#),
        (r#""kind":"minted""#, r#""kind":{"minted":null}"#),
        ("1800003600", "1.8000036e9"),
        ("1800003600", "99999999999999999999"),
        ("1800003600", "9223372036854775807"),
        ("1800000000", "-9223372036854775808"),
        ("1800000000", "1800003600"),
        (r#""company_id":"biz_00000000000000000000000002""#, r#""company_id":null"#),
        ("}", r#","sid":null}"#),
        // Unknown or twice.
        ("}", r#","admin":true}"#),
        ("}", r#","nbf":1800000000}"#),
        ("}", r#","rev":8}"#),
        ("}", r#","sub":"user_00000000000000000000000009"}"#),
        ("}", "}}"),
        ("}", "} {}"),
        ("}", ""),
        // Not what we know.
        ("chat:read", "chat:everything"),
        ("chat:message:create chat:read", "chat:read chat:message:create"),
        ("chat:message:create", "chat:read"),
        ("minted", "dashboard"),
        ("minted", r"\u006dinted"),
        ("user_", "biz_"),
        ("apik_", "user_"),
        ("tok_00000000000000000000000004", "tok_4"),
        // Does not fit together.
        (r#""kind":"minted""#, r#""kind":"oauth""#),
        ("}", r#","sid":"sess_1"}"#),
        ("}", r#","grant":"grnt_1"}"#),
    ] {
        assert!(good.contains(from), "{from}");
        let token = forge_payload(&good.replacen(from, to, 1));
        assert_eq!(verify(&token), Err(TokenError::Malformed), "{from} → {to}");
    }
    for payload in ["", "null", "[]", "{}", "\u{feff}{}", &format!("[{good}]"), &"[".repeat(5000)] {
        assert_eq!(verify(&forge_payload(payload)), Err(TokenError::Malformed), "{payload:.20}");
    }
}

#[test]
fn threat_03_two_issuers_with_the_same_kid_never_cross_verify() {
    let urls = ["https://a.example", "https://b.example"];
    // Different keys that share a name, which only a forged key store could hold …
    let stolen = SigningKey::from_seed(&[2; 32]).renamed(signer().kid());
    // … and the very same key, as two servers started with one seed have.
    let same = SigningKey::from_seed(&[1; 32]);
    for (key, refusal) in [(stolen, TokenError::BadSignature), (same, TokenError::WrongIssuer)] {
        let signers = [signer(), Signer::new(key)];
        assert_eq!(signers[0].kid(), signers[1].kid());
        let verifiers = [0, 1].map(|i| Verifier::new(urls[i], urls[i], [signers[i].key().verifying_key()]));
        let tokens = [0, 1].map(|i| {
            let claims = AccessClaims { iss: urls[i].into(), aud: urls[i].into(), ..minted() };
            signers[i].sign_access(&claims)
        });
        // Warm and concurrent: nothing is remembered across verifiers.
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for i in [0, 1, 1, 0] {
                        assert!(verifiers[i].verify_access(&tokens[i], at(NOW)).is_ok());
                        assert_eq!(verifiers[i].verify_access(&tokens[1 - i], at(NOW)), Err(refusal));
                    }
                });
            }
        });
    }
    // A key set cannot bring about the first case: the name is the key's thumbprint.
    let jwk = Jwk { kid: signer().kid().into(), ..SigningKey::from_seed(&[2; 32]).public_jwk() };
    assert!(VerifyingKey::from_jwk(&jwk).is_err());
}

#[test]
fn threat_09_another_type_audience_or_issuer_is_refused() {
    let payload = json(&minted());
    for typ in ["JWT", "jwt", "AT+JWT", "at+JWT", "application/at+jwt", "at+jwt ", "id+jwt", "logout+jwt", ""]
    {
        assert_eq!(verify(&forge(&header("ES256", typ), &payload)), Err(TokenError::WrongType), "{typ:?}");
    }
    let untyped = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, signer().kid());
    assert_eq!(verify(&forge(&untyped, &payload)), Err(TokenError::WrongType));

    for other in [
        "https://other.example",
        "https://chat.example/",
        "https://chat.example:443",
        "HTTPS://chat.example",
        "",
    ] {
        let claims = AccessClaims { aud: other.into(), ..minted() };
        assert_eq!(verify(&signer().sign_access(&claims)), Err(TokenError::WrongAudience), "{other:?}");
        let claims = AccessClaims { iss: other.into(), ..minted() };
        assert_eq!(verify(&signer().sign_access(&claims)), Err(TokenError::WrongIssuer), "{other:?}");
    }
}

#[test]
fn threat_11_altered_tokens_are_refused() {
    for claims in [minted(), oauth()] {
        let token = signer().sign_access(&claims);
        let ends = [token.find('.').unwrap(), token.rfind('.').unwrap(), token.len()];
        // Each signature check costs 50 µs: every value where none is needed or bits are spare, else
        // each bit.
        let values = move |at: usize, old: u8| {
            let cheap = at < ends[0] || at > ends[1] || ends.contains(&(at + 1));
            if cheap { all_values(at, old) } else { (0..8).map(|bit| old ^ 1 << bit).collect() }
        };
        let verifier = verifier();
        for altered in alterations(&token, values) {
            assert!(verifier.verify_access(&altered, at(NOW)).is_err(), "{altered}");
        }
        let parts: Vec<&str> = token.split('.').collect();
        for altered in [
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}..{}", parts[0], parts[2]),
            format!(".{}.{}", parts[1], parts[2]),
            format!("{token}."),
            format!(".{token}"),
            format!("{token}.{}", parts[2]),
            format!("{}.{}.{}", parts[0], parts[2], parts[1]),
            format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
            token.replace('.', ".."),
            format!("Bearer {token}"),
        ] {
            assert!(verify(&altered).is_err(), "{altered}");
        }
    }
}

#[test]
fn threat_14_unsigned_and_key_confused_tokens_are_refused() {
    let payload = json(&minted());
    let kid = signer().kid().to_owned();

    for alg in
        ["none", "None", "NONE", "", "HS256", "RS256", "PS256", "ES384", "ES256K", "EdDSA", "es256", "Es256"]
    {
        let signed = forge(&header(alg, "at+jwt"), &payload);
        let body = &signed[..=signed.rfind('.').unwrap()];
        for token in [signed.as_str(), body, body.trim_end_matches('.')] {
            assert_eq!(verify(token), Err(TokenError::Malformed), "{alg}");
        }
    }

    // The public key as an HMAC secret, in every form an attacker has it.
    let jwk = signer().key().public_jwk();
    let jwk_json = serde_json::to_string(&jwk).unwrap();
    let point = [vec![4], base64url::decode(&jwk.x).unwrap(), base64url::decode(&jwk.y).unwrap()].concat();
    for secret in [jwk_json.as_bytes(), &point, &point[1..], jwk.x.as_bytes(), kid.as_bytes(), b""] {
        for alg in ["HS256", "ES256"] {
            let body = format!(
                "{}.{}",
                base64url::encode(header(alg, "at+jwt").as_bytes()),
                base64url::encode(payload.as_bytes())
            );
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body.as_bytes());
            let token = format!("{body}.{}", base64url::encode(mac.as_ref()));
            assert_eq!(verify(&token), Err(TokenError::Malformed), "{alg}");
        }
    }

    // A key that comes along in the header, signed with that key; and every other extra member.
    let own = Signer::new(SigningKey::from_seed(&[9; 32]));
    let own_jwk = serde_json::to_string(&own.key().public_jwk()).unwrap();
    for extra in [
        &format!(r#""jwk":{own_jwk}"#),
        r#""jku":"https://evil.example/jwks""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"AAAA""#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""cty":"JWT""#,
        r#""zip":"DEF""#,
        r#""alg":"ES256""#,
        r#""alg":"none""#,
        r#""typ":"at+jwt""#,
        &format!(r#""kid":"{kid}""#),
        r#""":"""#,
    ] {
        for head in [
            format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}",{extra}}}"#),
            format!(r#"{{{extra},"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#),
        ] {
            for signer in [&own, &signer()] {
                let head = format!("{}.", base64url::encode(head.as_bytes()));
                let token = signer.compact(&head, payload.as_bytes());
                assert_eq!(verify(&token), Err(TokenError::Malformed), "{extra}");
            }
        }
    }

    // Their key under our name; our name spelled otherwise; no name; no object.
    let impostor = Signer::new(SigningKey::from_seed(&[9; 32]).renamed(&kid));
    assert_eq!(verify(&impostor.sign_access(&minted())), Err(TokenError::BadSignature));
    let head = |kid: &str| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid}}}"#);
    for (kid, refusal) in [
        (r#""""#.to_owned(), TokenError::UnknownKey),
        (format!(r#""{kid} ""#), TokenError::UnknownKey),
        (format!(r#""../{kid}""#), TokenError::UnknownKey),
        (format!(r#""\u00{:x}{}""#, kid.as_bytes()[0], &kid[1..]), TokenError::Malformed),
        (format!(r#"["{kid}"]"#), TokenError::Malformed),
        ("null".into(), TokenError::Malformed),
    ] {
        assert_eq!(verify(&forge(&head(&kid), &payload)), Err(refusal), "{kid}");
    }
    for head in [
        format!(r#"["ES256","at+jwt","{kid}"]"#),
        "{}".into(),
        "null".into(),
        String::new(),
        format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#),
        r#"{"alg":"ES256","typ":"at+jwt"}"#.into(),
        format!("{}{}", header("ES256", "at+jwt"), " ".repeat(MAX_HEADER_LEN)),
    ] {
        assert_eq!(verify(&forge(&head, &payload)), Err(TokenError::Malformed), "{head}");
    }

    // Degenerate signatures.
    let token = signer().sign_access(&minted());
    let body = &token[..=token.rfind('.').unwrap()];
    for signature in [[0; 64], [0xff; 64]] {
        let token = format!("{body}{}", base64url::encode(&signature));
        assert_eq!(verify(&token), Err(TokenError::BadSignature));
    }
}

fn any_scope() -> impl Strategy<Value = ScopeSet> {
    prop::collection::vec(any::<bool>(), hallpass_core::Scope::all().count()).prop_map(|picked| {
        hallpass_core::Scope::all()
            .zip(picked)
            .filter_map(|(scope, picked)| picked.then_some(scope))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_coherent_claims_round_trip(
        iss: String, aud: String, sub: u128, company: Option<u128>, client: u128, by_key: bool,
        is_minted: bool, scope in any_scope(), rev: u64, jti: u128,
        iat in -1_000_000_000_i64..NOW, life in 1_i64..10_000, sid: Option<String>, grant: Option<String>,
    ) {
        let is_minted = is_minted || by_key;
        let claims = AccessClaims {
            iss: iss.as_str().into(),
            aud: aud.as_str().into(),
            kind: if is_minted { TokenKind::Minted } else { TokenKind::OAuth },
            sub: Subject::User(UserId::from_bits(sub)),
            company_id: company.or(is_minted.then_some(0)).map(CompanyId::from_bits),
            client_id: if by_key {
                ClientId::Key(ApiKeyId::from_bits(client))
            } else {
                ClientId::App(AppId::from_bits(client))
            },
            scope,
            rev,
            jti: TokenId::from_bits(jti),
            iat,
            exp: iat + life,
            sid: sid.filter(|_| !by_key),
            grant: grant.filter(|_| !by_key),
        };
        let token = signer().sign_access(&claims);
        let verifier = Verifier::new(iss, aud, [signer().key().verifying_key()]);
        prop_assert_eq!(verifier.verify_access(&token, at(iat)), Ok(claims));
    }

    #[test]
    fn any_text_is_refused_without_panic(text: String, a: String, b: String) {
        prop_assert!(verify(&text).is_err());
        let parts = [&text, &a, &b].map(|part| base64url::encode(part.as_bytes()));
        prop_assert!(verify(&parts.join(".")).is_err());
        let half_encoded = format!("{}.{a}.{b}", parts[0]);
        prop_assert!(verify(&half_encoded).is_err());
        prop_assert!(peek_kid(&parts.join(".")).is_err());
        prop_assert!(verify(&forge_payload(&text)).is_err());
    }
}
