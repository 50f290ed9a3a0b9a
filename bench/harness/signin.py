"""Signing in as a browser and a client do it: what the OAuth rows need before anything is measured."""

import base64
import hashlib
import html
import http.client
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from .load import Request
from .process import BenchError, Server

FORM = "content-type: application/x-www-form-urlencoded"
CHAT = "chat:read chat:message:create"
SCOPE = f"openid profile email {CHAT} offline_access"
SCOPE_WITHOUT_ID_TOKEN = f"{CHAT} offline_access"
# More than any way through the pages takes.
MOST_STEPS = 12


@dataclass(frozen=True)
class Provider:
    """Where a client signs people in: its paths, and who the client is."""

    running: Server
    authorize_path: str
    token_path: str
    introspect_path: str
    client_id: str
    client_secret: str
    redirect_uri: str
    more: tuple[tuple[str, str], ...] = ()
    """Further parameters, of the authorization request and of every refresh."""

    @staticmethod
    def hallpass(running: Server) -> "Provider":
        app = running.ready["oauth"]
        return Provider(running, "/oauth/authorize", "/oauth/token", "/oauth/introspect", app["client_id"],
                        app["client_secret"], app["redirect_uri"], (("company_id", running.ready["company_id"]),))

    @staticmethod
    def oidc_provider(running: Server, client: str = "app") -> "Provider":
        app = running.ready[client]
        return Provider(running, "/auth", "/token", "/token/introspection", app["client_id"], app["client_secret"],
                        app["redirect_uri"])

    @property
    def basic(self) -> str:
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return "authorization: Basic " + base64.b64encode(pair.encode()).decode()

    def client_credentials(self, scope: str) -> Request:
        return Request(self.token_path, "POST", (self.basic, FORM),
                       urlencode({"grant_type": "client_credentials", "scope": scope}))

    def introspect(self, token: str) -> Request:
        return Request(self.introspect_path, "POST", (self.basic, FORM), urlencode({"token": token}))

    def refresh(self) -> Request:
        """Rotating a refresh token, each connection its own; `{follow}` is not to be encoded."""
        fields = urlencode({"grant_type": "refresh_token", **dict(self.more)})
        return Request(self.token_path, "POST", (self.basic, FORM), f"{fields}&refresh_token={{follow}}")


class Browser:
    """A browser as far as cookies, redirects and forms go."""

    def __init__(self, running: Server):
        self.running = running
        self.cookies: dict[str, str] = {}

    def cookie_header(self, without: str = "") -> str:
        pairs = (f"{name}={value}" for name, value in self.cookies.items() if not without or without not in name)
        return "cookie: " + "; ".join(pairs)

    def go(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str | None, str]:
        """One request: status, location and page."""
        connection = http.client.HTTPConnection(self.running.address, timeout=30)
        headers = {"cookie": self.cookie_header().removeprefix("cookie: ")} if self.cookies else {}
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.request("POST" if form is not None else "GET", path,
                               urlencode(form) if form is not None else None, headers)
            response = connection.getresponse()
            page = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"{path.split('?')[0]}: {error}") from error
        finally:
            connection.close()
        for line in response.headers.get_all("set-cookie") or []:
            name, value = line.split(";", 1)[0].split("=", 1)
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return response.status, response.headers["location"], page


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def authorize_path(provider: Provider, scope: str, challenge: str) -> str:
    # Without an id token there is no nonce to repeat, and oidc-provider refuses one.
    nonce = {"nonce": "of-the-bench"} if "openid" in scope.split() else {}
    return f"{provider.authorize_path}?" + urlencode({
        "response_type": "code", "client_id": provider.client_id, "redirect_uri": provider.redirect_uri,
        "scope": scope, "state": "of-the-bench", "code_challenge": challenge, "code_challenge_method": "S256",
        **nonce, **dict(provider.more),
    })


def pkce() -> tuple[str, str]:
    """A verifier and its challenge."""
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return verifier, challenge


def code(browser: Browser, provider: Provider, scope: str, challenge: str) -> str:
    """A code. Signs in and consents where that is asked for."""
    path, form = authorize_path(provider, scope, challenge), None
    for _ in range(MOST_STEPS):
        status, location, page = browser.go(path, form)
        form = None
        if location is None:
            path, form = _answer(browser, path, status, page)
        elif location.startswith(provider.redirect_uri):
            answer = parse_qs(urlsplit(location).query)
            if "code" not in answer:
                raise BenchError(f"no code: {answer}")
            return answer["code"][0]
        else:
            target = urlsplit(location)
            path = target.path + (f"?{target.query}" if target.query else "")
    raise BenchError(f"no code after {MOST_STEPS} steps; the last was {path.split('?')[0]}")


def _answer(browser: Browser, path: str, status: int, page: str) -> tuple[str, dict[str, str]]:
    """Fills in the page's form: signs in, or allows."""
    form = fields(page)
    if status != 200 or not form:
        raise BenchError(f"{path.split('?')[0]}: {status} {page[:300]}")
    if 'name="password"' in page:
        ann = person(browser.running)
        return "/sign-in", form | {"email": ann["email"], "password": ann["password"]}
    return "/oauth/consent", form | {"decision": "allow"}


def person(running: Server) -> dict:
    """The demo person who signs in."""
    return next(user for user in running.ready["users"] if user["username"] == "ann")


def tokens(browser: Browser, provider: Provider, scope: str) -> dict:
    """A grant: what the token endpoint answers for a code."""
    verifier, challenge = pkce()
    form = {
        "grant_type": "authorization_code", "redirect_uri": provider.redirect_uri, "code_verifier": verifier,
        "code": code(browser, provider, scope, challenge),
    }
    connection = http.client.HTTPConnection(provider.running.address, timeout=30)
    try:
        headers = dict(header.split(": ", 1) for header in (provider.basic, FORM))
        connection.request("POST", provider.token_path, urlencode(form), headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{provider.token_path}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise BenchError(f"{provider.token_path}: {response.status} {body[:300]!r}")
    return json.loads(body)


def chains(browser: Browser, provider: Provider, scope: str, count: int, path: Path) -> Path:
    """A file with the first refresh tokens of `count` new grants."""
    lines = [tokens(browser, provider, scope)["refresh_token"] for _ in range(count)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
