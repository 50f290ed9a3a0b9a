//! Uploads and downloads in tests, by the addresses that answers give.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use serde_json::{Value, json};

use crate::server::{Actor, Answer, PUBLIC_URL, TestServer};

impl TestServer {
    /// Sends content to an upload's address, as browsers do: with a length, without credentials.
    pub async fn put(&self, upload_url: &str, content: impl Into<Vec<u8>>) -> Answer {
        let content = content.into();
        let request = Request::builder()
            .method(Method::PUT)
            .uri(target(upload_url))
            .header("content-type", "image/x-as-if")
            .header("content-length", content.len());
        self.send(request.body(Body::from(content)).expect("a request")).await
    }

    /// Fetches an address.
    pub async fn fetch(&self, url: &str) -> Answer {
        self.fetch_with(Method::GET, url, &[]).await
    }

    /// Fetches an address with headers.
    pub async fn fetch_with(&self, method: Method, url: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(target(url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }
}

/// The path and query of an address of ours.
fn target(url: &str) -> &str {
    url.strip_prefix(PUBLIC_URL).unwrap_or(url)
}

/// One header as text.
pub fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"))
}

impl Actor<'_> {
    /// Makes a file, not yet sent.
    pub async fn pending_file(&self, filename: &str, visibility: &str) -> Value {
        let body = json!({ "filename": filename, "visibility": visibility });
        self.post("/files", body).await.created()
    }

    /// Makes a file and sends it; as it is retrieved then.
    pub async fn upload_as(&self, filename: &str, visibility: &str, content: impl Into<Vec<u8>>) -> Value {
        let made = self.pending_file(filename, visibility).await;
        let url = made["upload_url"].as_str().expect("an upload URL");
        self.server().put(url, content).await.ok();
        self.get(&format!("/files/{}", made["id"].as_str().expect("an id"))).await.ok()
    }

    /// A public file; its id.
    pub async fn upload(&self, filename: &str, content: impl Into<Vec<u8>>) -> String {
        let file = self.upload_as(filename, "public", content).await;
        assert_eq!(file["upload_status"], "ready", "{file:#}");
        file["id"].as_str().expect("an id").to_owned()
    }
}
