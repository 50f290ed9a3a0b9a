//! Every public function of the store, on both engines.

mod api_keys;
mod apps;
mod authority;
mod authorization_codes;
mod channels;
mod clock;
mod companies;
mod consents;
mod corrupt;
mod experiences;
mod feeds;
mod files;
mod grants;
mod idempotency;
mod members;
mod messages;
mod migrations;
mod people;
mod reactions;
mod search;
mod sessions;
mod signing_in;
mod signing_keys;
mod team;
mod users;
mod webhooks;
