//! Rate limits: per company, credential or user, and operation; bad credentials per address.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, QuantaClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use hallpass_core::id::{AppId, SessionId};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Mints a minute and API key.
    pub mints_per_minute: u32,
    /// Calls a minute, user and operation.
    pub user_calls_per_minute: u32,
    /// Calls a minute, API key and operation, other than mints.
    pub key_calls_per_minute: u32,
    /// Calls of the token endpoints a minute, OAuth client and address.
    pub client_calls_per_minute: u32,
    /// Authorization requests a minute and session; where nobody is signed in, address.
    pub visits_per_minute: u32,
    /// Calls with a bad credential a minute and address.
    pub bad_credentials_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mints_per_minute: 12_000,
            user_calls_per_minute: 600,
            key_calls_per_minute: 6_000,
            client_calls_per_minute: 6_000,
            visits_per_minute: 120,
            bad_credentials_per_minute: 60,
        }
    }
}

/// An operation, as limits tell them apart: the route's place in the router.
pub type Operation = &'static str;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, QuantaClock>;

pub(crate) struct Limiter {
    on: Option<Buckets>,
}

struct Buckets {
    mints: Keyed<u128>,
    users: Keyed<(u128, Operation)>,
    keys: Keyed<(u128, Operation)>,
    clients: Keyed<(AppId, IpAddr, Operation)>,
    visits: Keyed<Result<SessionId, IpAddr>>,
    addresses: Keyed<IpAddr>,
    clock: QuantaClock,
}

fn per_minute<K: Hash + Eq + Clone>(n: u32) -> Keyed<K> {
    let quota = Quota::per_minute(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
    RateLimiter::dashmap_with_clock(quota, QuantaClock::default())
}

impl Limiter {
    pub(crate) fn new(limits: Option<Limits>) -> Self {
        let on = limits.map(|limits| Buckets {
            mints: per_minute(limits.mints_per_minute),
            users: per_minute(limits.user_calls_per_minute),
            keys: per_minute(limits.key_calls_per_minute),
            clients: per_minute(limits.client_calls_per_minute),
            visits: per_minute(limits.visits_per_minute),
            addresses: per_minute(limits.bad_credentials_per_minute),
            clock: QuantaClock::default(),
        });
        Self { on }
    }

    /// Counts a call.
    pub(crate) fn call(&self, caller: &Caller, operation: Operation) -> Result<(), AppError> {
        let Some(buckets) = &self.on else { return Ok(()) };
        let id = caller.limit_key();
        let verdict = match caller {
            Caller::Key(_) if operation == "access_tokens.create" => buckets.mints.check_key(&id),
            Caller::Key(_) => buckets.keys.check_key(&(id, operation)),
            Caller::User(_) => buckets.users.check_key(&(id, operation)),
        };
        buckets.answer(verdict)
    }

    /// Counts a client's call. Anybody can name a public client, so an address uses up its own share only.
    pub(crate) fn client_call(
        &self,
        client: AppId,
        address: IpAddr,
        operation: Operation,
    ) -> Result<(), AppError> {
        let Some(buckets) = &self.on else { return Ok(()) };
        buckets.answer(buckets.clients.check_key(&(client, address, operation)))
    }

    /// Counts a visit by the session, else by the address.
    pub(crate) fn visit(&self, session: Option<SessionId>, address: IpAddr) -> Result<(), AppError> {
        let Some(buckets) = &self.on else { return Ok(()) };
        buckets.answer(buckets.visits.check_key(&session.ok_or(address)))
    }

    /// Whether an address may still try credentials.
    pub(crate) fn may_try(&self, address: IpAddr) -> Result<(), AppError> {
        let Some(buckets) = &self.on else { return Ok(()) };
        buckets.answer(buckets.addresses.check_key(&address))
    }

    /// Forgets who has been quiet for a while.
    pub(crate) fn shrink(&self) {
        if let Some(buckets) = &self.on {
            buckets.mints.retain_recent();
            buckets.users.retain_recent();
            buckets.keys.retain_recent();
            buckets.clients.retain_recent();
            buckets.visits.retain_recent();
            buckets.addresses.retain_recent();
        }
    }
}

impl Buckets {
    fn answer(
        &self,
        verdict: Result<(), governor::NotUntil<<QuantaClock as governor::clock::Clock>::Instant>>,
    ) -> Result<(), AppError> {
        verdict.map_err(|until| AppError::RateLimited {
            retry_after_secs: until.wait_time_from(self.clock.now()).as_secs() + 1,
        })
    }
}

impl App {
    /// Counts a call against the caller's limits.
    ///
    /// # Errors
    /// [`AppError::RateLimited`].
    pub fn count_call(&self, caller: &Caller, operation: Operation) -> Result<(), AppError> {
        self.limits.call(caller, operation)
    }

    /// Counts a client's call of a token endpoint against its limits.
    ///
    /// # Errors
    /// [`AppError::RateLimited`].
    pub fn count_client_call(
        &self,
        client: AppId,
        address: IpAddr,
        operation: Operation,
    ) -> Result<(), AppError> {
        self.limits.client_call(client, address, operation)
    }

    /// Counts an authorization request against the limit of who is signed in, else of the address.
    ///
    /// # Errors
    /// [`AppError::RateLimited`].
    pub fn count_visit(&self, session: Option<SessionId>, address: IpAddr) -> Result<(), AppError> {
        self.limits.visit(session, address)
    }

    /// Counts a bad credential against its sender's address.
    ///
    /// # Errors
    /// [`AppError::RateLimited`].
    pub fn count_bad_credential(&self, address: IpAddr) -> Result<(), AppError> {
        self.limits.may_try(address)
    }
}
