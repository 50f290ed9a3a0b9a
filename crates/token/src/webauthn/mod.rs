//! Passkeys: the relying party's side of `WebAuthn` Level 3, registration (§7.1) and authentication (§7.2).
//!
//! Ours, because a library would bring a second stack of cryptography along
//! (`docs/decisions/0021-webauthn-ours.md`). What we ask for is narrow, and what we accept no wider:
//! discoverable credentials that verify their user, ES256, Ed25519 or RS256, no attestation.
//!
//! The caller keeps the challenge: made once, bound to a browser, and used up before anything here is
//! called. [`challenge_of`] says which one an answer speaks of; it is believed only when it was found.

mod cbor;
mod cose;
mod data;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::json;

use crate::base64url;
use crate::secret::sha256;
use cbor::Value;
use cose::{ALGORITHMS, CredentialKey};
use data::{AuthenticatorData, ClientData};

/// The longest credential id (§7.1), in bytes.
pub const MAX_CREDENTIAL_ID: usize = 1023;
/// The longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 32 * 1024;
/// How long a browser is told to wait for its user, in milliseconds.
const TIMEOUT_MS: u32 = 300_000;

/// Why an answer was refused. For logs: whoever signs in is told one thing whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an answer at all.
    #[error("the answer is malformed")]
    Malformed,
    /// Registration in place of authentication, or the other way round.
    #[error("the answer is of the other ceremony")]
    WrongType,
    /// Not the challenge that was given out.
    #[error("the challenge is another")]
    WrongChallenge,
    /// Collected on another origin, or in a frame of one.
    #[error("the origin is another")]
    WrongOrigin,
    /// Made for another relying party.
    #[error("the relying party is another")]
    WrongRelyingParty,
    /// Nobody was there, or the device did not make sure of them.
    #[error("the user was not verified")]
    NotVerified,
    /// An algorithm that was not asked for, or a key that is none.
    #[error("the key is not one that was asked for")]
    UnsupportedKey,
    /// A statement that was not asked for.
    #[error("the attestation is not one that was asked for")]
    UnsupportedAttestation,
    /// The signature does not match.
    #[error("the signature does not match")]
    BadSignature,
    /// The counter did not rise: there may be a copy of the authenticator.
    #[error("the signature counter did not rise")]
    Cloned,
    /// The handle is another person's, or whether it can be backed up has changed.
    #[error("the credential is not the one that was registered")]
    WrongCredential,
}

/// Who asks for passkeys.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    id: String,
    origin: String,
    id_hash: [u8; 32],
}

/// Whom a passkey is made for.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyUser<'a> {
    /// The user handle: 1 to 64 bytes that say nothing of their holder (§14.6.1).
    pub handle: &'a [u8],
    /// What tells accounts apart, in the authenticator's list.
    pub name: &'a str,
    /// What the holder is called.
    pub display_name: &'a str,
}

/// A passkey as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id, unique on the server.
    pub id: Vec<u8>,
    /// Its public key (COSE).
    pub public_key: Vec<u8>,
    /// The signature counter; 0 for authenticators that keep none.
    pub sign_count: u32,
    /// Whether it may be copied between devices.
    pub backup_eligible: bool,
    /// Whether it was.
    pub backed_up: bool,
    /// The make of its authenticator; zeros for none. Not vouched for.
    pub aaguid: [u8; 16],
    /// How the browser may reach it, as it said: hints for the next time.
    pub transports: Vec<String>,
}

/// What a sign-in changed about a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// The new signature counter.
    pub sign_count: u32,
    /// Whether it is backed up now.
    pub backed_up: bool,
}

impl RelyingParty {
    /// The relying party of a public URL: its id is the host. None where browsers make no passkeys: without
    /// TLS (but on `localhost`), and where the host is an address.
    pub fn of_url(public_url: &str) -> Option<Self> {
        let (scheme, rest) = public_url.split_once("://")?;
        let authority = rest.split('/').next()?;
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
            && host
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if !is_name || !(scheme == "https" || scheme == "http" && is_local) {
            return None;
        }
        let host = host.to_ascii_lowercase();
        // As browsers write an origin: without the scheme's own port.
        let port = match (scheme, port) {
            ("https", "443") | ("http", "80") | (_, "") => String::new(),
            (_, port) => format!(":{port}"),
        };
        Some(Self { origin: format!("{scheme}://{host}{port}"), id_hash: sha256(host.as_bytes()), id: host })
    }

