//! What the server must remember about itself.

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;

const FIND: &str = "SELECT value FROM server_facts WHERE name = $1";
const INSERT: &str = "INSERT INTO server_facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

pub(crate) const ALL: &[&str] = &[FIND, INSERT];

impl Conn {
    /// A remembered fact.
    pub async fn find_fact(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(FIND).bind(name).fetch_optional(c).await)?)
    }
}

impl Tx {
    /// Remembers a fact unless one of this name is there, and returns the one that is there now.
    pub async fn remember_fact(&mut self, name: &str, value: &str) -> Result<String, StoreError> {
        on!(self.0, c => sqlx::query(INSERT).bind(name).bind(value).execute(c).await.map(drop))?;
        Ok(self.find_fact(name).await?.unwrap_or_else(|| value.to_owned()))
    }
}
