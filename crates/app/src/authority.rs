//! What this node knows of the authority log, and how fresh that is.
//!
//! 1. A task reads the log at least every 200 ms; a write of this node, or an announcement, hastens it.
//! 2. Applying an entry first makes stale what was cached about its subject, then remembers a kill,
//!    then advances [`Authority::rev`]. Who reads `rev` and then the store sees at least that much.
//! 3. A cached thing carries the `rev` read *before* it was loaded and the stripes of its subjects; it
//!    is good while no stripe has moved past it. Stripes are shared by hash: a collision costs a
//!    reload, never a wrong answer.
//! 4. Kills are exact: a token carries the `rev` of its issuing, and dies by a later kill of one of
//!    its subjects.
//! 5. What is pruned is forgotten together with its number: a token from before it is dead, whatever
//!    the clocks say.
//! 6. Each read begins with the newest entry that was applied. If it is not there as it was, the log was
//!    pruned past this node, or it is another log: a backup, or a replica that lacked the end of it.
//!    Then everything is read anew, and a [leap](Change::Leap) makes what comes newer than anything before.
//! 7. A node that has not read the log for a second answers nobody ([`Authority::is_fresh`]).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ahash::AHashMap;
use hallpass_core::Clock;
use hallpass_core::authority::{Change, Entry};
use hallpass_store::{Conn, Store, StoreError};
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

/// How often the log is read when nothing hastens it.
pub const READ_EVERY: Duration = Duration::from_millis(200);
/// How long this node answers without having read the log.
pub const STALE_AFTER: Duration = Duration::from_secs(1);

const STRIPES: usize = 1 << 14;

/// The node's view of the log.
pub struct Authority {
    store: Store,
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    applied: AtomicU64,
    announced: watch::Sender<u64>,
    read_at_nanos: AtomicU64,
    stripes: Box<[AtomicU64]>,
    kills: RwLock<AHashMap<Change, u64>>,
    /// Tokens with a smaller `rev` may have been killed by what was pruned.
    floor: AtomicU64,
    keys_rev: AtomicU64,
    hasten: Notify,
    reader: tokio::sync::Mutex<Reader>,
    /// How many reads of the log were begun.
    reads: AtomicU64,
}

#[derive(Default)]
struct Reader {
    /// Held for good, so that a crowded pool cannot make this node stale.
    conn: Option<Conn>,
    /// The newest entry applied.
    last: Option<Entry>,
    /// Whether the last read failed.
    failed: bool,
}

/// Which stripes a cached thing depends on.
#[derive(Clone, Copy, Debug)]
pub struct Stripes([u16; 3]);

