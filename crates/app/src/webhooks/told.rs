//! Who is told: asked before a change, acted upon in its transaction.
//!
//! Sending asks a cache, because almost nobody is told. That is exact all the same: a send depends on
//! the entries of the authority log about webhooks, and is decided again if one came in between.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::id::{CompanyId, WebhookId};
use hallpass_core::webhook::EventType;
use hallpass_store::{Happened, Tx};
use jiff::Timestamp;

use super::Subject;
use crate::App;
use crate::error::AppError;

/// Who is told of what happens in a company.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) company: CompanyId,
    parent: Option<CompanyId>,
    /// Whether anybody is told of anything.
    pub(crate) any: bool,
    /// Who is told of new messages.
    pub(crate) of_messages: Vec<WebhookId>,
}

impl Told {
    /// The entries of the log that make this untrue.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Change> {
        [Some(self.company), self.parent].into_iter().flatten().map(Change::Webhooks)
    }
}

impl App {
    /// Who is told of what happens in a company, by cache.
    pub(crate) async fn told(&self, company: CompanyId) -> Result<Arc<Told>, AppError> {
        if let Some(told) = self.hooks.told.get(&company) {
            return Ok(told);
        }
        let rev = self.authority.rev();
        let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let webhooks = self.store.read().await?.list_told_webhooks(&record).await?;
        let wants =
            |events: &[String]| events.iter().any(|name| name == EventType::ChatMessageCreated.name());
        let told = Arc::new(Told {
            company,
            parent: record.parent,
            any: !webhooks.is_empty(),
            of_messages: webhooks.iter().filter(|(_, events)| wants(events)).map(|(id, _)| *id).collect(),
        });
        let (own, itself) = (Change::Webhooks(company), Change::Company(company));
        let parents = record.parent.map_or_else(|| own.clone(), Change::Webhooks);
        self.hooks.told.put(company, Arc::clone(&told), rev, [&own, &parents, &itself]);
        Ok(told)
    }

    /// The outbox, for whatever happens in a company but sending: in the transaction in which it happens,
    /// last of all. [`Dispatcher::wake`](super::Dispatcher::wake) hastens it after the commit.
    pub(crate) async fn tell(
        tx: &mut Tx,
        company: CompanyId,
        event: EventType,
        subject: &Subject,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let what = Happened { event, place: None, subject: Some(subject.to_text()), at };
        tx.tell_webhooks(company, &what).await?;
        Ok(())
    }
}
