//! Group commit with nothing around it: everything that waits while one commit is in flight shares the
//! next. Nobody is answered before the commit is on the disk.

use std::path::Path;
use std::sync::mpsc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, TransactionBehavior};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::rows::{self, Message};

/// As many as one transaction takes.
const BATCH: usize = 4096;

#[derive(Deserialize)]
struct SendBody {
    channel_id: String,
    content: String,
}

struct Send {
    body: SendBody,
    answer: oneshot::Sender<Message>,
}

pub(crate) fn router(path: &Path, schema: &Path) -> Result<Router> {
    let db = rows::open(path, schema)?;
    let (queue, sends) = mpsc::channel();
    std::thread::Builder::new().name("writer".into()).spawn(move || {
        if let Err(error) = write(db, &sends) {
            // Whoever waits sees its answer dropped, which is a 500.
            eprintln!("the writer gave up: {error:#}");
        }
    })?;
    Ok(Router::new().route("/messages", post(send)).with_state(queue))
}

async fn send(
    State(queue): State<mpsc::Sender<Send>>,
    Json(body): Json<SendBody>,
) -> Result<Json<Message>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    queue.send(Send { body, answer }).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    answered.await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn write(mut db: Connection, sends: &mpsc::Receiver<Send>) -> Result<()> {
    let mut position = rows::last_position(&db)?;
    let mut done = Vec::with_capacity(BATCH);
    while let Ok(first) = sends.recv() {
        let at = now_millis()?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = tx.prepare_cached(rows::INSERT)?;
        for send in std::iter::once(first).chain(sends.try_iter()).take(BATCH) {
            position += 1;
            let message = Message::new(send.body.channel_id, send.body.content, position, at);
            message.insert(&mut insert).context("cannot insert")?;
            done.push((send.answer, message));
        }
        drop(insert);
        tx.commit()?;
        for (answer, message) in done.drain(..) {
            // A client that went away does not want its answer.
            let _ = answer.send(message);
        }
    }
    Ok(())
}

fn now_millis() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}
