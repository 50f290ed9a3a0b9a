//! The `openidconnect` crate against Hallpass: discovery, code with PKCE and nonce, the id token verified,
//! userinfo, refresh.

use std::collections::HashMap;

use hallpass_e2e_openidconnect::{Browser, Hallpass, Person};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::reqwest::blocking::Client;
use openidconnect::reqwest::redirect::Policy;
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};

const SCOPES: [&str; 5] = ["profile", "email", "offline_access", "chat:read", "chat:message:create"];

/// Signs in and refreshes, with the demo app and this way to prove it.
fn signs_in(secret: Option<AuthType>) {
    let hallpass = Hallpass::start();
    let ann = hallpass.person("ann");
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    let issuer = IssuerUrl::new(hallpass.text("/url")).unwrap();
    let metadata = CoreProviderMetadata::discover(&issuer, &http).unwrap();

    let id = ClientId::new(hallpass.text("/oauth/client_id"));
    let key = secret.is_some().then(|| ClientSecret::new(hallpass.text("/oauth/client_secret")));
    let client = CoreClient::from_provider_metadata(metadata, id, key)
        .set_redirect_uri(RedirectUrl::new(hallpass.text("/oauth/redirect_uri")).unwrap())
        .set_auth_type(secret.unwrap_or(AuthType::RequestBody));

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let code = code_for(&hallpass, &ann, &url, &state);

    let tokens = client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request(&http).unwrap();
    let verifier = client.id_token_verifier();
    let id_token = tokens.id_token().expect("openid was asked for");
    let claims = id_token.claims(&verifier, &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), ann.id);
    assert_eq!(claims.email().unwrap().as_str(), ann.email);
    assert!(id_token.claims(&verifier, &Nonce::new("another".to_owned())).is_err());
    let (algorithm, key) = (id_token.signing_alg().unwrap(), id_token.signing_key(&verifier).unwrap());
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
    assert_eq!(claims.access_token_hash(), Some(&hash));

    let subject = Some(claims.subject().clone());
    let info: CoreUserInfoClaims =
        client.user_info(tokens.access_token().clone(), subject).unwrap().request(&http).unwrap();
    assert_eq!(info.email().unwrap().as_str(), ann.email);
    assert_eq!(info.email_verified(), Some(true));

    let first = tokens.refresh_token().expect("a refresh token");
    let refreshed = client.exchange_refresh_token(first).unwrap().request(&http).unwrap();
    let second = refreshed.refresh_token().expect("another");
    assert_ne!(first.secret(), second.secret());
    // The crate sends the scopes of the beginning along if it is told to.
    let again = client
        .exchange_refresh_token(second)
        .unwrap()
        .add_scope(Scope::new("openid".to_owned()))
        .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
        .request(&http)
        .unwrap();
    let renewed = again.id_token().expect("still openid").claims(&verifier, |_: Option<&Nonce>| Ok(()));
    assert_eq!(renewed.unwrap().subject().as_str(), ann.id);
}

/// Signs in in the browser; the code that the app is sent.
fn code_for(
    hallpass: &Hallpass,
    who: &Person,
    url: &openidconnect::url::Url,
    state: &CsrfToken,
) -> AuthorizationCode {
    let issuer = hallpass.text("/url");
    let callback = Browser::new(&issuer).authorize(url, who);
    let answer: HashMap<String, String> = callback.query_pairs().into_owned().collect();
    assert_eq!(answer.get("state"), Some(state.secret()), "{callback}");
    assert_eq!(answer.get("iss"), Some(&issuer), "{callback}");
    AuthorizationCode::new(answer["code"].clone())
}

#[test]
fn a_public_client_signs_in_and_refreshes() {
    signs_in(None);
}

#[test]
fn a_client_with_its_secret_in_the_body_signs_in_and_refreshes() {
    signs_in(Some(AuthType::RequestBody));
}

#[test]
fn a_client_with_its_secret_in_the_header_signs_in_and_refreshes() {
    signs_in(Some(AuthType::BasicAuth));
}
