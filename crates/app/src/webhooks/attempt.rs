//! One attempt: rendered, signed, posted, and what came of it.

use hallpass_outbound::Failure;

use super::Live;
use super::payload::Event;
use super::worker::Worker;
use crate::error::AppError;

/// What became of an attempt.
pub(super) enum Outcome {
    Delivered(u16),
    Failed {
        status: Option<u16>,
        why: String,
    },
    /// What it is about is not there any more.
    NothingToTell,
    /// This node is shutting down.
    Stopped,
}

impl Worker<'_> {
    pub(super) async fn attempt(&self, live: &Live, event: Event) -> Result<Outcome, AppError> {
        let id = event.id.to_string();
        let Some(body) = self.app.render_event(&live.webhook, event).await? else {
            return Ok(Outcome::NothingToTell);
        };
        let at = self.app.clock.now();
        let (timestamp, signature) = (at.as_second().to_string(), live.sign(&id, at, &body));
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        let mut stop = self.app.hooks.stop_signal();
        let answer = tokio::select! {
            answer = self.app.hooks.outbound.post_json(&live.url, &headers, body) => answer,
            _ = stop.wait_for(|stopping| *stopping) => return Ok(Outcome::Stopped),
        };
        let (outcome, name) = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                (Outcome::Delivered(answer.status), "delivered")
            }
            Ok(answer) => {
                let why = match answer.status {
                    300..400 => format!("answered {}: redirects are not followed", answer.status),
                    status => format!("answered {status}"),
                };
                (Outcome::Failed { status: Some(answer.status), why }, "failed")
            }
            Err(failure) => {
                let name = if matches!(failure, Failure::Refused(_)) { "refused" } else { "failed" };
                (Outcome::Failed { status: None, why: failure.to_string() }, name)
            }
        };
        metrics::counter!("hallpass_webhook_deliveries_total", "outcome" => name).increment(1);
        Ok(outcome)
    }
}
