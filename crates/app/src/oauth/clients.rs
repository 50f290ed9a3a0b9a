//! Apps as clients, by cache.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::entity::ApiKey;
use hallpass_core::id::AppId;
use hallpass_oauth::OAuthError;
use hallpass_oauth::client::{Client, Credentials, Proof};
use hallpass_token::SecretHash;

use super::OAuthFailure;
use crate::App;
use crate::caller::is_live;
use crate::error::AppError;

impl App {
    /// An app as a client.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn client(&self, id: AppId) -> Result<Option<Arc<Client>>, AppError> {
        if let Some(client) = self.clients.get(&id) {
            return Ok(Some(client));
        }
        let rev = self.authority.rev();
        let mut conn = self.store.read().await?;
        let Some(app) = conn.find_registered_app(id).await? else { return Ok(None) };
        let secret_hash = conn.find_client_secret_hash(id).await?.map(SecretHash);
        drop(conn);
        let client = Arc::new(Client {
            id,
            company: app.company,
            name: app.name,
            client_type: app.client_type,
            secret_hash,
            redirect_uris: app.redirect_uris,
            base_url: app.base_url,
        });
        self.clients.put(id, Arc::clone(&client), rev, [&Change::App(id); 3]);
        Ok(Some(client))
    }

    /// The client that asks, as far as it proved itself.
    ///
    /// # Errors
    /// `invalid_client`; those of the store.
    pub async fn authenticate_client(
        &self,
        credentials: &Credentials,
    ) -> Result<(Arc<Client>, Proof), OAuthFailure> {
        if !self.authority.is_fresh() {
            let stale = "this node cannot tell whether rights are current";
            return Err(OAuthFailure::App(AppError::Unavailable(stale)));
        }
        let client = self.client(credentials.client).await?;
        let proof = credentials.check(client.as_deref())?;
        let client = client.ok_or_else(|| OAuthError::invalid_client("client_id is unknown"))?;
        Ok((client, proof))
    }

    /// The key by which an app speaks for itself: its first that lives.
    pub(crate) async fn key_of_app(&self, app: AppId) -> Result<Option<Arc<ApiKey>>, AppError> {
        let now = self.clock.now();
        if let Some(id) = self.app_keys.get(&app)
            && let Some(key) = self.api_key(id).await?.filter(|key| is_live(key, now))
        {
            return Ok(Some(key));
        }
        let rev = self.authority.rev();
        let Some(id) = self.store.read().await?.find_app_key(app, now).await? else { return Ok(None) };
        self.app_keys.put(app, id, rev, [&Change::Key(id); 3]);
        self.api_key(id).await
    }
}
