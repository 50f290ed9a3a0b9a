//! Signing keys: next → active → retiring → gone.
//!
//! 1. A key is published as *next* at least [`PUBLISH_AHEAD`] before it signs, because clients cache
//!    the key set for twelve hours.
//! 2. Rotation makes it *active*, the old one *retiring*, and publishes a new next.
//! 3. A retiring key stays published until the newest token it signed is dead, then is erased.
//! 4. Every transition is a compare-and-set in the store, so that nodes agree; each is announced on
//!    the authority log, and an unknown local `kid` re-reads the store.
//! 5. In an emergency a key is retired at once: it is gone, and so is every token it signed.

use std::sync::Arc;
use std::time::Duration;

use hallpass_core::authority::Change;
use hallpass_core::{Clock, Entropy};
use hallpass_store::{KeyState, SigningKeyRow, Store, StoreError};
use hallpass_token::{Jwk, JwkSet, PurposeKey, Signer, SigningKey, Verifier, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;

use crate::authority::Authority;
use crate::error::AppError;

/// How long a key is published before it may sign.
pub const PUBLISH_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How long the keys of dead tokens are kept beyond the longest token life, for clocks that differ.
const RETIRING_MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// How often an unknown `kid` may make this node read the keys. (The log is read for each, many at once.)
const RELOAD_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The keys this node signs and verifies with.
pub struct Keyring {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    sealing: PurposeKey,
    issuer: Arc<str>,
    publish_ahead: SignedDuration,
    longest_life: SignedDuration,
    seed: Option<[u8; 32]>,
    authority: Arc<Authority>,
    ring: RwLock<Arc<Ring>>,
    reloaded_at: parking_lot::Mutex<Option<Duration>>,
}

/// One consistent set of keys.
pub struct Ring {
    rev: u64,
    /// Signs.
    pub signer: Signer,
    /// Verifies.
    pub verifier: Verifier,
    /// The key set as published (RFC 7517 §5), in JSON.
    pub jwks: String,
}

/// A signing key as shown to operators.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct KeyView {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// next, active or retiring.
    pub state: String,
    /// When it was made and first published.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// What a keyring is made with.
pub struct KeyringParts {
    /// Where keys are stored.
    pub store: Store,
    /// Announces changes.
    pub authority: Arc<Authority>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for sealing.
    pub entropy: Arc<dyn Entropy>,
    /// Seals the private keys.
    pub sealing: PurposeKey,
    /// The public URL: `iss` and `aud`.
    pub issuer: Arc<str>,
    /// How long a key is published before it signs.
    pub publish_ahead: SignedDuration,
    /// The longest life of a token.
    pub longest_life: SignedDuration,
    /// For `dev --seed`: the first key comes from here.
    pub seed: Option<[u8; 32]>,
}

impl Keyring {
    /// Loads the keys, making the first ones if there are none.
    ///
    /// # Errors
    /// [`AppError::Internal`] with a corrupt `sealed` column if a key cannot be unsealed: the wrong
    /// master key.
    pub async fn open(parts: KeyringParts) -> Result<Arc<Self>, AppError> {
        let keyring = Self {
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            sealing: parts.sealing,
            issuer: parts.issuer,
            publish_ahead: parts.publish_ahead,
            longest_life: parts.longest_life,
            seed: parts.seed,
            authority: parts.authority,
            ring: RwLock::new(Arc::new(Ring::empty())),
            reloaded_at: parking_lot::Mutex::new(None),
        };
        keyring.fill().await?;
        keyring.reload().await?;
        Ok(Arc::new(keyring))
    }

    /// The keys now: read again if the log spoke of them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ring(&self) -> Result<Arc<Ring>, AppError> {
        let ring = Arc::clone(&self.ring.read());
        if ring.rev >= self.authority.keys_rev() {
            return Ok(ring);
        }
        self.reload().await?;
        Ok(Arc::clone(&self.ring.read()))
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn reload(&self) -> Result<(), AppError> {
        let rev = self.authority.rev();
        let rows = self.store.read().await?.list_signing_keys().await?;
        let ring = Arc::new(self.build(&rows, rev)?);
        *self.ring.write() = ring;
        Ok(())
    }

    /// Reads the keys again because of an unknown `kid`, at most once a second; `false` if not now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn reload_for_unknown(&self) -> Result<bool, AppError> {
        let now = self.clock.monotonic();
        {
            let mut reloaded_at = self.reloaded_at.lock();
            if reloaded_at.is_some_and(|at| now.saturating_sub(at) < RELOAD_AT_MOST_EVERY) {
                return Ok(false);
            }
            *reloaded_at = Some(now);
        }
        self.reload().await?;
        Ok(true)
    }

    /// Makes an active and a next key where there is none.
    async fn fill(&self) -> Result<(), AppError> {
        let rows = self.store.read().await?.list_signing_keys().await?;
        for state in [KeyState::Active, KeyState::Next] {
            if rows.iter().any(|row| row.state == state) {
                continue;
            }
            let row = self.make(state);
            // Another node may have been first; then its key is as good as ours.
            self.store
                .write(row, |row, tx| Box::pin(async move { tx.insert_signing_key(row).await }))
                .await
                .map_err(|error: StoreError| AppError::from(error))?;
        }
        Ok(())
    }

    fn make(&self, state: KeyState) -> SigningKeyRow {
        let (key, pkcs8) = match (&self.seed, state) {
            (Some(seed), KeyState::Active) => {
                let key = SigningKey::from_seed(seed);
                let pkcs8 = key.to_pkcs8();
                (key, pkcs8)
            }
            _ => SigningKey::generate(),
        };
        let now = self.clock.now();
        SigningKeyRow {
            kid: key.kid().to_owned(),
            state,
            public_jwk: serde_json::to_string(&key.public_jwk()).expect("a JWK serialises"),
            sealed: self.sealing.seal(&*self.entropy, key.kid().as_bytes(), &pkcs8),
            created_at: now,
            changed_at: now,
        }
    }

    fn build(&self, rows: &[SigningKeyRow], rev: u64) -> Result<Ring, AppError> {
        let corrupt = |row: &SigningKeyRow, column| {
            AppError::Internal(StoreError::Corrupt { table: "signing_keys", column, id: row.kid.clone() })
        };
        let mut signer = None;
        let mut verifying = Vec::new();
        let mut keys = Vec::new();
        for row in rows {
            let jwk: Jwk = serde_json::from_str(&row.public_jwk).map_err(|_| corrupt(row, "public_jwk"))?;
            verifying.push(VerifyingKey::from_jwk(&jwk).map_err(|_| corrupt(row, "public_jwk"))?);
            keys.push(jwk);
            // Unsealed on every node at start, also the next one: a wrong master key shows at once.
            let pkcs8 =
                self.sealing.open(row.kid.as_bytes(), &row.sealed).map_err(|_| corrupt(row, "sealed"))?;
            let key = SigningKey::from_pkcs8(&pkcs8).map_err(|_| corrupt(row, "sealed"))?;
            if row.state == KeyState::Active {
                signer = Some(Signer::new(key));
            }
        }
        let signer = signer.ok_or(AppError::Unavailable("there is no active signing key"))?;
        Ok(Ring {
            rev,
            signer,
            verifier: Verifier::new(Arc::clone(&self.issuer), Arc::clone(&self.issuer), verifying),
            jwks: serde_json::to_string(&JwkSet { keys }).expect("a key set serialises"),
        })
    }

    /// The keys as operators see them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<KeyView>, AppError> {
        let rows = self.store.read().await?.list_signing_keys().await?;
        Ok(rows
            .into_iter()
            .map(|row| KeyView {
                kid: row.kid,
                state: row.state.name().to_owned(),
                created_at: row.created_at,
                changed_at: row.changed_at,
            })
            .collect())
    }

    /// Lets the next key sign (step 2). With `now`, also if it was published only just.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the next key is too young, or another node rotates at this moment.
    pub async fn rotate(&self, now: bool) -> Result<(), AppError> {
        self.fill().await?;
        let rows = self.store.read().await?.list_signing_keys().await?;
        let find = |state| rows.iter().find(|row| row.state == state);
        let (Some(active), Some(next)) = (find(KeyState::Active), find(KeyState::Next)) else {
            return Err(AppError::Unavailable("there is no next signing key"));
        };
        let at = self.clock.now();
        if !now && at.duration_since(next.created_at) < self.publish_ahead {
            return Err(AppError::conflict(
                "key_too_young",
                format!(
                    "the next key was published at {}; it may sign {} hours later, or at once with --now",
                    next.created_at,
                    self.publish_ahead.as_hours()
                ),
            ));
        }
        let turn = (active.kid.clone(), next.kid.clone(), self.make(KeyState::Next), at);
        let n = self
            .store
            .write(turn, |(active, next, fresh, at), tx| {
                Box::pin(async move {
                    let moved =
                        tx.move_signing_key(active, KeyState::Active, KeyState::Retiring, *at).await?
                            && tx.move_signing_key(next, KeyState::Next, KeyState::Active, *at).await?
                            && tx.insert_signing_key(fresh).await?;
                    if !moved {
                        return Err(AppError::conflict(
                            "concurrent_rotation",
                            "another rotation is under way",
                        ));
                    }
                    Ok(tx.insert_authority(&Change::SigningKey(next.clone()), false, *at).await?)
                })
            })
            .await?;
        tracing::info!(n, kid = %next.kid, "rotated to the next signing key");
        self.authority.apply_up_to(n).await?;
        self.reload().await
    }

    /// Ends a retiring key at once, or with `now` any key: every token it signed is dead.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such key, [`AppError::Conflict`] if it is in use.
    pub async fn retire(&self, kid: &str, now: bool) -> Result<(), AppError> {
        let rows = self.store.read().await?.list_signing_keys().await?;
        let row = rows.iter().find(|row| row.kid == kid).ok_or(AppError::NotFound("signing key"))?;
        if row.state != KeyState::Retiring && !now {
            return Err(AppError::conflict(
                "key_in_use",
                format!("the key is {}; rotate first, or retire it at once with --now", row.state.name()),
            ));
        }
        if row.state == KeyState::Active {
            self.rotate(true).await?;
        }
        let state = if row.state == KeyState::Active { KeyState::Retiring } else { row.state };
        let ask = (kid.to_owned(), state, self.clock.now());
        let n = self
            .store
            .write(ask, |(kid, state, at), tx| {
                Box::pin(async move {
                    if !tx.move_signing_key(kid, *state, KeyState::Gone, *at).await? {
                        return Err(AppError::conflict(
                            "concurrent_rotation",
                            "another rotation is under way",
                        ));
                    }
                    Ok(tx.insert_authority(&Change::SigningKey(kid.clone()), true, *at).await?)
                })
            })
            .await?;
        self.fill().await?;
        self.authority.apply_up_to(n).await?;
        self.reload().await
    }

    /// Ends retiring keys whose newest token is dead (step 3).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let rows = self.store.read().await?.list_signing_keys().await?;
        let keep = self.longest_life + RETIRING_MARGIN;
        for row in rows {
            if row.state == KeyState::Retiring && now.duration_since(row.changed_at) > keep {
                self.retire(&row.kid, false).await?;
            }
        }
        Ok(())
    }
}

impl Ring {
    /// Stands in until the keys are read; verifies nothing.
    fn empty() -> Self {
        let (key, _) = SigningKey::generate();
        Self {
            rev: 0,
            signer: Signer::new(key),
            verifier: Verifier::new("", "", Vec::new()),
            jwks: String::from("{\"keys\":[]}"),
        }
    }
}
