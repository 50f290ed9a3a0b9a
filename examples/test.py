#!/usr/bin/env python3
"""Runs every example as a person would, against a `hallpass dev` of its own.

    cargo build && examples/test.py

Needs Node 20, curl, Chromium and Python 3.11; each example's pinned packages are installed on first use.
HALLPASS_BIN names another binary than target/debug/hallpass.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
sys.path[:0] = [str(EXAMPLES.parent / "e2e" / "python"), str(EXAMPLES.parent / "scripts")]

from browser import Browser  # noqa: E402
from hallpass_dev import Hallpass, hallpass_dev  # noqa: E402
from pictures import Chromium  # noqa: E402

GUIDE_SCOPES = {
    "chat:message:create",
    "chat:read",
    "dms:read",
    "dms:message:manage",
    "dms:channel:manage",
    "support_chat:read",
    "support_chat:message:create",
}
OAUTH_SCOPES = GUIDE_SCOPES | {"openid", "profile", "email"}
# For Node: 56 minutes later once the file LATER is there.
CLOCK = "data:text/javascript," + urllib.parse.quote(
    """import { existsSync } from "node:fs";
    const { now } = Date;
    Date.now = () => now() + (existsSync(process.env.LATER) ? 56 * 60_000 : 0);"""
)
LISTENING_WITHIN_SECS = 60
COMMAND_WITHIN_SECS = 300


@dataclass(frozen=True)
class Setup:
    """What the tests share: the server under test and the examples that serve tokens."""

    hallpass: Hallpass
    env: dict[str, str]
    express: str
    nextjs: str
    oauth_web: str
    oauth_spa: str


# --- the tests


def curl_mints_posts_lists_and_is_refused_after_revocation(setup: Setup) -> None:
    out = run(["sh", "chat.sh"], EXAMPLES / "curl", setup.env)
    assert '{"revoked":true}' in out.replace(" ", ""), out
    assert out.endswith("refused with 401\n"), out
    assert "Hello from cURL" in contents(setup)


def python_mints_posts_and_lists(setup: Setup) -> None:
    out = run([".venv/bin/python", "chat.py"], EXAMPLES / "python", setup.env)
    assert re.match(r"posted post_\w{26}\n", out), out
    assert "ann: Hello from Python" in out, out
    assert "Hello from Python" in contents(setup)


def express_hands_out_the_guides_token(setup: Setup) -> None:
    assert_is_the_guides_token(mint_at(setup.express), setup.hallpass)


def express_token_posts_lists_and_is_refused_after_revocation(setup: Setup) -> None:
    assert_opens_the_channel_until_revoked(setup.express, setup)


def nextjs_hands_out_the_guides_token(setup: Setup) -> None:
    assert_is_the_guides_token(mint_at(setup.nextjs), setup.hallpass)


def nextjs_token_posts_lists_and_is_refused_after_revocation(setup: Setup) -> None:
    assert_opens_the_channel_until_revoked(setup.nextjs, setup)


def revoking_one_token_spares_the_next(setup: Setup) -> None:
    revoked, kept = mint_at(setup.express), mint_at(setup.express)
    answer = call("POST", f"{setup.hallpass.base_url}/access_tokens/revoke", setup.hallpass.api_key, {"token": revoked})
    assert answer == (200, {"revoked": True}), answer
    listing = f"{setup.hallpass.base_url}/messages?channel_id={setup.hallpass.channel_id}&first=1"
    assert_refused_within_a_second(listing, revoked)
    assert call("GET", listing, kept)[0] == 200


def oauth_web_signs_in_hands_out_tokens_and_signs_out(setup: Setup) -> None:
    site, hallpass = setup.oauth_web, setup.hallpass
    browser = Browser(site, hallpass.url)
    assert browser.open(f"{site}/api/token").status == 401
    home = browser.authorize(f"{site}/login", person(hallpass, "ann"))
    assert home.url == f"{site}/" and "Signed in as" in home.text, (home.url, home.text)
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == "session"]
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax", cookie

    token = json.loads(browser.open(f"{site}/api/token").text)["token"]
    claims = payload(token)
    assert claims["sub"] == hallpass.user("ann") and set(claims["scope"].split()) == OAUTH_SCOPES, claims
    listing = f"{hallpass.base_url}/messages?channel_id={hallpass.channel_id}&first=1"
    assert call("GET", listing, token)[0] == 200

    page = browser.submit(home, "/logout")
    if "/oauth/logout/confirm" in page.forms:
        page = browser.submit(page, "/oauth/logout/confirm")
    assert page.url == f"{site}/" and "Sign in" in page.text, (page.url, page.text)
    assert browser.open(f"{site}/api/token").status == 401
    assert "/sign-in" in browser.open(f"{site}/login").forms, "signed out at Hallpass too"
    assert_refused_within_a_second(listing, token)


def oauth_web_refreshes_once_when_little_time_is_left(setup: Setup) -> None:
    with tempfile.TemporaryDirectory() as folder:
        later, port = Path(folder, "later"), free_port()
        env = oauth_web_env(setup.hallpass, setup.env, port) | {"LATER": str(later), "NODE_OPTIONS": f"--import={CLOCK}"}
        with npm_start("oauth-web", env, port) as site:
            browser = Browser(site, setup.hallpass.url)
            browser.authorize(f"{site}/login", person(setup.hallpass, "ben"))
            token = lambda _: json.loads(browser.open(f"{site}/api/token").text)["token"]  # noqa: E731
            first = token(0)
            assert token(0) == first, "it is good for an hour"
            later.touch()
            with ThreadPoolExecutor(8) as pool:
                second = set(pool.map(token, range(8)))
            assert len(second) == 1 and first not in second, second
            assert payload(second.pop())["sub"] == setup.hallpass.user("ben")


def oauth_web_takes_no_answer_that_another_browser_began(setup: Setup) -> None:
    site, hallpass = setup.oauth_web, setup.hallpass
    attacker = Browser(hallpass.url)
    login = Browser(site).open(f"{site}/login").url
    planted = attacker.authorize(login, person(hallpass, "ben")).url
    assert planted.startswith(f"{site}/api/auth/callback/whop?code="), planted
    victim = Browser(site)
    assert "Signed in" not in victim.open(planted).text
    assert victim.open(f"{site}/api/token").status == 401


def oauth_spa_signs_in_refreshes_in_two_tabs_and_signs_out(setup: Setup) -> None:
    site, hallpass = setup.oauth_spa, setup.hallpass
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        chromium = Chromium(profile)
        try:
            chromium.show(f"{site}/", 1280, 860, "light")
            chromium.until("!document.querySelector('#sign-in').hidden")
            chromium.leave("document.querySelector('#sign-in').click()")
            ann = json.dumps(person(hallpass, "ann"))
            chromium.leave(f"""{{
                const ann = {ann}, form = document.querySelector("form[action='/sign-in']");
                form.email.value = ann.email; form.password.value = ann.password;
                form.querySelector("button.first").click() }}""")
            chromium.leave("document.querySelector('button[value=allow]').click()")
            chromium.until("document.querySelector('#who').textContent.startsWith('Signed in as')")
            assert chromium.evaluate("location.href") == f"{site}/", "the code has left the address"
            assert chromium.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
            first = chromium.evaluate("import('/tokens.js').then((tokens) => tokens.getToken())")
            assert payload(first)["sub"] == hallpass.user("ann")

            # Another tab is signed in at once; then both need a new token at the same moment.
            second = chromium.evaluate("""(async () => {
                const tab = window.tab = open("/");
                await new Promise((resolve) => tab.addEventListener("load", resolve, { once: true }));
                const others = await tab.eval("import('/tokens.js')");
                while (!(await others.othersTokens()));
                const ours = await import("/tokens.js");
                for (const each of [window, tab]) {
                    const { now } = each.Date;
                    each.Date.now = () => now() + 56 * 60_000;
                }
                return Promise.all([ours, others, ours, others].map((each) => each.getToken()));
            })()""")
            assert len(set(second)) == 1 and second[0] != first, second
            assert payload(second[0])["sub"] == hallpass.user("ann")

            # Signed out in the one, this one begins anew.
            chromium.leave("tab.document.querySelector('#sign-out').click()")
            chromium.until("!document.querySelector('#sign-in').hidden")
            listing = f"{hallpass.base_url}/messages?channel_id={hallpass.channel_id}&first=1"
            assert_refused_within_a_second(listing, second[0])
            assert not chromium.complaints, chromium.complaints
        finally:
            chromium.close()


TESTS: list[Callable[[Setup], None]] = [
    curl_mints_posts_lists_and_is_refused_after_revocation,
    python_mints_posts_and_lists,
    express_hands_out_the_guides_token,
    express_token_posts_lists_and_is_refused_after_revocation,
    nextjs_hands_out_the_guides_token,
    nextjs_token_posts_lists_and_is_refused_after_revocation,
    revoking_one_token_spares_the_next,
    oauth_web_signs_in_hands_out_tokens_and_signs_out,
    oauth_web_refreshes_once_when_little_time_is_left,
    oauth_web_takes_no_answer_that_another_browser_began,
    oauth_spa_signs_in_refreshes_in_two_tabs_and_signs_out,
]


# --- what they are made of


def assert_is_the_guides_token(token: str, hallpass: Hallpass) -> None:
    claims = payload(token)
    assert claims["sub"] == hallpass.user("ann"), claims
    assert claims["company_id"] == hallpass.company_id, claims
    assert set(claims["scope"].split()) == GUIDE_SCOPES, claims


def payload(token: str) -> dict:
    """The claims of a token, unverified."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def person(hallpass: Hallpass, username: str) -> dict:
    return next(user for user in hallpass.users if user["username"] == username)


