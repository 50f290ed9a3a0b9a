use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

#[expect(unreachable_pub, reason = "the testkit's, which others reach")]
#[path = "../../../testkit/src/authenticator.rs"]
mod authenticator;
use authenticator::{PRESENT_AND_VERIFIED, SoftPasskey};

const ORIGIN: &str = "https://chat.test";
const CHALLENGE: [u8; 32] = [9; 32];
const HANDLE: [u8; 16] = [3; 16];
const USER: PasskeyUser<'static> =
    PasskeyUser { handle: &HANDLE, name: "ann@example.com", display_name: "Ann" };

fn party() -> RelyingParty {
    RelyingParty::of_url(ORIGIN).unwrap()
}

fn created(device: &mut SoftPasskey, origin: &str) -> Json {
    device.create(&party().creation_options(&CHALLENGE, USER, &[]), origin)
}

fn registered(device: &mut SoftPasskey) -> Credential {
    let answer = created(device, ORIGIN).to_string();
    party().register(&answer, &CHALLENGE).unwrap()
}

fn got(device: &mut SoftPasskey, origin: &str) -> Json {
    device.get(&party().request_options(&CHALLENGE), origin)
}

fn register(answer: &Json) -> Result<Credential, Refused> {
    party().register(&answer.to_string(), &CHALLENGE)
}

fn authenticate(answer: &Json, passkey: &Credential) -> Result<Asserted, Refused> {
    party().authenticate(&answer.to_string(), &CHALLENGE, passkey, &HANDLE)
}

fn edited(answer: &Json, field: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Json {
    let mut edited = answer.clone();
    let mut bytes = base64url::decode(answer["response"][field].as_str().unwrap()).unwrap();
    edit(&mut bytes);
    edited["response"][field] = base64url::encode(&bytes).into();
    edited
}

/// Every byte of a field changed, cut at every place, and lengthened.
fn alterations(answer: &Json, field: &'static str) -> Vec<Json> {
    let len = base64url::decode(answer["response"][field].as_str().unwrap()).unwrap().len();
    let flips = (0..len).flat_map(|at| [1, 0x20, 0x80].map(|bit| (at, bit)));
    let flips = flips.map(|(at, bit)| edited(answer, field, |bytes| bytes[at] ^= bit));
    let cuts = (0..len).map(|at| edited(answer, field, |bytes| bytes.truncate(at)));
    let longer = [0, b' ', 0xff].map(|more| edited(answer, field, |bytes| bytes.push(more)));
    flips.chain(cuts).chain(longer).collect()
}

#[test]
fn passkeys_of_every_algorithm_register_and_sign_in() {
    for algorithm in [-7, -8, -257] {
        for attests in [false, true] {
            let mut device = SoftPasskey::new(algorithm);
            device.attests = attests;
            let passkey = registered(&mut device);
            assert_eq!((&passkey.id, passkey.sign_count), (&device.id, 0));
            assert_eq!(passkey.transports, ["internal", "hybrid"]);
            let answer = got(&mut device, ORIGIN);
            let expected = Asserted { sign_count: 0, backed_up: false };
            assert_eq!(authenticate(&answer, &passkey), Ok(expected), "{algorithm}");
            assert_eq!(challenge_of(&answer.to_string()), Ok(CHALLENGE));
            assert_eq!(credential_of(&answer.to_string()), Ok(device.id));
        }
    }
}

#[test]
fn the_options_ask_for_what_is_checked() {
    let options: Json =
        serde_json::from_str(&party().creation_options(&CHALLENGE, USER, &[vec![1]])).unwrap();
    assert_eq!(options["rp"]["id"], "chat.test");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["excludeCredentials"], json!([{ "type": "public-key", "id": "AQ" }]));
    let options: Json = serde_json::from_str(&party().request_options(&CHALLENGE)).unwrap();
    assert_eq!((&options["rpId"], &options["allowCredentials"]), (&json!("chat.test"), &json!([])));
}

#[test]
fn threat_11_an_answer_with_any_byte_changed_does_not_sign_in() {
    for algorithm in [-7, -8] {
        let mut device = SoftPasskey::new(algorithm);
        let passkey = registered(&mut device);
        let answer = got(&mut device, ORIGIN);
        for field in ["clientDataJSON", "authenticatorData", "signature", "userHandle"] {
            for altered in alterations(&answer, field) {
                assert!(authenticate(&altered, &passkey).is_err(), "{algorithm} {field}: {altered}");
            }
        }
        let mut renamed = answer.clone();
        renamed["id"] = "AAAA".into();
        assert_eq!(authenticate(&renamed, &passkey), Err(Refused::Malformed), "id and rawId differ");
        renamed["rawId"] = "AAAA".into();
        assert_eq!(authenticate(&renamed, &passkey), Err(Refused::WrongCredential));
    }
}

#[test]
fn a_self_attested_registration_with_any_byte_changed_is_refused() {
    let mut device = SoftPasskey::new(-7);
    device.attests = true;
    let answer = created(&mut device, ORIGIN);
    let object = base64url::decode(answer["response"]["attestationObject"].as_str().unwrap()).unwrap();
    assert!(register(&answer).is_ok());
    for altered in
        alterations(&answer, "clientDataJSON").into_iter().chain(alterations(&answer, "attestationObject"))
    {
        assert!(register(&altered).is_err(), "{} of {}", altered, object.len());
    }
}

