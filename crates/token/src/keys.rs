//! ES256 keys (RFC 7518 §3.4: ECDSA on P-256 with SHA-256) and their public form (RFC 7517).
//!
//! A key's `kid` is its thumbprint (RFC 7638), and a JWK whose `kid` is anything else is refused:
//! nobody can publish a key under another key's name. JWKs are read strictly, since we only ever
//! read our own: an unknown member, above all a private `d`, is an error.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base64url;
use crate::secret::sha256;

/// Length of a signature: `r ‖ s`, 32 bytes each (RFC 7518 §3.4).
pub const SIGNATURE_LEN: usize = 64;

/// Not a P-256 key, or one under a false name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The private key is not PKCS#8 of a P-256 key.
    #[error("not a P-256 private key in PKCS#8")]
    Private,
    /// The coordinates are not canonical base64url, or no point of the curve.
    #[error("not a point of P-256")]
    Public,
    /// `kid` is not the key's thumbprint.
    #[error("kid is not the thumbprint of the key")]
    Kid,
}

/// `kty` of a [`Jwk`]: elliptic curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    /// `EC`
    #[serde(rename = "EC")]
    Ec,
}

/// `crv` of a [`Jwk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// `P-256`
    #[serde(rename = "P-256")]
    P256,
}

/// `use` of a [`Jwk`]: signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyUse {
    /// `sig`
    #[serde(rename = "sig")]
    Sig,
}

/// `alg` of a [`Jwk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// `ES256`
    #[serde(rename = "ES256")]
    Es256,
}

/// A public ES256 key (RFC 7517, RFC 7518 §6.2.1). Any other kind of key does not deserialise;
/// whether the point is on the curve is checked by [`VerifyingKey::from_jwk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwk {
    /// Always `EC`.
    pub kty: KeyType,
    /// Always `P-256`.
    pub crv: Curve,
    /// The point's first coordinate: base64url of 32 bytes, big-endian.
    pub x: String,
    /// The point's second coordinate: base64url of 32 bytes, big-endian.
    pub y: String,
    /// RFC 7638 SHA-256 thumbprint, base64url.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: KeyUse,
    /// Always `ES256`.
    pub alg: Algorithm,
}

/// A set of public keys (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// From the uncompressed point `4 ‖ x ‖ y` (SEC 1 §2.3.3).
    fn from_point(point: &[u8]) -> Self {
        debug_assert!(point.len() == 65 && point[0] == 4);
        let (x, y) = (base64url::encode(&point[1..33]), base64url::encode(&point[33..]));
        let kid = thumbprint(&x, &y);
        Self { kty: KeyType::Ec, crv: Curve::P256, x, y, kid, use_: KeyUse::Sig, alg: Algorithm::Es256 }
    }
}

/// RFC 7638 §3: SHA-256 of the required members, sorted, without white space.
fn thumbprint(x: &str, y: &str) -> String {
    base64url::encode(&sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
}

/// A private ES256 key. `Debug` shows its `kid` alone.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a new key and its PKCS#8 form, to be sealed and stored. The randomness is aws-lc's own.
    pub fn generate() -> (Self, Zeroizing<Vec<u8>>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("generating a P-256 key fails only for lack of memory");
        let key = Self::from_pair(pair);
        let pkcs8 = key.to_pkcs8();
        (key, pkcs8)
    }

    /// Reads what [`Self::generate`] gave (RFC 5208).
    ///
    /// # Errors
    /// [`InvalidKey::Private`] if it is anything else.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map(Self::from_pair)
            .map_err(|_| InvalidKey::Private)
    }

    /// The key that belongs to `seed`, for `hallpass dev --seed` and tests: whoever knows the seed
    /// has the key.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        // RFC 5915 with the scalar alone: SEQUENCE { 1, OCTET STRING scalar, [0] prime256v1 }.
        const BEFORE: &[u8] = &[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
        const AFTER: &[u8] = &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        // Until a hash is in range, 1 ≤ scalar < n; all but one in 2³² are.
        (0_u8..=255)
            .find_map(|attempt| {
                let input = [b"hallpass/v1/dev-signing-key/".as_slice(), &[attempt], seed].concat();
                let scalar = Zeroizing::new(sha256(&Zeroizing::new(input)));
                let der = Zeroizing::new([BEFORE, &*scalar, AFTER].concat());
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()
            })
            .map(Self::from_pair)
            .expect("256 hashes are not all out of range")
    }

    fn from_pair(pair: EcdsaKeyPair) -> Self {
        let jwk = Jwk::from_point(pair.public_key().as_ref());
        Self { pair, jwk }
    }

    /// The private key as PKCS#8 (RFC 5208), to be sealed.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let document = self.pair.to_pkcs8v1().expect("encoding a key fails only for lack of memory");
        Zeroizing::new(document.as_ref().to_vec())
    }

    /// RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// What the JWKS publishes.
    pub fn public_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// The public half, to verify with.
    pub fn verifying_key(&self) -> VerifyingKey {
        let point = self.pair.public_key().as_ref();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .expect("the public half of a valid key is on the curve");
        VerifyingKey { kid: self.jwk.kid.clone(), key }
    }

    /// Signs `message` with ES256. Not reproducible: aws-lc draws the nonce.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        // The generator is an unused argument, kept by aws-lc for compatibility.
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message)
            .expect("signing with a valid key fails only for lack of memory");
        signature.as_ref().try_into().expect("ES256 signatures have 64 bytes")
    }

    /// The same key under another name, which only a test could want.
    #[cfg(test)]
    pub(crate) fn renamed(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.jwk.kid);
        self
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}

