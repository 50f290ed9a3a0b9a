//! Public keys of passkeys, as COSE has them (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};

use super::cbor::Value;

/// COSE's numbers of the algorithms that are asked for, the best first: Ed25519, ES256, RS256.
pub(super) const ALGORITHMS: [i128; 3] = [-8, -7, -257];

const KEY_TYPE: i128 = 1;
const ALGORITHM: i128 = 3;

/// A key that verifies; its algorithm is its own, never the message's.
pub(super) struct CredentialKey {
    pub(super) algorithm: i128,
    key: ParsedPublicKey,
}

impl CredentialKey {
    /// Reads a key and checks that it is one: a point on its curve, a modulus of 2048 to 4096 bits.
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let algorithm = value.numbered(ALGORITHM)?.as_int()?;
        let of_type = value.numbered(KEY_TYPE)?.as_int()?;
        let bytes = |number: i128| value.numbered(number).and_then(Value::as_bytes);
        let curve = || value.numbered(-1).and_then(Value::as_int);
        let key = match (algorithm, of_type) {
            // ES256: kty EC2, curve P-256; both coordinates.
            (-7, 2) if curve() == Some(1) => {
                let (x, y): ([u8; 32], [u8; 32]) = (bytes(-2)?.try_into().ok()?, bytes(-3)?.try_into().ok()?);
                let point = [&[4][..], &x, &y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()?
            }
            // EdDSA: kty OKP, curve Ed25519.
            (-8, 1) if curve() == Some(6) => {
                let x: [u8; 32] = bytes(-2)?.try_into().ok()?;
                ParsedPublicKey::new(&ED25519, x).ok()?
            }
            // RS256.
            (-257, 3) => {
                let (n, e) = (bytes(-1)?, bytes(-2)?);
                let sound =
                    (256..=512).contains(&n.len()) && n[0] >= 0x80 && (1..=4).contains(&e.len()) && *e != [1];
                if !sound || e[0] == 0 {
                    return None;
                }
                let components = RsaPublicKeyComponents { n, e };
                components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?
            }
            _ => return None,
        };
        Some(Self { algorithm, key })
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}
