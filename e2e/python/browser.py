"""A browser without a window: cookies, redirects and forms, and no script.

Standard library only: the examples' test uses it too.
"""

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

MOST_REDIRECTS = 10
ANSWERED_WITHIN_SECS = 30


@dataclass(frozen=True)
class Page:
    """Where the browser is; of another server if it was sent away from those it visits."""

    url: str
    status: int
    text: str
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    """The inputs of each form that posts, by where it posts to."""


class Browser:
    """One that visits these servers alone, and stops where it is sent elsewhere."""

    def __init__(self, *urls: str) -> None:
        self._here = tuple(f"{url}/" for url in urls)
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar), _NoRedirects)

    @property
    def cookies(self) -> list[http.cookiejar.Cookie]:
        return list(self._jar)

    def open(self, url: str) -> Page:
        """Opens an address, following redirects until there is a page or they leave."""
        return self._request(url)

    def submit(self, page: Page, action: str, typed: dict[str, str] | None = None) -> Page:
        """Fills in the form that posts to `action`, and presses a button if that has a name."""
        if action not in page.forms:
            raise AssertionError(f"no form {action} on {page.url} ({page.status}):\n{page.text}")
        body = urllib.parse.urlencode(page.forms[action] | (typed or {})).encode()
        return self._request(urllib.parse.urljoin(page.url, action), body)

    def authorize(self, url: str, person: dict[str, Any]) -> Page:
        """Signs in if asked to and allows if asked to; where the browser is then."""
        page = self.open(url)
        if "/sign-in" in page.forms:
            page = self.submit(page, "/sign-in", {"email": person["email"], "password": person["password"]})
        if "/oauth/consent" in page.forms:
            page = self.submit(page, "/oauth/consent", {"decision": "allow"})
        return page

    def _request(self, url: str, body: bytes | None = None) -> Page:
        for _ in range(MOST_REDIRECTS):
            if not url.startswith(self._here):
                return Page(url, 0, "")
            request = urllib.request.Request(url, body)
            if body is not None:
                # As browsers write it from a page that wants no referrer.
                request.add_header("Origin", "null")
                request.add_header("Sec-Fetch-Site", "same-origin")
            try:
                response = self._opener.open(request, timeout=ANSWERED_WITHIN_SECS)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                text = response.read().decode()
                location = response.headers["Location"]
                if location is None:
                    return Page(url, response.status, text, _forms(text))
            # Raw, as a browser hands it to an app: its scheme may be any.
            url, body = urllib.parse.urljoin(url, location) if location.startswith("/") else location, None
        raise AssertionError(f"too many redirects, the last to {url}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag == "form" and (of.get("method") or "").lower() == "post":
            self._open = self.found.setdefault(of.get("action") or "", {})
        elif tag == "input" and self._open is not None and of.get("name"):
            self._open[of["name"] or ""] = of.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def _forms(text: str) -> dict[str, dict[str, str]]:
    parser = _Forms()
    parser.feed(text)
    return parser.found
