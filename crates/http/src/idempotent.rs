//! `Idempotency-Key` around a POST.

use std::future::Future;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::{AppError, Caller, IdempotencyScope, Ticket};
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
        act: impl FnOnce(Option<Ticket>) -> A,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
        C: Future<Output = Result<(), AppError>>,
    {
        let Some(key) = key(self.headers)? else {
            return Ok(json(&act(None).await?));
        };
        let scope = IdempotencyScope { operation: self.operation, path: self.path, key, body: self.body };
        let ticket = match self.http.app.claim_idempotency(self.caller, scope).await? {
            Ok(ticket) => ticket,
            Err(stored) => {
                allowed.await?;
                let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
                return Ok(raw(status, stored.answer.into_bytes()));
            }
        };
        // In a task: a client that hangs up and asks again must find this attempt's end, not its ruins.
        let (app, secret, work) = (self.http.app.clone(), self.secret, act(Some(ticket)));
        let task = tokio::spawn(async move {
            match work.await {
                Ok(value) => {
                    let answer = to_json(&value);
                    let kept = (!secret).then(|| String::from_utf8_lossy(&answer).into_owned());
                    app.complete_idempotency(ticket, 200, kept).await?;
                    Ok(answer)
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
        let answer = task.await.map_err(|_| ApiError::new(Code::Internal, Code::Internal.meaning()))??;
        Ok(raw(StatusCode::OK, answer))
    }
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