/// A public ES256 key, parsed once.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// Checks and parses `jwk`.
    ///
    /// # Errors
    /// [`InvalidKey::Public`] if the coordinates are no point of P-256, [`InvalidKey::Kid`] if `kid`
    /// is not its thumbprint.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, InvalidKey> {
        let x: [u8; 32] = base64url::decode_array(&jwk.x).ok_or(InvalidKey::Public)?;
        let y: [u8; 32] = base64url::decode_array(&jwk.y).ok_or(InvalidKey::Public)?;
        if jwk.kid != thumbprint(&jwk.x, &jwk.y) {
            return Err(InvalidKey::Kid);
        }
        let point = [[4].as_slice(), &x, &y].concat();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| InvalidKey::Public)?;
        Ok(Self { kid: jwk.kid.clone(), key })
    }

    /// RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether `signature` is this key's over `message`. Signatures are not unique: `(r, n − s)` is
    /// as good as `(r, s)`, so nothing may be remembered as spent by the text of its signature.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwk(x: &str, y: &str) -> Jwk {
        Jwk {
            x: x.into(),
            y: y.into(),
            kid: thumbprint(x, y),
            ..SigningKey::from_seed(&[0; 32]).public_jwk()
        }
    }

    #[test]
    fn rfc_7515_appendix_a_3_verifies() {
        let key = VerifyingKey::from_jwk(&jwk(
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        ))
        .unwrap();
        let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = base64url::decode_array(
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        )
        .unwrap();
        assert!(key.verify(message.as_bytes(), &signature));
        assert!(!key.verify(&message.as_bytes()[1..], &signature));
    }

    #[test]
    fn rfc_9449_section_6_thumbprint() {
        let (x, y) =
            ("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
        assert_eq!(thumbprint(x, y), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_key_survives_its_pkcs8() {
        let (key, pkcs8) = SigningKey::generate();
        let again = SigningKey::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        let verifying = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
        assert!(verifying.verify(b"message", &again.sign(b"message")));
        assert!(!verifying.verify(b"massage", &again.sign(b"message")));
        assert!(!verifying.verify(b"message", &[0; SIGNATURE_LEN]));
    }

    #[test]
    fn broken_pkcs8_is_refused() {
        let (_, pkcs8) = SigningKey::generate();
        for broken in [&b""[..], &pkcs8[1..], &pkcs8[..pkcs8.len() - 1], &[0; 100]] {
            assert_eq!(SigningKey::from_pkcs8(broken).unwrap_err(), InvalidKey::Private);
        }
    }

    #[test]
    fn a_seed_is_always_the_same_key() {
        let key = SigningKey::from_seed(&[7; 32]);
        assert_eq!(key.kid(), SigningKey::from_seed(&[7; 32]).kid());
        assert_ne!(key.kid(), SigningKey::from_seed(&[8; 32]).kid());
        let again = SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert!(key.verifying_key().verify(b"m", &again.sign(b"m")));
    }

    #[test]
    fn a_jwk_under_another_kid_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        let stolen = Jwk { kid: SigningKey::from_seed(&[2; 32]).kid().into(), ..key.public_jwk() };
        assert_eq!(VerifyingKey::from_jwk(&stolen).unwrap_err(), InvalidKey::Kid);
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        let good = SigningKey::from_seed(&[1; 32]).public_jwk();
        let zero = base64url::encode(&[0; 32]);
        for bad in [
            jwk(&good.y, &good.x),
            jwk(&zero, &zero),
            jwk(&good.x, ""),
            jwk(&format!("{}=", good.x), &good.y),
        ] {
            assert_eq!(VerifyingKey::from_jwk(&bad).unwrap_err(), InvalidKey::Public);
        }
    }

    #[test]
    fn only_public_es256_keys_deserialise() {
        let key = SigningKey::from_seed(&[1; 32]).public_jwk();
        let json = serde_json::to_value(JwkSet { keys: vec![key.clone()] }).unwrap();
        assert_eq!(serde_json::from_value::<JwkSet>(json.clone()).unwrap().keys, [key]);
        for (member, value) in [
            ("kty", "RSA"),
            ("crv", "P-384"),
            ("use", "enc"),
            ("alg", "ES384"),
            ("alg", "none"),
            ("d", "c2VjcmV0"),
        ] {
            let mut other = json.clone();
            other["keys"][0][member] = value.into();
            assert!(serde_json::from_value::<JwkSet>(other).is_err(), "{member}: {value}");
        }
        for member in ["kty", "crv", "x", "y", "kid", "use", "alg"] {
            let mut other = json.clone();
            other["keys"][0].as_object_mut().unwrap().remove(member);
            assert!(serde_json::from_value::<JwkSet>(other).is_err(), "without {member}");
        }
    }

    #[test]
    fn debug_shows_no_private_key() {
        let key = SigningKey::from_seed(&[1; 32]);
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid()));
    }
}
