//! An authenticator in software: what a browser and a device do together, for tests. Also part of the unit
//! tests of the relying party, by its path: it speaks of nothing but bytes and JSON.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

/// User present and verified.
pub const PRESENT_AND_VERIFIED: u8 = 0b101;

enum Key {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

/// A passkey, and the device that holds it.
pub struct SoftPasskey {
    key: Key,
    /// Its id.
    pub id: Vec<u8>,
    /// The user handle it was made for.
    pub handle: Vec<u8>,
    /// What the device says of its user, and of backups.
    pub flags: u8,
    /// How often it signed.
    pub count: u32,
    /// Whether it signs its own attestation.
    pub attests: bool,
}

fn text<'v>(options: &'v Value, pointer: &str) -> &'v str {
    options.pointer(pointer).and_then(Value::as_str).expect("the options have it")
}

fn bytes(of: &str) -> Vec<u8> {
    BASE64URL.decode(of).expect("base64url")
}

/// Bytes in CBOR, up to 65535 of them.
fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("short").to_be_bytes();
    [&[0x59], &len[..], bytes].concat()
}

impl SoftPasskey {
    /// A device with a key of a COSE algorithm: -7, -8 or -257.
    ///
    /// # Panics
    /// On any other algorithm.
    pub fn new(algorithm: i64) -> Self {
        let key = match algorithm {
            -7 => Key::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key")),
            -8 => Key::Ed25519(Ed25519KeyPair::generate().expect("a key")),
            -257 => Key::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")),
            other => panic!("no algorithm {other}"),
        };
        let id = digest(&SHA256, &Self::cose(&key)).as_ref()[..20].to_vec();
        Self { key, id, handle: Vec::new(), flags: PRESENT_AND_VERIFIED, count: 0, attests: false }
    }

    fn cose(key: &Key) -> Vec<u8> {
        match key {
            Key::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
            }
            Key::Ed25519(pair) => {
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], pair.public_key().as_ref()].concat()
            }
            Key::Rs256(pair) => {
                // RFC 8017 §A.1.1, of 2048 bits: nine bytes, the modulus, two bytes, the exponent.
                let der = pair.public_key().as_ref();
                let (n, e) = (cbor_bytes(&der[9..265]), cbor_bytes(&der[267..]));
                [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20], &n[..], &[0x21], &e].concat()
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Es256(pair) => pair.sign(&random, message).expect("signs").as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Key::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signs");
                signature
            }
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        match self.key {
            Key::Es256(_) => vec![0x26],
            Key::Ed25519(_) => vec![0x27],
            Key::Rs256(_) => vec![0x39, 1, 0],
        }
    }

    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let hash = digest(&SHA256, rp_id.as_bytes());
        [hash.as_ref(), &[flags], &self.count.to_be_bytes()].concat()
    }

    fn client_data(of_type: &str, options: &Value, origin: &str) -> Vec<u8> {
        let challenge = text(options, "/challenge");
        let data = json!({ "type": of_type, "challenge": challenge, "origin": origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    /// What `navigator.credentials.create` gives on a page of `origin`.
    ///
    /// # Panics
    /// If the options are not as a browser would take them.
    pub fn create(&mut self, options: &str, origin: &str) -> Value {
        let options: Value = serde_json::from_str(options).expect("JSON");
        self.handle = bytes(text(&options, "/user/id"));
        let client_data = Self::client_data("webauthn.create", &options, origin);
        let len = u16::try_from(self.id.len()).expect("short").to_be_bytes();
        let data = [
            &self.data(text(&options, "/rp/id"), self.flags | 0x40)[..],
            &[0; 16],
            &len,
            &self.id,
            &Self::cose(&self.key),
        ]
        .concat();
        let statement = if self.attests {
            let signature = self.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
            // {"fmt": "packed", "attStmt": {"alg": …, "sig": …}, …
            [
                &b"\xa3\x63fmt\x66packed\x67attStmt\xa2\x63alg"[..],
                &self.algorithm(),
                b"\x63sig",
                &cbor_bytes(&signature),
            ]
            .concat()
        } else {
            b"\xa3\x63fmt\x64none\x67attStmt\xa0".to_vec()
        };
        let object = [&statement[..], b"\x68authData", &cbor_bytes(&data)].concat();
        let id = BASE64URL.encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL.encode(client_data),
                "attestationObject": BASE64URL.encode(object),
                "transports": ["internal", "hybrid"],
            },
        })
    }

    /// What `navigator.credentials.get` gives on a page of `origin`.
    ///
    /// # Panics
    /// If the options are not as a browser would take them.
    pub fn get(&mut self, options: &str, origin: &str) -> Value {
        let options: Value = serde_json::from_str(options).expect("JSON");
        let client_data = Self::client_data("webauthn.get", &options, origin);
        let data = self.data(text(&options, "/rpId"), self.flags);
        let signature = self.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
        let id = BASE64URL.encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL.encode(client_data),
                "authenticatorData": BASE64URL.encode(data),
                "signature": BASE64URL.encode(signature),
                "userHandle": BASE64URL.encode(&self.handle),
            },
        })
    }
}