#[test]
fn only_our_origin_may_ask_and_never_from_a_frame() {
    let mut device = SoftPasskey::new(-8);
    let passkey = registered(&mut device);
    for origin in [
        "https://evil.test",
        "http://chat.test",
        "https://chat.test:8443",
        "https://chat.test/",
        "https://chat.test.evil.test",
        "https://sub.chat.test",
        "HTTPS://CHAT.TEST",
        "null",
        "",
    ] {
        assert_eq!(authenticate(&got(&mut device, origin), &passkey), Err(Refused::WrongOrigin), "{origin}");
        assert_eq!(register(&created(&mut device, origin)), Err(Refused::WrongOrigin), "{origin}");
    }
    // Registrations of today's kind are not signed: what the browser says is all there is.
    for (said, instead) in [
        (r#""crossOrigin":false"#, r#""crossOrigin":true"#),
        (r#""crossOrigin":false"#, r#""crossOrigin":false,"topOrigin":"https://evil.test""#),
    ] {
        let framed = edited(&created(&mut device, ORIGIN), "clientDataJSON", |bytes| {
            *bytes = String::from_utf8(bytes.clone()).unwrap().replace(said, instead).into_bytes();
        });
        assert_eq!(register(&framed), Err(Refused::WrongOrigin), "{instead}");
    }
    let twice = edited(&created(&mut device, ORIGIN), "clientDataJSON", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replacen('{', r#"{"origin":"https://evil.test","#, 1).into_bytes();
    });
    assert_eq!(register(&twice), Err(Refused::Malformed), "an origin twice");
}

#[test]
fn one_ceremony_does_not_stand_in_for_the_other() {
    let mut device = SoftPasskey::new(-8);
    let passkey = registered(&mut device);
    let swap = |answer: &Json, from: &str, to: &str| {
        edited(answer, "clientDataJSON", |bytes| {
            *bytes = String::from_utf8(bytes.clone()).unwrap().replace(from, to).into_bytes();
        })
    };
    let created = created(&mut device, ORIGIN);
    assert_eq!(register(&swap(&created, "webauthn.create", "webauthn.get")), Err(Refused::WrongType));
    let got = got(&mut device, ORIGIN);
    assert_eq!(
        authenticate(&swap(&got, "webauthn.get", "webauthn.create"), &passkey),
        Err(Refused::WrongType)
    );
}

#[test]
fn a_challenge_is_the_one_that_was_given_out() {
    let mut device = SoftPasskey::new(-8);
    let passkey = registered(&mut device);
    let (created, got) = (created(&mut device, ORIGIN).to_string(), got(&mut device, ORIGIN).to_string());
    assert_eq!(party().register(&created, &[8; 32]), Err(Refused::WrongChallenge));
    assert_eq!(party().authenticate(&got, &[8; 32], &passkey, &HANDLE), Err(Refused::WrongChallenge));
}

#[test]
fn another_relying_party_and_another_person_are_refused() {
    let mut device = SoftPasskey::new(-8);
    let passkey = registered(&mut device);
    let other = RelyingParty::of_url("https://other.test").unwrap();
    let answer = device.get(&other.request_options(&CHALLENGE), ORIGIN);
    assert_eq!(authenticate(&answer, &passkey), Err(Refused::WrongRelyingParty));
    let answer = got(&mut device, ORIGIN);
    let other = party().authenticate(&answer.to_string(), &CHALLENGE, &passkey, &[4; 16]);
    assert_eq!(other, Err(Refused::WrongCredential));
    let mut without = answer;
    without["response"]["userHandle"] = Json::Null;
    assert_eq!(authenticate(&without, &passkey), Err(Refused::WrongCredential));
    let mut stranger = SoftPasskey::new(-8);
    (stranger.id, stranger.handle) = (device.id.clone(), device.handle.clone());
    assert_eq!(authenticate(&got(&mut stranger, ORIGIN), &passkey), Err(Refused::BadSignature));
}

#[test]
fn the_user_is_present_and_verified() {
    for (flags, refused) in [
        (0b000, Refused::NotVerified),
        (0b001, Refused::NotVerified),
        (0b100, Refused::NotVerified),
        (PRESENT_AND_VERIFIED | 0x10, Refused::Malformed), // backed up, but not to be backed up
        (PRESENT_AND_VERIFIED | 0x80, Refused::Malformed), // extensions, but none follow
    ] {
        let mut device = SoftPasskey::new(-8);
        let passkey = registered(&mut device);
        device.flags = flags;
        assert_eq!(authenticate(&got(&mut device, ORIGIN), &passkey), Err(refused), "{flags:b}");
        assert_eq!(register(&created(&mut device, ORIGIN)), Err(refused), "{flags:b}");
    }
}

#[test]
fn backups_are_noted_and_eligibility_does_not_change() {
    let mut device = SoftPasskey::new(-8);
    device.flags |= 0x08;
    let passkey = registered(&mut device);
    assert!(passkey.backup_eligible && !passkey.backed_up);
    device.flags |= 0x10;
    assert!(authenticate(&got(&mut device, ORIGIN), &passkey).unwrap().backed_up);
    device.flags = PRESENT_AND_VERIFIED;
    assert_eq!(authenticate(&got(&mut device, ORIGIN), &passkey), Err(Refused::WrongCredential));
}

#[test]
fn a_counter_that_does_not_rise_is_a_copy() {
    let mut device = SoftPasskey::new(-8);
    device.count = 7;
    let mut passkey = registered(&mut device);
    for (kept, sent, rises) in
        [(7, 8, true), (7, 7, false), (7, 6, false), (7, 0, false), (0, 0, true), (0, 1, true)]
    {
        (passkey.sign_count, device.count) = (kept, sent);
        let outcome = authenticate(&got(&mut device, ORIGIN), &passkey);
        let expected = if rises { Ok(sent) } else { Err(Refused::Cloned) };
        assert_eq!(outcome.map(|asserted| asserted.sign_count), expected, "{kept} → {sent}");
    }
}

#[test]
fn other_attestations_are_refused() {
    let mut device = SoftPasskey::new(-8);
    let plain = created(&mut device, ORIGIN);
    let with = |from: &[u8], to: &[u8]| {
        edited(&plain, "attestationObject", |bytes| {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            bytes.splice(at..at + from.len(), to.iter().copied());
        })
    };
    for (from, to) in [
        (&b"\x64none"[..], &b"\x63tpm"[..]),
        (b"\x64none", b"\x65apple"),
        (b"attStmt\xa0", b"attStmt\xa1\x61a\x01"),
        (b"\x64none", b"\x01"),
    ] {
        assert_eq!(register(&with(from, to)), Err(Refused::UnsupportedAttestation), "{to:x?}");
    }
    assert_eq!(
        register(&with(b"\x64none", b"\x66packed")),
        Err(Refused::Malformed),
        "packed without its parts"
    );
    assert_eq!(register(&with(b"\x63fmt", b"\x63fmu")), Err(Refused::Malformed));
}

#[test]
fn keys_that_were_not_asked_for_are_refused() {
    // What COSE calls a key, with one thing wrong each time.
    let ed25519 = |x: &[u8]| [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], x].concat();
    let p256 =
        [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &[1; 32], &[0x22, 0x58, 32], &[1; 32]].concat();
    let rsa = |n: &[u8]| {
        let len = u16::try_from(n.len()).unwrap().to_be_bytes();
        [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59], &len[..], n, &[0x21, 0x43, 1, 0, 1]].concat()
    };
    let none_of_them = [
        ed25519(&[0; 32])[..9].to_vec(),
        p256,                                                                     // not on the curve
        [&[0xa4, 1, 2, 3, 0x27, 0x20, 6, 0x21, 0x58, 32][..], &[7; 32]].concat(), // EdDSA of the wrong type
        [&[0xa4, 1, 1, 3, 0x26, 0x20, 6, 0x21, 0x58, 32][..], &[7; 32]].concat(), // ES256 on Ed25519
        rsa(&[0xff; 128]),                                                        // too short
        rsa(&[0xff; 1024]),                                                       // too long
        rsa(&[0; 256]),
        vec![0xa0],
        vec![0x01],
    ];
    for key in none_of_them {
        let value = Value::read(&key);
        assert!(value.and_then(|value| CredentialKey::read(&value)).is_none(), "{key:x?}");
    }
}

