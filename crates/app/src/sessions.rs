//! Sessions: who is signed in on which browser or device.
//!
//! A session has a secret, in a cookie, and an id, the `sid` of tokens. Proving oneself again gives the
//! same session a new secret, so that whoever planted or saw the old one has nothing. Ending a session
//! ends what apps were given in it; that one merely ran out does not.

use std::net::IpAddr;

use hallpass_core::authority::Change;
use hallpass_core::id::{PersonId, SessionId};
use hallpass_core::session::Session;
use hallpass_store::Tx;
use hallpass_token::{KeyRealm, KeySecret};
use jiff::{SignedDuration, Timestamp};

use crate::App;
use crate::error::AppError;
use crate::people::{Proof, sign_in_failed};

/// The most sessions of a person that are listed.
const MAX_LISTED: i64 = 100;
/// The longest name of a browser that is kept, in characters.
const MAX_USER_AGENT_CHARS: usize = 200;

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Unless they are used.
    pub idle: SignedDuration,
    /// In any case.
    pub longest: SignedDuration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(14 * 24), longest: SignedDuration::from_hours(90 * 24) }
    }
}

/// What somebody signs in with, as their list of devices shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What the browser calls itself.
    pub user_agent: String,
    /// From where.
    pub address: IpAddr,
}

/// A session just begun or renewed, with the only copy of its secret.
pub struct NewSession {
    /// For the cookie.
    pub secret: KeySecret,
    /// The session.
    pub session: Session,
}

impl App {
    /// Signs a person in. If `current` is a session of theirs, it goes on under a new secret; anybody
    /// else's is left alone.
    ///
    /// # Errors
    /// `sign_in_failed` if the person's sessions were ended after the proof; those of the store.
    pub async fn begin_session(
        &self,
        person: PersonId,
        proof: Proof,
        device: Device,
        current: Option<SessionId>,
    ) -> Result<NewSession, AppError> {
        let now = self.clock.now();
        let secret = KeySecret::generate(KeyRealm::Session, &*self.entropy);
        let fresh = SessionId::generate(now, &*self.entropy);
        let session = Session {
            id: fresh,
            person,
            auth_time: now,
            amr: proof.amr,
            user_agent: shortened(&device.user_agent),
            address: device.address.to_string(),
            created_at: now,
            last_seen_at: now,
            idle_expires_at: now + self.oauth.policy.sessions.idle,
            expires_at: now + self.oauth.policy.sessions.longest,
        };
        let hash = secret.hash().0;
        let session = self
            .store
            .write((session, hash, current, proof.epoch), |(session, hash, current, epoch), tx| {
                Box::pin(async move {
                    if !tx.hold_person_in(session.person, *epoch, session.created_at).await? {
                        return Err(sign_in_failed());
                    }
                    if let Some(current) = current {
                        let again = Session { id: *current, ..session.clone() };
                        if let Some(created_at) = tx.renew_session(&again, hash).await? {
                            return Ok(Session { created_at, ..again });
                        }
                    }
                    tx.insert_session(session, hash).await?;
                    Ok::<_, AppError>(session.clone())
                })
            })
            .await?;
        Ok(NewSession { secret, session })
    }

    /// The session of a cookie, if it lives. Anything odd is no session.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if this node cannot tell whether rights are current; those of the store.
    pub async fn find_session(&self, cookie: &str) -> Result<Option<Session>, AppError> {
        if !self.authority.is_fresh() {
            return Err(AppError::Unavailable("this node cannot tell whether rights are current"));
        }
        let Some(parsed) = KeySecret::parse(cookie).ok().filter(|parsed| parsed.realm == KeyRealm::Session)
        else {
            return Ok(None);
        };
        let now = self.clock.now();
        let found = self.store.read().await?.find_session_by_hash(&parsed.hash.0, now).await?;
        let Some(session) = found else { return Ok(None) };
        // Whoever was deactivated is signed in nowhere, whenever the session began.
        let active = self.who_would_enter(session.person, None).await?.is_some();
        Ok(active.then_some(session))
    }

    /// Notes that a session was used, at most once a minute; written behind.
    pub fn note_session(&self, session: &Session, address: IpAddr) {
        let now = self.clock.now();
        if now.duration_since(session.last_seen_at) >= SignedDuration::from_mins(1) {
            self.used_sessions.lock().insert(session.id, (now, address));
        }
    }

    /// A person's sessions, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_sessions(&self, person: PersonId) -> Result<Vec<Session>, AppError> {
        Ok(self.store.read().await?.list_sessions(person, self.clock.now(), MAX_LISTED).await?)
    }

    /// Ends a session of a person, and what apps were given in it; `false` if there was none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_session(&self, person: PersonId, session: SessionId) -> Result<bool, AppError> {
        let at = self.clock.now();
        let n = self
            .store
            .write((person, session, at), |(person, session, at), tx| {
                Box::pin(async move {
                    if !tx.end_session(*session, *person, *at).await? {
                        return Ok(None);
                    }
                    close(tx, *session, *at).await.map(Some)
                })
            })
            .await?;
        if let Some(n) = n {
            self.settle(n).await?;
        }
        Ok(n.is_some())
    }

    /// Ends all sessions of a person but one, and what apps were given in them; how many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_other_sessions(
        &self,
        person: PersonId,
        kept: Option<SessionId>,
    ) -> Result<usize, AppError> {
        let at = self.clock.now();
        let (ended, n) = self
            .store
            .write((person, kept, at), |(person, kept, at), tx| {
                Box::pin(async move { end_others(tx, *person, *kept, *at).await })
            })
            .await?;
        self.settle(n).await?;
        Ok(ended)
    }

    /// Writes what was noted of sessions in use.
    pub(crate) async fn write_used_sessions(&self) -> Result<(), AppError> {
        let used = std::mem::take(&mut *self.used_sessions.lock());
        let idle = self.oauth.policy.sessions.idle;
        self.store
            .write((used, idle), |(used, idle), tx| {
                Box::pin(async move {
                    for (session, (at, address)) in used {
                        tx.touch_session(*session, *at, *at + *idle, &address.to_string()).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Ends all sessions of a person but one inside `tx`: how many, and the last entry of the log (0: none).
pub(crate) async fn end_others(
    tx: &mut Tx,
    person: PersonId,
    kept: Option<SessionId>,
    at: Timestamp,
) -> Result<(usize, u64), AppError> {
    // First, so that whoever is about to begin a session waits for this row and finds it moved.
    tx.move_sessions_epoch(person).await?;
    let ended = tx.end_other_sessions(person, kept, at).await?;
    let mut n = 0;
    for session in &ended {
        n = close(tx, *session, at).await?;
    }
    Ok((ended.len(), n))
}

async fn close(tx: &mut Tx, session: SessionId, at: Timestamp) -> Result<u64, AppError> {
    tx.revoke_grants_of_session(session, at).await?;
    App::note(tx, &[(Change::Session(session.to_string()), true)], at).await
}

/// What a browser calls itself, without what no list should show.
fn shortened(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect()
}
