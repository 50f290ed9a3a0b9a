"""Authlib, over `requests`: code with PKCE and nonce, the id token verified, refresh, introspection, revocation."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from browser import Browser
from hallpass_dev import Hallpass
from joserfc import jwt
from joserfc.jwk import KeySet
from whop_sdk import Whop

SCOPE = "openid profile email offline_access chat:read chat:message:create"
REDIRECT_URI = "https://app.example/callback"


class Client:
    """An app of the demo company, and Authlib's session for it."""

    def __init__(self, hallpass: Hallpass, method: str) -> None:
        self.hallpass = hallpass
        owner = Whop(api_key=hallpass.api_key, base_url=hallpass.base_url)
        app = owner.apps.create(name="Authlib", company_id=hallpass.company_id, redirect_uris=[REDIRECT_URI])
        owner.apps.update(app.id, oauth_client_type="public" if method == "none" else "confidential")
        secret = None if method == "none" else app.model_extra["client_secret"]
        discovered = requests.get(f"{hallpass.url}/.well-known/openid-configuration", timeout=10)
        self.server = discovered.json()
        assert self.server["issuer"] == hallpass.url
        self.session = OAuth2Session(
            app.id,
            secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            redirect_uri=REDIRECT_URI,
            scope=SCOPE,
            code_challenge_method="S256",
            default_timeout=10,
        )

    def sign_in(self, username: str = "ann") -> dict[str, Any]:
        verifier, nonce = generate_token(48), generate_token(20)
        url, state = self.session.create_authorization_url(
            self.server["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        callback = Browser(self.hallpass.url).authorize(url, self.person(username)).url
        assert callback.startswith(f"{REDIRECT_URI}?"), callback
        assert parse_qs(urlsplit(callback).query)["iss"] == [self.hallpass.url]
        token = self.session.fetch_token(
            self.server["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
        )
        claims = self.claims(token, nonce)
        assert claims["sub"] == self.hallpass.user(username)
        return token

    def person(self, username: str) -> dict[str, Any]:
        return next(user for user in self.hallpass.users if user["username"] == username)

    def claims(self, token: dict[str, Any], nonce: str | None) -> CodeIDToken:
        """The claims of the id token, everything about it checked that Authlib checks."""
        keys = KeySet.import_key_set(requests.get(self.server["jwks_uri"], timeout=10).json())
        decoded = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
        params = {"client_id": self.session.client_id, "access_token": token["access_token"], "nonce": nonce}
        must = {"iss": {"essential": True, "values": [self.hallpass.url]}, "auth_time": {"essential": True}}
        claims = CodeIDToken(decoded.claims, decoded.header, must, params)
        claims.validate(now=int(time.time()), leeway=5)
        return claims


@pytest.fixture(scope="module", params=["none", "client_secret_post", "client_secret_basic"])
def client(request: pytest.FixtureRequest, hallpass: Hallpass) -> Client:
    return Client(hallpass, request.param)


def test_signs_in_and_learns_who_it_is(client: Client) -> None:
    token = client.sign_in()
    assert set(token["scope"].split()) == set(SCOPE.split())
    info = client.session.get(client.server["userinfo_endpoint"]).json()
    assert info["sub"] == client.hallpass.user("ann")
    assert info["email"] == "ann@example.com"
    assert info["email_verified"] is True


def test_refreshes_with_the_scope_of_the_beginning_and_without(client: Client) -> None:
    first = client.sign_in()
    url = client.server["token_endpoint"]
    # Authlib sends the session's scope along by itself.
    second = client.session.refresh_token(url, refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    third = client.session.refresh_token(url, refresh_token=second["refresh_token"], scope=None)
    assert client.claims(third, None)["sub"] == client.hallpass.user("ann")


def test_is_out_once_it_revoked(client: Client) -> None:
    token = client.sign_in()
    revoked = client.session.revoke_token(
        client.server["revocation_endpoint"], token=token["refresh_token"], token_type_hint="refresh_token"
    )
    assert revoked.status_code == 200
    with pytest.raises(OAuthError) as refused:
        client.session.refresh_token(client.server["token_endpoint"], refresh_token=token["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_introspects_its_own_tokens_if_it_has_a_secret(client: Client) -> None:
    token = client.sign_in()
    url = client.server["introspection_endpoint"]
    told = client.session.introspect_token(url, token=token["access_token"], token_type_hint="access_token")
    if client.session.client_secret is None:
        assert told.status_code == 401
        return
    assert told.json()["active"] is True
    assert told.json()["sub"] == client.hallpass.user("ann")
    assert told.json()["client_id"] == client.session.client_id
    assert client.session.introspect_token(url, token="nonsense").json() == {"active": False}


def test_signs_in_for_one_company_and_refreshes_for_it(client: Client) -> None:
    company = client.hallpass.company_id
    verifier, nonce = generate_token(48), generate_token(20)
    url, state = client.session.create_authorization_url(
        client.server["authorization_endpoint"], code_verifier=verifier, nonce=nonce, company_id=company
    )
    callback = Browser(client.hallpass.url).authorize(url, client.person("ben")).url
    token_url = client.server["token_endpoint"]
    token = client.session.fetch_token(
        token_url, authorization_response=callback, state=state, code_verifier=verifier
    )
    with pytest.raises(OAuthError) as refused:
        client.session.refresh_token(token_url, refresh_token=token["refresh_token"])
    assert refused.value.error == "invalid_grant"
    client.session.refresh_token(token_url, refresh_token=token["refresh_token"], company_id=company)
