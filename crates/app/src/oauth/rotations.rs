//! Rotations of refresh tokens, on their way to the disk together.
//!
//! On SQLite all that wait while a commit is in flight share the next transaction, by direct calls: a
//! rotation is one compare-and-set by key, so a batch costs little more than its commit. What was not
//! rotated changed nothing, and is judged by itself. On PostgreSQL, which has many writers, each is a
//! transaction of its own.

use hallpass_store::{Rotation, Store, StoreError};
use tokio::sync::{mpsc, oneshot};

/// The most in one transaction.
const MAX_BATCH: usize = 512;
/// The most that wait; further ones are told to come back.
const MAX_WAITING: usize = 8192;

type Reply = oneshot::Sender<Result<bool, StoreError>>;

/// Where rotations wait; none where each goes by itself.
pub(crate) struct Rotations(Option<mpsc::Sender<(Rotation, Reply)>>);

impl Rotations {
    pub(crate) fn start(store: &Store) -> Self {
        if store.is_shared() {
            return Self(None);
        }
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(serve(store.clone(), waiting));
        Self(Some(sender))
    }

    /// Rotates a token that is in force; `false` if it is not. On disk when it returns.
    pub(crate) async fn rotate(&self, store: &Store, rotation: Rotation) -> Result<bool, StoreError> {
        let Some(lane) = &self.0 else {
            return store
                .write(rotation, |rotation, tx| {
                    Box::pin(async move { tx.rotate_refresh_token(rotation).await })
                })
                .await;
        };
        let (reply, answer) = oneshot::channel();
        lane.try_send((rotation, reply)).map_err(|_| StoreError::Unavailable(None))?;
        answer.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }
}

async fn serve(store: Store, mut waiting: mpsc::Receiver<(Rotation, Reply)>) {
    let mut arrived = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut arrived, MAX_BATCH).await > 0 {
        let (batch, replies): (Vec<Rotation>, Vec<Reply>) = arrived.drain(..).unzip();
        for (reply, rotated) in replies.into_iter().zip(run(&store, batch).await) {
            // A client that went away gets the same successor when it asks again.
            let _gone = reply.send(rotated);
        }
    }
}

/// Writes a batch; one answer each, in order.
async fn run(store: &Store, batch: Vec<Rotation>) -> Vec<Result<bool, StoreError>> {
    match write(store, batch.clone()).await {
        Ok(rotated) => rotated.into_iter().map(Ok).collect(),
        // A batch that failed as a whole changed nothing: each alone, so that one cannot hurt the others. Of an
        // unknown outcome each is told; asking again finds out.
        Err(StoreError::Unknown(source)) => {
            tracing::warn!(error = ?source, "a batch of rotations has an unknown outcome");
            batch.iter().map(|_| Err(StoreError::Unavailable(None))).collect()
        }
        Err(StoreError::Unavailable(source)) => {
            tracing::warn!(error = ?source, "a batch of rotations was not written");
            batch.iter().map(|_| Err(StoreError::Unavailable(None))).collect()
        }
        Err(error) if batch.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::warn!(error = %error, rotations = batch.len(), "a batch is run one by one");
            let mut answers = Vec::with_capacity(batch.len());
            for rotation in batch {
                answers.push(write(store, vec![rotation]).await.map(|rotated| rotated == [true]));
            }
            answers
        }
    }
}

async fn write(store: &Store, batch: Vec<Rotation>) -> Result<Vec<bool>, StoreError> {
    store
        .append(batch, |batch, mut tx| {
            Box::pin(async move {
                let mut rotated = Vec::with_capacity(batch.len());
                for rotation in batch {
                    rotated.push(tx.rotate_refresh_token(rotation).await?);
                }
                Ok(rotated)
            })
        })
        .await
}
