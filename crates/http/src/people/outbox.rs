//! `/dev/outbox`: what `hallpass dev` would have sent. Elsewhere there is no such page.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::AppError;
use hallpass_pages::{Outbox, OutboxLetter, letters};

use super::visit::Visit;
use crate::state::Http;

const MOST: i64 = 50;

/// `GET /dev/outbox`
pub(crate) async fn show(State(http): State<Http>, visit: Visit) -> Response {
    if http.policy.dev.is_none() {
        return visit.fail(AppError::NotFound("page"));
    }
    let mails = match http.app.list_mails(MOST).await {
        Ok(mails) => mails,
        Err(error) => return visit.fail(error),
    };
    let (url, site) = (http.app.public_url(), http.site());
    let written: Vec<_> =
        mails.iter().map(|mail| letters::write(&mail.letter, mail.locale, url, site)).collect();
    let letters = mails.iter().zip(&written).map(|(mail, written)| OutboxLetter {
        to: &mail.to,
        at: mail.at,
        subject: &written.subject,
        text: &written.text,
    });
    visit.page(&Outbox { letters: letters.collect() })
}
