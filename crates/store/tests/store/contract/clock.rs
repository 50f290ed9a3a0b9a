use std::time::Duration;

use hallpass_core::Clock;
use jiff::{SignedDuration, Timestamp};

use crate::fixtures::*;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        at(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_server_has_a_clock_of_its_own_and_a_file_has_none() {
    assert_eq!(Db::sqlite().await.database.clock_lead(&Stopped).await.unwrap(), None);
    let lead = Db::postgres().await.database.clock_lead(&Stopped).await.unwrap().unwrap();
    assert!(lead > SignedDuration::from_hours(24), "{lead}");
}
