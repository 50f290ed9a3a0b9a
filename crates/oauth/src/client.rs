//! Clients, and how they prove who they are (RFC 6749 §2.3).
//!
//! One method a request: a secret in the header *and* in the body is refused (§2.3). Another method, such as
//! `private_key_jwt`, is one more kind of [`Credentials`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::app::ClientType;
use hallpass_core::id::{AppId, CompanyId};
use hallpass_token::SecretHash;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::error::OAuthError;
use crate::params::Params;

/// An app, as a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its `client_id`.
    pub id: AppId,
    /// Who owns it; none for the built-in one, which is no client.
    pub company: Option<CompanyId>,
    /// For people.
    pub name: String,
    /// Whether it can keep a secret; none: it may come with or without.
    pub client_type: Option<ClientType>,
    /// SHA-256 of its secret.
    pub secret_hash: Option<SecretHash>,
    /// Where it may be answered, byte for byte.
    pub redirect_uris: Vec<String>,
    /// Its own page.
    pub base_url: Option<String>,
}

/// What came with a request.
#[derive(Debug)]
pub struct Credentials {
    /// Who it says it is.
    pub client: AppId,
    secret: Option<SecretString>,
    /// It used the header, so the challenge of a refusal goes there (RFC 6749 §5.2).
    pub in_header: bool,
}

/// A client that may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// It showed its secret, rather than naming itself.
    pub authenticated: bool,
}

impl Credentials {
    /// Reads them from the `Authorization` header (`client_secret_basic`) or the body
    /// (`client_secret_post`, `none`).
    ///
    /// # Errors
    /// `invalid_client` for a header that is no Basic credential or an id that is none of ours,
    /// `invalid_request` for two methods at once or two ids.
    pub fn read(authorization: Option<&str>, params: &Params) -> Result<Self, OAuthError> {
        let id = params.get("client_id")?;
        let secret = params.get("client_secret")?;
        let Some(header) = authorization else {
            let id = id.ok_or_else(|| OAuthError::invalid_client("client_id is required"))?;
            return Ok(Self {
                client: parse_id(id)?,
                secret: secret.map(|text| text.to_owned().into()),
                in_header: false,
            });
        };
        if secret.is_some() {
            return Err(OAuthError::invalid_request(
                "use one way of client authentication: the Authorization header or client_secret",
            ));
        }
        let (named, secret) = read_basic(header)?;
        let client = parse_id(&named)?;
        if id.is_some_and(|id| id != named) {
            return Err(OAuthError::invalid_request("client_id is not the one of the Authorization header"));
        }
        Ok(Self { client, secret: Some(secret), in_header: true })
    }

    /// Checks them against the client (RFC 6749 §3.2.1).
    ///
    /// # Errors
    /// `invalid_client` for a client that is unknown, a wrong secret, or none where one is needed.
    pub fn check(&self, client: Option<&Client>) -> Result<Proof, OAuthError> {
        let client = client
            .filter(|client| client.company.is_some())
            .ok_or_else(|| OAuthError::invalid_client("client_id is unknown"))?;
        let Some(secret) = &self.secret else {
            return if client.client_type == Some(ClientType::Confidential) {
                Err(OAuthError::invalid_client("client_secret is required"))
            } else {
                Ok(Proof { authenticated: false })
            };
        };
        let sent = SecretHash::of(secret.expose_secret());
        let right = client.secret_hash.is_some_and(|hash| hash.0.ct_eq(&sent.0).into());
        // A wrong secret is never a lesser client's request.
        if right {
            Ok(Proof { authenticated: true })
        } else {
            Err(OAuthError::invalid_client("client_secret is invalid"))
        }
    }
}

/// `client_id`.
///
/// # Errors
/// `invalid_client` if it cannot be one.
pub fn parse_id(text: &str) -> Result<AppId, OAuthError> {
    text.parse().map_err(|_| OAuthError::invalid_client("client_id is unknown"))
}

