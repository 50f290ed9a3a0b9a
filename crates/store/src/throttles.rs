//! How often something may be tried, and the devices that a person has signed in on. In the store, so that
//! all nodes count together and restarts forget nothing.
//!
//! A throttle is one number (the generic cell rate algorithm): until when what was tried uses up the rate.
//! Each try moves it on by the interval; one that would move it further ahead of now than the burst allows is
//! refused and moves nothing.

use hallpass_core::id::PersonId;
use jiff::{SignedDuration, Timestamp};

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;

const TAKE: &str = "INSERT INTO throttles (id, until_at) VALUES ($1, $3)
     ON CONFLICT (id) DO UPDATE SET until_at =
         CASE WHEN throttles.until_at > $2 THEN throttles.until_at + $4 ELSE $3 END
     WHERE throttles.until_at <= $5
     RETURNING until_at";
const FIND: &str = "SELECT until_at FROM throttles WHERE id = $1";
const GIVE_BACK: &str = "UPDATE throttles SET until_at = until_at - $2 WHERE id = $1";
const PRUNE: &str = "DELETE FROM throttles WHERE until_at <= $1";
const KNOW: &str = "INSERT INTO known_devices (device, person_id, expires_at) VALUES ($1, $2, $3)";
const IS_KNOWN: &str = "SELECT 1 FROM known_devices WHERE device = $1 AND person_id = $2 AND expires_at > $3";
const FORGET: &str = "DELETE FROM known_devices WHERE person_id = $1";
const PRUNE_DEVICES: &str = "DELETE FROM known_devices WHERE expires_at <= $1";

pub(crate) const ALL: &[&str] = &[TAKE, FIND, GIVE_BACK, PRUNE, KNOW, IS_KNOWN, FORGET, PRUNE_DEVICES];

/// How often something may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// One try in this time, in the long run.
    pub interval: SignedDuration,
    /// So many at once.
    pub burst: u32,
}

impl Rate {
    fn millis(self) -> i64 {
        i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Conn {
    /// Whether a device is one that the person has signed in on.
    pub async fn is_device_known(
        &mut self,
        device: [u8; 32],
        person: PersonId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let known: Option<i32> = on!(self, c => sqlx::query_scalar(IS_KNOWN)
            .bind(device.to_vec()).bind(person.to_string()).bind(now.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(known.is_some())
    }
}

impl Tx {
    /// Counts a try. None if it is allowed, else how long until one is.
    pub async fn take_throttle(
        &mut self,
        id: [u8; 32],
        rate: Rate,
        now: Timestamp,
    ) -> Result<Option<SignedDuration>, StoreError> {
        let (now, interval) = (now.as_millisecond(), rate.millis());
        let latest = now + interval * i64::from(rate.burst.saturating_sub(1));
        let taken: Option<i64> = on!(self.0, c => sqlx::query_scalar(TAKE)
            .bind(id.to_vec()).bind(now).bind(now + interval).bind(interval).bind(latest)
            .fetch_optional(c).await)?;
        if taken.is_some() {
            return Ok(None);
        }
        let until: Option<i64> =
            on!(self.0, c => sqlx::query_scalar(FIND).bind(id.to_vec()).fetch_optional(c).await)?;
        Ok(Some(SignedDuration::from_millis((until.unwrap_or(now) - latest).max(1))))
    }

    /// Takes back a try that turned out well.
    pub async fn give_back_throttle(&mut self, id: [u8; 32], rate: Rate) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(GIVE_BACK)
            .bind(id.to_vec()).bind(rate.millis()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets throttles that hold nobody back.
    pub async fn prune_throttles(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(now.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Remembers that a person has signed in on a device.
    pub async fn insert_known_device(
        &mut self,
        device: [u8; 32],
        person: PersonId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(KNOW)
            .bind(device.to_vec()).bind(person.to_string()).bind(expires_at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets every device of a person.
    pub async fn forget_devices(&mut self, person: PersonId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(FORGET).bind(person.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets devices whose cookies are over.
    pub async fn prune_known_devices(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE_DEVICES).bind(now.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