    /// Where its pages are, as browsers write origins.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The options of `navigator.credentials.create`, for `PublicKeyCredential.parseCreationOptionsFromJSON`.
    /// `known` are the ids of the passkeys that the user has, lest one device makes two.
    pub fn creation_options(&self, challenge: &[u8; 32], user: PasskeyUser<'_>, known: &[Vec<u8>]) -> String {
        let known: Vec<_> =
            known.iter().map(|id| json!({ "type": "public-key", "id": base64url::encode(id) })).collect();
        json!({
            "rp": { "id": self.id, "name": self.id },
            "user": {
                "id": base64url::encode(user.handle),
                "name": user.name,
                "displayName": user.display_name,
            },
            "challenge": base64url::encode(challenge),
            "pubKeyCredParams": ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
            "timeout": TIMEOUT_MS,
            "excludeCredentials": known,
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": true,
                "userVerification": "required",
            },
            "attestation": "none",
        })
        .to_string()
    }

    /// The options of `navigator.credentials.get`, for `PublicKeyCredential.parseRequestOptionsFromJSON`:
    /// any passkey of ours, whoever's it is.
    pub fn request_options(&self, challenge: &[u8; 32]) -> String {
        json!({
            "challenge": base64url::encode(challenge),
            "timeout": TIMEOUT_MS,
            "rpId": self.id,
            "allowCredentials": [],
            "userVerification": "required",
        })
        .to_string()
    }

    /// Registers what `navigator.credentials.create` gave (§7.1).
    ///
    /// # Errors
    /// [`Refused`], saying why.
    pub fn register(&self, answer: &str, challenge: &[u8; 32]) -> Result<Credential, Refused> {
        let answer: Answer<Created> = Answer::read(answer)?;
        let id = answer.id()?;
        let client_data = decode(&answer.response.client_data_json)?;
        // Type, challenge, origin, crossOrigin, topOrigin.
        ClientData::read(&client_data)?.check("webauthn.create", challenge, &self.origin)?;

        let object = decode(&answer.response.attestation_object)?;
        let object = Value::read(&object).ok_or(Refused::Malformed)?;
        let part = |name| object.named(name).ok_or(Refused::Malformed);
        let auth_data = part("authData")?.as_bytes().ok_or(Refused::Malformed)?;
        let data = AuthenticatorData::read(auth_data).ok_or(Refused::Malformed)?;
        // rpIdHash, UP, UV, BE and BS.
        data.check(&self.id_hash)?;

        let made = data.attested.as_ref().ok_or(Refused::Malformed)?;
        if made.credential_id != id {
            return Err(Refused::WrongCredential);
        }
        // The algorithm is one of those that were asked for.
        let key = CredentialKey::read(&made.key).ok_or(Refused::UnsupportedKey)?;

        // The statement, by its format.
        let statement = part("attStmt")?;
        match part("fmt")?.as_text() {
            // §8.7: empty.
            Some("none") if statement.as_map().is_some_and(<[_]>::is_empty) => {}
            // §8.2 without certificates: the key itself signed. Browsers hand this on even if nobody asked
            // (§5.1.3); it proves no more than that the key is held.
            Some("packed") if statement.named("x5c").is_none() => {
                let algorithm = statement.named("alg").and_then(Value::as_int);
                let signature = statement.named("sig").and_then(Value::as_bytes).ok_or(Refused::Malformed)?;
                if algorithm != Some(key.algorithm) {
                    return Err(Refused::UnsupportedAttestation);
                }
                let signed = [auth_data, digest(&SHA256, &client_data).as_ref()].concat();
                if !key.verifies(&signed, signature) {
                    return Err(Refused::BadSignature);
                }
            }
            _ => return Err(Refused::UnsupportedAttestation),
        }
        Ok(Credential {
            id,
            public_key: made.key_bytes.to_vec(),
            sign_count: data.sign_count,
            backup_eligible: data.is_backup_eligible(),
            backed_up: data.is_backed_up(),
            aaguid: made.aaguid,
            transports: answer.response.transports(),
        })
    }

    /// Verifies what `navigator.credentials.get` gave (§7.2) against the passkey it names and the handle of
    /// the person whose passkey that is.
    ///
    /// # Errors
    /// [`Refused`], saying why.
    pub fn authenticate(
        &self,
        answer: &str,
        challenge: &[u8; 32],
        passkey: &Credential,
        handle: &[u8],
    ) -> Result<Asserted, Refused> {
        let answer: Answer<Got> = Answer::read(answer)?;
        // Who is meant was found by the credential; the handle must be theirs, and must be there.
        let said = answer.response.user_handle.as_deref().ok_or(Refused::WrongCredential)?;
        if answer.id()? != passkey.id || decode(said)? != handle {
            return Err(Refused::WrongCredential);
        }
        let client_data = decode(&answer.response.client_data_json)?;
        ClientData::read(&client_data)?.check("webauthn.get", challenge, &self.origin)?;

        let auth_data = decode(&answer.response.authenticator_data)?;
        let data = AuthenticatorData::read(&auth_data).ok_or(Refused::Malformed)?;
        data.check(&self.id_hash)?;
        if data.attested.is_some() {
            return Err(Refused::Malformed);
        }
        // Whether it can be backed up never changes.
        if data.is_backup_eligible() != passkey.backup_eligible {
            return Err(Refused::WrongCredential);
        }

        let key = Value::read(&passkey.public_key)
            .and_then(|key| CredentialKey::read(&key))
            .ok_or(Refused::UnsupportedKey)?;
        let signature = decode(&answer.response.signature)?;
        let signed = [&auth_data[..], digest(&SHA256, &client_data).as_ref()].concat();
        if !key.verifies(&signed, &signature) {
            return Err(Refused::BadSignature);
        }
        // The counter, where either side keeps one.
        if (data.sign_count != 0 || passkey.sign_count != 0) && data.sign_count <= passkey.sign_count {
            return Err(Refused::Cloned);
        }
        Ok(Asserted { sign_count: data.sign_count, backed_up: data.is_backed_up() })
    }
}

