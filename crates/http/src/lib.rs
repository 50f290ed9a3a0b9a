//! The HTTP face of Hallpass: routes, extractors, bodies, error mapping, pages.
//!
//! A request passes the [edge], is authenticated and translated by extractors, decided and done by a
//! use case of `hallpass-app`, and translated back. No rule of the business lives here.

mod access_log;
mod api;
mod connections;
mod edge;
mod error;
mod extract;
mod files;
#[doc(hidden)]
pub mod fuzz;
mod idempotent;
mod oauth;
mod openapi;
mod ops;
mod pages;
mod people;
mod permissions;
mod router;
mod serve;
mod state;
mod version;
mod wire;

pub use api::webhooks::WebhookWire;
pub use error::Code;
pub use router::{openapi_json, router, routes_of_api};
pub use serve::serve;
pub use state::{DevPage, HttpPolicy};
