//! Who calls: from the text of a credential to what it may do.
//!
//! Hot path. A warm token costs its hash, one look-up, and an integer comparison that says whether
//! the authority log has moved since it was last checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use hallpass_core::authority::Change;
use hallpass_core::decision::{Action, Actor, Facts, Permit, Place, Standing, decide};
use hallpass_core::entity::{ApiKey, Company, KeyHolder, User};
use hallpass_core::id::{ApiKeyId, AppId, CompanyId, UserId};
use hallpass_core::role::{self, Role};
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_core::statement::KeyRights;
use hallpass_core::statement::Parts;
use hallpass_token::{AccessClaims, ClientId, KeyRealm, KeySecret, SecretHash, Subject, TokenError};
use jiff::Timestamp;

use crate::App;
use crate::authority::Authority;
use crate::error::{AppError, Unauthenticated};

/// An authenticated caller.
#[derive(Clone)]
pub enum Caller {
    /// An API key: its company speaks.
    Key(Arc<LiveKey>),
    /// A user, by token.
    User(UserCaller),
}

/// A key that was live when it was loaded, and what is noted of its use.
pub struct LiveKey {
    /// The key; with less than its rights, where a token speaks by it.
    pub key: ApiKey,
    /// The token by which an app speaks for itself.
    token: Option<Arc<VerifiedToken>>,
    noted_minute: AtomicI64,
}

/// A user's token that verified and was not revoked.
#[derive(Clone)]
pub struct UserCaller {
    user: UserId,
    token: Arc<VerifiedToken>,
}

/// A token whose signature and claims were checked.
pub(crate) struct VerifiedToken {
    claims: AccessClaims,
    expires_at: Timestamp,
    /// The company it is good in, or that of its app where it is bound to none.
    home: CompanyId,
    by: IssuedBy,
    subjects: Vec<Change>,
    checked_rev: AtomicU64,
}

/// Whose doing a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuedBy {
    /// A key minted it.
    Key(ApiKeyId),
    /// A user consented to this app.
    Consent(AppId),
    /// This app showed its secret, and speaks for itself by what this key of it may do.
    ClientSecret(AppId, ApiKeyId),
}

/// Verified tokens by the hash of their text, until they expire.
pub(crate) struct TokenCache {
    entries: quick_cache::sync::Cache<
        SecretHash,
        Arc<VerifiedToken>,
        quick_cache::UnitWeighter,
        ahash::RandomState,
    >,
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            entries: quick_cache::sync::Cache::with(
                20_000,
                20_000,
                quick_cache::UnitWeighter,
                ahash::RandomState::new(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
        }
    }
}

impl LiveKey {
    /// Whether an app speaks by a token, and not by the key itself.
    pub(crate) fn is_by_token(&self) -> bool {
        self.token.is_some()
    }

    /// A key as far as a token of its app goes.
    fn by_token(key: &ApiKey, token: Arc<VerifiedToken>) -> Self {
        let rights = key.rights.narrowed(&token.claims.scope);
        Self { key: ApiKey { rights, ..key.clone() }, token: Some(token), noted_minute: AtomicI64::new(0) }
    }
}

impl VerifiedToken {
    /// What ends it, `home` being its company, `issuer` that of its key or app.
    fn subjects(
        claims: &AccessClaims,
        home: &Company,
        issuer: CompanyId,
        by: IssuedBy,
        kid: String,
    ) -> Vec<Change> {
        let speakers = [Some(home.id), Some(issuer), home.parent];
        let mut subjects: Vec<Change> =
            speakers.into_iter().flatten().map(|company| Change::Token(company, claims.jti)).collect();
        subjects.push(Change::SigningKey(kid));
        match by {
            IssuedBy::Key(key) => subjects.push(Change::Key(key)),
            IssuedBy::Consent(app) => subjects.push(Change::App(app)),
            IssuedBy::ClientSecret(app, key) => subjects.extend([Change::App(app), Change::Key(key)]),
        }
        if let Some(user) = claims.sub.user() {
            subjects.push(Change::User(user));
        }
        // What is bound to no company does not end with one: where it is used decides.
        if let Some(company) = claims.company_id {
            subjects.push(Change::Company(company));
            subjects.extend(claims.sub.user().map(|user| Change::Standing(company, user)));
        }
        subjects.extend(claims.sid.clone().map(Change::Session));
        subjects.extend(claims.grant.clone().map(Change::Grant));
        subjects
    }

