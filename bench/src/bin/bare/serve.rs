//! One current-thread runtime, one listener, one ready line.

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt as _;
use serde::Serialize;

/// The ready line, of the same shape as that of `hallpass dev`.
#[derive(Serialize)]
struct Ready<'a> {
    event: &'static str,
    url: String,
    api_key: Option<&'a str>,
}

pub(crate) fn serve(router: Router, api_key: Option<&str>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let ready = Ready { event: "ready", url: format!("http://{}", listener.local_addr()?), api_key };
        println!("{}", serde_json::to_string(&ready)?);
        let listener = listener.tap_io(|stream| {
            // A socket that is gone already will say so when it is read.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}