/// `Basic base64(id:secret)`, both form-encoded before (RFC 6749 §2.3.1).
fn read_basic(header: &str) -> Result<(String, SecretString), OAuthError> {
    let malformed = || OAuthError::invalid_client("the Authorization header is not Basic authentication");
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let plain = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let plain = String::from_utf8(plain).map_err(|_| malformed())?;
    let (id, secret) = plain.split_once(':').ok_or_else(malformed)?;
    let form = format!("id={id}&secret={}", secret.replace('&', "%26"));
    let params = Params::from_query(&form).map_err(|_| malformed())?;
    let part = |name| params.get(name).map_err(|_| malformed());
    let id = part("id")?.ok_or_else(malformed)?.to_owned();
    Ok((id, part("secret")?.unwrap_or_default().to_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "app_00000000000000000000000001";

    fn client(client_type: Option<ClientType>) -> Client {
        Client {
            id: AppId::from_bits(1),
            company: Some(CompanyId::from_bits(2)),
            name: "App".into(),
            client_type,
            secret_hash: Some(SecretHash::of("right")),
            redirect_uris: Vec::new(),
            base_url: None,
        }
    }

    fn read(header: Option<&str>, query: &str) -> Result<Credentials, OAuthError> {
        Credentials::read(header, &Params::from_query(query).unwrap())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn who_must_show_a_secret_and_who_may() {
        use ClientType::{Confidential, Public};
        for (client_type, none, right) in
            [(Some(Confidential), false, true), (Some(Public), true, true), (None, true, true)]
        {
            let client = client(client_type);
            let check = |query: String| read(None, &query).unwrap().check(Some(&client));
            assert_eq!(check(format!("client_id={ID}")).is_ok(), none, "{client_type:?}");
            assert_eq!(check(format!("client_id={ID}&client_secret=right")).is_ok(), right);
            assert!(check(format!("client_id={ID}&client_secret=wrong")).is_err());
            assert_eq!(check(format!("client_id={ID}&client_secret=")).is_ok(), none, "empty is absent");
        }
        let nobody = Client { secret_hash: None, ..client(None) };
        assert!(
            read(None, &format!("client_id={ID}&client_secret=right")).unwrap().check(Some(&nobody)).is_err()
        );
        let builtin = Client { company: None, ..client(None) };
        assert!(read(None, &format!("client_id={ID}")).unwrap().check(Some(&builtin)).is_err());
        assert!(read(None, &format!("client_id={ID}")).unwrap().check(None).is_err());
    }

    #[test]
    fn the_header_is_form_encoded_inside() {
        let client = Client { secret_hash: Some(SecretHash::of("a:b &%+é")), ..client(None) };
        let header = basic(&format!("{ID}:a%3Ab+%26%25%2B%C3%A9"));
        assert!(read(Some(&header), "").unwrap().check(Some(&client)).unwrap().authenticated);
        let header = basic(&format!("{ID}:a:b+&%25%2B%C3%A9"));
        assert!(read(Some(&header), "").unwrap().check(Some(&client)).is_ok(), "a lax client");
    }

    #[test]
    fn two_ways_at_once_and_odd_headers_are_refused() {
        let header = basic(&format!("{ID}:right"));
        assert!(read(Some(&header), &format!("client_id={ID}")).is_ok());
        assert!(read(Some(&header), "client_secret=right").is_err());
        assert!(read(Some(&header), "client_id=app_00000000000000000000000002").is_err());
        let empty = read(Some(&basic(&format!("{ID}:"))), "").unwrap();
        assert!(empty.check(Some(&client(None))).is_err(), "an empty secret is a wrong one");
        for odd in
            ["", "Basic", "Basic !", "Bearer x", "basic", &basic("no colon"), &basic(":"), &basic("a%zz:b")]
        {
            assert!(read(Some(odd), "").is_err(), "{odd}");
        }
        assert!(read(None, "").is_err());
    }
}