    /// Whether the log, as far as it is applied, has killed it: an integer comparison as long as the log
    /// has not moved.
    fn is_killed(&self, authority: &Authority) -> bool {
        let rev = authority.rev();
        if self.checked_rev.load(Ordering::Acquire) >= rev {
            return false;
        }
        let killed = authority.killed(self.claims.rev, &self.subjects);
        if !killed {
            self.checked_rev.fetch_max(rev, Ordering::AcqRel);
        }
        killed
    }
}

impl UserCaller {
    /// Who speaks.
    pub fn user(&self) -> UserId {
        self.user
    }
    /// The company the token is for; where it is bound to none, its app's.
    pub fn company(&self) -> CompanyId {
        self.token.home
    }
    /// Whose doing the token is.
    pub(crate) fn issued_by(&self) -> IssuedBy {
        self.token.by
    }
    /// What it says.
    pub(crate) fn claims(&self) -> &AccessClaims {
        &self.token.claims
    }
    /// Whether it says that it is good in `company`. Whether its app is there, the decision asks.
    fn is_for(&self, company: CompanyId) -> bool {
        self.token.claims.company_id.is_none_or(|bound| bound == company)
    }
    /// The scopes written in it.
    pub fn scopes(&self) -> ScopeSet {
        self.token.claims.scope
    }
    pub(crate) fn subjects(&self) -> &[Change] {
        &self.token.subjects
    }
}

impl Caller {
    /// The company that a request means when it names none: the token's, or the key's own.
    pub fn home(&self) -> CompanyId {
        match self {
            Self::Key(live) => live.key.company,
            Self::User(user) => user.company(),
        }
    }

    /// A name for limits and logs: the key's or the user's id.
    pub fn id(&self) -> String {
        match self {
            Self::Key(live) => live.key.id.to_string(),
            Self::User(user) => user.user().to_string(),
        }
    }

    /// The user behind, if it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Key(_) => None,
            Self::User(user) => Some(user.user()),
        }
    }

    /// Whose key speaks; none for a user.
    pub(crate) fn key_holder(&self) -> Option<KeyHolder> {
        match self {
            Self::Key(live) => Some(live.key.holder()),
            Self::User(_) => None,
        }
    }

    pub(crate) fn limit_key(&self) -> u128 {
        match self {
            Self::Key(live) => live.key.id.bits(),
            Self::User(user) => user.user().bits() ^ user.company().bits().rotate_left(64),
        }
    }
}

