//! What the browser collected and what the authenticator says (`WebAuthn` Level 3 §5.8.1, §6.1).

use serde::Deserialize;

use super::cbor::Value;
use super::{MAX_CREDENTIAL_ID, Refused};
use crate::base64url;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENDED: u8 = 1 << 7;

/// The longest client data that is read, in bytes: a few hundred are usual.
const MAX_CLIENT_DATA: usize = 4096;

/// What the browser vouches for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<serde::de::IgnoredAny>,
}

impl ClientData {
    /// Reads it. Members that are not known are allowed (§5.8.1); known ones once.
    pub(super) fn read(json: &[u8]) -> Result<Self, Refused> {
        if json.len() > MAX_CLIENT_DATA {
            return Err(Refused::Malformed);
        }
        serde_json::from_slice(json).map_err(|_| Refused::Malformed)
    }

    pub(super) fn challenge(&self) -> Result<[u8; 32], Refused> {
        base64url::decode_array(&self.challenge).ok_or(Refused::Malformed)
    }

    /// §7.1 and §7.2: type, challenge, origin; and never from inside a frame of another origin.
    pub(super) fn check(&self, of_type: &str, challenge: &[u8; 32], origin: &str) -> Result<(), Refused> {
        if self.r#type != of_type {
            return Err(Refused::WrongType);
        }
        if self.challenge()? != *challenge {
            return Err(Refused::WrongChallenge);
        }
        if self.origin != origin || self.cross_origin || self.top_origin.is_some() {
            return Err(Refused::WrongOrigin);
        }
        Ok(())
    }
}

/// The credential that a registration made.
pub(super) struct Attested<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) credential_id: &'a [u8],
    pub(super) key: Value<'a>,
    pub(super) key_bytes: &'a [u8],
}

/// What the authenticator signs.
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: [u8; 32],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested<'a>>,
}

impl<'a> AuthenticatorData<'a> {
    /// Reads it to the last byte.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
        let (flags, rest) = rest.split_first()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (aaguid, after) = rest.split_first_chunk::<16>()?;
            let (len, after) = after.split_first_chunk::<2>()?;
            let (credential_id, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
            if credential_id.is_empty() || credential_id.len() > MAX_CREDENTIAL_ID {
                return None;
            }
            let (key, end) = Value::read_first(after)?;
            let key_bytes = &after[..after.len() - end.len()];
            attested = Some(Attested { aaguid: *aaguid, credential_id, key, key_bytes });
            rest = end;
        }
        if flags & EXTENDED != 0 {
            let (extensions, end) = Value::read_first(rest)?;
            extensions.as_map()?;
            rest = end;
        }
        let count = u32::from_be_bytes(*count);
        rest.is_empty().then_some(Self {
            rp_id_hash: *rp_id_hash,
            flags: *flags,
            sign_count: count,
            attested,
        })
    }

    /// §7.1 and §7.2: the relying party's hash, the user present and verified, and no backup of what cannot
    /// be backed up.
    pub(super) fn check(&self, rp_id_hash: &[u8; 32]) -> Result<(), Refused> {
        if self.rp_id_hash != *rp_id_hash {
            return Err(Refused::WrongRelyingParty);
        }
        if self.flags & USER_PRESENT == 0 || self.flags & USER_VERIFIED == 0 {
            return Err(Refused::NotVerified);
        }
        if self.is_backed_up() && !self.is_backup_eligible() {
            return Err(Refused::Malformed);
        }
        Ok(())
    }

    pub(super) fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub(super) fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}
