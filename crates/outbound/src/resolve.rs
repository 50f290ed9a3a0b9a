//! Names to addresses, each judged before anybody connects.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::Refused;
use crate::address::Policy;

/// How names become addresses.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name, now.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Lookups at once. One that hangs holds a thread until the system gives it up.
const MAX_LOOKUPS: usize = 32;
/// How long a lookup is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

type Answer = Result<Vec<IpAddr>, Arc<io::Error>>;

/// The system's resolver, on threads of its own: a name server that hangs must not take those that
/// the database writes on. One lookup a name at a time.
#[derive(Default)]
pub struct SystemResolver {
    under_way: Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Answer>>>>>,
    room: Arc<Lookups>,
}

struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        let answer = self
            .under_way
            .lock()
            .entry(name.clone())
            .or_insert_with(|| {
                let (under_way, room) = (Arc::clone(&self.under_way), Arc::clone(&self.room.0));
                async move {
                    let answer = look_up(name.clone(), room).await.map_err(Arc::new);
                    under_way.lock().remove(&name);
                    answer
                }
                .boxed()
                .shared()
            })
            .clone();
        async move { answer.await.map_err(|error| io::Error::new(error.kind(), error)) }.boxed()
    }
}

async fn look_up(name: String, room: Arc<Semaphore>) -> io::Result<Vec<IpAddr>> {
    let waited = async {
        let permit = room.acquire_owned().await.map_err(io::Error::other)?;
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("hallpass-names".to_owned()).spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            // Whoever asked may have stopped waiting.
            let _gone = tell.send(found.map(|found| found.map(|address| address.ip()).collect()));
            drop(permit);
        })?;
        told.await.map_err(io::Error::other)?
    };
    match tokio::time::timeout(PATIENCE, waited).await {
        Ok(found) => found,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the name was not resolved in time")),
    }
}

/// A resolver as reqwest wants it: every address is judged, and the connection goes to one of them.
pub(crate) struct Judged {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) policy: Arc<Policy>,
    /// Only addresses that the operator named: without TLS.
    pub(crate) only_named: bool,
}

impl Judged {
    /// Judges one address.
    pub(crate) fn judge(&self, ip: IpAddr) -> Result<(), Refused> {
        self.policy.judge(ip).map_err(|kind| Refused::Address { ip, kind })?;
        if self.only_named && !self.policy.names(ip) {
            return Err(Refused::PlainText);
        }
        Ok(())
    }

    fn judge_all(&self, found: &[IpAddr]) -> Result<(), Refused> {
        // All of them: a name with one public and one private address is up to something.
        found.iter().try_for_each(|ip| self.judge(*ip))
    }
}

/// [`Judged`], shared.
pub(crate) struct Door(pub(crate) Arc<Judged>);

impl reqwest::dns::Resolve for Door {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let judged = Arc::clone(&self.0);
        Box::pin(async move {
            let found = judged
                .resolver
                .resolve(name.as_str())
                .await
                .map_err(|error| Refused::Unresolved(error.to_string()))?;
            if found.is_empty() {
                return Err(Refused::Unresolved("it has no address".to_owned()).into());
            }
            judged.judge_all(&found)?;
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}
