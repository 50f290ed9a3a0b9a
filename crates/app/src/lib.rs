//! The use cases of Hallpass: authenticate, decide, open the transaction, apply the rules.
//!
//! One file a noun. Every use case takes a [`Caller`] and asks the one decision
//! ([`hallpass_core::decision`]) through [`App::permit`]; nothing else grants anything.

pub mod access;
pub mod access_tokens;
pub mod admin;
pub mod api_keys;
pub mod apps;
pub mod authority;
mod cache;
mod caller;
pub mod channels;
pub mod companies;
pub mod dev;
pub mod direct_messages;
mod error;
pub mod experiences;
pub mod feeds;
pub mod files;
mod forms;
mod idempotency;
pub mod keyring;
mod limits;
pub mod mail;
pub mod members;
pub mod messages;
pub mod oauth;
mod page;
pub mod people;
mod profiles;
pub mod reactions;
pub mod revocation;
pub mod search;
pub mod sessions;
pub mod support_chats;
pub mod team;
pub mod users;
pub mod webhooks;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::authority::Change;
use hallpass_core::clock::draw;
use hallpass_core::decision::Standing;
use hallpass_core::entity::{ApiKey, Channel, Company, Feed, User};
use hallpass_core::id::{
    ApiKeyId, AppId, ChatFeedId, CompanyId, ExperienceId, FeedId, GrantId, SessionId, UserId,
};
use hallpass_core::{Clock, Entropy};
pub use hallpass_store::{
    AppFilter, AppPatch, ChannelPatch, CompanyPatch, ExperiencePatch, MemberFilter, MemberOrder, TeamFilter,
    UserPatch,
};
use hallpass_store::{Store, Tx};
use hallpass_token::{CursorKey, MacKey, MasterKey, SecretHash};
use jiff::{SignedDuration, Timestamp};

pub use caller::{Caller, UserCaller};
pub use error::{AppError, Unauthenticated};
pub use idempotency::{IdempotencyScope, Replay, Ticket};
pub use limits::{Limits, Operation};
pub use page::{Direction, Page, PageAsk};
pub use profiles::Shown;

use authority::Authority;
use cache::Cache;
use files::FileStorage;
use keyring::{Keyring, KeyringParts};
use messages::lane::Lanes;
use oauth::{OAuth, OAuthPolicy};
use webhooks::Dispatcher;

/// The longest life of a minted token.
pub const LONGEST_TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(3);
/// The life of a minted token that asked for none.
pub const DEFAULT_TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long authority entries are kept beyond the longest token life.
pub(crate) const AUTHORITY_MARGIN: SignedDuration = SignedDuration::from_mins(30);

/// What an [`App`] is made with.
pub struct AppParts {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Seals and MACs.
    pub master: MasterKey,
    /// `iss` and `aud` of tokens, `https://chat.example.com`, without a slash at the end.
    pub public_url: String,
    /// Made by `hallpass dev`: dev keys are accepted, and made.
    pub dev: bool,
    /// For `dev --seed`.
    pub signing_seed: Option<[u8; 32]>,
    /// Rate limits; none switches them off.
    pub limits: Option<Limits>,
    /// How long a signing key is published before it signs.
    pub publish_ahead: SignedDuration,
    /// What webhooks need.
    pub webhooks: webhooks::WebhookParts,
    /// Where files go.
    pub files: FileStorage,
    /// How signing in behaves.
    pub oauth: OAuthPolicy,
    /// How passwords are hashed.
    pub hashing: people::Hashing,
    /// Where letters go.
    pub mail: mail::Post,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// What the use cases share. Reached through [`App`].
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) cursors: CursorKey,
    pub(crate) idempotency: MacKey,
    pub(crate) forms: MacKey,
    pub(crate) app_seal: hallpass_token::PurposeKey,
    pub(crate) people: people::People,
    pub(crate) mail: mail::Mails,
    pub(crate) issuer: Arc<str>,
    pub(crate) dev: bool,
    pub(crate) builtin_app: AppId,
    pub(crate) limits: limits::Limiter,
    pub(crate) lanes: Lanes,
    pub(crate) unindexed: search::Unindexed,
    pub(crate) reacting: tokio::sync::Semaphore,
    pub(crate) hooks: Dispatcher,
    pub(crate) tokens: caller::TokenCache,
    pub(crate) keys_by_hash: Cache<SecretHash, Arc<caller::LiveKey>>,
    pub(crate) keys: Cache<ApiKeyId, Arc<ApiKey>>,
    pub(crate) companies: Cache<CompanyId, Arc<Company>>,
    pub(crate) users: Cache<UserId, Arc<User>>,
    pub(crate) standings: Cache<(CompanyId, UserId), Standing>,
    pub(crate) shown: Cache<(CompanyId, UserId), Arc<Shown>>,
    pub(crate) channels: Cache<ChatFeedId, Arc<Channel>>,
    pub(crate) feeds: Cache<ExperienceId, ChatFeedId>,
    pub(crate) seated: Cache<FeedId, Arc<Feed>>,
    pub(crate) access: Cache<(ExperienceId, UserId), ()>,
    pub(crate) files: files::Files,
    pub(crate) oauth: OAuth,
    pub(crate) clients: Cache<AppId, Arc<oauth::Client>>,
    pub(crate) app_keys: Cache<AppId, ApiKeyId>,
    pub(crate) grants: Cache<GrantId, Arc<oauth::GrantFacts>>,
    pub(crate) used_sessions: parking_lot::Mutex<ahash::AHashMap<SessionId, (Timestamp, IpAddr)>>,
    pub(crate) used_keys: parking_lot::Mutex<ahash::AHashMap<ApiKeyId, Timestamp>>,
}

