//! OAuth 2.1 and OpenID Connect: parse, check, decide. Pure.
