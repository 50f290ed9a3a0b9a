#!/usr/bin/env python3
"""Runs every example as a person would, against a `hallpass dev` of its own.

    cargo build && examples/test.py

Needs Node 20, curl and Python 3.11; each example's pinned packages are installed on first use.
HALLPASS_BIN names another binary than target/debug/hallpass.
"""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLES.parent / "e2e" / "python"))

from hallpass_dev import Hallpass, hallpass_dev  # noqa: E402

GUIDE_SCOPES = {
    "chat:message:create",
    "chat:read",
    "dms:read",
    "dms:message:manage",
    "dms:channel:manage",
    "support_chat:read",
    "support_chat:message:create",
}
LISTENING_WITHIN_SECS = 60
COMMAND_WITHIN_SECS = 300


@dataclass(frozen=True)
class Setup:
    """What the tests share: the server under test and the examples that serve tokens."""

    hallpass: Hallpass
    env: dict[str, str]
    express: str
    nextjs: str


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
    deadline = time.monotonic() + 1
    while (status := call("GET", listing, revoked)[0]) != 401:
        assert time.monotonic() < deadline, f"still {status} a second after the revocation"
    assert call("GET", listing, kept)[0] == 200


TESTS: list[Callable[[Setup], None]] = [
    curl_mints_posts_lists_and_is_refused_after_revocation,
    python_mints_posts_and_lists,
    express_hands_out_the_guides_token,
    express_token_posts_lists_and_is_refused_after_revocation,
    nextjs_hands_out_the_guides_token,
    nextjs_token_posts_lists_and_is_refused_after_revocation,
    revoking_one_token_spares_the_next,
]


# --- what they are made of


def assert_is_the_guides_token(token: str, hallpass: Hallpass) -> None:
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == hallpass.user("ann"), claims
    assert claims["company_id"] == hallpass.company_id, claims
    assert set(claims["scope"].split()) == GUIDE_SCOPES, claims


def assert_opens_the_channel_until_revoked(token_url: str, setup: Setup) -> None:
    """`chat.ts` is the official SDK at work; it fails unless the 401 comes within a second."""
    out = run(["npm", "run", "--silent", "chat"], EXAMPLES / "express", setup.env | {"CHAT_TOKEN_URL": token_url})
    assert re.match(r"posted post_\w{26}\n", out), out
    assert "ann: Hello from the official SDK" in out, out
    assert re.search(r"refused with 401 after \d+ ms\n$", out), out


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
    for folder in (EXAMPLES / "express", EXAMPLES / "nextjs"):
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
def npm_start(example: str, env: dict[str, str]) -> Iterator[str]:
    """Runs an example's `npm start` on a free port; gives the URL of its token endpoint."""
    port = free_port()
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
            yield f"http://localhost:{port}/api/chat/token"
        finally:
            # npm, its shell and the server are one process group.
            os.killpg(process.pid, 15)
            process.wait(LISTENING_WITHIN_SECS)


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
            express=stack.enter_context(npm_start("express", env)),
            nextjs=stack.enter_context(npm_start("nextjs", env)),
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