/// The challenge that an answer of either ceremony says it is for.
///
/// # Errors
/// [`Refused::Malformed`].
pub fn challenge_of(answer: &str) -> Result<[u8; 32], Refused> {
    let answer: Answer<AnyAnswer> = Answer::read(answer)?;
    ClientData::read(&decode(&answer.response.client_data_json)?)?.challenge()
}

/// The id of the credential that an answer of either ceremony speaks of.
///
/// # Errors
/// [`Refused::Malformed`].
pub fn credential_of(answer: &str) -> Result<Vec<u8>, Refused> {
    Answer::<AnyAnswer>::read(answer)?.id()
}

/// A credential as `toJSON()` writes it (§5.1). Members that are not known are allowed; known ones once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<R> {
    id: String,
    raw_id: String,
    r#type: String,
    response: R,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyAnswer {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    attestation_object: String,
    #[serde(default)]
    transports: Vec<String>,
}

impl Created {
    /// Those that look like one.
    fn transports(self) -> Vec<String> {
        let sound = |name: &String| {
            (1..=32).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        self.transports.into_iter().filter(sound).take(8).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Got {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    authenticator_data: String,
    signature: String,
    user_handle: Option<String>,
}

impl<R: serde::de::DeserializeOwned> Answer<R> {
    fn read(json: &str) -> Result<Self, Refused> {
        if json.len() > MAX_ANSWER {
            return Err(Refused::Malformed);
        }
        let answer: Self = serde_json::from_str(json).map_err(|_| Refused::Malformed)?;
        if answer.r#type == "public-key" { Ok(answer) } else { Err(Refused::Malformed) }
    }

    fn id(&self) -> Result<Vec<u8>, Refused> {
        let id = decode(&self.id)?;
        let sound = self.id == self.raw_id && (1..=MAX_CREDENTIAL_ID).contains(&id.len());
        if sound { Ok(id) } else { Err(Refused::Malformed) }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    base64url::decode(text).ok_or(Refused::Malformed)
}

#[cfg(test)]
mod tests;
