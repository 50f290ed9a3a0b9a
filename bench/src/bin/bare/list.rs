//! Reading a page with nothing around it: one prepared statement over the index.

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::Connection;
use serde::Serialize;

use crate::rows::{self, CHANNEL, Message};

const PAGE: usize = 50;

#[derive(Serialize)]
struct PageView {
    data: Vec<Message>,
    has_next_page: bool,
}

pub(crate) fn router(path: &Path, schema: &Path, count: u64) -> Result<Router> {
    let db = filled(path, schema, count)?;
    Ok(Router::new().route("/messages", get(list)).with_state(Arc::new(Mutex::new(db))))
}

async fn list(State(db): State<Arc<Mutex<Connection>>>) -> Result<Json<PageView>, StatusCode> {
    let db = db.lock().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut data = select(&db).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let has_next_page = data.len() > PAGE;
    data.truncate(PAGE);
    Ok(Json(PageView { data, has_next_page }))
}

/// Prints the median of the statement's time in microseconds.
pub(crate) fn time_sql(path: &Path, schema: &Path, count: u64, measure_secs: f64) -> Result<()> {
    let db = filled(path, schema, count)?;
    let measure = Duration::from_secs_f64(measure_secs);
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < measure {
        let started = Instant::now();
        let page = black_box(select(&db)?);
        took.push(started.elapsed().as_nanos());
        ensure!(page.len() == PAGE + 1, "the page has {} rows", page.len());
    }
    took.sort_unstable();
    let nanos = u32::try_from(took[took.len() / 2])?;
    println!("{}", serde_json::json!({ "median_us": f64::from(nanos) / 1e3, "runs": took.len() }));
    Ok(())
}

fn select(db: &Connection) -> rusqlite::Result<Vec<Message>> {
    db.prepare_cached(rows::SELECT)?.query_map([CHANNEL], Message::from_row)?.collect()
}

/// Opens the file and brings its channel to `count` messages.
fn filled(path: &Path, schema: &Path, count: u64) -> Result<Connection> {
    let mut db = rows::open(path, schema)?;
    let have = rows::last_position(&db)?;
    let tx = db.transaction()?;
    let mut insert = tx.prepare_cached(rows::INSERT)?;
    for position in have + 1..=i64::try_from(count)? {
        let content = format!("Message {position} of a channel that has seen a great deal of them by now.");
        Message::new(CHANNEL.to_owned(), content, position, 1_790_000_000_000 + position)
            .insert(&mut insert)?;
    }
    drop(insert);
    tx.commit()?;
    Ok(db)
}