#[test]
fn passkeys_work_where_browsers_make_them() {
    for (url, origin) in [
        ("https://chat.test", Some("https://chat.test")),
        ("https://Chat.Test:443", Some("https://chat.test")),
        ("https://chat.test:8443/", Some("https://chat.test:8443")),
        ("http://localhost:3000", Some("http://localhost:3000")),
        ("http://app.localhost", Some("http://app.localhost")),
        ("http://chat.test", None),
        ("http://127.0.0.1:3000", None),
        ("https://127.0.0.1", None),
        ("https://[::1]", None),
        ("chat.test", None),
        ("https://", None),
    ] {
        assert_eq!(RelyingParty::of_url(url).map(|party| party.origin).as_deref(), origin, "{url}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_panic(text: String, object: Vec<u8>, client_data: Vec<u8>) {
        prop_assert!(party().register(&text, &CHALLENGE).is_err());
        prop_assert!(challenge_of(&text).is_err());
        let response = json!({
            "clientDataJSON": base64url::encode(&client_data),
            "attestationObject": base64url::encode(&object),
        });
        let answer = json!({ "id": "AA", "rawId": "AA", "type": "public-key", "response": response });
        prop_assert!(register(&answer).is_err());
    }

    #[test]
    fn any_authenticator_data_is_read_without_panic(bytes: Vec<u8>, flags: u8) {
        let mut data = vec![0; 37];
        data[32] = flags;
        data.extend(bytes);
        if let Some(read) = AuthenticatorData::read(&data) {
            prop_assert_eq!(read.attested.is_some(), flags & 0x40 != 0);
        }
    }
}