def assert_opens_the_channel_until_revoked(token_url: str, setup: Setup) -> None:
    """`chat.ts` is the official SDK at work; it fails unless the 401 comes within a second."""
    out = run(["npm", "run", "--silent", "chat"], EXAMPLES / "express", setup.env | {"CHAT_TOKEN_URL": token_url})
    assert re.match(r"posted post_\w{26}\n", out), out
    assert "ann: Hello from the official SDK" in out, out
    assert re.search(r"refused with 401 after \d+ ms\n$", out), out


def assert_refused_within_a_second(url: str, token: str) -> None:
    deadline = time.monotonic() + 1
    while (status := call("GET", url, token)[0]) != 401:
        assert time.monotonic() < deadline, f"still {status} a second after the revocation"


def contents(setup: Setup) -> list[str]:
    """What the demo channel's newest messages say."""
    hallpass = setup.hallpass
    status, page = call(
        "GET",
        f"{hallpass.base_url}/messages?channel_id={hallpass.channel_id}&direction=desc&first=50",
        hallpass.api_key,
    )
    assert status == 200, page
    return [message["content"] for message in page["data"]]


def mint_at(token_url: str) -> str:
    status, body = call("POST", token_url)
    assert status == 200 and list(body) == ["token"], (status, body)
    return body["token"]


