#!/usr/bin/env python3
"""Takes docs/pictures of the pages with a headless Chromium, light and dark, wide and narrow.

    scripts/pictures.py FOLDER

Speaks the DevTools protocol over a pipe: no driver, no package. Fails on anything a page complains
about (a script error, a blocked file) and on a page that is wider than its window.
"""

import base64
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e" / "python"))

from browser import Browser  # noqa: E402
from hallpass_dev import BINARY, Hallpass, hallpass_dev  # noqa: E402

DEV_PAGES = [("start", "/"), ("reference", "/api")]
SERVE_PAGES = [("start-serve", "/")]
SIZES = [("wide", 1280, 860), ("narrow", 320, 700)]
ANSWERS_WITHIN_SECS = 60
# No services of the vendor's: the machine may have no network.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars
    --disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe""".split()


class Chromium:
    """A browser and one page of it."""

    def __init__(self, profile: str) -> None:
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def hand_over() -> None:
            # Above 4 first, so that neither overwrites the other.
            high = os.dup(to_read), os.dup(to_write)
            os.dup2(high[0], 3, inheritable=True)
            os.dup2(high[1], 4, inheritable=True)

        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            command, close_fds=False, preexec_fn=hand_over, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._calls = 0
        self.complaints: list[str] = []
        self._session = None
        target = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: object) -> dict:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def wait(self, event: str) -> None:
        while self._read().get("method") != event:
            pass

    def leave(self, script: str) -> None:
        """Does what leads to another page, and waits for that."""
        self.evaluate(script)
        self.wait("Page.loadEventFired")

    def until(self, condition: str) -> None:
        """Waits until an expression is true. Of timers, not frames: a page behind another draws none."""
        self.evaluate(
            f"(async () => {{ while (!({condition})) await new Promise((next) => setTimeout(next, 20)) }})()"
        )

    def evaluate(self, script: str) -> object:
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def _read(self) -> dict:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], ANSWERS_WITHIN_SECS)[0]:
                raise TimeoutError(f"the browser is silent; it complained of {self.complaints}")
            more = os.read(self._from, 1 << 16)
            if not more:
                raise RuntimeError("the browser is gone")
            self._buffer += more
        message, self._buffer = self._buffer.split(b"\0", 1)
        event = json.loads(message)
        if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(event["params"])[:500])
        return event

    def show(self, url: str, width: int, height: int, scheme: str) -> None:
        self(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def picture(self) -> bytes:
        return base64.b64decode(self("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def hallpass_serve() -> Iterator[str]:
    """Runs `hallpass serve` on an empty folder; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        process = subprocess.Popen(
            [BINARY, "serve", "--data-dir", data, "--port", str(port)], stderr=subprocess.PIPE, text=True
        )
        try:
            for line in process.stderr:
                if "listening on" in line:
                    break
            else:
                raise RuntimeError("hallpass serve ended")
            yield url
        finally:
            process.terminate()
            process.communicate()


def take(browser: Chromium, url: str, pages: list[tuple[str, str]], folder: Path) -> list[str]:
    """Pictures of pages in every form; what is wrong with them."""
    wrong = []
    for name, path in pages:
        for size, width, height in SIZES:
            for scheme in ("light", "dark"):
                browser.show(url + path, width, height, scheme)
                shown = browser.evaluate("document.documentElement.scrollWidth")
                if shown > width:
                    wrong.append(f"{path} is {shown} wide in a window of {width}")
                file = folder / f"{name}-{size}-{scheme}.png"
                file.write_bytes(browser.picture())
                print(file)
    return wrong


def take_people(browser: Chromium, hallpass: Hallpass, folder: Path) -> list[str]:
    """The way of somebody to an app: signing in, what the app asks for, and the account afterwards."""
    ann = next(user for user in hallpass.users if user["username"] == "ann")
    asked = "/oauth/authorize?" + urllib.parse.urlencode(
        {
            "response_type": "code",
            "client_id": hallpass.oauth["client_id"],
            "redirect_uri": "com.yourapp.bundle://oauth/callback",
            "scope": "openid profile email chat:message:create chat:read dms:read dms:message:manage",
            "nonce": "of-a-picture",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
            "company_id": hallpass.company_id,
        }
    )
    wrong = take(browser, hallpass.url, [("sign-in", asked)], folder)
    browser.leave(f"""{{
        const ann = {json.dumps(ann)}, form = document.querySelector("form[action='/sign-in']");
        form.email.value = ann.email; form.password.value = ann.password;
        form.querySelector("button.first").click() }}""")
    wrong += take(browser, hallpass.url, [("consent", asked)], folder)
    # On another device, so that there are two.
    Browser(hallpass.url).authorize(hallpass.url + asked, ann)
    return wrong + take(browser, hallpass.url, [("account", "/account")], folder)


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(profile)
        with hallpass_dev("--seed", "1") as hallpass:
            wrong = take(browser, hallpass.url, DEV_PAGES, folder)
            wrong += take_people(browser, hallpass, folder)
        with hallpass_serve() as url:
            wrong += take(browser, url, SERVE_PAGES, folder)
        browser.close()
    wrong += browser.complaints
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
