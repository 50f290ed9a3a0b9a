//! Every public function of the store, on both engines.

mod api_keys;
mod apps;
mod authority;
mod channels;
mod clock;
mod companies;
mod corrupt;
mod experiences;
mod feeds;
mod files;
mod idempotency;
mod members;
mod messages;
mod migrations;
mod reactions;
mod search;
mod signing_keys;
mod team;
mod users;
mod webhooks;
