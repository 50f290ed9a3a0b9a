//! A stored value that does not parse is named, never guessed at.

use hallpass_core::id::{ApiKeyId, AuthorizedUserId, MemberId};
use hallpass_core::role::Role;
use hallpass_store::{MemberFilter, StoreError};

use crate::fixtures::*;

on_both! { every_unreadable_value_is_named }

/// Spoils `table.column`, expects `$read` to say so, and repairs it.
macro_rules! spoil {
    ($db:expr, $table:literal, $column:literal, $bad:literal, $conn:ident => $read:expr) => {
        $db.execute(concat!("UPDATE ", $table, " SET ", $column, " = ", $bad)).await;
        let mut $conn = $db.read().await;
        let result = $read.await.map(drop);
        drop($conn);
        match result {
            Err(StoreError::Corrupt { table, column, .. }) => assert_eq!((table, column), ($table, $column)),
            other => panic!("{}.{}: {other:?}", $table, $column),
        }
    };
    ($db:expr, $table:literal, $column:literal, $bad:literal, back $good:expr, $conn:ident => $read:expr) => {
        spoil!($db, $table, $column, $bad, $conn => $read);
        $db.execute(&format!(concat!("UPDATE ", $table, " SET ", $column, " = {}"), $good)).await;
    };
}

async fn every_unreadable_value_is_named(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    db.join(acme, [2]).await;
    let channel = db.channel(1, acme).await;
    let message = vec![new_message(1, channel, 1, user(2))];
    commit!(db, message, tx => tx.insert_messages(message));
    let ausr = AuthorizedUserId::from_bits(1);
    commit!(db, tx => tx.update_team_role(ausr, acme, user(2), Role::Custom, at(0)));
    commit!(db, tx => tx.insert_authority(&hallpass_core::authority::Change::User(user(1)), true, at(0)));
    db.execute(&format!(
        "INSERT INTO api_keys (id, company_id, secret_hash, hint, rights, created_at)
         VALUES ('{}', '{acme}', {}, 'h', '{{\"role\":\"owner\"}}', 0)",
        ApiKeyId::from_bits(1),
        if db.store.is_shared() { "'\\x00'" } else { "x'00'" },
    ))
    .await;
    let key = ApiKeyId::from_bits(1);
    db.read().await.find_api_key(key).await.unwrap().unwrap();

    spoil!(db, "messages", "mentions", "'not json'", back "NULL", c => c.find_message(post(1)));
    spoil!(db, "messages", "poll", "'{}'", back "NULL", _c => db.store.list_messages(channel, true, None, 9));
    spoil!(db, "messages", "user_id", "'nobody'", back format!("'{}'", user(2)), c => c.find_message(post(1)));
    spoil!(db, "messages", "replying_to", "'x'", back "NULL", c => c.find_message(post(1)));
    spoil!(db, "messages", "created_at", "9223372036854775807", c => c.find_message(post(1)));
    spoil!(db, "events", "kind", "'later.kind'", c => c.list_events(channel, 0, 9));
    spoil!(db, "channels", "banned_words", "'['", back "'[]'", c => c.find_channel(feed(1)));
    spoil!(db, "channels", "cooldown_secs", "-1", back "NULL", c => c.find_channel_of(exp(1)));
    spoil!(db, "channels", "created_at", "9223372036854775807", c => c.find_channel(feed(1)));
    spoil!(db, "experiences", "created_at", "-9223372036854775808", c => c.find_experience(exp(1)));
    spoil!(db, "authorized_users", "role", "'emperor'", back "'custom'", c => c.find_standing(acme, user(2)));
    spoil!(db, "authorized_users", "custom_scopes", "'no:such'", c => c.find_standing(acme, user(2)));
    let filter = MemberFilter {
        after: i64::MIN,
        before: i64::MAX,
        status: String::new(),
        access_level: String::new(),
        query: String::new(),
        match_email: false,
        users: Vec::new(),
        order: hallpass_store::MemberOrder::Creation,
    };
    spoil!(db, "members", "joined_at", "9223372036854775807", back millis(at(2)),
           c => c.list_members(acme, &filter, &scan(true, 9)));
    let member = MemberId::from_bits(1_000_002);
    spoil!(db, "members", "updated_at", "9223372036854775807", c => c.find_member(member));
    spoil!(db, "authority_log", "kind", "'new_kind'", c => c.list_authority_since(0));
    spoil!(db, "api_keys", "rights", "'{\"role\":\"emperor\"}'", back "'{\"role\":\"owner\"}'", c => c.find_api_key(key));
    spoil!(db, "api_keys", "expires_at", "9223372036854775807", c => c.find_api_key(key));
    spoil!(db, "users", "created_at", "9223372036854775807", back millis(at(0)), c => c.find_user(user(1)));
    spoil!(db, "users", "home_company_id", "'elsewhere'", c => c.find_user(user(1)));
    spoil!(db, "companies", "updated_at", "9223372036854775807", c => c.find_company(acme));
}