impl App {
    /// Authenticates a bearer credential.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] saying why; [`AppError::Unavailable`] if this node has not read
    /// the authority log within a second.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, AppError> {
        if !self.authority.is_fresh() {
            return Err(AppError::Unavailable("this node cannot tell whether rights are current"));
        }
        // Before anything is looked up: what narrows after this will be seen as newer.
        let rev = self.authority.rev();
        if bearer.starts_with("hp") {
            return Ok(Caller::Key(self.authenticate_key(bearer, rev).await?));
        }
        let (token, key) = self.live_token(bearer, rev).await?;
        match (token.claims.sub, key) {
            (Subject::User(user), _) => Ok(Caller::User(UserCaller { user, token })),
            (Subject::App(_), Some(key)) => Ok(Caller::Key(Arc::new(LiveKey::by_token(&key, token)))),
            (Subject::App(_), None) => Err(AppError::Unauthenticated(Unauthenticated::Revoked)),
        }
    }

    /// A token that verifies and lives, and the key behind it if there is one; `rev` was read before.
    async fn live_token(
        &self,
        bearer: &str,
        rev: u64,
    ) -> Result<(Arc<VerifiedToken>, Option<Arc<ApiKey>>), AppError> {
        let hash = SecretHash::of(bearer);
        let token = if let Some(token) = self.tokens.entries.get(&hash) {
            token
        } else {
            let token = Arc::new(Box::pin(self.verify(bearer, rev)).await?);
            self.tokens.entries.insert(hash, Arc::clone(&token));
            token
        };
        let now = self.clock.now();
        if now >= token.expires_at {
            self.tokens.entries.remove(&hash);
            return Err(AppError::Unauthenticated(Unauthenticated::Expired));
        }
        if token.is_killed(&self.authority) {
            return Err(AppError::Unauthenticated(Unauthenticated::Revoked));
        }
        let key = self.must_stand(&token, now).await?;
        Ok((token, key))
    }

    /// What a live access token says; none for any other text.
    pub(crate) async fn live_claims(&self, text: &str) -> Result<Option<AccessClaims>, AppError> {
        if !self.authority.is_fresh() {
            return Err(AppError::Unavailable("this node cannot tell whether rights are current"));
        }
        match self.live_token(text, self.authority.rev()).await {
            Ok((token, _)) => Ok(Some(token.claims.clone())),
            Err(AppError::Unauthenticated(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks at the chain behind a token, as it is now; the key in it, if there is one.
    async fn must_stand(
        &self,
        token: &VerifiedToken,
        now: Timestamp,
    ) -> Result<Option<Arc<ApiKey>>, AppError> {
        let revoked = || AppError::Unauthenticated(Unauthenticated::Revoked);
        let key = match token.by {
            IssuedBy::Key(key) | IssuedBy::ClientSecret(_, key) => match self.api_key(key).await? {
                Some(key) if is_live(&key, now) => Some(key),
                _ => return Err(revoked()),
            },
            // What it does in a company, the decision looks at.
            IssuedBy::Consent(_) => None,
        };
        let Some(user) = token.claims.sub.user() else { return Ok(key) };
        match self.user(user).await? {
            Some(user) if !user.deactivated => Ok(key),
            _ => Err(revoked()),
        }
    }

    /// The caller once entry `n` of the log is applied: for a request that waited while rights moved.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] if the credential was revoked since it was authenticated.
    pub(crate) async fn renewed(&self, caller: &Caller, n: u64) -> Result<Caller, AppError> {
        self.settle(n).await?;
        let now = self.clock.now();
        let revoked = || AppError::Unauthenticated(Unauthenticated::Revoked);
        match caller {
            Caller::User(user) => {
                self.must_live(caller)?;
                self.must_stand(&user.token, now).await?;
                Ok(caller.clone())
            }
            Caller::Key(live) => {
                self.must_live(caller)?;
                let key =
                    self.api_key(live.key.id).await?.filter(|key| is_live(key, now)).ok_or_else(revoked)?;
                if let Some(token) = &live.token {
                    return Ok(Caller::Key(Arc::new(LiveKey::by_token(&key, Arc::clone(token)))));
                }
                let noted_minute = AtomicI64::new(live.noted_minute.load(Ordering::Relaxed));
                Ok(Caller::Key(Arc::new(LiveKey { key: (*key).clone(), token: None, noted_minute })))
            }
        }
    }

    /// Refuses a credential that was killed since it was authenticated: a body may take its time.
    pub(crate) fn must_live(&self, caller: &Caller) -> Result<(), AppError> {
        let killed = match caller {
            // A key does not come back from being revoked.
            Caller::Key(live) => {
                self.authority.kills(&Change::Key(live.key.id))
                    || live.token.as_ref().is_some_and(|token| token.is_killed(&self.authority))
            }
            Caller::User(user) => user.token.is_killed(&self.authority),
        };
        if killed { Err(AppError::Unauthenticated(Unauthenticated::Revoked)) } else { Ok(()) }
    }

    async fn verify(&self, bearer: &str, rev: u64) -> Result<VerifiedToken, AppError> {
        let now = self.clock.now();
        let mut verified = self.keyring.ring().await?.verifier.verify_access(bearer, now);
        if matches!(verified, Err(TokenError::UnknownKey)) {
            // Made by another node, which told of it in the log.
            self.authority.refresh().await?;
            verified = self.keyring.ring().await?.verifier.verify_access(bearer, now);
        }
        if matches!(verified, Err(TokenError::UnknownKey)) && self.keyring.reload_for_unknown().await? {
            verified = self.keyring.ring().await?.verifier.verify_access(bearer, now);
        }
        let claims = verified.map_err(|error| {
            AppError::Unauthenticated(match error {
                TokenError::Expired { .. } => Unauthenticated::Expired,
                _ => Unauthenticated::Invalid,
            })
        })?;
        let invalid = || AppError::Unauthenticated(Unauthenticated::Invalid);
        // Issued by a node that had read further than this one: wait until we have, too.
        if claims.rev > rev {
            self.authority.refresh().await?;
        }
        let revoked = || AppError::Unauthenticated(Unauthenticated::Revoked);
        let (by, issuer) = self.issuer_of(&claims).await?.ok_or_else(revoked)?;
        let kid = hallpass_token::peek_kid(bearer).map_err(|_| invalid())?;
        let home = claims.company_id.unwrap_or(issuer);
        let record = self.company(home).await?.ok_or_else(revoked)?;
        let subjects = VerifiedToken::subjects(&claims, &record, issuer, by, kid);
        if self.authority.killed(claims.rev, &subjects) {
            return Err(revoked());
        }
        let expires_at = Timestamp::from_second(claims.exp).map_err(|_| invalid())?;
        let checked_rev = AtomicU64::new(rev);
        Ok(VerifiedToken { claims, expires_at, home, by, subjects, checked_rev })
    }

    /// Whose doing a token is, and that one's company; none if it is gone.
    async fn issuer_of(&self, claims: &AccessClaims) -> Result<Option<(IssuedBy, CompanyId)>, AppError> {
        let app = match claims.client_id {
            ClientId::Key(key) => {
                return Ok(self.api_key(key).await?.map(|minter| (IssuedBy::Key(key), minter.company)));
            }
            ClientId::App(app) => app,
        };
        let Some(owner) = self.client(app).await?.and_then(|client| client.company) else {
            return Ok(None);
        };
        Ok(match claims.sub {
            Subject::User(_) => Some((IssuedBy::Consent(app), owner)),
            Subject::App(_) => {
                let key = self.key_of_app(app).await?;
                key.map(|key| (IssuedBy::ClientSecret(app, key.id), owner))
            }
        })
    }

    async fn authenticate_key(&self, bearer: &str, rev: u64) -> Result<Arc<LiveKey>, AppError> {
        let invalid = AppError::Unauthenticated(Unauthenticated::Invalid);
        // Typos and truncations end here, before any look-up.
        let Ok(parsed) = KeySecret::parse(bearer) else { return Err(invalid) };
        match parsed.realm {
            KeyRealm::Company | KeyRealm::App if !self.dev => {}
            KeyRealm::Dev if self.dev => {}
            // What opens the token endpoint or a browser's session opens nothing here.
            _ => return Err(invalid),
        }
        let live = if let Some(live) = self.keys_by_hash.get(&parsed.hash) {
            live
        } else {
            let found = self.store.read().await?.find_api_key_by_hash(&parsed.hash.0).await?;
            let Some(key) = found else { return Err(invalid) };
            let change = Change::Key(key.id);
            let live = Arc::new(LiveKey { key, token: None, noted_minute: AtomicI64::new(0) });
            self.keys_by_hash.put(parsed.hash, Arc::clone(&live), rev, [&change; 3]);
            live
        };
        let now = self.clock.now();
        if live.key.revoked_at.is_some() {
            return Err(AppError::Unauthenticated(Unauthenticated::Revoked));
        }
        if !is_live(&live.key, now) {
            return Err(AppError::Unauthenticated(Unauthenticated::Expired));
        }
        self.note_use(&live, now);
        Ok(live)
    }

    /// Notes a key's use, at most once a minute; written behind.
    fn note_use(&self, live: &LiveKey, now: Timestamp) {
        let minute = now.as_second() / 60;
        if live.noted_minute.swap(minute, Ordering::Relaxed) != minute {
            self.used_keys.lock().insert(live.key.id, now);
        }
    }

    /// Decides whether `caller` may do `action` in `company` (and `place` within it).
    ///
    /// # Errors
    /// [`AppError::NotFound`] for `what`, [`AppError::MissingScopes`] or [`AppError::Forbidden`].
    pub(crate) async fn permit(
        &self,
        caller: &Caller,
        action: Action,
        company: CompanyId,
        place: Option<(Place, &str)>,
        what: &'static str,
    ) -> Result<Permit, AppError> {
        let facts = self.facts(caller, company, place).await?;
        decide(action, &facts).map_err(|refusal| AppError::refused(refusal, what))
    }

    /// Gathers what the decision looks at, as it is now.
    pub(crate) async fn facts(
        &self,
        caller: &Caller,
        company: CompanyId,
        place: Option<(Place, &str)>,
    ) -> Result<Facts, AppError> {
        self.must_live(caller)?;
        let inner = place.map(|(_, inner)| inner);
        let place = place.map(|(place, _)| place);
        let nothing = Facts { reaches: false, credential: ScopeSet::EMPTY, actor: Actor::Key, place };
        let Some(record) = self.company(company).await? else { return Ok(nothing) };
        let user = match caller {
            Caller::Key(live) => {
                let reaches = self.reaches(&live.key, &record).await?;
                let credential = if reaches { rights_on(&live.key, &record, inner) } else { ScopeSet::EMPTY };
                return Ok(Facts { reaches, credential, actor: Actor::Key, place });
            }
            Caller::User(user) if user.is_for(company) => user,
            Caller::User(_) => return Ok(nothing),
        };
        let standing = self.standing(company, user.user()).await?;
        let actor = Actor::User { token: user.scopes(), standing };
        let (reaches, credential) = match user.issued_by() {
            IssuedBy::Key(key) | IssuedBy::ClientSecret(_, key) => {
                let Some(key) = self.api_key(key).await? else { return Ok(nothing) };
                (self.reaches(&key, &record).await?, rights_on(&key, &record, inner))
            }
            IssuedBy::Consent(app) => (self.is_app_in(app, company).await?, consented()),
        };
        let credential = if reaches { credential } else { ScopeSet::EMPTY };
        Ok(Facts { reaches, credential, actor, place })
    }

    /// Whether a key reaches a company: its own, a connected account of it; for an app's key also
    /// those that installed the app.
    pub(crate) async fn reaches(&self, key: &ApiKey, company: &Company) -> Result<bool, AppError> {
        if key.company == company.id || company.parent == Some(key.company) {
            return Ok(true);
        }
        match key.app {
            // Rare; asked of the store each time.
            Some(app) => Ok(self.store.read().await?.is_app_installed(app, company.id).await?),
            None => Ok(false),
        }
    }

    /// Where a user stands in a company. Only enrolment is cached; its absence is asked anew.
    pub(crate) async fn standing(&self, company: CompanyId, user: UserId) -> Result<Standing, AppError> {
        if let Some(standing) = self.standings.get(&(company, user)) {
            return Ok(standing);
        }
        let rev = self.authority.rev();
        let standing = self.store.read().await?.find_standing(company, user).await?;
        if standing.enrolled() {
            let change = Change::Standing(company, user);
            self.standings.put((company, user), standing, rev, [&change; 3]);
        }
        Ok(standing)
    }

    /// A company, by cache.
    pub(crate) async fn company(&self, id: CompanyId) -> Result<Option<Arc<Company>>, AppError> {
        if let Some(company) = self.companies.get(&id) {
            return Ok(Some(company));
        }
        let rev = self.authority.rev();
        let Some(company) = self.store.read().await?.find_company(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.companies.put(id, Arc::clone(&company), rev, [&Change::Company(id); 3]);
        Ok(Some(company))
    }

    /// A user, by cache.
    pub(crate) async fn user(&self, id: UserId) -> Result<Option<Arc<User>>, AppError> {
        if let Some(user) = self.users.get(&id) {
            return Ok(Some(user));
        }
        let rev = self.authority.rev();
        let Some(user) = self.store.read().await?.find_user(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.users.put(id, Arc::clone(&user), rev, [&Change::User(id); 3]);
        Ok(Some(user))
    }

    /// The key that speaks, or that minted the token; of a token that a user consented to, what its app may
    /// do for them, in the form of a key.
    pub(crate) async fn key_of(&self, caller: &Caller) -> Result<Arc<ApiKey>, AppError> {
        let revoked = || AppError::Unauthenticated(Unauthenticated::Revoked);
        let user = match caller {
            Caller::Key(live) => return Ok(Arc::new(live.key.clone())),
            Caller::User(user) => user,
        };
        match user.issued_by() {
            IssuedBy::Key(key) | IssuedBy::ClientSecret(_, key) => {
                self.api_key(key).await?.ok_or_else(revoked)
            }
            IssuedBy::Consent(app) => Ok(Arc::new(ApiKey {
                id: ApiKeyId::from_bits(app.bits()),
                company: user.company(),
                app: Some(app),
                rights: KeyRights::Role(Role::Owner),
                name: None,
                hint: String::new(),
                created_at: Timestamp::UNIX_EPOCH,
                last_used_at: None,
                expires_at: None,
                revoked_at: None,
            })),
        }
    }

    /// What a caller may do on a company and everything within it: the bound of what it hands on.
    pub(crate) async fn held_throughout(
        &self,
        caller: &Caller,
        company: &Company,
    ) -> Result<ScopeSet, AppError> {
        let credential = rights_throughout(&*self.key_of(caller).await?, company);
        match caller {
            Caller::Key(_) => Ok(credential),
            Caller::User(user) => {
                let standing = self.standing(company.id, user.user()).await?;
                Ok(credential.and(&user.scopes()).and(&standing.scopes()))
            }
        }
    }

    /// The id of the key that speaks, or that minted the token; none where a user consented.
    pub(crate) fn key_id_of(caller: &Caller) -> Option<ApiKeyId> {
        match caller {
            Caller::Key(live) => Some(live.key.id),
            Caller::User(user) => match user.issued_by() {
                IssuedBy::Key(key) | IssuedBy::ClientSecret(_, key) => Some(key),
                IssuedBy::Consent(_) => None,
            },
        }
    }

    /// Whether a company owns or installed an app: where its users' tokens are good.
    pub(crate) async fn is_app_in(&self, app: AppId, company: CompanyId) -> Result<bool, AppError> {
        let owner = self.client(app).await?.and_then(|client| client.company);
        // Installed ones are rare; asked of the store each time.
        Ok(owner == Some(company) || self.store.read().await?.is_app_installed(app, company).await?)
    }

    /// An API key by id, by cache.
    pub(crate) async fn api_key(&self, id: ApiKeyId) -> Result<Option<Arc<ApiKey>>, AppError> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Some(key));
        }
        let rev = self.authority.rev();
        let Some(key) = self.store.read().await?.find_api_key(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.keys.put(id, Arc::clone(&key), rev, [&Change::Key(id); 3]);
        Ok(Some(key))
    }
}

/// What an app may do for a user who consented, before token, role and place bound it.
fn consented() -> ScopeSet {
    Role::Owner.scopes().minus(&role::not_for_apps())
}

/// Whether a key works at `now`.
pub(crate) fn is_live(key: &ApiKey, now: Timestamp) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)
}

/// What a key may do on a company, or on something within it.
pub(crate) fn rights_on(key: &ApiKey, company: &Company, inner: Option<&str>) -> ScopeSet {
    limited(key, key.rights.on(&names(key, company), inner))
}

/// On which experiences of a company a key may do `action`.
pub(crate) fn parts_of(key: &ApiKey, company: &Company, action: Scope) -> Parts {
    if limited(key, ScopeSet::of(&[action])).is_empty() {
        return Parts::NONE;
    }
    key.rights.parts(&names(key, company), action)
}

/// What a key may do on anything within a company: the bound of what it may mint.
pub(crate) fn rights_within(key: &ApiKey, company: &Company) -> ScopeSet {
    limited(key, key.rights.within(&names(key, company)))
}

/// What a key may do on a company and everything within it: the bound of the keys it may make.
pub(crate) fn rights_throughout(key: &ApiKey, company: &Company) -> ScopeSet {
    limited(key, key.rights.throughout(&names(key, company)))
}

fn names(key: &ApiKey, company: &Company) -> Vec<CompanyId> {
    let parent = company.parent.filter(|parent| *parent == key.company);
    std::iter::once(company.id).chain(parent).collect()
}

fn limited(key: &ApiKey, rights: ScopeSet) -> ScopeSet {
    if key.app.is_some() { rights.minus(&role::not_for_apps()) } else { rights }
}
