#!/usr/bin/env python3
"""Pastes what the start page of `hallpass dev` offers into one shell, in order, and looks at what happens."""

import html
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e" / "python"))

from hallpass_dev import hallpass_dev  # noqa: E402

BLOCK = re.compile(r'<pre[^>]*aria-label="Shell: [^"]*"><code>(.*?)</code></pre>', re.DOTALL)
# One line for each step, in order: a token, a page of messages, the message sent, the revocation, 401, 404.
EXPECTED = [
    r"ey[\w-]+\.[\w-]+\.[\w-]+\n",
    r'\{"data":\[\{"id":"post_',
    r'\{"id":"post_\w+".*"content":"Hello!"',
    r'\{"revoked":true\}',
    r"HTTP/1\.1 401 ",
    r"HTTP/1\.1 404 ",
]


def main() -> int:
    with hallpass_dev() as hallpass:
        page = urllib.request.urlopen(hallpass.url, timeout=10).read().decode()
        blocks = [html.unescape(block) for block in BLOCK.findall(page)]
        # The Express example has a test of its own.
        script = "\n".join(block for block in blocks if "npm" not in block)
        printed = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60).stdout
    at = 0
    for expected in EXPECTED:
        found = re.compile(expected).search(printed, at)
        if not found:
            print(f"FAIL  the start page: no {expected} in\n{printed[at:]}\n0 passed, 1 failed")
            return 1
        at = found.end()
    print("ok    what the start page offers works as pasted\n1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