const BUILTIN_APP: &str = "builtin_chat_app";
const MASTER_CHECK: &str = "master_key_check";
const MODE: &str = "mode";

impl App {
    /// Opens the application on a migrated store: checks the master key, makes what a first start
    /// makes, reads the authority log.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the store was made with another master key, or in the other mode
    /// (dev or production).
    pub async fn open(parts: AppParts) -> Result<Self, AppError> {
        let facts = Facts {
            check: hex(&parts.master.check_value()),
            mode: if parts.dev { "dev" } else { "production" },
            app: AppId::generate(parts.clock.now(), &*parts.entropy),
            at: parts.clock.now(),
        };
        let builtin_app = parts
            .store
            .write(facts, |facts, tx| {
                Box::pin(async move {
                    let (check, mode, app) = remember(facts, tx).await?;
                    must_fit(facts, &check, &mode)?;
                    tx.leap_authority(authority::leap_to(facts.at), facts.at).await?;
                    Ok::<_, AppError>(app)
                })
            })
            .await?;
        let builtin_app = builtin_app
            .parse()
            .map_err(|_| AppError::conflict("corrupt", "the built-in app's id does not parse"))?;

        let authority = Authority::open(parts.store.clone(), Arc::clone(&parts.clock)).await?;
        let issuer: Arc<str> = parts.public_url.into();
        let keyring = Keyring::open(KeyringParts {
            store: parts.store.clone(),
            authority: Arc::clone(&authority),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
            sealing: parts.master.derive("signing-keys"),
            issuer: Arc::clone(&issuer),
            publish_ahead: parts.publish_ahead,
            longest_life: LONGEST_TOKEN_LIFE,
            seed: parts.signing_seed,
        })
        .await?;
        // A store of one node has one owner, also after it was ended in the middle.
        let node = if parts.store.is_shared() { hex(&draw::<8>(&*parts.entropy)) } else { "this".to_owned() };
        let hooks = Dispatcher::new(parts.webhooks, parts.master.derive("webhook-secrets"), &authority, node);
        let inner = Arc::new(Inner {
            unindexed: search::Unindexed::default(),
            reacting: tokio::sync::Semaphore::new(reactions::at_once(&parts.store)),
            lanes: Lanes::start(&parts.store, &parts.clock, &hooks.hint()),
            hooks,
            cursors: CursorKey::derive(&parts.master),
            idempotency: parts.master.derive_mac("idempotency"),
            forms: parts.master.derive_mac("forms"),
            app_seal: parts.master.derive("app-secrets"),
            people: people::People::new(&parts.master, parts.hashing, &issuer, parts.dev),
            mail: mail::Mails { post: parts.mail, seal: parts.master.derive("mails") },
            limits: limits::Limiter::new(parts.limits),
            tokens: caller::TokenCache::new(),
            keys_by_hash: Cache::new(&authority, 10_000),
            keys: Cache::new(&authority, 10_000),
            companies: Cache::new(&authority, 20_000),
            users: Cache::new(&authority, 50_000),
            standings: Cache::new(&authority, 100_000),
            shown: Cache::new(&authority, 100_000),
            channels: Cache::new(&authority, 20_000),
            feeds: Cache::new(&authority, 20_000),
            seated: Cache::new(&authority, 50_000),
            access: Cache::new(&authority, 100_000),
            files: files::Files::new(parts.files, &parts.master, &issuer),
            oauth: OAuth::new(parts.oauth, &parts.master, &parts.store),
            clients: Cache::new(&authority, 10_000),
            app_keys: Cache::new(&authority, 10_000),
            grants: Cache::new(&authority, 100_000),
            used_sessions: parking_lot::Mutex::default(),
            used_keys: parking_lot::Mutex::default(),
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            authority,
            keyring,
            issuer,
            dev: parts.dev,
            builtin_app,
        });
        Ok(Self { inner })
    }

    /// Runs what must run beside requests: reading the authority log, indexing messages, delivering to
    /// webhooks, and the housekeeping of every minute. Returns when the future is dropped.
    pub async fn run_background(&self) {
        let log = Arc::clone(&self.authority).run();
        let chores = async {
            loop {
                tokio::time::sleep(Duration::from_mins(1)).await;
                if let Err(error) = self.do_chores().await {
                    tracing::warn!(error = %error, "housekeeping failed; it is tried again in a minute");
                }
            }
        };
        tokio::join!(log, chores, self.keep_indexed(), self.run_webhooks(), self.run_mails());
    }

