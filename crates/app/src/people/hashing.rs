//! Hashing passwords: on threads of its own, few and of low priority, so that people who sign in never slow
//! down those who are. What is waiting is bounded; beyond that somebody is told to come again.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};

use hallpass_core::Entropy;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use crate::App;
use crate::error::AppError;

/// How passwords are hashed.
#[derive(Clone, Copy, Debug)]
pub struct Hashing {
    /// How many at once. Each takes 19 MiB and a core for some twenty milliseconds.
    pub threads: NonZeroUsize,
    /// How many more may wait.
    pub queue: usize,
    /// What each thread does first: lowers its priority.
    pub on_start: fn(),
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They are started by the first who needs them, and end with the pool.
pub(super) struct HashPool {
    hashing: Hashing,
    jobs: OnceLock<SyncSender<Job>>,
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // Held while waiting: one waits here, the others for the lock.
        let next = jobs.lock().recv();
        let Ok(job) = next else { return };
        // A job that panics drops its answer, and must not take the thread with it.
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
    }
}

impl HashPool {
    pub(super) fn new(hashing: Hashing) -> Self {
        Self { hashing, jobs: OnceLock::new() }
    }

    fn jobs(&self) -> &SyncSender<Job> {
        self.jobs.get_or_init(|| {
            let (sender, jobs) = sync_channel(self.hashing.queue);
            let jobs = Arc::new(Mutex::new(jobs));
            for _ in 0..self.hashing.threads.get() {
                let (jobs, on_start) = (Arc::clone(&jobs), self.hashing.on_start);
                let thread = std::thread::Builder::new().name("hallpass-hash".to_owned());
                let started = thread.spawn(move || {
                    on_start();
                    work(&jobs);
                });
                if let Err(error) = started {
                    tracing::warn!(error = %error, "a thread for hashing passwords did not start");
                }
            }
            sender
        })
    }

    /// Runs `job` on one of the threads.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] if too many wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Who asked may have gone away: nobody waits for the hash any more.
            if !reply.is_closed() {
                drop(reply.send(job()));
            }
        });
        match self.jobs().try_send(job) {
            Ok(()) => answer.await.map_err(|_| AppError::Unavailable("hashing a password did not finish")),
            Err(TrySendError::Full(_)) => {
                metrics::counter!("hallpass_password_hashes_refused_total").increment(1);
                Err(AppError::RateLimited { retry_after_secs: 1 })
            }
            Err(TrySendError::Disconnected(_)) => Err(AppError::Unavailable("no thread hashes passwords")),
        }
    }
}

/// Hashes a password where there is no application yet.
pub(crate) async fn hash_alone(
    password: SecretString,
    entropy: Arc<dyn Entropy>,
) -> Result<String, AppError> {
    tokio::task::spawn_blocking(move || hallpass_token::password::hash(password.expose_secret(), &*entropy))
        .await
        .map_err(|_| AppError::Unavailable("hashing a password did not finish"))
}

impl App {
    /// Hashes a password away from the async threads.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] if too many are being hashed.
    pub(crate) async fn hash_password(&self, password: SecretString) -> Result<String, AppError> {
        let entropy = Arc::clone(&self.entropy);
        let hash = move || hallpass_token::password::hash(password.expose_secret(), &*entropy);
        self.people.pool.run(hash).await
    }

    /// Whether a password is the one of a hash; the same work for no hash.
    pub(super) async fn verify_password(
        &self,
        password: SecretString,
        phc: Option<String>,
    ) -> Result<bool, AppError> {
        let verify = move || match phc {
            Some(phc) => hallpass_token::password::verify(password.expose_secret(), &phc),
            None => hallpass_token::password::verify_absent(password.expose_secret()),
        };
        self.people.pool.run(verify).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize, queue: usize) -> Arc<HashPool> {
        let threads = NonZeroUsize::new(threads).unwrap();
        Arc::new(HashPool::new(Hashing { threads, queue, on_start: || {} }))
    }

    #[tokio::test]
    async fn beyond_the_queue_somebody_is_told_to_come_again() {
        let pool = pool(1, 1);
        let (started, running) = oneshot::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let job = move || {
                    started.send(()).unwrap();
                    finished.recv().unwrap();
                    1
                };
                pool.run(job).await
            }
        });
        running.await.unwrap();
        let mut second = std::pin::pin!(pool.run(|| 2));
        assert!(futures_util::poll!(&mut second).is_pending(), "waits");
        let refused = pool.run(|| 3).await;
        assert!(matches!(refused, Err(AppError::RateLimited { .. })), "{refused:?}");
        finish.send(()).unwrap();
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_no_thread_along() {
        let pool = pool(1, 1);
        let lost = pool.run(|| panic!("as a test")).await;
        assert!(matches!(lost, Err::<(), _>(AppError::Unavailable(_))), "{lost:?}");
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
