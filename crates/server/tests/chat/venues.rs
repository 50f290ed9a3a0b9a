//! Direct messages and support chats, made behind the API's back.

use hallpass_core::entity::{FeedSeat, FeedStatus};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, UserId, ulid};
use hallpass_store::NewFeed;
use hallpass_testkit::TestServer;

async fn feed(
    server: &TestServer,
    company: CompanyId,
    customer: Option<UserId>,
    seats: Vec<UserId>,
) -> String {
    let app = &server.app;
    let at = app.clock().now();
    let id = FeedId::generate(at, app.entropy());
    let new =
        NewFeed { id, company, identity: id.to_string(), customer, custom_name: None, key_holder: None };
    let seats: Vec<(FeedMemberId, UserId)> =
        seats.into_iter().map(|user| (FeedMemberId::from_bits(ulid(at, app.entropy())), user)).collect();
    app.store()
        .write((new, seats), move |(new, seats), tx| {
            Box::pin(async move {
                tx.insert_feed(new, at).await?;
                for (n, (seat, user)) in seats.iter().enumerate() {
                    let place = FeedSeat { user: *user, admin: n == 0 };
                    tx.insert_feed_member((new.id, new.company), *seat, place, FeedStatus::Accepted, at)
                        .await?;
                }
                Ok::<_, hallpass_store::StoreError>(())
            })
        })
        .await
        .unwrap();
    id.to_string()
}

/// A direct message between users, the first of whom is its admin.
pub(crate) async fn direct_message(server: &TestServer, company: CompanyId, users: &[&str]) -> String {
    feed(server, company, None, users.iter().map(|user| user.parse().unwrap()).collect()).await
}

/// The support chat of a customer.
pub(crate) async fn support_chat(server: &TestServer, company: CompanyId, customer: &str) -> String {
    let customer: UserId = customer.parse().unwrap();
    feed(server, company, Some(customer), vec![customer]).await
}