def call(method: str, url: str, bearer: str | None = None, body: object = None) -> tuple[int, dict]:
    request = urllib.request.Request(url, method=method)
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=COMMAND_WITHIN_SECS) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def run(command: list[str], cwd: Path, env: dict[str, str]) -> str:
    """Its stdout; fails with everything it printed when it exits non-zero."""
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, timeout=COMMAND_WITHIN_SECS)
    assert done.returncode == 0, f"{' '.join(command)} in {cwd} exited {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def install(env: dict[str, str]) -> None:
    """The examples' pinned packages; what is there already stays."""
    for folder in (EXAMPLES / name for name in ("express", "nextjs", "oauth-web", "oauth-spa")):
        if not is_newer(folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"):
            run(["npm", "ci", "--no-audit", "--no-fund"], folder, env)
    folder = EXAMPLES / "python"
    if not is_newer(folder / ".venv" / "installed", folder / "requirements.txt"):
        run([sys.executable, "-m", "venv", ".venv"], folder, env)
        run([".venv/bin/pip", "install", "--quiet", "-r", "requirements.txt"], folder, env)
        (folder / ".venv" / "installed").touch()


def is_newer(mark: Path, source: Path) -> bool:
    return mark.exists() and mark.stat().st_mtime >= source.stat().st_mtime


@contextmanager
def npm_start(example: str, env: dict[str, str], port: int) -> Iterator[str]:
    """Runs an example's `npm start` on this port; gives its address."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["npm", "start"],
            cwd=EXAMPLES / example,
            env=env | {"PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not listens(port, process):
                log.seek(0)
                raise RuntimeError(f"{example} does not listen:\n{log.read().decode()}")
            yield f"http://{'127.0.0.1' if example == 'oauth-spa' else 'localhost'}:{port}"
        finally:
            # npm, its shell and the server are one process group.
            os.killpg(process.pid, 15)
            process.wait(LISTENING_WITHIN_SECS)


def oauth_web_env(hallpass: Hallpass, env: dict[str, str], port: int) -> dict[str, str]:
    """An app of its own: the demo one is answered at port 3000 alone."""
    callback = f"http://localhost:{port}/api/auth/callback/whop"
    body = {"name": "oauth-web", "company_id": hallpass.company_id, "redirect_uris": [callback]}
    status, app = call("POST", f"{hallpass.base_url}/apps", hallpass.api_key, body)
    assert status == 200, app
    return env | {
        "OAUTH_ISSUER": hallpass.url,
        "OAUTH_CLIENT_ID": app["id"],
        "OAUTH_CLIENT_SECRET": app["client_secret"],
    }


@contextmanager
def oauth_web(hallpass: Hallpass, env: dict[str, str]) -> Iterator[str]:
    port = free_port()
    with npm_start("oauth-web", oauth_web_env(hallpass, env, port), port) as site:
        yield site


@contextmanager
def oauth_spa(hallpass: Hallpass, env: dict[str, str]) -> Iterator[str]:
    """A copy of the page, with its config as the README says."""
    with tempfile.TemporaryDirectory() as folder:
        run(["npm", "run", "--silent", "prestart"], EXAMPLES / "oauth-spa", env)
        shutil.copytree(EXAMPLES / "oauth-spa" / "public", folder, dirs_exist_ok=True)
        config = {"issuer": hallpass.url, "client_id": hallpass.oauth["client_id"]}
        Path(folder, "config.json").write_text(json.dumps(config))
        with npm_start("oauth-spa", env | {"FOLDER": folder}, free_port()) as site:
            yield site


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + LISTENING_WITHIN_SECS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return True
        except OSError:
            # Also the pace of this loop: the child's end or a tenth of a second, whichever is first.
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    return False


def main() -> int:
    failed = 0
    with ExitStack() as stack:
        hallpass = stack.enter_context(hallpass_dev())
        env = os.environ | {
            "WHOP_BASE_URL": hallpass.base_url,
            "WHOP_API_KEY": hallpass.api_key,
            "WHOP_COMPANY_ID": hallpass.company_id,
            "WHOP_USER_ID": hallpass.user("ann"),
            "WHOP_CHANNEL_ID": hallpass.channel_id,
            "NEXT_TELEMETRY_DISABLED": "1",
        }
        install(env)
        setup = Setup(
            hallpass,
            env,
            express=stack.enter_context(npm_start("express", env, free_port())) + "/api/chat/token",
            nextjs=stack.enter_context(npm_start("nextjs", env, free_port())) + "/api/chat/token",
            oauth_web=stack.enter_context(oauth_web(hallpass, env)),
            oauth_spa=stack.enter_context(oauth_spa(hallpass, env)),
        )
        for test in TESTS:
            name = test.__name__.replace("_", " ")
            try:
                test(setup)
                print(f"ok    {name}", flush=True)
            except Exception:
                failed += 1
                print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
