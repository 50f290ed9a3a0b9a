#!/usr/bin/env python3
"""Pastes what people are offered to paste into one shell, in order, and looks at what happens: the start page of
`hallpass dev`, and the walk with curl in docs/oauth.md."""

import html
import re
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "e2e" / "python"))

from hallpass_dev import Hallpass, hallpass_dev  # noqa: E402

BLOCK = re.compile(r'<pre[^>]*aria-label="Shell: [^"]*"><code>(.*?)</code></pre>', re.DOTALL)
# One line for each step, in order: a token, a page of messages, the message sent, the revocation, 401, 404.
START_PAGE = [
    r"ey[\w-]+\.[\w-]+\.[\w-]+\n",
    r'\{"data":\[\{"id":"post_',
    r'\{"id":"post_\w+".*"content":"Hello!"',
    r'\{"revoked":true\}',
    r"HTTP/1\.1 401 ",
    r"HTTP/1\.1 404 ",
]
# Userinfo and the refreshed tokens; revoking says nothing, so that the refresh token is dead is asked for.
WALK = [r'\{"sub":"user_\w+","name":"Ann"', r'\{"access_token":"ey.*"refresh_token":"hpr_.*"id_token":"ey', r'"invalid_grant"']
WALK_HEAD, VALUES = "## A walk with curl", ("HALLPASS=", "CLIENT_ID=", "COMPANY_ID=")
AGAIN = """
curl -s $HALLPASS/oauth/token -u "$CLIENT_ID:$CLIENT_SECRET" -d grant_type=refresh_token \\
  -d "refresh_token=$(member refresh_token)" -d "company_id=$COMPANY_ID"
"""


def start_page(hallpass: Hallpass) -> str:
    page = urllib.request.urlopen(hallpass.url, timeout=10).read().decode()
    blocks = [html.unescape(block) for block in BLOCK.findall(page)]
    # The Express example has a test of its own.
    return "\n".join(block for block in blocks if "npm" not in block)


def walk(hallpass: Hallpass) -> str:
    """The blocks of the walk, with the values of this server in the place of those that are left out."""
    section = (ROOT / "docs" / "oauth.md").read_text().split(WALK_HEAD)[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)).splitlines()
    kept = [line for line in lines if not line.startswith(VALUES)]
    if len(lines) - len(kept) != len(VALUES):
        raise SystemExit(f"docs/oauth.md: other lines than {VALUES} are to be filled in")
    ann = next(user for user in hallpass.users if user["username"] == "ann")
    values = {"HALLPASS": hallpass.url, "COMPANY_ID": hallpass.company_id, "EMAIL": ann["email"],
              "PASSWORD": ann["password"], **{name.upper(): value for name, value in hallpass.oauth.items()}}
    filled = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*filled, *kept]) + AGAIN


def main() -> int:
    failed = 0
    with hallpass_dev() as hallpass:
        for what, script, steps in (("the start page", start_page(hallpass), START_PAGE),
                                    ("the walk of docs/oauth.md", walk(hallpass), WALK)):
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, cwd=folder)
            missing = first_missing(steps, done.stdout)
            if missing:
                failed += 1
                print(f"FAIL  {what}: no {missing} in\n{done.stdout}\n{done.stderr}")
            else:
                print(f"ok    {what} works as pasted")
    print(f"{2 - failed} passed, {failed} failed")
    return 1 if failed else 0


def first_missing(steps: list[str], printed: str) -> str | None:
    """The first step that is not found behind those before it."""
    at = 0
    for step in steps:
        found = re.compile(step).search(printed, at)
        if not found:
            return step
        at = found.end()
    return None


if __name__ == "__main__":
    sys.exit(main())