    /// Housekeeping: last uses of keys, old authority entries and idempotency keys, retiring keys, files
    /// that nothing uses.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn do_chores(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        self.limits.shrink();
        let used = std::mem::take(&mut *self.used_keys.lock());
        let before = now - (LONGEST_TOKEN_LIFE + AUTHORITY_MARGIN);
        let yesterday = now - SignedDuration::from_hours(24);
        self.store
            .write((used, before, yesterday), |(used, before, yesterday), tx| {
                Box::pin(async move {
                    for (key, at) in used {
                        tx.update_api_key_last_used(*key, *at).await?;
                    }
                    tx.prune_idempotency_keys(*yesterday).await?;
                    tx.prune_authorization_codes(*yesterday).await?;
                    tx.prune_grants(*yesterday).await?;
                    tx.prune_authority(*before).await
                })
            })
            .await?;
        self.write_used_sessions().await?;
        self.sweep_reactions().await?;
        let pruned = self.store.read().await?.authority_head().await?.pruned;
        self.authority.forget_kills(pruned);
        self.clear_webhooks(now).await?;
        self.clear_people(now).await?;
        self.keyring.sweep().await?;
        self.sweep_files().await
    }

    /// Forgets what the delivery log keeps no longer, and what belonged to deleted webhooks; a limited part
    /// at a time, so that nobody waits for it.
    async fn clear_webhooks(&self, now: Timestamp) -> Result<(), AppError> {
        const PART: i64 = 500;
        let before = now - self.hooks.log_kept;
        for _ in 0..500 {
            let (pruned, cleared) = self
                .store
                .write((before, now), |(before, now), tx| {
                    Box::pin(async move {
                        let pruned = tx.prune_webhook_queue(*before, PART).await?;
                        Ok::<_, AppError>((pruned, tx.clear_deleted_webhook(*now, PART).await?))
                    })
                })
                .await?;
            if pruned == 0 && !cleared {
                break;
            }
        }
        Ok(())
    }

    /// Closes the database, after writes under way. [`Self::run_background`] must have ended.
    pub async fn close(&self) {
        self.authority.release().await;
        self.store.close().await;
    }

    /// Whether this node may answer: the authority log was read within a second.
    pub fn is_ready(&self) -> bool {
        self.authority.is_fresh()
    }

    /// Sets the gauges of what is only looked at when somebody asks.
    pub fn measure(&self) {
        // A float is exact to 2^53; the numbers are milliseconds and what follows them.
        #[expect(clippy::cast_precision_loss, reason = "exact as far as the numbers get")]
        metrics::gauge!("hallpass_authority_rev").set(self.authority.rev() as f64);
        metrics::gauge!("hallpass_authority_age_seconds").set(self.authority.age().as_secs_f64());
        let waiting = u32::try_from(self.lanes.waiting()).unwrap_or(u32::MAX);
        metrics::gauge!("hallpass_sends_waiting").set(f64::from(waiting));
    }

    /// The authority log as this node knows it.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The signing keys.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// `iss` and `aud` of tokens.
    pub fn public_url(&self) -> &str {
        &self.issuer
    }

    /// The built-in chat app.
    pub fn builtin_app(&self) -> AppId {
        self.builtin_app
    }

    /// Whether this is `hallpass dev`.
    pub fn is_dev(&self) -> bool {
        self.dev
    }

    /// Makes what was written hold on this node before the caller hears of it.
    pub(crate) async fn settle(&self, n: u64) -> Result<(), AppError> {
        Ok(self.authority.apply_up_to(n).await?)
    }

    /// Writes changes to the authority log inside `tx`; the last number.
    pub(crate) async fn note(
        tx: &mut Tx,
        changes: &[(Change, bool)],
        at: Timestamp,
    ) -> Result<u64, AppError> {
        let mut n = 0;
        for (change, kills) in changes {
            n = tx.insert_authority(change, *kills, at).await?;
        }
        Ok(n)
    }
}

struct Facts {
    check: String,
    mode: &'static str,
    app: AppId,
    at: Timestamp,
}

async fn remember(facts: &Facts, tx: &mut Tx) -> Result<(String, String, String), AppError> {
    let check = tx.remember_fact(MASTER_CHECK, &facts.check).await?;
    let mode = tx.remember_fact(MODE, facts.mode).await?;
    let app = tx.remember_fact(BUILTIN_APP, &facts.app.to_string()).await?;
    if app == facts.app.to_string() {
        tx.insert_app(facts.app, None, "Chat", facts.at).await?;
    }
    Ok((check, mode, app))
}

/// Refuses a database that was made in the other mode or with another master key.
fn must_fit(facts: &Facts, check: &str, mode: &str) -> Result<(), AppError> {
    if mode != facts.mode {
        let maker = if facts.mode == "dev" { "serve" } else { "dev" };
        return Err(AppError::conflict(
            "wrong_mode",
            format!("this database was made by `hallpass {maker}`"),
        ));
    }
    if check != facts.check {
        return Err(AppError::conflict(
            "wrong_master_key",
            "the master key is not the one this database was made with",
        ));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
