//! Holding the disk up, so that what comes meanwhile is decided but not written.

use std::sync::Arc;

use hallpass_core::channel::ChannelId;
use hallpass_store::{HeadBump, StoreError};
use hallpass_testkit::TestServer;
use tokio::sync::Semaphore;

/// A write that stays open: on SQLite nobody else writes meanwhile, on PostgreSQL nobody gets a place
/// in the channels it holds.
pub(crate) struct Gate {
    open: Arc<Semaphore>,
    held: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Gate {
    pub(crate) async fn close(server: &TestServer, channels: &[&str]) -> Self {
        let (entered, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let bumps: Vec<HeadBump> = channels
            .iter()
            .map(|id| HeadBump { channel: id.parse::<ChannelId>().unwrap(), messages: 0 })
            .collect();
        let data = (bumps, entered.clone(), open.clone());
        let store = server.app.store().clone();
        let held = tokio::spawn(async move {
            store
                .write(data, |(bumps, entered, open), tx| {
                    Box::pin(async move {
                        tx.bump_heads(bumps).await?;
                        entered.add_permits(1);
                        drop(open.acquire().await);
                        Ok(())
                    })
                })
                .await
        });
        drop(entered.acquire().await.unwrap());
        Self { open, held }
    }

    pub(crate) async fn open(self) {
        self.open.add_permits(1);
        self.held.await.unwrap().unwrap();
    }
}

/// Gives what was begun the time to reach the disk's queue: as long as many reads take. Tests must hold
/// however far it got; this makes the interesting order the likely one.
pub(crate) async fn others_get_on(server: &TestServer) {
    for _ in 0..30 {
        server.app.store().read().await.unwrap().authority_head().await.unwrap();
        tokio::task::yield_now().await;
    }
}
