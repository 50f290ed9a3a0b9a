//! `Idempotency-Key` around a POST.

use std::future::Future;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::{AppError, Caller, IdempotencyScope, Replay, Ticket};
use serde::Serialize;

use crate::error::{ApiError, Code};
use crate::state::Http;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY_CHARS: usize = 255;

/// A POST that may carry an `Idempotency-Key`.
pub(crate) struct Post<'a> {
    pub(crate) http: &'a Http,
    pub(crate) caller: &'a Caller,
    pub(crate) headers: &'a HeaderMap,
    /// The operation's name.
    pub(crate) operation: &'a str,
    /// The ids of the path.
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    /// The answer carries a secret and is never kept.
    pub(crate) secret: bool,
}

impl Post<'_> {
    /// Runs `act` once per key. `allowed` decides, before a replay, whether the caller still may.
    pub(crate) async fn once<T, A, C>(
        self,
        allowed: C,
        act: impl FnOnce(Option<Ticket>) -> A + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
        C: Future<Output = Result<(), AppError>>,
    {
        let Some(key) = key(self.headers)? else {
            return Ok(json(&act(None).await?));
        };
        let (app, caller, secret) = (self.http.app.clone(), self.caller.clone(), self.secret);
        let (operation, path) = (self.operation.to_owned(), self.path.to_owned());
        let (key, body) = (key.to_owned(), self.body.to_vec());
        // In a task, from the claim on: a client that hangs up and asks again must find this attempt's end,
        // not its ruins.
        let task = tokio::spawn(async move {
            let scope = IdempotencyScope { operation: &operation, path: &path, key: &key, body: &body };
            let ticket = match app.claim_idempotency(&caller, scope).await? {
                Ok(ticket) => ticket,
                Err(stored) => return Ok(Answer::Replayed(stored)),
            };
            match act(Some(ticket)).await {
                Ok(value) => {
                    let answer = to_json(&value);
                    let kept = (!secret).then(|| String::from_utf8_lossy(&answer).into_owned());
                    app.complete_idempotency(ticket, 200, kept).await?;
                    Ok(Answer::Fresh(answer))
                }
                Err(error) => {
                    let did_nothing = !matches!(error, AppError::Unavailable(_) | AppError::Internal(_));
                    if let Err(error) = app.release_idempotency(ticket, did_nothing).await {
                        tracing::warn!(error = %error, "an idempotency key stays claimed for a minute");
                    }
                    Err(ApiError::from(error))
                }
            }
        });
        match task.await.map_err(|_| ApiError::new(Code::Internal, Code::Internal.meaning()))?? {
            Answer::Fresh(answer) => Ok(raw(StatusCode::OK, answer)),
            Answer::Replayed(stored) => {
                allowed.await?;
                let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
                Ok(raw(status, stored.answer.into_bytes()))
            }
        }
    }
}

enum Answer {
    Fresh(Vec<u8>),
    Replayed(Replay),
}

fn key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let invalid = || {
        ApiError::invalid(
            "Idempotency-Key",
            format!("Idempotency-Key is one visible text of 1 to {MAX_KEY_CHARS} characters"),
        )
    };
    let text = value.to_str().map_err(|_| invalid())?;
    if values.next().is_some() || text.is_empty() || text.len() > MAX_KEY_CHARS {
        return Err(invalid());
    }
    Ok(Some(text))
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("views serialise: string keys, no failing impls")
}

/// A 200 with a JSON body.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    raw(StatusCode::OK, to_json(value))
}

fn raw(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = (status, Body::from(bytes)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