impl Authority {
    /// Reads the log for the first time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(store: Store, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let authority = Arc::new(Self {
            store,
            clock,
            hasher: RandomState::new(),
            applied: AtomicU64::new(0),
            announced: watch::Sender::new(0),
            read_at_nanos: AtomicU64::new(0),
            stripes: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            kills: RwLock::default(),
            floor: AtomicU64::new(0),
            keys_rev: AtomicU64::new(0),
            hasten: Notify::new(),
            reader: tokio::sync::Mutex::default(),
            reads: AtomicU64::new(0),
        });
        let mut conn = authority.store.read().await?;
        let last = authority.start_over(&mut conn).await?;
        *authority.reader.lock().await = Reader { conn: Some(conn), last, failed: false };
        Ok(authority)
    }

    /// Reads the log until this node shuts down.
    pub async fn run(self: Arc<Self>) {
        loop {
            if let Err(error) = self.refresh().await {
                tracing::warn!(error = %error, "cannot read the authority log");
            }
            tokio::select! {
                () = tokio::time::sleep(READ_EVERY) => {}
                () = self.hasten.notified() => {}
            }
        }
    }

    /// The newest number applied here. Read it before deciding.
    pub fn rev(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The number of the newest change of signing keys.
    pub fn keys_rev(&self) -> u64 {
        self.keys_rev.load(Ordering::Acquire)
    }

    /// Whether the log was read within the last second.
    pub fn is_fresh(&self) -> bool {
        let read_at = Duration::from_nanos(self.read_at_nanos.load(Ordering::Relaxed));
        self.clock.monotonic().saturating_sub(read_at) < STALE_AFTER
    }

    /// How far along the log this node is, for the metric.
    pub fn age(&self) -> Duration {
        let read_at = Duration::from_nanos(self.read_at_nanos.load(Ordering::Relaxed));
        self.clock.monotonic().saturating_sub(read_at)
    }

    /// Makes the task read the log now.
    pub fn hasten(&self) {
        self.hasten.notify_one();
    }

    /// Reads the log until `n` is applied: what this node wrote holds here before it is acknowledged.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn apply_up_to(&self, n: u64) -> Result<(), StoreError> {
        while self.rev() < n {
            self.refresh().await?;
        }
        Ok(())
    }

    /// The stripes of up to three subjects.
    pub fn stripes(&self, subjects: [&Change; 3]) -> Stripes {
        Stripes(subjects.map(|subject| self.stripe(subject)))
    }

    fn stripe(&self, subject: &Change) -> u16 {
        let hash = self.hasher.hash_one(subject);
        u16::try_from(hash % STRIPES as u64).expect("2^14 stripes fit 16 bits")
    }

    /// Whether something loaded at `rev` is still what the log says.
    pub fn holds(&self, rev: u64, stripes: Stripes) -> bool {
        stripes.0.iter().all(|stripe| self.stripes[usize::from(*stripe)].load(Ordering::Acquire) <= rev)
    }

    /// Whether a token issued at `rev` was killed through one of its subjects.
    pub fn killed<'s>(&self, rev: u64, subjects: impl IntoIterator<Item = &'s Change>) -> bool {
        let kills = self.kills.read();
        if rev < self.floor.load(Ordering::Acquire) {
            return true;
        }
        !kills.is_empty() && subjects.into_iter().any(|subject| kills.get(subject).is_some_and(|n| *n > rev))
    }

    /// Whether an entry that is still kept kills this subject, whenever that was.
    pub fn kills(&self, subject: &Change) -> bool {
        self.kills.read().contains_key(subject)
    }

    /// Becomes ready when a number past `rev` is applied.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.announced.subscribe()
    }

    /// Gives back the connection that is held for reading, so that the database can be closed.
    pub async fn release(&self) {
        self.reader.lock().await.conn = None;
    }

    /// Reads and applies what is new. However many ask at once, two reads answer them: the one under way
    /// may have begun too early, the next one has not.
    ///
    /// # Errors
    /// Those of the store; the view then ages until it is no longer [fresh](Self::is_fresh).
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let asked = self.reads.load(Ordering::Acquire);
        let mut reader = self.reader.lock().await;
        if self.reads.load(Ordering::Acquire) > asked && !reader.failed {
            return Ok(());
        }
        self.reads.fetch_add(1, Ordering::AcqRel);
        // Until it has succeeded; whoever gives up in the middle leaves it so.
        reader.failed = true;
        let read = self.read_log(&mut reader).await;
        if read.is_ok() {
            reader.failed = false;
        } else {
            reader.conn = None;
        }
        read
    }

    async fn read_log(&self, reader: &mut Reader) -> Result<(), StoreError> {
        let started = self.clock.monotonic();
        let conn = match &mut reader.conn {
            Some(conn) => conn,
            none => none.insert(self.store.read().await?),
        };
        loop {
            let rev = self.rev();
            let entries = match conn.list_authority_since(rev.saturating_sub(1)).await {
                Ok(entries) => entries,
                // An entry of a kind this version does not know: trust nothing from before it.
                Err(StoreError::Corrupt { .. }) => {
                    reader.last = self.start_over(conn).await?;
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let new = match (entries.split_first(), &reader.last) {
                (_, None) => &entries[..],
                (Some((first, new)), Some(last)) if first == last => new,
                _ => {
                    if conn.authority_head().await?.pruned < rev {
                        tracing::error!(rev, "the authority log is not the one that was read before");
                        self.leap(rev).await?;
                    }
                    reader.last = self.start_over(conn).await?;
                    return Ok(());
                }
            };
            for entry in new {
                self.apply(entry);
            }
            if let Some(newest) = new.last() {
                reader.last = Some(newest.clone());
            }
            if entries.len() < hallpass_store::AUTHORITY_PAGE {
                break;
            }
        }
        self.read_at_nanos.store(nanos(started), Ordering::Relaxed);
        Ok(())
    }

    async fn leap(&self, beyond: u64) -> Result<(), StoreError> {
        let at = self.clock.now();
        let n = leap_to(at).max(beyond + 1);
        self.store.write((n, at), |(n, at), tx| Box::pin(tx.leap_authority(*n, *at))).await?;
        Ok(())
    }

    fn apply(&self, entry: &Entry) {
        // A company's change touches what hangs on any of its parts; those carry its stripe too.
        self.stripes[usize::from(self.stripe(&entry.change))].fetch_max(entry.n, Ordering::AcqRel);
        if matches!(entry.change, Change::SigningKey(_)) {
            self.keys_rev.store(entry.n, Ordering::Release);
        }
        if entry.kills {
            self.kills.write().insert(entry.change.clone(), entry.n);
        }
        self.applied.store(entry.n, Ordering::Release);
        self.announced.send_replace(entry.n);
    }

    /// Forgets everything and begins at the head of the log; its newest entry.
    async fn start_over(&self, conn: &mut Conn) -> Result<Option<Entry>, StoreError> {
        let started = self.clock.monotonic();
        let head = conn.authority_head().await?;
        let last = conn.list_authority_since(head.n.saturating_sub(1)).await?.into_iter().next();
        let kills = conn.list_authority_kills().await?;
        for stripe in &self.stripes {
            stripe.fetch_max(head.n, Ordering::AcqRel);
        }
        {
            let mut known = self.kills.write();
            known.clear();
            // Ascending, so that the newest kill of a subject stays.
            known.extend(kills.into_iter().map(|entry| (entry.change, entry.n)));
        }
        self.floor.fetch_max(head.pruned, Ordering::AcqRel);
        self.keys_rev.store(head.n, Ordering::Release);
        self.applied.store(head.n, Ordering::Release);
        self.announced.send_replace(head.n);
        self.read_at_nanos.store(nanos(started), Ordering::Relaxed);
        Ok(last)
    }

    /// Forgets kills up to `n`, which were pruned: all older tokens are dead.
    pub fn forget_kills(&self, up_to: u64) {
        let mut kills = self.kills.write();
        self.floor.fetch_max(up_to, Ordering::AcqRel);
        kills.retain(|_, n| *n > up_to);
    }
}

/// Where a server that starts leaps to: past every number that an earlier state of this database, since
/// replaced by a backup, can have given out, unless it wrote a thousand entries a second.
pub(crate) fn leap_to(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
