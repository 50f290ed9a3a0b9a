//! `Idempotency-Key` around a POST.

use std::future::Future;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hallpass_app::{App, AppError, Caller, IdempotencyScope, Operation, Replay, Ticket};
use serde::Serialize;

use crate::edge::Edge;
use crate::error::{ApiError, Code};
use crate::extract::Authed;
use crate::state::Http;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY_CHARS: usize = 255;

/// A caller's POST, which may carry an `Idempotency-Key`.
pub(crate) struct Post {
    http: Http,
    pub(crate) caller: Caller,
    key: Option<String>,
    operation: Operation,
    path: String,
    secret: bool,
    status: StatusCode,
}

impl FromRequestParts<Http> for Post {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let Authed(caller) = Authed::from_request_parts(parts, http).await?;
        let key = key(&parts.headers)?.map(str::to_owned);
        let operation = Edge::of(parts)?.operation;
        // Only looked at together with a key.
        let path = if key.is_some() { parts.uri.path().to_owned() } else { String::new() };
        Ok(Self { http: http.clone(), caller, key, operation, path, secret: false, status: StatusCode::OK })
    }
}

impl Post {
    /// Its answer carries a secret and is never kept.
    pub(crate) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Its answer is a 201, as the contract has it for a few.
    pub(crate) fn created(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// Runs `act` once per key. `allowed` decides, before a replay, whether the caller still may.
    pub(crate) async fn once<T, A, C>(
        self,
        body: Bytes,
        allowed: impl FnOnce(App, Caller) -> C,
        act: impl FnOnce(App, Caller, Option<Ticket>) -> A + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
        C: Future<Output = Result<(), AppError>>,
    {
        let app = self.http.app.clone();
        match self.key {
            None => Ok(raw(self.status, to_json(&act(app, self.caller, None).await?))),
            // Boxed, because few send one and everybody would carry its future.
            Some(_) => Box::pin(self.keyed(body, allowed, act)).await,
        }
    }

    async fn keyed<T, A, C>(
        self,
        body: Bytes,
        allowed: impl FnOnce(App, Caller) -> C,
        act: impl FnOnce(App, Caller, Option<Ticket>) -> A + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
        C: Future<Output = Result<(), AppError>>,
    {
        let (app, caller, secret) = (self.http.app.clone(), self.caller.clone(), self.secret);
        let status = self.status;
        let keep =
            move |_: &T, answer: &[u8]| (!secret).then(|| String::from_utf8_lossy(answer).into_owned());
        match self.claimed(body, keep, act).await? {
            Answer::Fresh(answer) => Ok(raw(status, answer)),
            Answer::Replayed(stored) => {
                allowed(app, caller).await?;
                Ok(raw(
                    StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK),
                    stored.answer.into_bytes(),
                ))
            }
        }
    }

    /// Runs `act` once per key, for what may be gone when somebody asks again: only the `id` of what it
    /// made is kept, and `find` decides and looks at it anew.
    pub(crate) async fn once_by_id<T, Id, A, F>(
        self,
        body: Bytes,
        id: impl FnOnce(&T) -> Id + Send + 'static,
        find: impl FnOnce(App, Caller, Id) -> F,
        act: impl FnOnce(App, Caller, Option<Ticket>) -> A + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        Id: ToString + FromStr,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
        F: Future<Output = Result<T, AppError>>,
    {
        let (app, caller, status) = (self.http.app.clone(), self.caller.clone(), self.status);
        if self.key.is_none() {
            return Ok(raw(status, to_json(&act(app, caller, None).await?)));
        }
        let keep = |made: &T, _: &[u8]| Some(id(made).to_string());
        match Box::pin(self.claimed(body, keep, act)).await? {
            Answer::Fresh(answer) => Ok(raw(status, answer)),
            Answer::Replayed(stored) => {
                let unreadable = |_| ApiError::new(Code::Internal, Code::Internal.meaning());
                let id = stored.answer.parse().map_err(unreadable)?;
                Ok(raw(status, to_json(&find(app, caller, id).await?)))
            }
        }
    }

    /// Claims the key and, if it is new, runs `act` and keeps what `keep` makes of the answer.
    async fn claimed<T, A>(
        self,
        body: Bytes,
        keep: impl FnOnce(&T, &[u8]) -> Option<String> + Send + 'static,
        act: impl FnOnce(App, Caller, Option<Ticket>) -> A + Send + 'static,
    ) -> Result<Answer, ApiError>
    where
        T: Serialize + Send,
        A: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        // In a task, from the claim on: a client that hangs up and asks again must find this attempt's end,
        // not its ruins.
        let task = tokio::spawn(async move {
            let key = self.key.as_deref().unwrap_or_default();
            let scope = IdempotencyScope { operation: self.operation, path: &self.path, key, body: &body };
            let app = self.http.app;
            let ticket = match app.claim_idempotency(&self.caller, scope).await? {
                Ok(ticket) => ticket,
                Err(stored) => return Ok(Answer::Replayed(stored)),
            };
            match act(app.clone(), self.caller, Some(ticket)).await {
                Ok(value) => {
                    let answer = to_json(&value);
                    let kept = keep(&value, &answer);
                    // Done is done; whoever asks again finds it by its ids.
                    if let Err(error) = app.complete_idempotency(ticket, self.status.as_u16(), kept).await {
                        tracing::warn!(error = %error, "an answer was not kept for its idempotency key");
                    }
                    Ok(Answer::Fresh(answer))
                }
                Err(error) => {
                    let did_nothing = !matches!(error, AppError::Unavailable(_) | AppError::Internal(_));
                    if let Err(error) = app.release_idempotency(ticket, did_nothing).await {
                        tracing::warn!(error = %error, "an idempotency key stays claimed for a minute");
                    }
                    Err(ApiError::from(ticket.explain(error)))
                }
            }
        });
        task.await.map_err(|_| ApiError::new(Code::Internal, Code::Internal.meaning()))?
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
